//! N paths, borrowed as they lie in memory.

use std::ops::Range;
use thiserror::Error;

/// N paths to resolve, borrowed from the caller: a byte buffer with offsets (Arrow's own layout, 32 or 64
/// bit), or a slice of slices.
///
/// Copying the handle is free. Offsets are checked once, when the batch is made, so that engines need not.
#[derive(Debug, Clone, Copy)]
pub struct PathBatch<'a> {
    paths: Paths<'a>,
}

/// How a batch's paths lie in memory. Offsets are in bounds and never decrease.
#[derive(Debug, Clone, Copy)]
pub enum Paths<'a> {
    /// Path `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    Flat32 {
        /// The paths' bytes, one after the other.
        bytes: &'a [u8],
        /// One more than there are paths.
        offsets: &'a [u32],
    },
    /// As [`Paths::Flat32`], with 64-bit offsets.
    Flat64 {
        /// The paths' bytes, one after the other.
        bytes: &'a [u8],
        /// One more than there are paths.
        offsets: &'a [u64],
    },
    /// A slice of byte slices.
    Slices(&'a [&'a [u8]]),
    /// A slice of strings.
    Strs(&'a [&'a str]),
}

/// Offsets that describe no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// There is not even one offset; a batch of N paths has N + 1.
    #[error("a batch of N paths needs N + 1 offsets, and there are none")]
    NoOffsets,
    /// An offset is below the one before it.
    #[error("offset {index} is below the one before it: offsets must never decrease")]
    Decreasing {
        /// The index of the offset at fault.
        index: usize,
    },
    /// The last offset lies behind the end of the bytes.
    #[error("the last offset is {last}, but there are only {len} bytes")]
    OutOfBounds {
        /// The last offset.
        last: u64,
        /// The bytes there are.
        len: usize,
    },
}

impl<'a> PathBatch<'a> {
    /// A batch of `offsets.len() - 1` paths: path `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Errors
    /// [`BatchError`] when the offsets decrease or lie outside the bytes. O(n), a pass over the offsets.
    pub fn new(bytes: &'a [u8], offsets: &'a [u32]) -> Result<PathBatch<'a>, BatchError> {
        check(bytes, offsets)?;
        Ok(PathBatch { paths: Paths::Flat32 { bytes, offsets } })
    }

    /// As [`PathBatch::new`], with 64-bit offsets.
    ///
    /// # Errors
    /// As [`PathBatch::new`].
    pub fn new64(bytes: &'a [u8], offsets: &'a [u64]) -> Result<PathBatch<'a>, BatchError> {
        check(bytes, offsets)?;
        Ok(PathBatch { paths: Paths::Flat64 { bytes, offsets } })
    }

    /// A batch of byte slices, wherever each of them lies.
    pub fn from_slices(slices: &'a [&'a [u8]]) -> PathBatch<'a> {
        PathBatch { paths: Paths::Slices(slices) }
    }

    /// A batch of strings.
    pub fn from_strs(strs: &'a [&'a str]) -> PathBatch<'a> {
        PathBatch { paths: Paths::Strs(strs) }
    }

    /// How the paths lie in memory.
    pub fn paths(&self) -> Paths<'a> {
        self.paths
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        match self.paths {
            Paths::Flat32 { offsets, .. } => offsets.len() - 1,
            Paths::Flat64 { offsets, .. } => offsets.len() - 1,
            Paths::Slices(slices) => slices.len(),
            Paths::Strs(strs) => strs.len(),
        }
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Path `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](PathBatch::len).
    pub fn get(&self, i: usize) -> &'a [u8] {
        match self.paths {
            Paths::Flat32 { bytes, offsets } => &bytes[offsets[i] as usize..offsets[i + 1] as usize],
            Paths::Flat64 { bytes, offsets } => &bytes[offsets[i] as usize..offsets[i + 1] as usize],
            Paths::Slices(slices) => slices[i],
            Paths::Strs(strs) => strs[i].as_bytes(),
        }
    }

    /// The paths in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The paths `range` as a batch of their own, without copying.
    ///
    /// # Panics
    /// When the range ends behind [`len`](PathBatch::len) or before it begins.
    pub fn slice(&self, range: Range<usize>) -> PathBatch<'a> {
        // Not left to the slices: `1..0` would leave no offset at all, and engines count on one.
        let (is_ordered, is_inside) = (range.start <= range.end, range.end <= self.len());
        assert!(is_ordered && is_inside, "the range {range:?} is outside a batch of {} paths", self.len());
        let with_end = range.start..range.end + 1;
        let paths = match self.paths {
            Paths::Flat32 { bytes, offsets } => Paths::Flat32 { bytes, offsets: &offsets[with_end] },
            Paths::Flat64 { bytes, offsets } => Paths::Flat64 { bytes, offsets: &offsets[with_end] },
            Paths::Slices(slices) => Paths::Slices(&slices[range]),
            Paths::Strs(strs) => Paths::Strs(&strs[range]),
        };
        PathBatch { paths }
    }

    /// Bytes of all paths together. O(1) for offsets, O(n) for slices.
    pub fn n_bytes(&self) -> usize {
        match self.paths {
            Paths::Flat32 { offsets, .. } => (offsets[offsets.len() - 1] - offsets[0]) as usize,
            Paths::Flat64 { offsets, .. } => (offsets[offsets.len() - 1] - offsets[0]) as usize,
            Paths::Slices(slices) => slices.iter().map(|path| path.len()).sum(),
            Paths::Strs(strs) => strs.iter().map(|path| path.len()).sum(),
        }
    }
}

fn check<T: Copy + PartialOrd + Into<u64>>(bytes: &[u8], offsets: &[T]) -> Result<(), BatchError> {
    let last: u64 = (*offsets.last().ok_or(BatchError::NoOffsets)?).into();
    // A fold instead of an early exit: it vectorises.
    if !offsets.windows(2).fold(true, |sorted, pair| sorted & (pair[0] <= pair[1])) {
        let index = offsets.windows(2).position(|pair| pair[0] > pair[1]).map_or(0, |i| i + 1);
        return Err(BatchError::Decreasing { index });
    }
    if last > bytes.len() as u64 {
        return Err(BatchError::OutOfBounds { last, len: bytes.len() });
    }
    Ok(())
}

/// Paths gathered into one buffer with offsets, for those who read or generate them one by one.
#[derive(Debug, Clone)]
pub struct PathBuffer {
    bytes: Vec<u8>,
    offsets: Vec<u64>,
}

impl Default for PathBuffer {
    fn default() -> PathBuffer {
        PathBuffer { bytes: Vec::new(), offsets: vec![0] }
    }
}

impl PathBuffer {
    /// An empty buffer.
    pub fn new() -> PathBuffer {
        PathBuffer::default()
    }

    /// Appends a path.
    pub fn push(&mut self, path: &[u8]) {
        self.bytes.extend_from_slice(path);
        self.offsets.push(self.bytes.len() as u64);
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all paths together.
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the paths and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.offsets.truncate(1);
    }

    /// The paths as a batch. O(1).
    pub fn as_batch(&self) -> PathBatch<'_> {
        PathBatch { paths: Paths::Flat64 { bytes: &self.bytes, offsets: &self.offsets } }
    }
}

impl<P: AsRef<[u8]>> FromIterator<P> for PathBuffer {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> PathBuffer {
        let mut buffer = PathBuffer::new();
        for path in paths {
            buffer.push(path.as_ref());
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_checked() {
        assert_eq!(PathBatch::new(b"ab", &[]).unwrap_err(), BatchError::NoOffsets);
        assert_eq!(PathBatch::new(b"ab", &[0, 2, 1]).unwrap_err(), BatchError::Decreasing { index: 2 });
        assert_eq!(PathBatch::new(b"ab", &[0, 3]).unwrap_err(), BatchError::OutOfBounds { last: 3, len: 2 });
        let batch = PathBatch::new(b"abc", &[0, 1, 1, 3]).unwrap();
        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"bc"]);
        assert_eq!(batch.slice(1..3).iter().collect::<Vec<_>>(), [&b""[..], b"bc"]);
    }

    #[test]
    fn a_slice_lies_within_the_batch() {
        let slices = [&b"a"[..], b"", b"bc"];
        let batches = [
            PathBatch::new(b"abc", &[0, 1, 1, 3]).unwrap(),
            PathBatch::new64(b"abc", &[0, 1, 1, 3]).unwrap(),
            PathBatch::from_slices(&slices),
            PathBatch::from_strs(&["a", "", "bc"]),
        ];
        for batch in batches {
            assert!(batch.slice(3..3).is_empty());
            assert_eq!(batch.slice(0..3).len(), 3);
            #[allow(clippy::reversed_empty_ranges)]
            for range in [1..0, 3..2, 0..4, 4..4, 0..usize::MAX, 1..usize::MAX, usize::MAX..0] {
                let sliced = std::panic::catch_unwind(|| batch.slice(range.clone()).len());
                assert!(sliced.is_err(), "{range:?} of {batch:?} gave {sliced:?}");
            }
        }
    }

    #[test]
    fn a_buffer_gives_back_what_was_pushed() {
        let buffer: PathBuffer = ["/a", "", "b/c"].into_iter().collect();
        assert_eq!(buffer.as_batch().iter().collect::<Vec<_>>(), [&b"/a"[..], b"", b"b/c"]);
        assert_eq!(buffer.as_batch().n_bytes(), 5);
    }
}
