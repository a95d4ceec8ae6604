//! How a batch is cut into what a buffer set can hold.

use std::ops::Range;
use warpath_core::PathBatch;
use warpath_core::batch::Paths;

/// What every buffer set can hold: any path of up to this many bytes goes to the device.
pub(crate) const LONG_PATH: usize = 64 << 10;

/// The next part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// These paths, of so many bytes together, go to the device.
    Device { paths: Range<usize>, bytes: usize },
    /// This path alone is longer than a buffer set: it is answered on the host.
    Long(usize),
}

/// The part of the batch that begins at path `from`: at most so many paths and bytes, at least one path.
pub(crate) fn next_chunk(batch: &PathBatch<'_>, from: usize, max_paths: usize, max_bytes: usize) -> Chunk {
    let end = batch.len().min(from.saturating_add(max_paths));
    let (n, bytes) = match batch.paths() {
        Paths::Flat32 { offsets, .. } => flat(&offsets[from..=end], max_bytes),
        Paths::Flat64 { offsets, .. } => flat(&offsets[from..=end], max_bytes),
        Paths::Slices(slices) => sliced(slices[from..end].iter().map(|path| path.len()), max_bytes),
        Paths::Strs(strs) => sliced(strs[from..end].iter().map(|path| path.len()), max_bytes),
    };
    match n {
        0 => Chunk::Long(from),
        n => Chunk::Device { paths: from..from + n, bytes },
    }
}

/// How many paths fit, and their bytes.
fn flat<T: Copy + Into<u64>>(offsets: &[T], max_bytes: usize) -> (usize, usize) {
    let wide = |offset: &T| -> u64 { (*offset).into() };
    let base = wide(&offsets[0]);
    let n = offsets[1..].partition_point(|end| wide(end) - base <= max_bytes as u64);
    (n, (wide(&offsets[n]) - base) as usize)
}

/// As [`flat`], for lengths one by one.
fn sliced(lengths: impl Iterator<Item = usize>, max_bytes: usize) -> (usize, usize) {
    let (mut n, mut bytes) = (0, 0);
    for length in lengths {
        if bytes + length > max_bytes {
            break;
        }
        n += 1;
        bytes += length;
    }
    (n, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::batch::PathBuffer;

    #[test]
    fn chunks_cover_the_batch_in_order_and_keep_the_limits() {
        let long = vec![b'x'; LONG_PATH + 1];
        let paths: Vec<&[u8]> = vec![b"aaaa", b"", b"bb", &long, b"cccccc", b"d", b"e", b"f"];
        let flat: PathBuffer = paths.iter().collect();
        for batch in [PathBatch::from_slices(&paths), flat.as_batch()] {
            let mut chunks = Vec::new();
            let mut at = 0;
            while at < batch.len() {
                let chunk = next_chunk(&batch, at, 3, LONG_PATH);
                at = match &chunk {
                    Chunk::Device { paths, .. } => paths.end,
                    Chunk::Long(path) => path + 1,
                };
                chunks.push(chunk);
            }
            let device = |paths, bytes| Chunk::Device { paths, bytes };
            assert_eq!(chunks, [device(0..3, 6), Chunk::Long(3), device(4..7, 8), device(7..8, 1)]);
        }
    }
}
