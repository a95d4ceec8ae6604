//! Which links have to be resolved anew when an entry changes.

use super::links::{Dependency, Observer};
use crate::InodeId;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::hash::BuildHasher;

/// What a link depends on, names folded to 64 bits: a collision only makes a link be resolved once too often.
type Folded = (u8, u32, u64);

/// For each dependency the links that have it, and for each link its dependencies.
#[derive(Debug, Default)]
pub(crate) struct LinkDependencies {
    hasher: RandomState,
    dependents: HashMap<Folded, HashSet<u32, RandomState>, RandomState>,
    dependencies: HashMap<u32, Vec<Folded>, RandomState>,
}

impl LinkDependencies {
    fn fold(&self, dependency: Dependency<'_>) -> Folded {
        match dependency {
            Dependency::Entry(directory, name) => (0, directory, self.hasher.hash_one(name)),
            Dependency::Parent(directory) => (1, directory, 0),
            Dependency::Link(number) => (2, number, 0),
        }
    }

    /// The links whose outcome may have changed with any of these: directly, or over other links.
    pub fn affected(&self, changed: &[Dependency<'_>]) -> Vec<u32> {
        let mut found = HashSet::with_hasher(RandomState::default());
        let mut pending: Vec<Folded> = changed.iter().map(|&dependency| self.fold(dependency)).collect();
        while let Some(folded) = pending.pop() {
            for &link in self.dependents.get(&folded).into_iter().flatten() {
                if found.insert(link) {
                    pending.push(self.fold(Dependency::Link(link)));
                }
            }
        }
        found.into_iter().collect()
    }

    /// Forgets what a link depends on: before it is resolved anew, or when it is gone.
    pub fn forget(&mut self, link: u32) {
        for folded in self.dependencies.remove(&link).unwrap_or_default() {
            if let Some(links) = self.dependents.get_mut(&folded) {
                links.remove(&link);
                if links.is_empty() {
                    self.dependents.remove(&folded);
                }
            }
        }
    }
}

impl Observer for &mut LinkDependencies {
    fn depends(&mut self, link: u32, on: Dependency<'_>) {
        let folded = self.fold(on);
        if self.dependents.entry(folded).or_default().insert(link) {
            self.dependencies.entry(link).or_default().push(folded);
        }
    }
}

/// An entry of a directory, as a dependency.
pub(crate) fn entry(directory: InodeId, name: &[u8]) -> Dependency<'_> {
    Dependency::Entry(directory, name)
}
