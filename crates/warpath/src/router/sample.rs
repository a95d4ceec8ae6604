//! Paths to measure engines with: those of the tree itself.

use crate::store::Store;
use warpath_core::batch::PathBuffer;

/// Paths of a sample.
pub(super) const SAMPLE_PATHS: usize = 1 << 15;

/// Entries looked up under one lock of the namespace, so that changes wait only tens of microseconds.
const ENTRIES_AT_A_TIME: usize = 128;

/// Paths of entries from all over the tree, repeated where the tree has few.
pub(super) fn sample(store: &Store) -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = Vec::with_capacity(SAMPLE_PATHS);
    let bound = store.with_namespace(|namespace| namespace.entry_bound()).max(1) as u64;
    let mut drawn = 0;
    while drawn < SAMPLE_PATHS {
        store.with_namespace(|namespace| {
            for _ in 0..ENTRIES_AT_A_TIME {
                // Multiples of a large odd number visit the ids evenly and in no order.
                let id = (drawn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % bound;
                drawn += 1;
                let entry = namespace.entry(id as usize);
                paths.extend(entry.and_then(|entry| namespace.path_of(entry.inode)));
            }
        });
    }
    if paths.is_empty() {
        paths.push(b"/".to_vec());
    }
    let n_distinct = paths.len();
    for i in n_distinct..SAMPLE_PATHS {
        paths.push(paths[i % n_distinct].clone());
    }
    paths
}

/// The shorter and the longer half of a sample.
pub(super) fn halves(paths: &[Vec<u8>], n: usize) -> (PathBuffer, PathBuffer) {
    let mut by_length: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    by_length.sort_by_key(|path| path.len());
    let n = n.min(by_length.len() / 2);
    let short = by_length[..n].iter().collect();
    let long = by_length[by_length.len() - n..].iter().collect();
    (short, long)
}
