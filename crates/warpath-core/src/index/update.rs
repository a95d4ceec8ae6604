//! One change at a time: entries come, go and move, and the tables follow.
//!
//! A directory that is renamed keeps its hash state, so every entry below it keeps its key: the rename touches one slot. Such a
//! directory is *stale*: its state is not that of its canonical path. While any directory is stale the tables are *strict*: engines
//! walk, and read each directory's state from its record. Re-keying makes a stale directory's state canonical, its entries' keys with it; its
//! subdirectories are stale then, and their turn comes. Small subtrees are re-keyed within the rename, large ones by
//! [`Index::rekey`], a bounded piece at a time.
//!
//! No two directories may have the same state at any time. A directory whose canonical state a stale one still holds gets a state
//! of its own (salted by its inode) and is stale itself until the other has moved on.

use super::Index;
use super::build::{self, ideal_state, record_of, slot_of};
use super::dependencies::{self, LinkDependencies};
use super::links::{Dependency, LinkResolver, dir_number, link_number};
use super::shared::SharedTables;
use super::slots::Collision;
use crate::hash::{State, random_key};
use crate::layout::{self, DirRecord, LinkRecord};
use crate::namespace::{Attributes, Entry, FileType, Namespace, NamespaceError, Removed, Renamed};
use crate::{INVALID_INODE, InodeId};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Entries that a rename re-keys at once, so that the time it takes is bounded.
const REKEY_AT_ONCE: usize = 1024;

/// A change to the tree, for [`Index::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new entry and inode.
    Add {
        /// Directory that gets the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
        /// What it is.
        file_type: FileType,
        /// For a symbolic link, its target where that is known.
        target: Option<Vec<u8>>,
        /// What `stat` tells of it.
        attributes: Attributes,
    },
    /// Another name of an inode.
    HardLink {
        /// Directory that gets the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
        /// What it leads to.
        inode: InodeId,
    },
    /// An entry less.
    Remove {
        /// Directory that loses the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
    },
    /// An entry moved.
    Rename {
        /// Directory that loses the entry.
        from: InodeId,
        /// Its name there.
        name: Vec<u8>,
        /// Directory that gets it.
        to: InodeId,
        /// Its new name.
        new_name: Vec<u8>,
    },
    /// Other attributes.
    Attributes {
        /// Of this inode.
        inode: InodeId,
        /// What `stat` tells now.
        attributes: Attributes,
    },
    /// Whether not every entry of a directory is known.
    Partial {
        /// The directory.
        directory: InodeId,
        /// Whether what is missing there is "not indexed".
        partial: bool,
    },
}

/// A change of a list that was refused; those before it were carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("change {position}: {error}")]
pub struct ChangeError {
    /// Which change of the list.
    pub position: usize,
    /// Why.
    pub error: NamespaceError,
}

/// Directories whose state is not their canonical path's.
#[derive(Debug, Default)]
pub(super) struct StaleDirectories {
    states: HashMap<InodeId, State, RandomState>,
    holders: HashMap<State, InodeId, RandomState>,
    queue: VecDeque<InodeId>,
}

impl StaleDirectories {
    fn add(&mut self, directory: InodeId, state: State) {
        match self.states.insert(directory, state) {
            Some(before) => {
                self.holders.remove(&before);
            }
            None => self.queue.push_back(directory),
        }
        self.holders.insert(state, directory);
    }

    /// The directory is as it should be, or gone. It may stay queued: whoever takes it from the queue looks.
    fn remove(&mut self, directory: InodeId) {
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
    fn holds(&self, state: &State, directory: InodeId) -> bool {
        self.holders.get(state).is_some_and(|&holder| holder != directory)
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// An entry that the tables hold a slot for, kept while the namespace changes under it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    parent: InodeId,
    name: Vec<u8>,
    inode: InodeId,
    alias: InodeId,
}

impl Placed {
    fn of(entry: &Entry<'_>) -> Placed {
        Placed { parent: entry.parent, name: entry.name.to_vec(), inode: entry.inode, alias: entry.alias }
    }

    fn entry(&self) -> Entry<'_> {
        Entry { parent: self.parent, name: &self.name, inode: self.inode, alias: self.alias }
    }
}

impl Index {
    /// Adds an inode and its entry; see [`Namespace::add_file`]. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_file(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        self.committed(|index| {
            let inode = index.namespace.add_file(parent, name.as_ref(), file_type)?;
            index.entry_added(parent, name.as_ref());
            Ok(inode)
        })
    }

    /// Adds an empty directory. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_directory(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.add_file(parent, name, FileType::Directory)
    }

    /// Adds a symbolic link. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_symlink(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.committed(|index| {
            let inode = index.namespace.add_symlink(parent, name.as_ref(), target.as_ref())?;
            index.entry_added(parent, name.as_ref());
            Ok(inode)
        })
    }

    /// Adds another name of an inode that is no directory. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_hard_link(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        self.committed(|index| {
            index.namespace.add_hard_link(parent, name.as_ref(), inode)?;
            index.entry_added(parent, name.as_ref());
            Ok(())
        })
    }

    /// Removes an entry, as unlink(2) and rmdir(2) do. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn remove(&mut self, parent: InodeId, name: impl AsRef<[u8]>) -> Result<Removed, NamespaceError> {
        self.committed(|index| index.remove_entry(parent, name.as_ref()))
    }

    /// Renames an entry, as rename(2) does, replacing what rename(2) would. O(1) for a directory of any size: what has to be
    /// re-keyed below it and is not small is left to [`Index::rekey`]. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn rename(
        &mut self,
        from: InodeId,
        name: impl AsRef<[u8]>,
        to: InodeId,
        new_name: impl AsRef<[u8]>,
    ) -> Result<Renamed, NamespaceError> {
        self.committed(|index| index.rename_entry(from, name.as_ref(), to, new_name.as_ref()))
    }

    /// Says whether not every entry of a directory is known. One version; resolves every link anew.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn set_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        self.committed(|index| index.set_directory_partial(directory, partial))
    }

    /// Sets what `stat` tells of an inode. No new version: engines don't read it.
    ///
    /// # Errors
    /// [`NamespaceError::NoSuchInode`].
    pub fn set_attributes(&mut self, inode: InodeId, attributes: Attributes) -> Result<(), NamespaceError> {
        self.namespace.set_attributes(inode, attributes)
    }

    /// Carries out a list of changes as one version, in order.
    ///
    /// # Errors
    /// [`ChangeError`] at the first change that is refused; those before it stand.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ChangeError> {
        let result = changes.iter().enumerate().try_for_each(|(position, change)| {
            self.apply_one(change).map_err(|error| ChangeError { position, error })
        });
        self.commit();
        result
    }

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

    fn committed<T>(
        &mut self,
        change: impl FnOnce(&mut Index) -> Result<T, NamespaceError>,
    ) -> Result<T, NamespaceError> {
        let result = change(self)?;
        self.commit();
        Ok(result)
    }

    /// Makes the changes since the last version the next one.
    fn commit(&mut self) {
        let flags = [
            (!self.stale.is_empty(), layout::TABLE_STRICT),
            (self.namespace.n_partial() > 0, layout::TABLE_HAS_PARTIAL),
            (self.namespace.n_aliases() > 0, layout::TABLE_HAS_ALIASES),
        ];
        self.tables.set_flags(flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag));
        self.tables.commit();
    }

    fn apply_one(&mut self, change: &Change) -> Result<(), NamespaceError> {
        match change {
            Change::Add { parent, name, file_type, target, attributes } => {
                let inode = match target {
                    Some(target) if *file_type == FileType::Symlink => {
                        self.namespace.add_symlink(*parent, name, target)?
                    }
                    _ => self.namespace.add_file(*parent, name, *file_type)?,
                };
                self.entry_added(*parent, name);
                self.namespace.set_attributes(inode, *attributes)
            }
            Change::HardLink { parent, name, inode } => {
                self.namespace.add_hard_link(*parent, name, *inode)?;
                self.entry_added(*parent, name);
                Ok(())
            }
            Change::Remove { parent, name } => self.remove_entry(*parent, name).map(|_| ()),
            Change::Rename { from, name, to, new_name } => {
                self.rename_entry(*from, name, *to, new_name).map(|_| ())
            }
            Change::Attributes { inode, attributes } => self.namespace.set_attributes(*inode, *attributes),
            Change::Partial { directory, partial } => self.set_directory_partial(*directory, *partial),
        }
    }

    /// The state of a directory of the namespace.
    fn state(&self, directory: InodeId) -> State {
        self.dir(directory).map_or(State::EMPTY, State::of)
    }

    fn dir(&self, directory: InodeId) -> Option<&DirRecord> {
        self.tables.dirs().get(dir_number(&self.namespace, directory)? as usize)
    }

    fn set_dir(&mut self, directory: InodeId, record: DirRecord) {
        if let Some(number) = dir_number(&self.namespace, directory) {
            self.tables.set_dir(number as usize, record);
        }
    }

    /// The namespace has a new entry: gives it a slot and, by its kind, a record.
    fn entry_added(&mut self, parent: InodeId, name: &[u8]) {
        let Some(placed) = self.namespace.child_entry(parent, name).map(|entry| Placed::of(&entry)) else {
            return;
        };
        self.block_changed(placed.alias);
        let mut new_links = vec![];
        match self.namespace.file_type(placed.inode) {
            Some(FileType::Directory) => self.directory_added(&placed),
            Some(FileType::Symlink) => new_links.extend(self.link_added(&placed)),
            _ => {}
        }
        self.place(&placed);
        self.refresh_links(&[dependencies::entry(parent, name)], new_links);
    }

    /// Copies the inode's block when the namespace has put a new inode there.
    fn block_changed(&mut self, inode: InodeId) {
        let number = (inode / layout::BLOCK_INODES) as usize;
        for number in self.tables.blocks().len().min(number)..=number {
            if let Some(&block) = self.namespace.blocks().get(number)
                && self.tables.blocks().get(number) != Some(&block)
            {
                self.tables.set_block(number, block);
            }
        }
    }

    fn directory_added(&mut self, placed: &Placed) {
        let parent = self.state(placed.parent);
        let ideal = ideal_state(parent, self.tables.hash_key(), &placed.name, placed.inode);
        let taken = self.stale.holds(&ideal, placed.inode);
        let state = if taken { State::salted(placed.inode) } else { ideal };
        self.set_dir(placed.inode, record_of(&self.namespace, placed.inode, placed.parent, state));
        if taken {
            self.stale.add(placed.inode, state);
        }
    }

    /// Writes the link record of an entry, to be resolved; returns its number.
    fn link_added(&mut self, placed: &Placed) -> Option<u32> {
        let number = link_number(&self.namespace, placed.alias)?;
        let record = LinkRecord {
            inode: INVALID_INODE,
            outcome: LinkRecord::pack(layout::STATUS_NOT_INDEXED, 0, 1),
            own: placed.inode,
            parent: placed.parent,
        };
        self.tables.set_link(number as usize, record);
        Some(number)
    }

    /// Gives an entry a slot.
    fn place(&mut self, placed: &Placed) {
        let hash = self.tables.hash_key();
        let slot = slot_of(&self.namespace, hash, self.state(placed.parent), &placed.entry());
        if self.tables.insert_slot(slot) == Err(Collision) {
            self.rebuild();
        }
    }

    /// Takes an entry's slot away.
    fn displace(&mut self, placed: &Placed) {
        let hash = self.tables.hash_key();
        let key = self.state(placed.parent).child(hash, &placed.name).finish(hash);
        self.tables.remove(&key);
    }

    /// Builds the tables anew under another key: two entries share all 94 bits of theirs.
    fn rebuild(&mut self) {
        let mut key = self.tables.key_words().to_vec();
        loop {
            // Without random bytes the old, still secret words in another order have to do.
            key = random_key().unwrap_or_else(|_| {
                key.iter()
                    .map(|word| word.wrapping_mul(0x9E37_79B1).rotate_left(11).wrapping_add(1))
                    .collect()
            });
            if let Ok(tables) = build::build(&self.namespace, key.clone()) {
                self.tables = SharedTables::new(tables);
                self.stale = StaleDirectories::default();
                return;
            }
        }
    }

    /// The inode's entries, where their ids may change with a removal: those of a symbolic link.
    fn aliased_entries(&self, inode: InodeId) -> Vec<Placed> {
        match self.namespace.file_type(inode) {
            Some(FileType::Symlink) => {
                self.namespace.entries_of(inode).map(|entry| Placed::of(&entry)).collect()
            }
            _ => vec![],
        }
    }

    fn remove_entry(&mut self, parent: InodeId, name: &[u8]) -> Result<Removed, NamespaceError> {
        let entry = self.namespace.child_entry(parent, name).map(|entry| Placed::of(&entry));
        let before = entry.as_ref().map_or(vec![], |entry| self.aliased_entries(entry.inode));
        let removed = self.namespace.remove(parent, name)?;
        let mut new_links = vec![];
        if let Some(entry) = entry {
            new_links = self.entry_removed(&entry, &removed, &before);
        }
        self.refresh_links(&[dependencies::entry(parent, name)], new_links);
        Ok(removed)
    }

    /// The namespace has lost an entry. Returns the links whose place has changed with it.
    fn entry_removed(&mut self, entry: &Placed, removed: &Removed, before: &[Placed]) -> Vec<u32> {
        self.displace(entry);
        match removed.file_type {
            FileType::Directory => {
                self.stale.remove(removed.inode);
                self.set_dir(removed.inode, DirRecord { inode: INVALID_INODE, ..DirRecord::default() });
                vec![]
            }
            FileType::Symlink => {
                let others: Vec<Placed> = before.iter().filter(|other| *other != entry).cloned().collect();
                self.links_moved(&others, entry.alias, removed.inode)
            }
            _ => vec![],
        }
    }

    /// A symbolic link has lost an entry: gives its other entries the ids that the namespace has for them now. Returns the
    /// links to resolve anew.
    fn links_moved(&mut self, others: &[Placed], freed: InodeId, inode: InodeId) -> Vec<u32> {
        let now = self.aliased_entries(inode);
        let gone: Vec<&Placed> = others.iter().filter(|other| !now.contains(other)).collect();
        let mut touched = vec![];
        for alias in gone.iter().map(|placed| placed.alias).chain([freed]) {
            touched.extend(self.forget_link(alias));
        }
        for placed in &gone {
            self.displace(placed);
        }
        for placed in now.iter().filter(|placed| !others.contains(placed)) {
            touched.extend(self.link_added(placed));
            self.place(placed);
        }
        touched
    }

    /// Clears the record of an id that no entry has any more. Returns the links that lead over it.
    fn forget_link(&mut self, alias: InodeId) -> Vec<u32> {
        let Some(number) = link_number(&self.namespace, alias) else { return vec![] };
        self.tables.set_link(number as usize, LinkRecord { inode: INVALID_INODE, ..LinkRecord::default() });
        let Some(dependencies) = &mut self.dependencies else { return vec![] };
        dependencies.forget(number);
        dependencies.affected(&[Dependency::Link(number)])
    }

    fn rename_entry(
        &mut self,
        from: InodeId,
        name: &[u8],
        to: InodeId,
        new_name: &[u8],
    ) -> Result<Renamed, NamespaceError> {
        let placed = |namespace: &Namespace, parent, name: &[u8]| {
            namespace.child_entry(parent, name).map(|entry| Placed::of(&entry))
        };
        let moved = placed(&self.namespace, from, name);
        let target = placed(&self.namespace, to, new_name);
        let moved_before = moved.as_ref().map_or(vec![], |moved| self.aliased_entries(moved.inode));
        let target_before = target.as_ref().map_or(vec![], |target| self.aliased_entries(target.inode));
        let renamed = self.namespace.rename(from, name, to, new_name)?;
        let (false, Some(moved)) = (renamed.unchanged, moved) else { return Ok(renamed) };
        let mut new_links = vec![];
        if let (Some(target), Some(replaced)) = (target, &renamed.replaced) {
            new_links.extend(self.entry_removed(&target, replaced, &target_before));
        }
        self.displace(&moved);
        let changed = [dependencies::entry(from, name), dependencies::entry(to, new_name)];
        let mut changed = changed.to_vec();
        match renamed.file_type {
            FileType::Symlink => {
                let others: Vec<Placed> =
                    moved_before.iter().filter(|other| **other != moved).cloned().collect();
                new_links.extend(self.links_moved(&others, moved.alias, moved.inode));
            }
            FileType::Directory => {
                changed.push(Dependency::Parent(moved.inode));
                self.directory_moved(moved.inode, to, new_name);
            }
            _ => self.place(&Placed { parent: to, name: new_name.to_vec(), ..moved }),
        }
        self.refresh_links(&changed, new_links);
        Ok(renamed)
    }

    /// A directory has another parent or name: it keeps its state, and is stale where that is not its place's.
    fn directory_moved(&mut self, directory: InodeId, parent: InodeId, name: &[u8]) {
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

    fn set_directory_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        self.namespace.set_partial(directory, partial)?;
        if let Some(&record) = self.dir(directory) {
            let flags = if partial { layout::DIR_PARTIAL } else { 0 };
            self.set_dir(directory, DirRecord { flags, ..record });
        }
        self.resolve_all_links();
        Ok(())
    }

    /// Resolves anew the links that these changes touch, and those of `new_links`.
    fn refresh_links(&mut self, changed: &[Dependency<'_>], new_links: Vec<u32>) {
        if self.tables.links().is_empty() {
            return;
        }
        let Some(dependencies) = &mut self.dependencies else {
            self.resolve_all_links();
            return;
        };
        let mut unknown = new_links;
        // Who depended on a link at this id before depends on the entry too, so `changed` covers it.
        unknown.extend(dependencies.affected(changed));
        if unknown.is_empty() {
            return;
        }
        for &number in &unknown {
            dependencies.forget(number);
        }
        let records = self.tables.links_mut(&unknown);
        LinkResolver::new(&self.namespace, records, unknown, None, dependencies).run();
    }

    /// Resolves every link anew and notes what each depends on. O(links).
    fn resolve_all_links(&mut self) {
        let mut dependencies = LinkDependencies::default();
        let mut records = build::unresolved_links(&self.namespace);
        let all = 0..records.len() as u32;
        LinkResolver::new(&self.namespace, &mut records, all, None, &mut dependencies).run();
        for (number, record) in records.into_iter().enumerate() {
            if self.tables.links().get(number) != Some(&record) {
                self.tables.set_link(number, record);
            }
        }
        self.dependencies = Some(dependencies);
    }
}
