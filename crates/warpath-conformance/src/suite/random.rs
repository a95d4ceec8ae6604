//! Random trees and paths in every mode.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::generate::{self, Knobs, Paths};
use warpath_core::Options;
use warpath_core::batch::PathBuffer;

/// Paths of a batch, at most.
const BATCH: usize = 192;

/// Batches of one tree.
const BATCHES: usize = 8;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let modes: Vec<Options> = all_modes().collect();
    let mut seed = session.config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut n_done = 0;
    let mut path = Vec::new();
    let mut batch = PathBuffer::new();
    while n_done < session.config.n_random {
        seed = seed.wrapping_add(1);
        let tree = generate::tree(seed, Knobs { partial: seed.is_multiple_of(3), large: true });
        let indexed = Indexed::new(&tree)?;
        let mut paths = Paths::new(&tree, seed);
        for round in 0..BATCHES {
            let start = paths.start();
            batch.clear();
            for _ in 0..BATCH / (1 + round) {
                paths.next(start, &mut path);
                batch.push(&path);
            }
            // The plain mode every other time; over the trees every mode has its turn.
            let mode = if round % 2 == 0 {
                8 * (round / 2 % 2)
            } else {
                (seed as usize).wrapping_add(round * 5) % 16
            };
            session.compare(&indexed, start, &modes[mode], &batch.as_batch())?;
            n_done += batch.len() as u64;
        }
    }
    Ok(())
}
