//! Batches of every layout and of awkward sizes.

use super::Failure;
use super::session::{Indexed, Session};
use crate::generate::{self, Knobs, Paths};
use crate::tree::{ROOT_NODE, Tree};
use fastrand::Rng;
use warpath_core::batch::PathBuffer;
use warpath_core::{Options, PathBatch};

/// Around the widths at which engines group paths, and beyond.
const SIZES: [usize; 15] = [0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 255, 257, 1000];

/// More paths than a GPU dispatches workgroups of one path each.
const MANY: usize = 70_000;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let tree = tree_of(session.config.seed);
    let indexed = Indexed::new(&tree)?;
    let mut paths = Paths::new(&tree, session.config.seed);
    for n in SIZES {
        let batch: Vec<Vec<u8>> = (0..n).map(|_| random_path(&mut paths)).collect();
        for options in [Options::default(), Options::default().walk_only(), Options::default().no_follow()] {
            every_layout(session, &indexed, &options, &batch)?;
        }
    }
    order(session, &indexed, &mut paths)?;
    alike(session, &indexed)?;
    many(session, &indexed, &mut paths)
}

/// A tree with something in it.
fn tree_of(seed: u64) -> Tree {
    let knobs = Knobs { partial: true, large: true };
    (seed..).map(|seed| generate::tree(seed, knobs)).find(|tree| tree.nodes().len() > 30).unwrap_or_default()
}

fn random_path(paths: &mut Paths<'_>) -> Vec<u8> {
    let mut path = Vec::new();
    paths.next(ROOT_NODE, &mut path);
    path
}

/// The same paths as they may lie in memory.
fn every_layout(
    session: &Session<'_>,
    indexed: &Indexed<'_>,
    options: &Options,
    paths: &[Vec<u8>],
) -> Result<(), Failure> {
    let slices: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    session.compare(indexed, ROOT_NODE, options, &PathBatch::from_slices(&slices))?;

    let strings: Vec<&str> = paths.iter().filter_map(|path| std::str::from_utf8(path).ok()).collect();
    session.compare(indexed, ROOT_NODE, options, &PathBatch::from_strs(&strings))?;

    // The first offset is not 0, and bytes lie behind the last path: a part of somebody's larger column.
    for before in [0, 1, 13] {
        let mut bytes = vec![b'/'; before];
        let mut offsets = vec![before as u64];
        for path in paths {
            bytes.extend_from_slice(path);
            offsets.push(bytes.len() as u64);
        }
        bytes.extend_from_slice(b"/a/b/c\0\xff");
        let offsets32: Vec<u32> = offsets.iter().map(|&offset| offset as u32).collect();
        let suite = |error| Failure::Suite(format!("a batch is refused: {error}"));
        let batch32 = PathBatch::new(&bytes, &offsets32).map_err(suite)?;
        let batch64 = PathBatch::new64(&bytes, &offsets).map_err(suite)?;
        for batch in [batch32, batch64] {
            session.compare(indexed, ROOT_NODE, options, &batch)?;
            let n = batch.len();
            session.compare(indexed, ROOT_NODE, options, &batch.slice(n / 3..n - n / 4))?;
        }
    }

    // Slices of one another.
    let overlapping: Vec<&[u8]> =
        paths.iter().flat_map(|path| [&path[..], &path[path.len() / 2..], &path[..path.len() / 2]]).collect();
    session.compare(indexed, ROOT_NODE, options, &PathBatch::from_slices(&overlapping))
}

/// Answers follow their paths, in whatever order these come.
fn order(session: &Session<'_>, indexed: &Indexed<'_>, paths: &mut Paths<'_>) -> Result<(), Failure> {
    let mut rng = Rng::with_seed(session.config.seed);
    let batch: Vec<Vec<u8>> = (0..500).map(|_| random_path(paths)).collect();
    let mut slices: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
    let options = Options::default();
    for round in 0..4 {
        match round {
            0 => slices.sort_unstable(),
            1 => slices.reverse(),
            2 => slices.sort_unstable_by_key(|path| path.len()),
            _ => rng.shuffle(&mut slices),
        }
        session.compare(indexed, ROOT_NODE, &options, &PathBatch::from_slices(&slices))?;
    }
    Ok(())
}

/// Nothing but one path; long and short ones in turn.
fn alike(session: &Session<'_>, indexed: &Indexed<'_>) -> Result<(), Failure> {
    let long = [b"./".repeat(2047), b"x".to_vec()].concat();
    let too_long = b"/".repeat(4096);
    let name = b"n".repeat(255);
    let options = Options::default();
    for path in [&b""[..], b"/", b"a", b"/a/b", b"\0", &long, &too_long, &name] {
        session.compare(indexed, ROOT_NODE, &options, &PathBatch::from_slices(&[path; 100]))?;
    }
    let in_turn: Vec<&[u8]> = [&b"a"[..], &long, b"", &too_long, b"/a", &name].repeat(40);
    session.compare(indexed, ROOT_NODE, &options, &PathBatch::from_slices(&in_turn))
}

/// One call with more paths, and one with more bytes, than fit a dispatch.
fn many(session: &Session<'_>, indexed: &Indexed<'_>, paths: &mut Paths<'_>) -> Result<(), Failure> {
    let few: Vec<Vec<u8>> = (0..3000).map(|_| random_path(paths)).collect();
    let mut buffer = PathBuffer::new();
    for i in 0..MANY {
        buffer.push(&few[i * 7 % few.len()]);
    }
    session.compare(indexed, ROOT_NODE, &Options::default(), &buffer.as_batch())?;
    buffer.clear();
    for path in few.iter().take(1000) {
        let padding = 4095usize.saturating_sub(path.len()) / 2 * 2;
        let padded =
            if path.starts_with(b"/") { b"//".repeat(padding / 2) } else { b"./".repeat(padding / 2) };
        buffer.push(&[padded.as_slice(), path].concat());
    }
    session.compare(indexed, ROOT_NODE, &Options::default(), &buffer.as_batch())
}
