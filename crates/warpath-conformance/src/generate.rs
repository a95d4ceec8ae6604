//! Random trees and paths, the same for the same seed on every machine.
//!
//! Names come from a small alphabet, so that paths meet entries and targets meet links; most paths exist, nearly
//! exist, or wander about by `.`, `..`, links and doubled slashes. A tree is made once and asked many paths: a path
//! costs some hundred nanoseconds.

use crate::check::{Query, all_modes};
use crate::tree::{NodeKind, ROOT_NODE, Special, Tree};
use fastrand::Rng;
use warpath_core::Options;

/// Names that turn up most of the time.
const COMMON: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"aa"];

/// Names with something about them: dots, bytes that are no text, lengths around the hash's unit of 8 bytes.
const ODD: [&[u8]; 20] = [
    b"ab",
    b"ba",
    b"a.",
    b"...",
    b"..a",
    b".a",
    b"\xff",
    b"\n",
    b" ",
    b"\xc3\xa9",
    b"\\",
    b"\x01",
    b"sevenby",
    b"eightbyt",
    b"ninebytes",
    b"fifteen-bytes-15",
    b"seventeen-bytes17",
    b"A",
    b"\xff\xfe",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// What a random tree may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knobs {
    /// Directories and links of which not everything is known. No disk can hold these.
    pub partial: bool,
    /// Trees with directories deeper than 4095 bytes and with hundreds of entries, now and then.
    pub large: bool,
}

/// A random tree.
pub fn tree(seed: u64, knobs: Knobs) -> Tree {
    let mut rng = Rng::with_seed(seed);
    let mut tree = Tree::new();
    let shape = rng.u8(..32);
    match shape {
        0 if knobs.large => nest(&mut tree, &mut rng, 17..36, 255),
        1 if knobs.large => nest(&mut tree, &mut rng, 60..140, 1),
        2 if knobs.large => scatter(&mut tree, &mut rng, 100..300, 30, 10),
        3..=5 => chain(&mut tree, &mut rng),
        _ => {}
    }
    let links = [15, 28, 28, 60][rng.usize(..4)];
    let directories = [20, 35, 50][rng.usize(..3)];
    scatter(&mut tree, &mut rng, 1..48, links, directories);
    aim_links(&mut tree, &mut rng);
    if knobs.partial {
        forget(&mut tree, &mut rng);
    }
    tree
}

/// Adds entries in random places. `links` and `directories` are per cent.
fn scatter(tree: &mut Tree, rng: &mut Rng, n: std::ops::Range<usize>, links: u8, directories: u8) {
    let mut places: Vec<usize> = tree.directories().collect();
    for _ in 0..rng.usize(n) {
        let parent = pick(rng, &places);
        let name = random_name(rng);
        let kind = match rng.u8(..100) {
            k if k < directories => NodeKind::Directory { partial: false },
            k if k < directories + links => NodeKind::Symlink(b"a".to_vec()),
            k if k >= 96 => NodeKind::Special(
                [Special::Pipe, Special::Socket, Special::Characters, Special::Blocks][rng.usize(..4)],
            ),
            k if k >= 90 => NodeKind::HardLink(rng.usize(..tree.nodes().len())),
            _ => NodeKind::File,
        };
        if let Some(node) = tree.add(parent, &name, kind)
            && tree.is_directory(node)
        {
            places.push(node);
        }
    }
}

/// Directories one inside the other, with names of so many bytes.
fn nest(tree: &mut Tree, rng: &mut Rng, depth: std::ops::Range<usize>, length: usize) {
    let mut at = ROOT_NODE;
    for _ in 0..rng.usize(depth) {
        let letter = if rng.u8(..8) == 0 { b'b' } else { b'a' };
        let name = vec![letter; length];
        at = tree.add(at, &name, NodeKind::Directory { partial: false }).unwrap_or(at);
    }
}

/// Links, each to the one before, about as many as a path may follow.
fn chain(tree: &mut Tree, rng: &mut Rng) {
    let directory = tree.add(ROOT_NODE, b"a", NodeKind::Directory { partial: false }).unwrap_or(ROOT_NODE);
    tree.add(directory, b"b", NodeKind::File);
    tree.add(ROOT_NODE, b"here", NodeKind::Symlink(b".".to_vec()));
    for n in 1..=rng.usize(36..44) {
        let target = if n == 1 { b"a".to_vec() } else { link_name(n - 1) };
        tree.add(ROOT_NODE, &link_name(n), NodeKind::Symlink(target));
    }
}

fn link_name(n: usize) -> Vec<u8> {
    format!("l{n}").into_bytes()
}

/// Gives every link made by [`scatter`] a target, now that there is something to lead to.
fn aim_links(tree: &mut Tree, rng: &mut Rng) {
    let scattered: Vec<usize> = (0..tree.nodes().len())
        .filter(|&node| tree.nodes()[node].kind == NodeKind::Symlink(b"a".to_vec()))
        .collect();
    if scattered.is_empty() {
        return;
    }
    let mut targets = Vec::with_capacity(scattered.len());
    {
        let mut paths = Paths::new(tree, rng.u64(..));
        for &link in &scattered {
            let mut target = Vec::new();
            paths.next(tree.nodes()[link].parent, &mut target);
            target.truncate(4095);
            target.retain(|&byte| byte != 0);
            if target.is_empty() {
                target.push(b'.');
            }
            targets.push(target);
        }
    }
    for (link, target) in scattered.into_iter().zip(targets) {
        tree.set_target(link, &target);
    }
}

/// Makes some directories partial and some links' targets unknown.
fn forget(tree: &mut Tree, rng: &mut Rng) {
    let n = tree.nodes().len();
    for node in 0..n {
        match tree.nodes()[node].kind {
            NodeKind::Directory { .. } if rng.u8(..6) == 0 => tree.set_partial(node),
            NodeKind::Symlink(_) if rng.u8(..12) == 0 => tree.set_target(node, b""),
            _ => {}
        }
    }
}

/// A random name, mostly one that others have too.
pub fn random_name(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..64) {
        0 => long_name(rng, 255),
        1 => long_name(rng, 254),
        2..=17 => pick(rng, &ODD).to_vec(),
        _ => pick(rng, &COMMON).to_vec(),
    }
}

/// Long names differ in their first or last byte alone.
fn long_name(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut name = vec![b'a'; length];
    match rng.u8(..3) {
        0 => name[0] = b'b',
        1 => name[length - 1] = b'b',
        _ => {}
    }
    name
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// Random paths in a tree.
#[derive(Debug)]
pub struct Paths<'t> {
    tree: &'t Tree,
    rng: Rng,
    /// The path of each node.
    paths: Vec<Vec<u8>>,
    /// Where each node probably leads: itself if it is a directory.
    leads: Vec<Option<usize>>,
    /// Links that lead to the directory that holds them.
    circles: Vec<usize>,
}

impl<'t> Paths<'t> {
    /// Random paths in `tree`.
    pub fn new(tree: &'t Tree, seed: u64) -> Paths<'t> {
        let mut paths: Vec<Vec<u8>> = Vec::with_capacity(tree.nodes().len());
        for node in tree.nodes() {
            let above = paths.get(node.parent).map_or(&[][..], Vec::as_slice);
            let path = if node.name.is_empty() { Vec::new() } else { [above, b"/", &node.name].concat() };
            paths.push(path);
        }
        let mut leads: Vec<Option<usize>> =
            (0..tree.nodes().len()).map(|node| tree.is_directory(node).then_some(node)).collect();
        // Twice: links that lead through one link are found the second time.
        for _ in 0..2 {
            for node in 0..tree.nodes().len() {
                if let NodeKind::Symlink(target) = &tree.nodes()[node].kind {
                    leads[node] = lead(tree, &leads, tree.nodes()[node].parent, target);
                }
            }
        }
        let circles = (1..tree.nodes().len())
            .filter(|&node| !tree.is_directory(node) && leads[node] == Some(tree.nodes()[node].parent))
            .collect();
        Paths { tree, rng: Rng::with_seed(seed), paths, leads, circles }
    }

    /// Writes a random path for start directory `start` over `path`.
    pub fn next(&mut self, start: usize, path: &mut Vec<u8>) {
        path.clear();
        match self.rng.u8(..100) {
            0..=34 => self.existing(start, path),
            35..=36 => self.circling(path),
            37 => {}
            _ => {
                if self.rng.u8(..100) < 45 {
                    path.push(b'/');
                    self.wander(ROOT_NODE, path);
                } else {
                    self.wander(start, path);
                }
            }
        }
        match self.rng.u8(..200) {
            0..=19 => path.push(b'/'),
            20..=22 => path.extend_from_slice(b"/."),
            23..=25 => path.extend_from_slice(b"//"),
            26..=28 => path.extend_from_slice(b"/.."),
            29 => path.push(0),
            30 => self.insert_nul(path),
            31 => self.lengthen(path),
            32 => self.change_byte(path),
            _ => {}
        }
    }

    /// A random directory: the root every other time.
    pub fn start(&mut self) -> usize {
        if self.rng.bool() {
            return ROOT_NODE;
        }
        self.leads[self.rng.usize(..self.leads.len())].unwrap_or(ROOT_NODE)
    }

    /// A random query.
    pub fn query(&mut self) -> Query {
        let start = self.start();
        let mut path = Vec::new();
        self.next(start, &mut path);
        let modes: Vec<Options> = all_modes().collect();
        Query { path, start, options: pick(&mut self.rng, &modes) }
    }

    /// The plain path of some node, from the root or, if that is on the way, from the start directory.
    fn existing(&mut self, start: usize, path: &mut Vec<u8>) {
        let node = self.rng.usize(..self.paths.len());
        let whole = &self.paths[node];
        let below = whole.strip_prefix(self.paths[start].as_slice()).and_then(|rest| rest.strip_prefix(b"/"));
        match below {
            Some(rest) if self.rng.u8(..3) != 0 => path.extend_from_slice(rest),
            _ if whole.is_empty() => path.push(b'/'),
            _ => path.extend_from_slice(whole),
        }
    }

    /// Round and round a link to its own directory, about as often as is allowed.
    fn circling(&mut self, path: &mut Vec<u8>) {
        if self.circles.is_empty() {
            return self.existing(ROOT_NODE, path);
        }
        let link = pick(&mut self.rng, &self.circles);
        path.extend_from_slice(&self.paths[link]);
        for _ in 0..self.rng.usize(30..42) {
            path.push(b'/');
            path.extend_from_slice(&self.tree.nodes()[link].name);
        }
        path.push(b'/');
        self.wander(self.tree.nodes()[link].parent, path);
    }

    /// Component after component, mostly such that exist, from a directory.
    fn wander(&mut self, from: usize, path: &mut Vec<u8>) {
        let mut at = Some(from);
        let mut steps =
            1 + self.rng.usize(..5) + if self.rng.u8(..20) == 0 { self.rng.usize(..60) } else { 0 };
        while steps > 0 {
            steps -= 1;
            at = self.step(at, path);
            if steps > 0 {
                path.push(b'/');
            }
        }
    }

    /// One more component; returns where the path probably is then.
    fn step(&mut self, at: Option<usize>, path: &mut Vec<u8>) -> Option<usize> {
        let parent = at.map(|node| self.tree.nodes()[node].parent);
        match self.rng.u8(..100) {
            0..=11 => {
                path.extend_from_slice(b"..");
                parent
            }
            12..=17 => {
                path.push(b'.');
                at
            }
            18..=21 => at,
            22..=33 => {
                let name = random_name(&mut self.rng);
                path.extend_from_slice(&name);
                self.leads_by(at, &name)
            }
            34 => {
                let length = 254 + self.rng.usize(..4);
                path.extend_from_slice(&long_name(&mut self.rng, length));
                None
            }
            kind => {
                let children = at.map_or(&[][..], |node| self.tree.children(node));
                if children.is_empty() {
                    path.extend_from_slice(b"..");
                    return parent;
                }
                let child = pick(&mut self.rng, children);
                let name = &self.tree.nodes()[child].name;
                path.extend_from_slice(name);
                match kind {
                    35 => path.push(b'a'),
                    36 if name.len() > 1 => path.truncate(path.len() - 1),
                    _ => return self.leads[child],
                }
                None
            }
        }
    }

    fn leads_by(&self, at: Option<usize>, name: &[u8]) -> Option<usize> {
        self.leads[self.tree.child(at?, name)?]
    }

    fn insert_nul(&mut self, path: &mut Vec<u8>) {
        let at = self.rng.usize(..=path.len());
        path.insert(at, 0);
    }

    /// Brings the path to about the greatest length that there may be, without changing where it leads.
    fn lengthen(&mut self, path: &mut Vec<u8>) {
        let length = self.rng.usize(4090..4099);
        let Some(missing) = length.checked_sub(path.len()).filter(|_| !path.is_empty()) else { return };
        let slash = path.iter().position(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let padding: Vec<u8> = match (slash, self.rng.bool()) {
            (0, _) | (_, true) => b"./".iter().copied().cycle().take(missing - missing % 2).collect(),
            _ => vec![b'/'; missing],
        };
        path.splice(slash..slash, padding);
    }

    fn change_byte(&mut self, path: &mut [u8]) {
        if !path.is_empty() {
            let at = self.rng.usize(..path.len());
            path[at] = pick(&mut self.rng, b"/.ab\xff\n");
        }
    }
}

/// Where a target leads if all is well: links on the way lead where `leads` says.
fn lead(tree: &Tree, leads: &[Option<usize>], from: usize, target: &[u8]) -> Option<usize> {
    let mut at = if target.first() == Some(&b'/') { ROOT_NODE } else { from };
    for name in target.split(|&byte| byte == b'/') {
        at = match name {
            b"" | b"." => at,
            b".." => tree.nodes()[at].parent,
            name => leads[tree.child(at, name)?]?,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ALL: Knobs = Knobs { partial: true, large: true };

    #[test]
    fn the_same_seed_gives_the_same() {
        for seed in 0..50 {
            assert_eq!(tree(seed, ALL), tree(seed, ALL));
        }
        let tree = tree(7, ALL);
        let mut paths = (Paths::new(&tree, 9), Paths::new(&tree, 9));
        for _ in 0..1000 {
            assert_eq!(paths.0.query(), paths.1.query());
        }
    }

    #[test]
    fn everything_turns_up() {
        let mut seen = HashSet::new();
        for seed in 0..400 {
            let tree = tree(seed, ALL);
            seen.extend(tree.is_partial().then_some("partial"));
            for (id, node) in tree.nodes().iter().enumerate() {
                let deep = tree.is_directory(id) && tree.path_of(id).len() > 4095;
                seen.extend(deep.then_some("deep directory"));
                seen.extend((node.name.len() == 255).then_some("name of 255 bytes"));
                seen.extend(std::str::from_utf8(&node.name).is_err().then_some("name that is no text"));
                match &node.kind {
                    NodeKind::HardLink(of) => {
                        seen.insert("hard link");
                        let of_link = matches!(tree.nodes()[*of].kind, NodeKind::Symlink(_));
                        seen.extend(of_link.then_some("hard link of a link"));
                    }
                    NodeKind::Special(_) => _ = seen.insert("special"),
                    NodeKind::Symlink(target) => {
                        seen.extend(target.starts_with(b"/").then_some("absolute target"));
                        seen.extend(target.ends_with(b"/").then_some("target with a slash"));
                        seen.extend(target.windows(2).any(|w| w == b"..").then_some("target with .."));
                        seen.extend((target.len() > 4000).then_some("long target"));
                    }
                    _ => {}
                }
            }
            let mut paths = Paths::new(&tree, seed);
            for _ in 0..200 {
                let path = paths.query().path;
                seen.extend(path.contains(&0).then_some("path with NUL"));
                seen.extend(path.is_empty().then_some("empty path"));
                seen.extend((path.len() == 4095).then_some("longest path"));
                seen.extend((path.len() == 4096).then_some("path too long"));
                let names = || path.split(|&byte| byte == b'/').map(<[u8]>::len);
                seen.extend(names().any(|n| n == 256).then_some("name too long"));
                seen.extend((names().count() > 35).then_some("many components"));
            }
        }
        assert_eq!(seen.len(), 17, "{seen:?}");
    }
}
