//! How a batch's paths lie in memory.

/// Paths by number, read on the hot path: no bounds check beyond those that [`warpath_core::PathBatch`] has made.
pub(crate) trait Source: Copy {
    fn len(&self) -> usize;

    /// Path `i`.
    ///
    /// # Safety
    /// `i` must be below `len()`.
    unsafe fn path(&self, i: usize) -> &[u8];

    /// Where text lies that is read some paths after path `i`, as far as that is known; for a prefetch alone.
    ///
    /// # Safety
    /// `i` must be below `len()`.
    unsafe fn ahead(&self, i: usize) -> Option<*const u8>;
}

/// How far ahead text is asked for, in bytes, where all of it is read in order. The hardware does so by itself, but not beyond a page of 4 KiB.
pub const AHEAD: usize = 2048;

/// Bytes with offsets.
#[derive(Clone, Copy)]
pub(crate) struct Flat<'a, T> {
    pub bytes: &'a [u8],
    pub offsets: &'a [T],
}

impl<T: Copy + Into<u64>> Source for Flat<'_, T> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    #[inline(always)]
    unsafe fn path(&self, i: usize) -> &[u8] {
        // SAFETY: `i + 1` is an offset's number, by the caller's duty.
        let (start, end): (u64, u64) =
            unsafe { ((*self.offsets.get_unchecked(i)).into(), (*self.offsets.get_unchecked(i + 1)).into()) };
        // SAFETY: a `PathBatch` is only made of offsets that never decrease and end within the bytes.
        unsafe { self.bytes.get_unchecked(start as usize..end as usize) }
    }

    #[inline(always)]
    unsafe fn ahead(&self, i: usize) -> Option<*const u8> {
        // SAFETY: the caller's duty.
        Some(unsafe { self.path(i) }.as_ptr().wrapping_add(AHEAD))
    }
}

/// A slice of slices or strings.
#[derive(Clone, Copy)]
pub(crate) struct Each<'a, T>(pub &'a [T]);

impl<T: AsRef<[u8]> + Copy> Source for Each<'_, T> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    unsafe fn path(&self, i: usize) -> &[u8] {
        // SAFETY: `i` is below the length, by the caller's duty.
        unsafe { self.0.get_unchecked(i) }.as_ref()
    }

    #[inline(always)]
    unsafe fn ahead(&self, _i: usize) -> Option<*const u8> {
        None
    }
}
