//! What an entry that comes or goes means for the tables: its slot, its record, the links that lead over it.

use super::Index;
use super::build::{self, ideal_state, record_of, slot_of};
use super::dependencies::{self, LinkDependencies};
use super::links::{Dependency, LinkResolver, dir_number, link_number};
use super::rekey::StaleDirectories;
use super::shared::SharedTables;
use super::slots::Collision;
use super::tables::Tables;
use crate::hash::{State, random_key};
use crate::layout::{self, DirRecord, LinkRecord};
use crate::namespace::{Entry, FileType, Namespace, Removed};
use crate::{INVALID_INODE, InodeId};

/// An entry that the tables hold a slot for, kept while the namespace changes under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) parent: InodeId,
    pub(super) name: Vec<u8>,
    pub(super) inode: InodeId,
    pub(super) alias: InodeId,
}

impl Placed {
    pub(super) fn of(entry: &Entry<'_>) -> Placed {
        Placed { parent: entry.parent, name: entry.name.to_vec(), inode: entry.inode, alias: entry.alias }
    }

    pub(super) fn entry(&self) -> Entry<'_> {
        Entry { parent: self.parent, name: &self.name, inode: self.inode, alias: self.alias }
    }
}

impl Index {
    /// The state of a directory of the namespace.
    pub(super) fn state(&self, directory: InodeId) -> State {
        self.dir(directory).map_or(State::EMPTY, State::of)
    }

    pub(super) fn dir(&self, directory: InodeId) -> Option<&DirRecord> {
        self.tables.dirs().get(dir_number(&self.namespace, directory)? as usize)
    }

    pub(super) fn set_dir(&mut self, directory: InodeId, record: DirRecord) {
        if let Some(number) = dir_number(&self.namespace, directory) {
            self.tables.set_dir(number as usize, record);
        }
    }

    /// The namespace has a new entry: gives it a slot and, by its kind, a record.
    pub(super) fn entry_added(&mut self, parent: InodeId, name: &[u8]) {
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
    pub(super) fn place(&mut self, placed: &Placed) {
        let hash = self.tables.hash_key();
        let slot = slot_of(&self.namespace, hash, self.state(placed.parent), &placed.entry());
        if self.tables.insert_slot(slot) == Err(Collision) {
            self.rebuild();
        }
    }

    /// Takes an entry's slot away.
    pub(super) fn displace(&mut self, placed: &Placed) {
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
            if let Ok(mut tables) = build_aside(&self.namespace, &key) {
                tables.go_on_from(self.tables.version());
                self.tables = SharedTables::new(tables);
                self.stale = StaleDirectories::default();
                return;
            }
        }
    }

    /// The inode's entries, where their ids may change with a removal: those of a symbolic link.
    pub(super) fn aliased_entries(&self, inode: InodeId) -> Vec<Placed> {
        match self.namespace.file_type(inode) {
            Some(FileType::Symlink) => {
                self.namespace.entries_of(inode).map(|entry| Placed::of(&entry)).collect()
            }
            _ => vec![],
        }
    }

    /// The namespace has lost an entry. Returns the links whose place has changed with it.
    pub(super) fn entry_removed(&mut self, entry: &Placed, removed: &Removed, before: &[Placed]) -> Vec<u32> {
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
    pub(super) fn links_moved(&mut self, others: &[Placed], freed: InodeId, inode: InodeId) -> Vec<u32> {
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

    /// Resolves anew the links that these changes touch, and those of `new_links`.
    pub(super) fn refresh_links(&mut self, changed: &[Dependency<'_>], new_links: Vec<u32>) {
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
    pub(super) fn resolve_all_links(&mut self) {
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

/// Builds tables on threads of their own. Rayon's global ones may wait for the lock that a change is made under; and one of them that
/// makes the change would begin other work while it waits, such as another change.
fn build_aside(namespace: &Namespace, key: &[u32]) -> Result<Tables, Collision> {
    let build = || build::build(namespace, key.to_vec());
    let Ok(pool) = rayon::ThreadPoolBuilder::new().build() else { return build() };
    let mut built = None;
    // Not `install`, in which one of rayon's threads takes up other work while it waits.
    pool.in_place_scope(|scope| scope.spawn(|_| built = Some(build())));
    built.unwrap_or_else(build)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ROOT;
    use crate::index::held_up::while_rayon_is_held_up;

    #[test]
    fn a_rebuild_goes_on_with_the_versions_and_does_not_wait_for_rayon() {
        let mut namespace = Namespace::new();
        // More than one chunk, so that there is work to share.
        for i in 0..build::CHUNK_ENTRIES + 1000 {
            namespace.add_file(ROOT, format!("{i}"), FileType::Regular).unwrap();
        }
        let mut index = Index::build(namespace).unwrap();
        index.add_file(ROOT, "a", FileType::Regular).unwrap();
        let before = index.shared_tables();

        let index = while_rayon_is_held_up(move || {
            index.rebuild();
            index.commit();
            index
        });
        assert_ne!(index.tables().id(), before.id());
        assert_eq!(index.tables().version(), before.version() + 1);
        assert_eq!(index.tables().changes_since(before.version() - 1), None);
        index.check().unwrap();
    }
}
