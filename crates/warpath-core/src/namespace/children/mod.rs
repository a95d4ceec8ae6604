//! The entries of each directory: small blocks of child ids and one-byte tags, in two arrays.
//!
//! ```text
//!  ids    | 17 | 4 | .. | 80 | - | 91 | ..        one block a directory, of as many slots as its class says
//!  tags   | a3 | 7f| .. | 15 | 0 | c2 | ..        a byte of the name's hash: compared before the name is
//! ```
//!
//! Up to 32 slots a block is a list without gaps, scanned eight tags at a step. A larger one is
//! an open-addressed table of 16-slot groups at most 7/8 full, probed from the group that the hash names
//! until a group with an empty slot (as Swiss tables are). Removal leaves a "deleted" tag only in groups that
//! were full once, and a rebuild clears them before they are many.

mod classes;
mod tags;

use super::check::{Unsound, ensure};
use crate::column::Column;
use bytemuck::{Pod, Zeroable};
pub(super) use classes::N_CLASSES;
use classes::{capacity, class_for, is_packed, room};
use std::ops::Range;
use tags::{DELETED, EMPTY, FIRST_TAG, GROUP, find_gap, find_hashed, find_packed, matches, tag_of};

/// No free block.
const NO_BLOCK: u32 = u32::MAX;

/// Idle slots below this are left alone.
const MIN_IDLE: usize = 1 << 12;

/// Where a directory's children lie.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ChildBlock {
    /// Its first slot.
    at: u32,
    n_children: u32,
    /// Bits 0-7: class; bit 8: partial; bits 9-31: deleted slots.
    state: u32,
}

const PARTIAL: u32 = 1 << 8;
const DELETED_SHIFT: u32 = 9;
const MAX_DELETED: usize = (u32::MAX >> DELETED_SHIFT) as usize;

impl ChildBlock {
    const NEW: ChildBlock = ChildBlock { at: 0, n_children: 0, state: 0 };

    /// A number below [`N_CLASSES`], whatever a file says.
    fn class(self) -> usize {
        ((self.state & 0xFF) as usize).min(N_CLASSES - 1)
    }

    fn n_deleted(self) -> usize {
        (self.state >> DELETED_SHIFT) as usize
    }

    fn n_children(self) -> usize {
        self.n_children as usize
    }

    fn slots(self) -> Range<usize> {
        let at = self.at as usize;
        at..at + capacity(self.class())
    }

    fn set_block(&mut self, at: u32, class: usize) {
        // No block lies at 0, so that the arrays may be cut anywhere.
        self.at = if class == 0 { 0 } else { at };
        self.state = self.state & PARTIAL | class as u32;
    }
}

/// The children blocks of all directories, by directory number.
#[derive(Debug, Clone)]
pub(super) struct Children {
    pub(super) directories: Column<ChildBlock>,
    pub(super) ids: Column<u32>,
    pub(super) tags: Column<u8>,
    /// First free block of each class; the next one's place lies in its first id.
    pub(super) free: [u32; N_CLASSES],
    /// Slots of the free blocks.
    pub(super) n_idle: usize,
    pub(super) n_partial: usize,
}

impl Children {
    pub fn with_capacity(n_entries: usize) -> Children {
        Children {
            directories: Column::new(),
            ids: Column::with_capacity(n_entries),
            tags: Column::with_capacity(n_entries),
            free: [NO_BLOCK; N_CLASSES],
            n_idle: 0,
            n_partial: 0,
        }
    }

    /// Makes the empty directory `number`: new, or used before.
    pub fn add_directory(&mut self, number: u32) {
        if number as usize >= self.directories.len() {
            self.directories.resize(number as usize + 1, ChildBlock::NEW);
        }
    }

    /// Forgets the empty directory `number`.
    pub fn remove_directory(&mut self, number: u32) {
        self.set_partial(number, false);
        debug_assert_eq!(self.n_children(number), 0);
    }

    // What only reads is total: columns of a file that nobody has verified may hold anything.

    fn directory(&self, number: u32) -> ChildBlock {
        self.directories.get(number as usize).copied().unwrap_or(ChildBlock::NEW)
    }

    /// Ids and tags of a directory's block, equally many.
    #[inline]
    fn block(&self, directory: ChildBlock) -> (&[u32], &[u8]) {
        let mut slots = directory.slots();
        if is_packed(directory.class()) {
            slots.end = slots.end.min(slots.start + directory.n_children());
        }
        match (self.ids.get(slots.clone()), self.tags.get(slots)) {
            (Some(ids), Some(tags)) => (ids, tags),
            _ => (&[], &[]),
        }
    }

    pub fn n_children(&self, number: u32) -> usize {
        self.directory(number).n_children()
    }

    pub fn is_partial(&self, number: u32) -> bool {
        self.directory(number).state & PARTIAL != 0
    }

    pub fn set_partial(&mut self, number: u32, partial: bool) {
        if self.is_partial(number) != partial {
            self.directories[number as usize].state ^= PARTIAL;
            self.n_partial = if partial { self.n_partial + 1 } else { self.n_partial - 1 };
        }
    }

    pub fn n_partial(&self) -> usize {
        self.n_partial
    }

    /// The child ids of directory `number`, in no particular order.
    pub fn list(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        let (ids, tags) = self.block(self.directory(number));
        ids.iter().zip(tags).filter(|(_, tag)| **tag >= FIRST_TAG).map(|(&id, _)| id)
    }

    /// The id in a slot that [`Children::find`] has found.
    pub fn id(&self, slot: usize) -> u32 {
        self.ids[slot]
    }

    /// Puts another id of the same name into a slot that [`Children::find`] has found.
    pub fn set_id(&mut self, slot: usize, id: u32) {
        self.ids[slot] = id;
    }

    /// The slot of directory `number` that holds the id which `is_it` accepts, among those of this hash.
    #[inline]
    pub fn find(&self, number: u32, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let directory = self.directory(number);
        let (ids, tags) = self.block(directory);
        let found = if is_packed(directory.class()) {
            find_packed(ids, tags, tag_of(hash), is_it)
        } else {
            find_hashed(ids, tags, hash, is_it)
        };
        found.map(|slot| directory.at as usize + slot)
    }

    /// Makes room for one more entry in directory `number`, so that the next [`Children::insert`] fits.
    /// False when the arrays are full. `hash_of` gives the hash of a child's name. Slots may move.
    #[must_use]
    #[inline]
    pub fn reserve(&mut self, number: u32, hash_of: impl Fn(u32) -> u32) -> bool {
        let directory = self.directories[number as usize];
        directory.n_children() + directory.n_deleted() < room(directory.class()) || self.grow(number, hash_of)
    }

    #[cold]
    fn grow(&mut self, number: u32, hash_of: impl Fn(u32) -> u32) -> bool {
        let directory = self.directories[number as usize];
        let n = directory.n_children();
        let spare = match directory.class() {
            class if is_packed(class + 1) => 1,
            // Many deleted slots: the block is large enough once they are cleared.
            class if directory.n_deleted() > room(class) / 16 => 1 + n / 16,
            _ => 1 + n / 3,
        };
        self.rebuild(number, class_for(n + spare), hash_of)
    }

    /// Puts an id into directory `number`, which has room ([`Children::reserve`]) and no entry of this name.
    #[inline]
    pub fn insert(&mut self, number: u32, hash: u32, id: u32) {
        let directory = &mut self.directories[number as usize];
        let slots = directory.slots();
        let tags = &mut self.tags[slots.clone()];
        let slot = if is_packed(directory.class()) {
            directory.n_children()
        } else {
            let slot = find_gap(tags, hash);
            if tags[slot] == DELETED {
                directory.state -= 1 << DELETED_SHIFT;
            }
            slot
        };
        tags[slot] = tag_of(hash);
        directory.n_children += 1;
        self.ids[slots.start + slot] = id;
    }

    /// Empties a slot of directory `number` that [`Children::find`] has found. Other slots may move.
    /// [`Children::tidy`] has to follow.
    pub fn remove(&mut self, number: u32, slot: usize) {
        let directory = &mut self.directories[number as usize];
        let (slots, class) = (directory.slots(), directory.class());
        directory.n_children -= 1;
        if is_packed(class) {
            let last = slots.start + directory.n_children();
            self.ids[slot] = self.ids[last];
            self.tags[slot] = self.tags[last];
        } else {
            let tags = &mut self.tags[slots.clone()];
            let slot = slot - slots.start;
            let (groups, _) = tags.as_chunks::<GROUP>();
            // A group that has an empty slot was never full, so no probe has gone past it.
            tags[slot] = if matches(&groups[slot / GROUP], EMPTY) != [0, 0] {
                EMPTY
            } else {
                directory.state += 1 << DELETED_SHIFT;
                DELETED
            };
        }
    }

    /// Shrinks the block of directory `number` when little of it is used. Slots may move.
    pub fn tidy(&mut self, number: u32, hash_of: impl Fn(u32) -> u32) {
        let directory = self.directories[number as usize];
        let (n, class) = (directory.n_children(), directory.class());
        if room(class) > 8 + 4 * n || n == 0 && class != 0 || directory.n_deleted() == MAX_DELETED {
            let spare = if n == 0 { 0 } else { 1 + n / 4 };
            // Smaller than the block it replaces, or as large: it fits.
            let _ = self.rebuild(number, class_for(n + spare), hash_of);
        }
    }

    /// Moves directory `number` to a block of `class`, without deleted slots. False, and nothing is changed,
    /// when the arrays are full.
    fn rebuild(&mut self, number: u32, class: usize, hash_of: impl Fn(u32) -> u32) -> bool {
        let directory = self.directories[number as usize];
        if class != 0 && self.free[class] == NO_BLOCK && self.ids.len() + capacity(class) > NO_BLOCK as usize
        {
            return false;
        }
        if is_packed(class) && is_packed(directory.class()) {
            self.move_packed(number, class);
        } else {
            let mut ids: Vec<u32> = self.list(number).collect();
            // Names lie in the order of ids more often than in that of hashes.
            if ids.len() > MIN_IDLE {
                ids.sort_unstable();
            }
            self.release(directory);
            let at = self.take(class);
            let directory = &mut self.directories[number as usize];
            directory.set_block(at, class);
            directory.n_children = 0;
            for id in ids {
                self.insert(number, hash_of(id), id);
            }
        }
        if self.n_idle > MIN_IDLE && self.n_idle > self.ids.len() / 4 {
            self.compact();
        }
        true
    }

    fn move_packed(&mut self, number: u32, class: usize) {
        let directory = self.directories[number as usize];
        let from = directory.slots().start..directory.slots().start + directory.n_children();
        let at = self.take(class);
        self.ids.copy_within(from.clone(), at as usize);
        self.tags.copy_within(from, at as usize);
        self.release(directory);
        self.directories[number as usize].set_block(at, class);
    }

    /// A block of `class`: a free one, or a new one at the end. There is room: the caller has checked.
    fn take(&mut self, class: usize) -> u32 {
        let (size, at) = (capacity(class), self.free[class]);
        if size == 0 {
            return 0;
        }
        if at == NO_BLOCK {
            let at = self.ids.len();
            self.ids.resize(at + size, NO_BLOCK);
            self.tags.resize(at + size, EMPTY);
            return at as u32;
        }
        self.free[class] = self.ids[at as usize];
        self.n_idle -= size;
        self.tags[at as usize..][..size].fill(EMPTY);
        at
    }

    /// Gives a directory's block back.
    fn release(&mut self, directory: ChildBlock) {
        let (slots, class) = (directory.slots(), directory.class());
        if slots.is_empty() {
        } else if slots.end == self.ids.len() {
            self.ids.resize(slots.start, NO_BLOCK);
            self.tags.resize(slots.start, EMPTY);
        } else {
            self.n_idle += slots.len();
            self.ids[slots.start] = self.free[class];
            self.free[class] = directory.at;
        }
    }

    /// Copies the blocks together, without the free ones.
    fn compact(&mut self) {
        let room = self.ids.len() - self.n_idle;
        let (mut ids, mut tags) = (Column::with_capacity(room), Column::with_capacity(room));
        for directory in self.directories.iter_mut() {
            let slots = directory.slots();
            if !slots.is_empty() {
                directory.at = ids.len() as u32;
            }
            ids.extend_from_slice(&self.ids[slots.clone()]);
            tags.extend_from_slice(&self.tags[slots]);
        }
        (self.ids, self.tags) = (ids, tags);
        self.free = [NO_BLOCK; N_CLASSES];
        self.n_idle = 0;
    }

    /// Makes all blocks anew from (directory number, child id) pairs, each block as small as it can be.
    pub fn rebuild_all(
        &mut self,
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
        hash_of: impl Fn(u32) -> u32,
    ) {
        self.directories.iter_mut().for_each(|directory| directory.n_children = 0);
        for (number, _) in pairs.clone() {
            self.directories[number as usize].n_children += 1;
        }
        let mut n_slots = 0;
        for directory in self.directories.iter_mut() {
            let class = class_for(directory.n_children());
            directory.set_block(n_slots as u32, class);
            directory.n_children = 0;
            n_slots += capacity(class);
        }
        // The old blocks go before the new ones come. Zeros are no tags, and cost nothing until they are written.
        (self.ids, self.tags) = Default::default();
        (self.ids, self.tags) = (vec![0; n_slots].into(), vec![EMPTY; n_slots].into());
        self.free = [NO_BLOCK; N_CLASSES];
        self.n_idle = 0;
        for (number, id) in pairs {
            self.insert(number, hash_of(id), id);
        }
    }

    /// Gives back the room that growth has left.
    pub fn shrink_to_fit(&mut self) {
        self.directories.shrink_to_fit();
    }

    /// The blocks of all directories and the free ones, in order, each within the arrays.
    pub fn blocks(&self) -> Result<Vec<Range<usize>>, Unsound> {
        let mut blocks = Vec::new();
        for (number, directory) in self.directories.iter().enumerate() {
            let (slots, class) = (directory.slots(), directory.class());
            let sound = slots.end <= self.ids.len()
                && directory.n_children() + directory.n_deleted() <= room(class)
                && directory.state & 0xFF == class as u32;
            ensure(sound, || format!("the block of directory number {number} is wrong"))?;
            blocks.push(slots);
        }
        let mut n_idle = 0;
        for (class, &first) in self.free.iter().enumerate().skip(1) {
            let mut at = first;
            while at != NO_BLOCK {
                let slots = at as usize..at as usize + capacity(class);
                let sound = slots.end <= self.ids.len() && n_idle + slots.len() <= self.n_idle;
                ensure(sound, || format!("the free block at {at} is wrong"))?;
                n_idle += slots.len();
                at = self.ids[at as usize];
                blocks.push(slots);
            }
        }
        let n_partial = (0..self.directories.len() as u32).filter(|&number| self.is_partial(number)).count();
        ensure((n_idle, n_partial) == (self.n_idle, self.n_partial), || {
            "free places or partial directories are counted wrong".into()
        })?;
        blocks.retain(|slots| !slots.is_empty());
        blocks.sort_unstable_by_key(|slots| slots.start);
        Ok(blocks)
    }

    pub fn memory(&self) -> usize {
        self.directories.memory() + self.ids.memory() + self.tags.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Children whose names are their ids, so that their hashes are whatever the test wants.
    #[test]
    fn one_hash_for_all_is_slow_but_right() {
        let mut children = Children::with_capacity(0);
        children.add_directory(0);
        let hash = |_: u32| 0xFFFF_FF00;
        for id in 0..500 {
            assert!(children.reserve(0, hash));
            children.insert(0, hash(id), id);
        }
        for id in (0..500).filter(|id| id % 3 != 0) {
            let slot = children.find(0, hash(id), |child| child == id).unwrap();
            children.remove(0, slot);
            children.tidy(0, hash);
        }
        for id in 0..600 {
            let found = children.find(0, hash(id), |child| child == id);
            assert_eq!(found.is_some(), id < 500 && id % 3 == 0);
        }
        assert_eq!(children.list(0).count(), children.n_children(0));
    }
}
