//! Several threads on one engine, each with an index of its own, and all with one.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::generate::{self, Knobs, Paths};
use crate::tree::ROOT_NODE;
use warpath_core::Options;
use warpath_core::batch::PathBuffer;

const THREADS: u64 = 4;
const ROUNDS: usize = 12;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let shared_tree = generate::tree(session.config.seed, Knobs { partial: true, large: false });
    let shared = Indexed::new(&shared_tree)?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                scope.spawn({
                    let shared = &shared;
                    move || ask(session, shared, n)
                })
            })
            .collect();
        // Every thread is waited for, then the first failure told.
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        results.into_iter().try_for_each(|result| {
            result.unwrap_or_else(|_| Err(Failure::Suite("a thread panicked".to_owned())))
        })
    })
}

fn ask(session: &Session<'_>, shared: &Indexed<'_>, n: u64) -> Result<(), Failure> {
    let seed = session.config.seed.wrapping_add(1 + n);
    let tree = generate::tree(seed, Knobs { partial: false, large: false });
    let own = Indexed::new(&tree)?;
    let modes: Vec<Options> = all_modes().collect();
    let mut path = Vec::new();
    let mut batch = PathBuffer::new();
    for round in 0..ROUNDS {
        for indexed in [&own, shared] {
            let mut paths = Paths::new(indexed.tree, seed.wrapping_mul(31).wrapping_add(round as u64));
            batch.clear();
            for _ in 0..100 + 50 * n {
                paths.next(ROOT_NODE, &mut path);
                batch.push(&path);
            }
            session.compare(
                indexed,
                ROOT_NODE,
                &modes[(round + n as usize) % modes.len()],
                &batch.as_batch(),
            )?;
        }
    }
    Ok(())
}
