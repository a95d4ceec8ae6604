//! A flat array of plain values: in a vector, in huge pages, or borrowed from a mapped file.

use bytemuck::Pod;
use memmap2::MmapMut;
use rayon::prelude::*;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use yoke::Yoke;

/// Bytes that a mapped column borrows from: a file mapping, or any other shared buffer.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Arrays of at least this many bytes are worth huge pages: one page of 2 MiB replaces 512 TLB entries.
const HUGE_FROM: usize = 4 << 20;

/// Below this many values a vector that is full doubles.
const DOUBLES_BELOW: usize = 1 << 16;

/// What a column can hold: plain values of 32-bit words and the like.
pub trait Value: Pod + Send + Sync {}

impl<T: Pod + Send + Sync> Value for T {}

/// A flat array of plain values. Reads as a slice; a mapped column is copied when it is first written to.
pub struct Column<T: 'static> {
    storage: Storage<T>,
}

enum Storage<T: 'static> {
    Owned(Vec<T>),
    Huge {
        map: MmapMut,
        len: usize,
    },
    /// The values beside the bytes that hold them: asking these for them anew is a call each time.
    Mapped(Yoke<&'static [T], SharedBytes>),
}

impl<T: Value> Column<T> {
    /// An empty column.
    pub const fn new() -> Column<T> {
        Column { storage: Storage::Owned(Vec::new()) }
    }

    /// `len` copies of `value`, in huge pages where the array is large and the system gives them. Written by the calling thread
    /// alone: to wait for rayon's threads with a lock held is to wait for ever, where they wait for that lock.
    pub fn filled(value: T, len: usize) -> Column<T> {
        let Some(mut column) = Column::huge(len) else { return Column::from(vec![value; len]) };
        column.fill(value);
        column
    }

    /// As [`Column::filled`], written by all of rayon's threads: for a caller that holds no lock.
    pub fn filled_in_parallel(value: T, len: usize) -> Column<T> {
        let Some(mut column) = Column::huge(len) else { return Column::from(vec![value; len]) };
        column.par_chunks_mut(1 << 16).for_each(|chunk| chunk.fill(value));
        column
    }

    /// A column of zeros that nobody has touched yet, in huge pages; `None` where it is too small for them or there is no memory.
    fn huge(len: usize) -> Option<Column<T>> {
        let bytes = len.saturating_mul(size_of::<T>());
        if bytes < HUGE_FROM {
            return None;
        }
        let map = MmapMut::map_anon(bytes).ok()?;
        // A system that has no huge pages to give says so here, and the array works without them.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Some(Column { storage: Storage::Huge { map, len } })
    }

    /// A column borrowed from `bytes[range]`. O(1).
    ///
    /// `None` when the range lies outside the bytes, is not aligned for `T`, or holds no whole number of them.
    pub fn mapped(bytes: SharedBytes, range: Range<usize>) -> Option<Column<T>> {
        let values = Yoke::try_attach_to_cart(bytes, |bytes| {
            let slice = bytes.as_ref().get(range).ok_or(())?;
            bytemuck::try_cast_slice(slice).map_err(drop)
        });
        Some(Column { storage: Storage::Mapped(values.ok()?) })
    }

    /// An empty column with room for `n` values, or with none where the system has not so much memory: it grows when it must.
    pub fn with_capacity(n: usize) -> Column<T> {
        let mut values = Vec::new();
        // Callers say how much they expect, and may be wrong.
        let _ = values.try_reserve_exact(n);
        Column { storage: Storage::Owned(values) }
    }

    /// The column as a vector that can grow; copies it first if it is none.
    #[inline]
    pub fn vec(&mut self) -> &mut Vec<T> {
        if !matches!(self.storage, Storage::Owned(_)) {
            self.storage = Storage::Owned(self.to_vec());
        }
        match &mut self.storage {
            Storage::Owned(values) => values,
            _ => unreachable!("the storage has just been made a vector"),
        }
    }

    /// The column as a vector with room for `n` more values. Amortised.
    #[inline]
    fn with_room(&mut self, n: usize) -> &mut Vec<T> {
        let values = self.vec();
        if values.capacity() - values.len() < n {
            grow(values, n);
        }
        values
    }

    /// Appends a value. Amortised O(1).
    #[inline]
    pub fn push(&mut self, value: T) {
        self.with_room(1).push(value);
    }

    /// Appends values. Amortised O(values).
    #[inline]
    pub fn extend_from_slice(&mut self, values: &[T]) {
        self.with_room(values.len()).extend_from_slice(values);
    }

    /// Cuts the column to `len` values, or fills it up with `value`.
    pub fn resize(&mut self, len: usize, value: T) {
        self.with_room(len.saturating_sub(self.len())).resize(len, value);
    }

    /// Gives back the room that holds no value.
    pub fn shrink_to_fit(&mut self) {
        if let Storage::Owned(values) = &mut self.storage {
            values.shrink_to_fit();
        }
    }

    /// Bytes of memory that the column takes, those of a mapped file included.
    pub fn memory(&self) -> usize {
        match &self.storage {
            Storage::Owned(values) => values.capacity() * size_of::<T>(),
            Storage::Huge { map, .. } => map.len(),
            Storage::Mapped(values) => size_of_val(*values.get()),
        }
    }
}

/// Small vectors double; large ones grow by an eighth, so that little memory lies idle. The system moves large
/// allocations without copying.
#[cold]
fn grow<T>(values: &mut Vec<T>, n: usize) {
    let len = values.len();
    let step = if len < DOUBLES_BELOW { len.max(16) } else { len / 8 };
    values.reserve_exact(step.max(n));
}

impl<T: Value> Deref for Column<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.storage {
            Storage::Owned(values) => values,
            // The casts were checked when the column was made; mappings begin at a page.
            Storage::Huge { map, len } => {
                bytemuck::try_cast_slice(&map[..len * size_of::<T>()]).unwrap_or_default()
            }
            Storage::Mapped(values) => values.get(),
        }
    }
}

impl<T: Value> DerefMut for Column<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if let Storage::Mapped(_) = self.storage {
            self.vec();
        }
        match &mut self.storage {
            Storage::Huge { map, len } => {
                bytemuck::try_cast_slice_mut(&mut map[..*len * size_of::<T>()]).unwrap_or_default()
            }
            Storage::Owned(values) => values,
            Storage::Mapped(_) => &mut [],
        }
    }
}

impl<T: Value> Clone for Column<T> {
    /// Mapped columns share their bytes; others are copied, into huge pages where they were in some.
    fn clone(&self) -> Column<T> {
        match &self.storage {
            Storage::Owned(values) => Column { storage: Storage::Owned(values.clone()) },
            Storage::Huge { .. } => {
                let Some(mut copy) = Column::huge(self.len()) else { return Column::from(self.to_vec()) };
                copy.copy_from_slice(self);
                copy
            }
            Storage::Mapped(values) => Column { storage: Storage::Mapped(values.clone()) },
        }
    }
}

impl<T: Value> Default for Column<T> {
    fn default() -> Column<T> {
        Column::new()
    }
}

impl<T: Value> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Column<T> {
        Column { storage: Storage::Owned(values) }
    }
}

impl<T: Value + std::fmt::Debug> std::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_storage_reads_and_writes_alike() {
        let n = HUGE_FROM / 4 + 3;
        let values: Vec<u32> = (0..n as u32).collect();
        let bytes: SharedBytes = Arc::new(bytemuck::cast_slice::<u32, u8>(&values).to_vec());
        let mut huge = Column::filled(0u32, n);
        huge.copy_from_slice(&values);
        let whole = 0..n * 4;
        for mut column in [Column::from(values.clone()), huge.clone(), Column::mapped(bytes, whole).unwrap()]
        {
            assert_eq!(column[..], values);
            column[1] = 7;
            assert_eq!(column.clone()[..3], [0, 7, 2]);
            column.vec().push(9);
            assert_eq!((column.len(), column[n]), (n + 1, 9));
        }
    }

    #[test]
    fn filled_columns_hold_the_value_whoever_writes_it() {
        for n in [0, 3, HUGE_FROM / 4 + 3] {
            assert!(Column::filled(7u32, n)[..] == vec![7; n]);
            assert!(Column::filled_in_parallel(7u32, n)[..] == vec![7; n]);
        }
    }

    #[test]
    fn a_mapped_column_is_whole_aligned_and_in_bounds() {
        let bytes: SharedBytes = Arc::new(vec![0u8; 64]);
        let start = (*bytes).as_ref().as_ptr().align_offset(8);
        assert!(Column::<u32>::mapped(Arc::clone(&bytes), start..start + 8).is_some());
        assert!(Column::<u32>::mapped(Arc::clone(&bytes), start + 1..start + 9).is_none());
        assert!(Column::<u32>::mapped(Arc::clone(&bytes), start..start + 7).is_none());
        assert!(Column::<u32>::mapped(bytes, 60..72).is_none());
    }

    #[test]
    fn room_that_nobody_has_is_not_reserved() {
        for n in [usize::MAX, usize::MAX / 8] {
            let mut column = Column::<u64>::with_capacity(n);
            column.push(7);
            assert_eq!(*column, [7]);
        }
    }

    #[test]
    fn growth_leaves_little_idle() {
        let mut column = Column::new();
        for i in 0..1_000_000u32 {
            column.push(i);
        }
        assert!(column.memory() <= 4_500_000, "{}", column.memory());
        column.shrink_to_fit();
        assert_eq!(column.memory(), 4_000_000);
    }
}
