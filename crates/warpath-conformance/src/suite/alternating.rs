//! Several indexes on one engine: what it keeps of one must not answer for another.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::generate::{self, Knobs, Paths};
use crate::tree::{ROOT_NODE, Tree};
use warpath_core::batch::PathBuffer;
use warpath_core::{FileType, Options, ROOT};

/// Indexes alive at one time, and rounds of asking all of them.
const INDEXES: u64 = 3;
const ROUNDS: u64 = 8;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let seed = session.config.seed.wrapping_mul(0x2545_F491_4F6C_DD1D);
    let knobs = Knobs { partial: false, large: false };
    let trees: Vec<Tree> =
        (0..INDEXES + ROUNDS).map(|n| generate::tree(seed.wrapping_add(n), knobs)).collect();
    let mut indexes: Vec<Indexed<'_>> =
        trees.iter().take(INDEXES as usize).map(Indexed::new).collect::<Result<_, _>>()?;
    let paths = paths(&trees, seed);
    let modes: Vec<Options> = all_modes().collect();
    for round in 0..ROUNDS {
        for _ in 0..2 {
            for indexed in &indexes {
                let mode = modes[round as usize % modes.len()];
                session.compare(indexed, ROOT_NODE, &mode, &paths.as_batch())?;
                session.compare(indexed, ROOT_NODE, &Options::default(), &paths.as_batch())?;
            }
        }
        // All of them go on by one version, each in its own way.
        for (n, indexed) in indexes.iter_mut().enumerate() {
            let name = [&b"a"[..], b"b", b"c", b"new"][(round as usize + n) % 4];
            let file_type = if n % 2 == 0 { FileType::Regular } else { FileType::Directory };
            // Whatever is there is renamed away first; it may not be there, and the new place may be taken.
            let _ = indexed.index.rename(ROOT, name, ROOT, format!("old{round}"));
            indexed
                .index
                .add_file(ROOT, name, file_type)
                .map_err(|error| Failure::Index(format!("an entry can't be added: {error}")))?;
        }
        // One goes, and a new one comes, perhaps to the same place in memory.
        indexes.remove(0);
        indexes.push(Indexed::new(&trees[(INDEXES + round) as usize])?);
    }
    Ok(())
}

/// Paths of all the trees.
fn paths(trees: &[Tree], seed: u64) -> PathBuffer {
    let mut buffer = PathBuffer::new();
    let mut path = Vec::new();
    for tree in trees {
        let mut paths = Paths::new(tree, seed);
        for _ in 0..24 {
            paths.next(ROOT_NODE, &mut path);
            buffer.push(&path);
        }
    }
    for path in ["a", "b", "c", "new", "a/b", "old0", "old1/a", "old5", "/c/.."] {
        buffer.push(path.as_bytes());
    }
    buffer
}
