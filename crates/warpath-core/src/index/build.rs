//! Tables of a whole namespace at once, in parallel.
//!
//! Directory states come first, parents before children. Then every entry's slot is computed by chunks of entries, each
//! chunk sorted by the region of the table where its slots belong; at last each region is filled by one thread. What a
//! region has no room for is placed one by one at the end.

use super::links::{LinkResolver, NoObserver, dir_number, link_number};
use super::slots::{Collision, SlotTable, n_pairs_for, place};
use super::tables::{TableParts, Tables};
use crate::hash::{HashKey, State};
use crate::layout::{self, DirRecord, LinkRecord, Slot};
use crate::namespace::{Entry, FileType, Namespace};
use crate::probe::home_pair;
use crate::{INVALID_INODE, InodeId, ROOT};
use rayon::prelude::*;

/// Entries that are hashed and sorted as one piece of work.
pub(super) const CHUNK_ENTRIES: usize = 1 << 16;

/// Pairs of a region: 512 KiB of slots, so that a core fills it within its own cache.
const REGION_PAIRS: usize = 1 << 14;

/// Builds the tables of a namespace under this hash key.
pub(crate) fn build(namespace: &Namespace, key: Vec<u32>) -> Result<Tables, Collision> {
    let Some(hash) = HashKey::new(&key) else { return Err(Collision) };
    let dirs = directory_records(namespace, hash);
    let links = link_records(namespace);
    let chunks: Vec<Chunk> = {
        let n_pairs = n_pairs_for(namespace.n_entries());
        (0..namespace.entry_bound().div_ceil(CHUNK_ENTRIES))
            .into_par_iter()
            .map(|chunk| Chunk::new(namespace, hash, &dirs, chunk, n_pairs))
            .collect()
    };
    let table = fill(namespace.n_entries(), &chunks)?;
    let mut flags = 0;
    if namespace.n_partial() > 0 {
        flags |= layout::TABLE_HAS_PARTIAL;
    }
    if namespace.n_aliases() > 0 {
        flags |= layout::TABLE_HAS_ALIASES;
    }
    let parts = TableParts {
        key: key.into(),
        n_entries: table.n_entries(),
        probe_limit: table.probe_limit(),
        slots: table.into_slots(),
        blocks: namespace.blocks().to_vec().into(),
        dirs: dirs.into(),
        links: links.into(),
        flags,
    };
    Tables::from_parts(parts).ok_or(Collision)
}

/// The record of every directory, by directory number.
pub(crate) fn directory_records(namespace: &Namespace, hash: HashKey<'_>) -> Vec<DirRecord> {
    let n_dirs = namespace.blocks().last().map_or(0, |block| block.dir_base + block.dir_bits.count_ones());
    let unknown = DirRecord { inode: INVALID_INODE, ..DirRecord::default() };
    let mut records = vec![unknown; n_dirs as usize];
    // Directories above the one at hand that have no record yet, nearest first.
    let mut missing: Vec<InodeId> = vec![];
    for inode in directories(namespace) {
        missing.push(inode);
        while let Some(&nearest) = missing.last() {
            let Some(number) = dir_number(namespace, nearest) else {
                missing.pop();
                continue;
            };
            if records[number as usize].inode == nearest {
                missing.pop();
                continue;
            }
            let parent = namespace.parent(nearest).unwrap_or(ROOT);
            let parent_record = dir_number(namespace, parent).map(|number| records[number as usize]);
            match (nearest, parent_record) {
                (ROOT, _) => records[number as usize] = record_of(namespace, ROOT, ROOT, State::EMPTY),
                (_, Some(record)) if record.inode == parent => {
                    let name = namespace.entry_of(nearest).map(|entry| entry.name).unwrap_or_default();
                    let state = ideal_state(State::of(&record), hash, name, nearest);
                    records[number as usize] = record_of(namespace, nearest, parent, state);
                    missing.pop();
                }
                _ => missing.push(parent),
            }
        }
    }
    records
}

/// The state that a directory has when all is in order: its canonical path's, or one of its own where that is too long.
pub(crate) fn ideal_state(parent: State, hash: HashKey<'_>, name: &[u8], inode: InodeId) -> State {
    let state = parent.child(hash, name);
    if state.length > layout::MAX_PATH { State::salted(inode) } else { state }
}

/// The record of a directory in this state.
pub(crate) fn record_of(namespace: &Namespace, inode: InodeId, parent: InodeId, state: State) -> DirRecord {
    let flags = if namespace.is_partial(inode) { layout::DIR_PARTIAL } else { 0 };
    state.record(inode, parent, flags)
}

/// Every directory that there is, in the order of inodes.
fn directories(namespace: &Namespace) -> impl Iterator<Item = InodeId> + '_ {
    namespace
        .blocks()
        .iter()
        .enumerate()
        .flat_map(|(number, block)| {
            bits(block.dir_bits).map(move |bit| number as u32 * layout::BLOCK_INODES + bit)
        })
        .filter(|&inode| namespace.is_directory(inode))
}

fn bits(mut word: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

/// The record of every symbolic link, by link number, resolved.
pub(crate) fn link_records(namespace: &Namespace) -> Vec<LinkRecord> {
    let mut records = unresolved_links(namespace);
    let n_links = records.len() as u32;
    LinkResolver::new(namespace, &mut records, 0..n_links, None, NoObserver).run();
    records
}

/// The record of every symbolic link, by link number, with `own` and `parent` alone.
pub(crate) fn unresolved_links(namespace: &Namespace) -> Vec<LinkRecord> {
    let n_links = namespace.blocks().last().map_or(0, |block| block.link_base + block.link_bits.count_ones());
    let unknown = LinkRecord { inode: INVALID_INODE, own: INVALID_INODE, ..LinkRecord::default() };
    let mut records = vec![unknown; n_links as usize];
    if n_links == 0 {
        return records;
    }
    for entry in (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)) {
        if let Some(number) = link_number(namespace, entry.alias) {
            records[number as usize].own = entry.inode;
            records[number as usize].parent = entry.parent;
        }
    }
    records
}

/// The slots of a run of entries, sorted by the region where they belong.
pub(super) struct Chunk {
    slots: Vec<Slot>,
    /// Where each region's slots begin, and the end.
    starts: Vec<u32>,
}

impl Chunk {
    /// The slots of the `chunk`-th run of entries. Their directories have records.
    pub fn new(
        namespace: &Namespace,
        hash: HashKey<'_>,
        dirs: &[DirRecord],
        chunk: usize,
        n_pairs: u32,
    ) -> Chunk {
        let n_regions = n_regions(n_pairs);
        let first = chunk * CHUNK_ENTRIES;
        let last = (first + CHUNK_ENTRIES).min(namespace.entry_bound());
        let mut unsorted = Vec::with_capacity(last - first);
        let mut starts = vec![0u32; n_regions + 1];
        for entry in (first..last).filter_map(|id| namespace.entry(id)) {
            let number = dir_number(namespace, entry.parent);
            let Some(record) = number.and_then(|number| dirs.get(number as usize)) else { continue };
            let slot = slot_of(namespace, hash, State::of(record), &entry);
            starts[region_of(&slot, n_pairs) + 1] += 1;
            unsorted.push(slot);
        }
        for region in 0..n_regions {
            starts[region + 1] += starts[region];
        }
        let mut next = starts.clone();
        let mut slots = vec![Slot::EMPTY; unsorted.len()];
        for slot in unsorted {
            let place = &mut next[region_of(&slot, n_pairs)];
            slots[*place as usize] = slot;
            *place += 1;
        }
        Chunk { slots, starts }
    }

    /// Those that belong into a region.
    pub fn region(&self, region: usize) -> &[Slot] {
        &self.slots[self.starts[region] as usize..self.starts[region + 1] as usize]
    }
}

/// Regions of a table.
pub(super) fn n_regions(n_pairs: u32) -> usize {
    (n_pairs as usize).div_ceil(REGION_PAIRS)
}

fn region_of(slot: &Slot, n_pairs: u32) -> usize {
    home_pair(slot.key0, n_pairs) as usize / REGION_PAIRS
}

/// The slot of an entry whose directory has this state.
pub(crate) fn slot_of(namespace: &Namespace, hash: HashKey<'_>, parent: State, entry: &Entry<'_>) -> Slot {
    let key = parent.child(hash, entry.name).finish(hash);
    let kind = namespace.file_type(entry.inode).unwrap_or(FileType::Other).kind();
    Slot { key0: key.words[0], key1: key.words[1], key2_kind: key.words[2] | kind, inode: entry.alias }
}

/// Fills a table, each region by one thread.
fn fill(n_entries: usize, chunks: &[Chunk]) -> Result<SlotTable, Collision> {
    let mut table = SlotTable::in_parallel(n_entries);
    let n_pairs = table.n_pairs();
    let region_slots = REGION_PAIRS * layout::PAIR_SLOTS as usize;
    let filled: Vec<Filled> = table
        .slots_mut()
        .par_chunks_mut(region_slots)
        .enumerate()
        .map(|(region, slots)| fill_region(region, slots, chunks, n_pairs))
        .collect::<Result<_, Collision>>()?;
    let n_placed = filled.iter().map(|region| region.n_placed).sum();
    let probe_limit = filled.iter().map(|region| region.probe_limit).max().unwrap_or(1);
    table = SlotTable::from_parts(std::mem::take(table.slots_mut()), n_placed, probe_limit);
    for slot in filled.into_iter().flat_map(|region| region.left_over) {
        table.insert(slot, &mut |_| ())?;
    }
    Ok(table)
}

/// What became of a region's slots.
struct Filled {
    n_placed: usize,
    probe_limit: u32,
    left_over: Vec<Slot>,
}

fn fill_region(
    region: usize,
    slots: &mut [Slot],
    chunks: &[Chunk],
    n_pairs: u32,
) -> Result<Filled, Collision> {
    let first = (region * REGION_PAIRS) as u32;
    let region_pairs = (slots.len() / layout::PAIR_SLOTS as usize) as u32;
    let mut filled = Filled { n_placed: 0, probe_limit: 1, left_over: vec![] };
    // In the order of their homes the longest probe is a quarter as long, at the same mean; a GPU's warp waits for the longest of 32.
    let mut in_order: Vec<Slot> = chunks.iter().flat_map(|chunk| chunk.region(region)).copied().collect();
    in_order.sort_unstable_by_key(|slot| slot.key0);
    for slot in in_order {
        match place(slots, first, region_pairs, n_pairs, slot)? {
            Some((_, step)) => {
                filled.n_placed += 1;
                filled.probe_limit = filled.probe_limit.max(step + 1);
            }
            None => filled.left_over.push(slot),
        }
    }
    Ok(filled)
}
