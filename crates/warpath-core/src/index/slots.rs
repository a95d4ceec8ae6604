//! The hash table: insertion, deletion without tombstones, growth.
//!
//! The order of a probe is [`crate::probe`]'s. The invariant that lookups rely on: every pair that an entry's probe visits
//! before the entry's own is full. A pair fills its first slot first, so a pair is full when its second slot is taken.

use crate::column::Column;
use crate::hash::Key;
use crate::layout::{self, Slot};
use crate::probe::{holds, home_pair, pair_at, step_of};

const PAIR_SLOTS: usize = layout::PAIR_SLOTS as usize;

/// Two entries share all 94 bits: the index must be keyed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collision;

/// The slot array with its bookkeeping.
#[derive(Debug, Clone)]
pub(crate) struct SlotTable {
    slots: Column<Slot>,
    n_entries: usize,
    probe_limit: u32,
}

impl SlotTable {
    /// An empty table that `n_entries` fill to seven tenths.
    pub fn with_capacity(n_entries: usize) -> SlotTable {
        SlotTable::of(Column::filled(Slot::EMPTY, n_slots_for(n_entries)))
    }

    /// As [`SlotTable::with_capacity`], first touched by all of rayon's threads: for a caller that holds no lock.
    pub fn in_parallel(n_entries: usize) -> SlotTable {
        SlotTable::of(Column::filled_in_parallel(Slot::EMPTY, n_slots_for(n_entries)))
    }

    fn of(slots: Column<Slot>) -> SlotTable {
        SlotTable { slots, n_entries: 0, probe_limit: 1 }
    }

    /// A table from its parts, as an index file holds them. The slots must be an even number of pairs, 2 at least.
    pub fn from_parts(slots: Column<Slot>, n_entries: usize, probe_limit: u32) -> SlotTable {
        SlotTable { slots, n_entries, probe_limit }
    }

    pub fn slots(&self) -> &Column<Slot> {
        &self.slots
    }

    pub fn slots_mut(&mut self) -> &mut Column<Slot> {
        &mut self.slots
    }

    pub fn into_slots(self) -> Column<Slot> {
        self.slots
    }

    pub fn n_entries(&self) -> usize {
        self.n_entries
    }

    pub fn n_pairs(&self) -> u32 {
        (self.slots.len() / PAIR_SLOTS) as u32
    }

    /// The most pairs that any entry's probe visits.
    pub fn probe_limit(&self) -> u32 {
        self.probe_limit
    }

    /// Whether one entry more would make probes long: above 13/16.
    pub fn is_crowded(&self) -> bool {
        (self.n_entries + 1) * 16 > self.slots.len() * 13
    }

    /// Moves every entry into a table of 1.5 times the size. O(slots); the keys are in the slots.
    pub fn grow(&mut self) {
        let mut larger = SlotTable::with_capacity(self.n_entries + self.n_entries / 2 + 8);
        for slot in self.slots.iter().filter(|slot| !slot.is_empty()) {
            // Keys that differed before the growth differ after it.
            let _ = larger.insert(*slot, &mut |_| ());
        }
        *self = larger;
    }

    /// Places a slot and reports the number of the one that was written.
    pub fn insert(&mut self, slot: Slot, touched: &mut impl FnMut(usize)) -> Result<(), Collision> {
        let n_pairs = self.n_pairs();
        match place(&mut self.slots, 0, n_pairs, n_pairs, slot)? {
            Some((at, step)) => {
                self.probe_limit = self.probe_limit.max(step + 1);
                self.n_entries += 1;
                touched(at);
                Ok(())
            }
            // Callers grow a crowded table first, so there is room; a full one grows here.
            None => {
                self.grow();
                self.insert(slot, touched)
            }
        }
    }

    /// The number of the key's slot.
    pub fn find(&self, key: &Key) -> Option<usize> {
        let n_pairs = self.n_pairs();
        let home = home_pair(key.words[0], n_pairs);
        (0..self.probe_limit.min(n_pairs)).map(|step| pair_at(home, step, n_pairs)).find_map(|pair| {
            let first = pair as usize * PAIR_SLOTS;
            (first..first + PAIR_SLOTS).find(|&at| !self.slots[at].is_empty() && holds(&self.slots[at], key))
        })
    }

    /// Takes a key's slot away and moves back what had to be placed behind it; reports every slot that was written.
    pub fn remove(&mut self, key: &Key, touched: &mut impl FnMut(usize)) -> Option<Slot> {
        let at = self.find(key)?;
        let removed = self.slots[at];
        self.n_entries -= 1;
        let mut hole = at;
        // `hole` is an empty place in a pair that was full, until nothing is left that had to pass it.
        while let Some((pair, was_full)) = self.close(hole, touched)
            && was_full
            && let Some(from) = self.displaced_by(pair)
        {
            let to = pair as usize * PAIR_SLOTS + PAIR_SLOTS - 1;
            self.slots[to] = self.slots[from];
            touched(to);
            hole = from;
        }
        Some(removed)
    }

    /// Empties a slot and keeps its pair's first slot the taken one. Returns the pair, and whether it was full.
    fn close(&mut self, hole: usize, touched: &mut impl FnMut(usize)) -> Option<(u32, bool)> {
        let pair = hole / PAIR_SLOTS;
        let (first, second) = (pair * PAIR_SLOTS, pair * PAIR_SLOTS + 1);
        let was_full = !self.slots[second].is_empty();
        if hole == first && was_full {
            self.slots[first] = self.slots[second];
            touched(first);
        }
        let emptied = if was_full { second } else { first };
        self.slots[emptied] = Slot::EMPTY;
        touched(emptied);
        Some((pair as u32, was_full))
    }

    /// A slot whose probe visits `pair` before its own pair: it was placed behind `pair` when that was full.
    fn displaced_by(&self, pair: u32) -> Option<usize> {
        let n_pairs = self.n_pairs();
        let line = pair & !1;
        for step in (0..n_pairs).step_by(2) {
            let first_of_line = pair_at(line, step, n_pairs);
            let mut has_room = false;
            for candidate in [first_of_line, first_of_line ^ 1] {
                if candidate == pair {
                    continue;
                }
                let first = candidate as usize * PAIR_SLOTS;
                for at in first..first + PAIR_SLOTS {
                    let slot = &self.slots[at];
                    if slot.is_empty() {
                        has_room = true;
                        continue;
                    }
                    let home = home_pair(slot.key0, n_pairs);
                    if step_of(home, pair, n_pairs) < step_of(home, candidate, n_pairs) {
                        return Some(at);
                    }
                }
            }
            // No probe has gone beyond a line with room.
            if has_room {
                return None;
            }
        }
        None
    }
}

/// Pairs of a table that `n_entries` fill to seven tenths: an even number.
///
/// At 0.70 a hit reads 1.19 lines on average and a table takes 22.9 bytes an entry; at 0.75 it was 1.27 and 21.3. One entry
/// in ten instead of one in eight lies behind its home line, where nothing has been prefetched.
pub(crate) fn n_pairs_for(n_entries: usize) -> u32 {
    let n_slots = (n_entries.saturating_mul(10) / 7).max(4);
    u32::try_from(n_slots.div_ceil(2 * PAIR_SLOTS) * 2).unwrap_or(u32::MAX - 1)
}

fn n_slots_for(n_entries: usize) -> usize {
    n_pairs_for(n_entries) as usize * PAIR_SLOTS
}

/// Places a slot in `region`, which begins at pair `region_first` of a table of `n_pairs` and holds `region_pairs` of them.
///
/// Returns the slot's number within the region and the step of its probe; `None` when the probe leaves the region, or the
/// table is full.
pub(crate) fn place(
    region: &mut [Slot],
    region_first: u32,
    region_pairs: u32,
    n_pairs: u32,
    slot: Slot,
) -> Result<Option<(usize, u32)>, Collision> {
    let key = Key { words: [slot.key0, slot.key1, slot.key2_kind & !layout::KIND_MASK] };
    let home = home_pair(slot.key0, n_pairs);
    for step in 0..n_pairs {
        let pair = pair_at(home, step, n_pairs).wrapping_sub(region_first);
        if pair >= region_pairs {
            return Ok(None);
        }
        let first = pair as usize * PAIR_SLOTS;
        for (place, at) in region[first..first + PAIR_SLOTS].iter_mut().zip(first..) {
            if place.is_empty() {
                *place = slot;
                return Ok(Some((at, step)));
            }
            if holds(place, &key) {
                return Err(Collision);
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn slot(key0: u32, inode: u32) -> Slot {
        Slot { key0, key1: key0 ^ 0x5555, key2_kind: 4 * inode, inode }
    }

    fn key(slot: &Slot) -> Key {
        Key { words: [slot.key0, slot.key1, slot.key2_kind & !3] }
    }

    /// Every pair that a probe visits before an entry's own is full, and firsts fill first.
    fn check_invariant(table: &SlotTable) {
        let n_pairs = table.n_pairs();
        for (at, slot) in table.slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty()) {
            let home = home_pair(slot.key0, n_pairs);
            let own = step_of(home, (at / PAIR_SLOTS) as u32, n_pairs);
            assert!(own < table.probe_limit);
            for step in 0..own {
                let second = pair_at(home, step, n_pairs) as usize * PAIR_SLOTS + 1;
                assert!(!table.slots[second].is_empty(), "slot {at} can't be reached");
            }
        }
        for pair in table.slots.chunks_exact(PAIR_SLOTS) {
            assert!(!pair[0].is_empty() || pair[1].is_empty());
        }
    }

    proptest! {
        #[test]
        fn insertions_and_deletions_keep_every_entry_reachable(
            operations in prop::collection::vec((any::<bool>(), 0u32..40, 0u32..6), 0..200)
        ) {
            let mut table = SlotTable::with_capacity(12);
            let mut model: HashMap<u32, Slot> = HashMap::new();
            let mut copy: Vec<Slot> = table.slots.to_vec();
            for (add, inode, bucket) in operations {
                // Few different home pairs, so that probes are long.
                let n_slots = table.slots.len();
                let mut touched = Vec::new();
                if add && !model.contains_key(&inode) {
                    let slot = slot(bucket << 29 | inode, inode);
                    if table.is_crowded() { table.grow(); copy = table.slots.to_vec(); }
                    table.insert(slot, &mut |at| touched.push(at)).unwrap();
                    model.insert(inode, slot);
                } else if !add && let Some(slot) = model.remove(&inode) {
                    prop_assert_eq!(table.remove(&key(&slot), &mut |at| touched.push(at)), Some(slot));
                }
                if table.slots.len() == n_slots {
                    for at in touched { copy[at] = table.slots[at]; }
                } else { copy = table.slots.to_vec(); }
                prop_assert_eq!(&copy[..], &table.slots[..], "a written slot was not reported");
                check_invariant(&table);
                prop_assert_eq!(table.n_entries(), model.len());
                for slot in model.values() {
                    prop_assert_eq!(table.find(&key(slot)).map(|at| table.slots[at]), Some(*slot));
                }
            }
        }
    }

    #[test]
    fn equal_keys_are_seen() {
        let mut table = SlotTable::with_capacity(8);
        table.insert(slot(1, 1), &mut |_| ()).unwrap();
        assert_eq!(table.insert(Slot { inode: 2, ..slot(1, 1) }, &mut |_| ()), Err(Collision));
    }
}
