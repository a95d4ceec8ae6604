//! Checksums of sections, worked out in parallel.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes that are summed as one piece.
pub(crate) const PIECE: usize = 1 << 20;

/// XXH3-64 of the little-endian XXH3-64 sums of each piece of [`PIECE`] bytes, the last one shorter.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let sums: Vec<u8> =
        bytes.par_chunks(PIECE).map(|piece| xxh3_64(piece).to_le_bytes()).flatten_iter().collect();
    xxh3_64(&sums)
}
