//! Sequences of changes under one living engine: what it keeps from earlier versions must not show.
//!
//! The index and a namespace beside it are changed alike and must say the same of each change; then paths are asked, new
//! ones and such as were asked before.

use super::session::{Indexed, Session};
use super::{Config, Failure, MakeEngine};
use crate::check::{Query, all_modes};
use crate::generate::{self, Knobs, Paths, random_name};
use crate::text::escape;
use crate::tree::{Planted, Tree};
use fastrand::Rng;
use std::fmt::Debug;
use warpath_core::namespace::Entry;
use warpath_core::{
    FileType, Index, InodeId, Namespace, NamespaceError, Options, PathBatch, ROOT, reference,
};

/// Sequences, and steps of one.
const SEQUENCES: u64 = 24;
const STEPS: usize = 60;

/// Paths asked at a time, and old paths that are asked again.
const NEW_PATHS: usize = 48;
const OLD_PATHS: usize = 96;

/// One change. Which entry, name or target follows from its seed and the tree as it is then, so that a sequence still means
/// something when steps are left out.
#[derive(Debug, Clone, Copy)]
struct Step {
    seed: u64,
    asks: bool,
}

pub(super) fn run(session: &Session<'_>, make_engine: &MakeEngine<'_>) -> Result<(), Failure> {
    for sequence in 0..SEQUENCES {
        let mut rng = Rng::with_seed(session.config.seed ^ (sequence << 32));
        let tree = generate::tree(rng.u64(..), Knobs { partial: sequence % 4 == 3, large: true });
        let steps: Vec<Step> =
            (0..STEPS).map(|_| Step { seed: rng.u64(..), asks: rng.u8(..3) == 0 }).collect();
        if let Err(failure) = play(session, &tree, &steps) {
            return Err(shortest(session.config, make_engine, &tree, steps, failure));
        }
    }
    Ok(())
}

/// The failure of the shortest part of the sequence that fails on a new engine.
fn shortest(
    config: &Config,
    make_engine: &MakeEngine<'_>,
    tree: &Tree,
    mut steps: Vec<Step>,
    mut failure: Failure,
) -> Failure {
    let mut chunk = steps.len().next_power_of_two();
    while chunk > 0 {
        let mut first = 0;
        while first < steps.len() {
            let end = (first + chunk).min(steps.len());
            let fewer = [&steps[..first], &steps[end..]].concat();
            let Ok(engine) = make_engine() else { return failure };
            match play(&Session::new(engine.as_ref(), config), tree, &fewer) {
                Err(again) => (steps, failure) = (fewer, again),
                Ok(()) => first += chunk,
            }
        }
        chunk /= 2;
    }
    failure
}

/// Carries out the steps on a tree and asks in between and at the end.
fn play(session: &Session<'_>, tree: &Tree, steps: &[Step]) -> Result<(), Failure> {
    let Indexed { index, .. } = Indexed::new(tree)?;
    let shadow = index.namespace().clone();
    let mut player =
        Player { session, index, shadow, old_paths: Vec::new(), told: format!("tree: r\"{tree}\"\n") };
    player.ask(0)?;
    for step in steps {
        player.change(&mut Rng::with_seed(step.seed))?;
        if step.asks {
            player.ask(step.seed)?;
        }
    }
    player.ask(1)?;
    while player.index.rekey(64) {
        player.ask(2)?;
    }
    player.ask(3)
}

struct Player<'s> {
    session: &'s Session<'s>,
    index: Index,
    shadow: Namespace,
    old_paths: Vec<Vec<u8>>,
    told: String,
}

/// An entry, apart from the namespace that holds it.
#[derive(Clone)]
struct Place {
    parent: InodeId,
    name: Vec<u8>,
    inode: InodeId,
}

impl Player<'_> {
    fn change(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let entries = entries(&self.shadow);
        let directories = directories(&self.shadow, &entries);
        let parent = directories[rng.usize(..directories.len())];
        let name = random_name(rng);
        let kind = rng.u8(..100);
        let Some(entry) = (!entries.is_empty()).then(|| entries[rng.usize(..entries.len())].clone()) else {
            return self.add(parent, &name, FileType::Directory);
        };
        match kind {
            0..=17 => self.add(parent, &name, FileType::Regular),
            18..=32 => self.add(parent, &name, FileType::Directory),
            33..=47 => {
                let target = self.target(parent, rng);
                self.both("add_symlink", parent, &name, |index, shadow| {
                    (index.add_symlink(parent, &name, &target), shadow.add_symlink(parent, &name, &target))
                })
            }
            48..=53 => self.both("add_hard_link", parent, &name, |index, shadow| {
                (
                    index.add_hard_link(parent, &name, entry.inode),
                    shadow.add_hard_link(parent, &name, entry.inode),
                )
            }),
            54..=63 => self.remove(&entry),
            64..=67 => self.remove_tree(&entry),
            68..=85 => self.rename(&entry, parent, &name),
            86..=93 => {
                let moved = directories[rng.usize(..directories.len())];
                self.replace_directory(moved, parent, &name)
            }
            94..=96 => {
                let partial = !self.shadow.is_partial(parent);
                self.both("set_partial", parent, b"", |index, shadow| {
                    (index.set_partial(parent, partial), shadow.set_partial(parent, partial))
                })
            }
            _ => {
                self.told += "rekey\n";
                self.index.rekey(rng.usize(1..40));
                Ok(())
            }
        }
    }

    fn add(&mut self, parent: InodeId, name: &[u8], file_type: FileType) -> Result<(), Failure> {
        self.both(&format!("add {file_type:?}"), parent, name, |index, shadow| {
            (index.add_file(parent, name, file_type), shadow.add_file(parent, name, file_type))
        })
    }

    fn remove(&mut self, entry: &Place) -> Result<(), Failure> {
        let Place { parent, name, .. } = entry;
        self.both("remove", *parent, name, |index, shadow| {
            (index.remove(*parent, name), shadow.remove(*parent, name))
        })
    }

    fn remove_tree(&mut self, entry: &Place) -> Result<(), Failure> {
        let below: Vec<Place> = self.shadow.list(entry.inode).map(|entry| Place::of(&entry)).collect();
        for place in below {
            self.remove_tree(&place)?;
        }
        self.remove(entry)
    }

    fn rename(&mut self, entry: &Place, to: InodeId, new_name: &[u8]) -> Result<(), Failure> {
        let Place { parent, name, .. } = entry;
        let what = format!("rename {} to inode {to}, ", escape(name, b""));
        self.both(&what, *parent, new_name, |index, shadow| {
            (index.rename(*parent, name, to, new_name), shadow.rename(*parent, name, to, new_name))
        })
    }

    /// Moves a directory away and makes a new one, with an entry, in its old place.
    fn replace_directory(&mut self, moved: InodeId, to: InodeId, new_name: &[u8]) -> Result<(), Failure> {
        let Some(old) = self.shadow.entry_of(moved).map(|entry| Place::of(&entry)) else { return Ok(()) };
        let below = self.shadow.list(moved).map(|entry| entry.name.to_vec()).min();
        self.rename(&old, to, new_name)?;
        self.add(old.parent, &old.name, FileType::Directory)?;
        let Some(new) = self.shadow.child(old.parent, &old.name) else { return Ok(()) };
        self.add(new, &below.unwrap_or(b"a".to_vec()), FileType::Regular)
    }

    /// A target that means something from that directory.
    fn target(&self, parent: InodeId, rng: &mut Rng) -> Vec<u8> {
        let (tree, inodes) = Tree::of(&self.shadow);
        let from = inodes.iter().position(|&inode| inode == parent).unwrap_or(0);
        let mut target = Vec::new();
        Paths::new(&tree, rng.u64(..)).next(from, &mut target);
        target.retain(|&byte| byte != 0);
        target.truncate(4095);
        if target.is_empty() { b".".to_vec() } else { target }
    }

    /// The same change to the index and to the namespace beside it.
    fn both<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        parent: InodeId,
        name: &[u8],
        change: impl FnOnce(&mut Index, &mut Namespace) -> (Result<T, NamespaceError>, Result<T, NamespaceError>),
    ) -> Result<(), Failure> {
        let directory = escape(&self.shadow.path_of(parent).unwrap_or_default(), b"");
        let (index, shadow) = change(&mut self.index, &mut self.shadow);
        if shadow.is_ok() {
            self.told += &format!("{what} r\"{}\" in r\"{directory}\"\n", escape(name, b""));
        }
        if index == shadow {
            return Ok(());
        }
        Err(Failure::Index(format!(
            "after these changes:\n{}the index says {index:?} where a namespace says {shadow:?}: {what} r\"{}\" in r\"{directory}\"",
            self.told,
            escape(name, b"")
        )))
    }

    /// Asks new paths and old ones.
    fn ask(&mut self, seed: u64) -> Result<(), Failure> {
        let (tree, inodes) = Tree::of(&self.shadow);
        let mut paths = Paths::new(&tree, seed);
        let start = paths.start();
        let mut asked = self.old_paths.clone();
        for _ in 0..NEW_PATHS {
            let mut path = Vec::new();
            paths.next(start, &mut path);
            asked.push(path);
        }
        let slices: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        let batch = PathBatch::from_slices(&slices);
        let modes: Vec<Options> = all_modes().collect();
        for mode in [Options::default(), modes[seed as usize % modes.len()]] {
            let options = mode.start(inodes[start]);
            let outcomes = self.session.ask(&self.index, &options, &batch)?;
            for (path, outcome) in slices.iter().zip(outcomes) {
                let right = reference::resolve(&self.shadow, path, &options);
                if outcome != right {
                    let query = Query { path: path.to_vec(), start, options };
                    let planted = Planted { namespace: self.shadow.clone(), inodes };
                    let difference =
                        Box::new(self.session.difference(tree.clone(), query, right, outcome, &planted));
                    return Err(Failure::DiffersAfter { steps: self.told.clone(), difference });
                }
            }
        }
        self.old_paths = asked.split_off(asked.len().saturating_sub(OLD_PATHS));
        Ok(())
    }
}

impl Place {
    fn of(entry: &Entry<'_>) -> Place {
        Place { parent: entry.parent, name: entry.name.to_vec(), inode: entry.inode }
    }
}

/// Every entry, in an order that follows from the changes alone.
fn entries(namespace: &Namespace) -> Vec<Place> {
    (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)).map(|entry| Place::of(&entry)).collect()
}

fn directories(namespace: &Namespace, entries: &[Place]) -> Vec<InodeId> {
    let below = entries.iter().map(|entry| entry.inode).filter(|&inode| namespace.is_directory(inode));
    std::iter::once(ROOT).chain(below).collect()
}
