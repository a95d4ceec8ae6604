//! Directories whose keys are behind their place after a rename, and how they catch up.
//!
//! A directory that is renamed keeps its hash state, so every entry below it keeps its key: the rename touches one slot. Such a
//! directory is *stale*: its state is not that of its canonical path. While any directory is stale the tables are *strict*: engines
//! walk, and read each directory's state from its record. Re-keying makes a stale directory's state canonical, its entries' keys with it; its
//! subdirectories are stale then, and their turn comes. Small subtrees are re-keyed within the rename, large ones by
//! [`Index::rekey`], a piece at a time; a directory's own entries are always one piece.
//!
//! No two directories may have the same state at any time. A directory whose canonical state a stale one still holds gets a state
//! of its own (salted by its inode) and is stale itself until the other has moved on.

use super::Index;
use super::build::{ideal_state, record_of};
use super::entries::Placed;
use crate::InodeId;
use crate::hash::State;
use crate::layout;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Entries that a rename re-keys at once, so that the time it takes is bounded.
const REKEY_AT_ONCE: usize = 1024;

/// Directories whose state is not their canonical path's.
#[derive(Debug, Default)]
pub(super) struct StaleDirectories {
    states: HashMap<InodeId, State, RandomState>,
    holders: HashMap<State, InodeId, RandomState>,
    queue: VecDeque<InodeId>,
}

impl StaleDirectories {
    pub(super) fn add(&mut self, directory: InodeId, state: State) {
        match self.states.insert(directory, state) {
            Some(before) => {
                self.holders.remove(&before);
            }
            None => self.queue.push_back(directory),
        }
        self.holders.insert(state, directory);
    }

    /// The directory is as it should be, or gone. It may stay queued: whoever takes it from the queue looks.
    pub(super) fn remove(&mut self, directory: InodeId) {
        if let Some(state) = self.states.remove(&directory) {
            self.holders.remove(&state);
        }
    }

    /// The next directory in turn that is still stale.
    fn next(&mut self) -> Option<InodeId> {
        while let Some(directory) = self.queue.pop_front() {
            if self.states.contains_key(&directory) {
                return Some(directory);
            }
        }
        None
    }

    /// Puts a directory back at the end of the queue, if it is still stale.
    fn put_back(&mut self, directory: InodeId) {
        if self.states.contains_key(&directory) {
            self.queue.push_back(directory);
        }
    }

    /// Whether another directory than this one holds the state.
    pub(super) fn holds(&self, state: &State, directory: InodeId) -> bool {
        self.holders.get(state).is_some_and(|&holder| holder != directory)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

impl Index {
    /// Re-keys stale directories until about `entries` entries have got new keys, one directory at least. Returns whether
    /// any is still stale. One version, if there was anything to do.
    pub fn rekey(&mut self, entries: usize) -> bool {
        if !self.stale.is_empty() {
            self.rekey_some(entries, usize::MAX);
            self.commit();
        }
        !self.stale.is_empty()
    }

    /// Whether a rename is not re-keyed yet, so that engines walk every path.
    pub fn is_rekeying(&self) -> bool {
        !self.stale.is_empty()
    }

    /// A directory has another parent or name: it keeps its state, and is stale where that is not its place's.
    pub(super) fn directory_moved(&mut self, directory: InodeId, parent: InodeId, name: &[u8]) {
        let state = self.state(directory);
        self.set_dir(directory, record_of(&self.namespace, directory, parent, state));
        self.place(&Placed { parent, name: name.to_vec(), inode: directory, alias: directory });
        self.settle(directory);
        self.rekey_some(REKEY_AT_ONCE, REKEY_AT_ONCE);
    }

    /// Notes whether a directory is stale.
    fn settle(&mut self, directory: InodeId) {
        let state = self.state(directory);
        if self.ideal(directory) == Some(state) {
            self.stale.remove(directory);
        } else {
            self.stale.add(directory, state);
        }
    }

    /// The state that the directory has when all is in order.
    fn ideal(&self, directory: InodeId) -> Option<State> {
        let entry = self.namespace.entry_of(directory)?;
        Some(ideal_state(self.state(entry.parent), self.tables.hash_key(), entry.name, directory))
    }

    /// Re-keys stale directories of at most `largest` entries until `budget` entries have got new keys.
    fn rekey_some(&mut self, budget: usize, largest: usize) {
        let mut n_rekeyed = 0;
        // How many directories may yet be put back without progress.
        let mut patience = self.stale.queue.len();
        while n_rekeyed < budget.max(1)
            && patience > 0
            && let Some(directory) = self.stale.next()
        {
            let n_children = self.namespace.n_children(directory);
            let (state, salted) = (self.state(directory), State::salted(directory));
            let goal = match self.ideal(directory) {
                Some(ideal) if !self.stale.holds(&ideal, directory) => ideal,
                // Another still holds its place. It makes way itself, in case that one waits for it.
                _ => salted,
            };
            if n_children > largest || (goal == salted && state == salted) {
                patience -= 1;
            } else {
                n_rekeyed += n_children + 1;
                self.rekey_directory(directory, state, goal);
                patience = self.stale.queue.len() + 1;
            }
            self.stale.put_back(directory);
        }
    }

    /// Gives a directory another state and its entries the keys that follow; its subdirectories may be stale then.
    fn rekey_directory(&mut self, directory: InodeId, from: State, to: State) {
        let entries: Vec<Placed> = self.namespace.list(directory).map(|entry| Placed::of(&entry)).collect();
        for placed in &entries {
            let hash = self.tables.hash_key();
            let key = from.child(hash, &placed.name).finish(hash);
            self.tables.remove(&key);
        }
        let parent = self.namespace.parent(directory).unwrap_or(layout::ROOT);
        self.set_dir(directory, record_of(&self.namespace, directory, parent, to));
        self.settle(directory);
        for placed in &entries {
            let id = self.tables.id();
            self.place(placed);
            if self.tables.id() != id {
                // A collision: everything has been built anew, nothing is stale.
                return;
            }
            if self.namespace.is_directory(placed.inode) {
                self.settle(placed.inode);
            }
        }
    }
}
