//! Tables that pass every check of their form and mean nothing: an engine ends, stays in bounds, and gives answers.

use warpath_conformance::generate::{self, Knobs, Paths};
use warpath_core::batch::PathBuffer;
use warpath_core::column::{Column, Value};
use warpath_core::index::{Plan, TableParts, Tables};
use warpath_core::layout::{DirRecord, InodeBlock, KEY_WORDS, LinkRecord, Slot};
use warpath_core::{Engine, EngineError, Index, Outcomes};

/// Paths of a batch.
const N_PATHS: usize = 600;
/// Sets of flags that one table is asked under.
const N_PLANS: u64 = 5;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// A word that is small, at the end of some array, or anything.
    fn word(&mut self, n: u32) -> u32 {
        match self.below(4) {
            0 => self.below(64) as u32,
            1 => n.wrapping_add(self.below(3) as u32).wrapping_sub(1),
            2 => u32::MAX - self.below(2) as u32,
            _ => self.next() as u32,
        }
    }
}

/// Writes over one word in `one_in`.
fn damage<T: Value + bytemuck::Pod>(column: &mut Column<T>, one_in: usize, random: &mut Random) {
    let n = column.len() as u32;
    let words: &mut [u32] = bytemuck::cast_slice_mut(column.vec());
    for word in words {
        if random.below(one_in) == 0 {
            *word = if random.below(2) == 0 { *word ^ 1 << random.below(32) } else { random.word(n) };
        }
    }
}

/// Hostile tables made from these.
fn tables(index: &Index, random: &mut Random) -> Option<Tables> {
    let TableParts { mut key, mut slots, mut blocks, mut dirs, mut links, n_entries, mut probe_limit, flags } =
        index.tables().to_parts();
    match random.below(4) {
        // A bit here and there.
        0 => {
            let one_in = 1 + random.below(200);
            damage(&mut slots, one_in, random);
            damage(&mut key, one_in, random);
        }
        // Whatever a hit leads to.
        1 => {
            let one_in = 1 + random.below(6);
            damage(&mut blocks, one_in, random);
            damage(&mut dirs, one_in, random);
            damage(&mut links, one_in, random);
            for slot in slots.vec().iter_mut().filter(|slot| !slot.is_empty()) {
                slot.key2_kind ^= u32::from(random.below(3) == 0);
                slot.inode = if random.below(3) == 0 { random.word(1 << 10) } else { slot.inode };
            }
        }
        // Every key is the same and every probe meets it.
        2 => {
            key = vec![0; KEY_WORDS as usize].into();
            slots.vec().iter_mut().for_each(|slot| {
                (slot.key0, slot.key1, slot.key2_kind) = (0, 0, random.below(4) as u32);
            });
            damage(&mut blocks, 2, random);
            damage(&mut dirs, 3, random);
            damage(&mut links, 2, random);
        }
        // Nothing is of any tree.
        _ => {
            slots = vec![Slot::EMPTY; 4 * (1 + random.below(500))].into();
            blocks = vec![InodeBlock::default(); random.below(9)].into();
            dirs = vec![DirRecord::default(); random.below(40)].into();
            links = vec![LinkRecord::default(); random.below(40)].into();
            damage(&mut slots, 1, random);
            damage(&mut blocks, 1, random);
            damage(&mut dirs, 1, random);
            damage(&mut links, 1, random);
        }
    }
    let n_pairs = slots.len() as u32 / 2;
    if random.below(2) == 0 {
        probe_limit = [0, 1, n_pairs, random.below(n_pairs as usize + 1) as u32][random.below(4)];
    }
    let flags = if random.below(2) == 0 { random.next() as u32 } else { flags };
    Tables::from_parts(TableParts { key, slots, blocks, dirs, links, n_entries, probe_limit, flags })
}

/// Asks an engine `n` hostile tables; the number of paths asked.
///
/// # Errors
/// The engine's.
///
/// # Panics
/// When what the engine writes is no answer.
pub fn ask(engine: &dyn Engine, seed: u64, n: u64) -> Result<u64, EngineError> {
    let mut n_asked = 0;
    for seed in seed..seed + n {
        let mut random = Random(seed);
        let tree = generate::tree(seed, Knobs { partial: true, large: true });
        let Ok(planted) = tree.plant() else { continue };
        let Ok(index) = Index::build(planted.namespace) else { continue };
        let Some(tables) = tables(&index, &mut random) else { continue };
        let mut paths = Paths::new(&tree, seed);
        let (mut batch, mut path) = (PathBuffer::new(), Vec::new());
        for _ in 0..N_PATHS {
            paths.next(0, &mut path);
            batch.push(&path);
        }
        for round in 0..N_PLANS {
            let flags = if round == 0 { 0 } else { random.below(16) as u32 };
            let plan = Plan { start: random.word(40), flags, links: None };
            let mut outcomes = Outcomes::with_len(batch.len());
            engine.resolve(&tables, &plan, &batch.as_batch(), outcomes.as_mut())?;
            n_asked += batch.len() as u64;
            assert!(outcomes.statuses().iter().all(|&status| status <= 7), "seed {seed}: no answer");
        }
    }
    Ok(n_asked)
}
