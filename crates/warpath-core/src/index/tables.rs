//! What engines read: five arrays, their version, and what changed since an earlier one.

use super::changes::{Array, ChangeLog, Changes};
use super::slots::{Collision, SlotTable};
use crate::column::Column;
use crate::hash::{HashKey, Key};
use crate::layout::{self, DirRecord, InodeBlock, LinkRecord, Slot, TableParams};
use std::sync::atomic::{AtomicU64, Ordering};

/// What engines read: slots, inode blocks, directory and link records, hash key.
///
/// About 27 bytes an entry. Made and changed by an [`Index`](crate::Index); see `warpath-layout` for the bytes. A clone copies
/// all arrays, has the same id and version, and can be kept in step by [`Tables::catch_up`].
#[derive(Debug, Clone)]
pub struct Tables {
    id: u64,
    version: u64,
    key: Column<u32>,
    table: SlotTable,
    blocks: Column<InodeBlock>,
    dirs: Column<DirRecord>,
    links: Column<LinkRecord>,
    flags: u32,
    log: ChangeLog,
}

/// The tables as borrowed arrays, for code that reads them path after path.
#[derive(Debug, Clone, Copy)]
pub struct TablesView<'a> {
    /// See [`layout::Slot`].
    pub slots: &'a [Slot],
    /// See [`layout::InodeBlock`].
    pub blocks: &'a [InodeBlock],
    /// See [`layout::DirRecord`].
    pub dirs: &'a [DirRecord],
    /// See [`layout::LinkRecord`].
    pub links: &'a [LinkRecord],
    /// The secret hash key.
    pub key: HashKey<'a>,
    /// Sizes and flags.
    pub params: TableParams,
}

/// The arrays of [`Tables`], for whoever stores them and makes tables of them again.
#[derive(Debug, Clone, Default)]
pub struct TableParts {
    /// KEY_WORDS words.
    pub key: Column<u32>,
    /// An even number of pairs, 2 at least.
    pub slots: Column<Slot>,
    /// One for 32 inodes.
    pub blocks: Column<InodeBlock>,
    /// One a directory.
    pub dirs: Column<DirRecord>,
    /// One a symbolic link, further hard links counted.
    pub links: Column<LinkRecord>,
    /// Slots that are taken.
    pub n_entries: usize,
    /// The most pairs that any entry's probe visits.
    pub probe_limit: u32,
    /// TABLE_ flags.
    pub flags: u32,
}

/// Numbers tables and other things that devices keep copies of; 0 is never given.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Tables {
    /// Tables of these arrays, at version 0 and with an id of their own.
    ///
    /// `None` when the key has not KEY_WORDS words, the slots are no even number of pairs between 2 and 2^32, or a probe would visit
    /// more pairs than there are.
    /// Nothing else is checked: whatever the arrays hold, engines end and stay in bounds. O(1).
    pub fn from_parts(parts: TableParts) -> Option<Tables> {
        HashKey::new(&parts.key)?;
        let n_slots = parts.slots.len();
        let line = layout::LINE_SLOTS as usize;
        if n_slots == 0 || !n_slots.is_multiple_of(line) || u32::try_from(n_slots / 2).is_err() {
            return None;
        }
        // It bounds every probe of every engine.
        if parts.probe_limit as usize > n_slots / 2 {
            return None;
        }
        Some(Tables {
            id: next_id(),
            version: 0,
            key: parts.key,
            table: SlotTable::from_parts(parts.slots, parts.n_entries, parts.probe_limit),
            blocks: parts.blocks,
            dirs: parts.dirs,
            links: parts.links,
            flags: parts.flags,
            log: ChangeLog::default(),
        })
    }

    /// Copies of the arrays (shared where they are mapped), to be stored.
    pub fn to_parts(&self) -> TableParts {
        TableParts {
            key: self.key.clone(),
            slots: self.table.slots().clone(),
            blocks: self.blocks.clone(),
            dirs: self.dirs.clone(),
            links: self.links.clone(),
            n_entries: self.table.n_entries(),
            probe_limit: self.table.probe_limit(),
            flags: self.flags,
        }
    }

    /// A number that no other tables of this process have, clones excepted.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The hash table.
    pub fn slots(&self) -> &[Slot] {
        self.table.slots()
    }

    /// Which inodes are directories or links.
    pub fn blocks(&self) -> &[InodeBlock] {
        &self.blocks
    }

    /// The directory records.
    pub fn dirs(&self) -> &[DirRecord] {
        &self.dirs
    }

    /// The link records.
    pub fn links(&self) -> &[LinkRecord] {
        &self.links
    }

    /// The words of the secret hash key: KEY_WORDS of them.
    pub fn key_words(&self) -> &[u32] {
        &self.key
    }

    /// Entries in the hash table.
    pub fn n_entries(&self) -> usize {
        self.table.n_entries()
    }

    /// Sizes and flags.
    pub fn params(&self) -> TableParams {
        self.view().params
    }

    /// The arrays, borrowed.
    pub fn view(&self) -> TablesView<'_> {
        let (slots, blocks, dirs, links) = (&**self.table.slots(), &*self.blocks, &*self.dirs, &*self.links);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let params = TableParams {
            n_pairs: (slots.len() / layout::PAIR_SLOTS as usize) as u32,
            probe_limit: self.table.probe_limit(),
            n_inodes: count(blocks.len().saturating_mul(layout::BLOCK_INODES as usize)),
            n_dirs: count(dirs.len()),
            n_links: count(links.len()),
            flags: self.flags,
        };
        TablesView { slots, blocks, dirs, links, key: self.hash_key(), params }
    }

    /// The secret hash key.
    pub fn hash_key(&self) -> HashKey<'_> {
        // Its length was checked when the tables were made; the empty key only satisfies the types.
        static NO_KEY: [u32; layout::KEY_WORDS as usize] = [0; layout::KEY_WORDS as usize];
        HashKey::new(&self.key).unwrap_or_else(|| HashKey::of(&NO_KEY))
    }

    /// What the versions after `version` wrote: merged ranges of each array. `None` when that is no longer known,
    /// everything changed (the table grew), or `version` is newer than these tables: copy all.
    pub fn changes_since(&self, version: u64) -> Option<Changes> {
        if version <= self.version { self.log.since(version) } else { None }
    }

    /// Brings a clone to the version of `newer`: copies what changed, or everything.
    pub fn catch_up(&mut self, newer: &Tables) {
        let changes = if self.id == newer.id { newer.changes_since(self.version) } else { None };
        let same_size = self.table.slots().len() == newer.table.slots().len();
        let (Some(changes), true) = (changes, same_size) else {
            *self = newer.clone();
            return;
        };
        let copy_slots = self.table.slots_mut();
        for range in changes.slots {
            copy_slots[range.clone()].copy_from_slice(&newer.table.slots()[range]);
        }
        let slots = std::mem::take(copy_slots);
        self.table = SlotTable::from_parts(slots, newer.table.n_entries(), newer.table.probe_limit());
        copy_ranges(&mut self.blocks, &newer.blocks, changes.blocks);
        copy_ranges(&mut self.dirs, &newer.dirs, changes.dirs);
        copy_ranges(&mut self.links, &newer.links, changes.links);
        self.flags = newer.flags;
        self.log.extend(&newer.log, self.version);
        self.version = newer.version;
    }

    /// Bytes that engines read.
    pub fn memory(&self) -> usize {
        self.key.memory()
            + self.table.slots().memory()
            + self.blocks.memory()
            + self.dirs.memory()
            + self.links.memory()
    }

    // What follows changes the next version; `commit` makes it the current one.

    /// Goes on with the numbers of earlier tables, from which everything has changed.
    pub(crate) fn go_on_from(&mut self, version: u64) {
        self.version = version;
        self.log.forget(version);
    }

    pub(crate) fn commit(&mut self) {
        self.version += 1;
    }

    pub(crate) fn insert_slot(&mut self, slot: Slot) -> Result<(), Collision> {
        let next = self.version + 1;
        if self.table.is_crowded() {
            self.table.grow();
            self.log.forget(next);
        }
        let n_slots = self.table.slots().len();
        self.table.insert(slot, &mut |at| self.log.note(next, Array::Slots, at))?;
        if self.table.slots().len() != n_slots {
            self.log.forget(next);
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Slot> {
        let next = self.version + 1;
        self.table.remove(key, &mut |at| self.log.note(next, Array::Slots, at))
    }

    pub(crate) fn set_block(&mut self, number: usize, block: InodeBlock) {
        self.log.note(self.version + 1, Array::Blocks, number);
        set(&mut self.blocks, number, block);
    }

    pub(crate) fn set_dir(&mut self, number: usize, record: DirRecord) {
        self.log.note(self.version + 1, Array::Dirs, number);
        set(&mut self.dirs, number, record);
    }

    pub(crate) fn set_link(&mut self, number: usize, record: LinkRecord) {
        self.log.note(self.version + 1, Array::Links, number);
        set(&mut self.links, number, record);
    }

    /// The link records, those of these numbers to be written.
    pub(crate) fn links_mut(&mut self, numbers: &[u32]) -> &mut [LinkRecord] {
        for &number in numbers {
            self.log.note(self.version + 1, Array::Links, number as usize);
        }
        &mut self.links
    }

    pub(crate) fn set_flags(&mut self, flags: u32) {
        self.flags = flags;
    }
}

/// Writes an element, and default ones before it where the column is shorter.
fn set<T: crate::column::Value + Default>(column: &mut Column<T>, number: usize, value: T) {
    if number >= column.len() {
        column.vec().resize(number + 1, T::default());
    }
    column[number] = value;
}

fn copy_ranges<T: crate::column::Value + Default>(
    to: &mut Column<T>,
    from: &Column<T>,
    ranges: Vec<std::ops::Range<usize>>,
) {
    if to.len() < from.len() {
        to.vec().resize(from.len(), T::default());
    }
    for range in ranges {
        to[range.clone()].copy_from_slice(&from[range]);
    }
}
