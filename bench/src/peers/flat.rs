//! The honest rival: a flat table of 64-bit whole-path hashes that compares the bytes, with everything prefetched.
//!
//! A slot has 16 bytes: 32 bits of the hash that the home slot does not use, the inode, and where the text lies. Paths are
//! looked up in groups: all hashes first, each home line prefetched; then all slots, each candidate's text prefetched;
//! then all comparisons. Slots and text lie in huge pages, half of the slots are free, probing is linear.

use super::PathTable;
use crate::trees::AllPaths;
use std::hash::{BuildHasher, Hasher};
use warpath_core::column::Column;
use warpath_core::{INVALID_INODE, InodeId, PathBatch};

/// Paths of a group.
const GROUP: usize = 32;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Bits of a slot's `text` that are the length.
const LENGTH_BITS: u32 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Slot {
    tag: u32,
    inode: InodeId,
    /// Offset and length of the text; 0 where the slot is free.
    text: u64,
}

impl Slot {
    fn is_free(&self) -> bool {
        self.text == 0
    }
}

pub struct FlatTable {
    hasher: foldhash::fast::RandomState,
    /// Four words a slot, in huge pages.
    slots: Column<[u32; 4]>,
    text: Column<u8>,
    shift: u32,
}

impl FlatTable {
    pub fn new(paths: &AllPaths) -> FlatTable {
        let n_slots = (paths.len() * 2).next_power_of_two().max(4);
        let mut text = Column::filled(0, paths.bytes.len() + 1);
        // Offset 0 stands for a free slot only with length 0, so that no path needs to avoid it.
        text[..paths.bytes.len()].copy_from_slice(&paths.bytes);
        let mut table = FlatTable {
            hasher: foldhash::fast::RandomState::default(),
            slots: Column::filled([0; 4], n_slots),
            text,
            shift: 64 - n_slots.trailing_zeros(),
        };
        for i in 0..paths.len() {
            let range = paths.range(i);
            let hash = table.hash(&paths.bytes[range.clone()]);
            let mut at = table.home(hash);
            while !table.slot(at).is_free() {
                at = (at + 1) & (n_slots - 1);
            }
            let text = (range.start as u64) << LENGTH_BITS | range.len() as u64;
            table.slots[at] = [hash as u32, paths.inodes[i], text as u32, (text >> 32) as u32];
        }
        table
    }

    #[inline(always)]
    fn hash(&self, path: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(path);
        hasher.finish()
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> Slot {
        let [tag, inode, low, high] = self.slots[at];
        Slot { tag, inode, text: u64::from(high) << 32 | u64::from(low) }
    }

    #[inline(always)]
    fn text(&self, slot: &Slot) -> &[u8] {
        let start = (slot.text >> LENGTH_BITS) as usize;
        &self.text[start..start + (slot.text & ((1 << LENGTH_BITS) - 1)) as usize]
    }

    /// The first slot from `at` on that is free or has the tag.
    #[inline(always)]
    fn candidate(&self, mut at: usize, tag: u32) -> (usize, Slot) {
        loop {
            let slot = self.slot(at);
            if slot.is_free() || slot.tag == tag {
                return (at, slot);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline(always)]
    fn group(&self, batch: &PathBatch<'_>, first: usize, inodes: &mut [InodeId]) {
        let mut hashes = [0; GROUP];
        let mut candidates = [(0, Slot { tag: 0, inode: INVALID_INODE, text: 0 }); GROUP];
        let n = inodes.len().min(GROUP);
        for (i, hash) in hashes[..n].iter_mut().enumerate() {
            *hash = self.hash(batch.get(first + i));
            prefetch(&self.slots[self.home(*hash)]);
        }
        for (candidate, &hash) in candidates[..n].iter_mut().zip(&hashes) {
            *candidate = self.candidate(self.home(hash), hash as u32);
            let text = self.text(&candidate.1);
            for line in text.chunks(LINE) {
                prefetch(&line[0]);
            }
            if let Some(last) = text.last() {
                prefetch(last);
            }
        }
        for (i, inode) in inodes.iter_mut().enumerate() {
            let path = batch.get(first + i);
            let (mut at, mut slot) = candidates[i];
            *inode = loop {
                if slot.is_free() {
                    break INVALID_INODE;
                }
                if self.text(&slot) == path {
                    break slot.inode;
                }
                (at, slot) = self.candidate((at + 1) & (self.slots.len() - 1), slot.tag);
            };
        }
    }
}

impl PathTable for FlatTable {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (group, inodes) in inodes.chunks_mut(GROUP).enumerate() {
            self.group(batch, group * GROUP, inodes);
        }
    }

    fn memory(&self) -> usize {
        self.slots.memory() + self.text.memory()
    }
}

#[inline(always)]
fn prefetch<T>(place: &T) {
    let place: *const T = place;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program could see, wherever it points.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) place, options(nostack, readonly, preserves_flags));
    }
}
