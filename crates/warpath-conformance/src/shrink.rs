//! Makes a failing case small: the fewest entries, components and options that still fail.

use crate::check::Query;
use crate::tree::{NodeKind, ROOT_NODE, Tree};
use warpath_core::Options;

/// Most candidates that are tried: a case on disk costs some milliseconds.
const MAX_TRIES: usize = 3000;

/// The smallest tree and query found that `fails` still holds of. It holds of what is given.
pub fn shrink(tree: Tree, query: Query, fails: &mut dyn FnMut(&Tree, &Query) -> bool) -> (Tree, Query) {
    let mut shrinker = Shrinker { tree, query, fails, tries: 0 };
    while shrinker.pass() {}
    (shrinker.tree, shrinker.query)
}

struct Shrinker<'f> {
    tree: Tree,
    query: Query,
    fails: &'f mut dyn FnMut(&Tree, &Query) -> bool,
    tries: usize,
}

impl Shrinker<'_> {
    /// Whether anything could be made smaller.
    fn pass(&mut self) -> bool {
        // No short circuit: every way has its turn in every pass.
        self.fewer_nodes()
            | self.simpler_options()
            | self.shorter_path()
            | self.simpler_nodes()
            | self.fewer_levels()
            | self.shorter_names()
    }

    /// Takes the candidate if it fails too.
    fn take(&mut self, tree: Tree, query: Query) -> bool {
        if self.tries >= MAX_TRIES || (tree == self.tree && query == self.query) {
            return false;
        }
        self.tries += 1;
        let taken = (self.fails)(&tree, &query);
        if taken {
            (self.tree, self.query) = (tree, query);
        }
        taken
    }

    fn fewer_nodes(&mut self) -> bool {
        let mut any = false;
        let mut chunk = self.tree.nodes().len().next_power_of_two();
        while chunk > 0 {
            let mut first = 1;
            while first < self.tree.nodes().len() {
                let tree = self.tree.filtered(|node| !(first..first + chunk).contains(&node));
                let taken = match tree.find(&self.tree.path_of(self.query.start)) {
                    Some(start) => self.take(tree, Query { start, ..self.query.clone() }),
                    None => false,
                };
                any |= taken;
                if !taken {
                    first += chunk;
                }
            }
            chunk /= 2;
        }
        any
    }

    fn simpler_options(&mut self) -> bool {
        let ways: [fn(Options) -> Options; 4] = [
            |options| Options { beneath: false, ..options },
            |options| Options { no_symlinks: false, ..options },
            |options| Options { walk_only: false, ..options },
            |options| Options { follow: true, ..options },
        ];
        let mut any = false;
        for simpler in ways {
            let options = simpler(self.query.options);
            any |= self.take(self.tree.clone(), Query { options, ..self.query.clone() });
        }
        any | self.take(self.tree.clone(), Query { start: ROOT_NODE, ..self.query.clone() })
    }

    fn shorter_path(&mut self) -> bool {
        shorter(&self.query.path.clone(), |path| {
            self.take(self.tree.clone(), Query { path: path.to_vec(), ..self.query.clone() })
        })
    }

    fn simpler_nodes(&mut self) -> bool {
        let mut any = false;
        for node in 1..self.tree.nodes().len() {
            match self.tree.nodes()[node].kind.clone() {
                NodeKind::Directory { partial: true } => {
                    any |= self.take_kind(node, NodeKind::Directory { partial: false });
                }
                NodeKind::Directory { .. } | NodeKind::File => {}
                NodeKind::Special(_) | NodeKind::HardLink(_) => any |= self.take_kind(node, NodeKind::File),
                NodeKind::Symlink(target) => {
                    any |= self.take_kind(node, NodeKind::File)
                        || shorter(&target, |target| {
                            !target.is_empty() && self.take_kind(node, NodeKind::Symlink(target.to_vec()))
                        });
                }
            }
        }
        any
    }

    /// Directories taken out of the tree and their names out of the path, what is in them moved up.
    fn fewer_levels(&mut self) -> bool {
        let mut any = false;
        let mut node = 1;
        while node < self.tree.nodes().len() {
            let name = &self.tree.nodes()[node].name;
            let mut names: Vec<&[u8]> = self.query.path.split(|&byte| byte == b'/').collect();
            let in_path = names.iter().position(|component| component == name);
            let start = self.query.start;
            let taken = match (in_path, self.tree.is_directory(node) && start == ROOT_NODE) {
                (Some(at), true) => {
                    names.remove(at);
                    let path = names.join(&b'/');
                    self.take(self.tree.lifted(node), Query { path, ..self.query.clone() })
                }
                _ => false,
            };
            any |= taken;
            node += usize::from(!taken);
        }
        any
    }

    /// Names of one letter, in tree, path and targets alike.
    fn shorter_names(&mut self) -> bool {
        let mut any = false;
        for node in 1..self.tree.nodes().len() {
            let name = self.tree.nodes()[node].name.clone();
            let letter = (b'a'..=b'z')
                .map(|letter| [letter])
                .find(|letter| !self.tree.nodes().iter().any(|node| node.name == letter));
            if let (Some(letter), true) = (letter, name.len() > 1) {
                let path = renamed(&self.query.path, &name, &letter);
                let tree = self.tree.renamed(
                    |known| if known == name { letter.to_vec() } else { known.to_vec() },
                    |target| renamed(target, &name, &letter),
                );
                any |= self.take(tree, Query { path, ..self.query.clone() });
            }
        }
        any
    }

    fn take_kind(&mut self, node: usize, kind: NodeKind) -> bool {
        self.take(self.tree.with_kind(node, kind), self.query.clone())
    }
}

/// The path with one name for another.
fn renamed(path: &[u8], name: &[u8], new_name: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> =
        path.split(|&byte| byte == b'/').map(|known| if known == name { new_name } else { known }).collect();
    names.join(&b'/')
}

/// Leaves out components, then bytes, in ever smaller runs. Whether `take` took anything.
fn shorter(path: &[u8], mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let components: Vec<&[u8]> = path.split_inclusive(|&byte| byte == b'/').collect();
    let (components, any) = without_runs(components, |kept| take(&kept.concat()));
    let bytes: Vec<u8> = components.concat();
    // Byte by byte only what a person would read byte by byte.
    let fine = if bytes.len() <= 64 { without_runs(bytes, |kept| take(kept)).1 } else { false };
    any | fine
}

fn without_runs<T: Clone>(mut items: Vec<T>, mut take: impl FnMut(&[T]) -> bool) -> (Vec<T>, bool) {
    let mut any = false;
    let mut chunk = items.len().next_power_of_two();
    while chunk > 0 {
        let mut first = 0;
        while first < items.len() {
            let end = (first + chunk).min(items.len());
            let kept = [&items[..first], &items[end..]].concat();
            if take(&kept) {
                items = kept;
                any = true;
            } else {
                first += chunk;
            }
        }
        chunk /= 2;
    }
    (items, any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Knobs, Paths, tree};

    #[test]
    fn leaves_what_matters() {
        let mut shrunk = 0;
        for seed in 0..20 {
            let tree = tree(seed, Knobs { partial: false, large: false });
            let mut query = Paths::new(&tree, seed).query();
            query.path = b"a/b//./aa/../c/x".to_vec();
            let mut fails = |tree: &Tree, query: &Query| {
                tree.nodes().iter().any(|node| matches!(node.kind, NodeKind::Symlink(_)))
                    && query.path.windows(2).any(|w| w == b"..")
            };
            if fails(&tree, &query) {
                let (tree, query) = shrink(tree, query, &mut fails);
                let depth = tree.path_of(tree.nodes().len() - 1).iter().filter(|&&b| b == b'/').count();
                assert!(tree.nodes().len() <= 1 + depth, "{tree}");
                assert_eq!(query.path, b"..");
                assert_eq!(query.options, Options::default());
                shrunk += 1;
            }
        }
        assert!(shrunk > 5);
    }
}
