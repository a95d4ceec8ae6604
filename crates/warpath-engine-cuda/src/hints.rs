//! What the device keeps beside an index's slots, so that a missing name costs about one line: see `kernels/hints.cuh`.

use crate::driver::Named;
use crate::kernels::{Kernels, TablesArg};
use crate::memory::{DeviceBuffer, Stream};
use cudarc::driver::{CudaContext, result, sys};
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;
use warpath_core::layout::{LINE_SLOTS, PAIR_SLOTS, TableParams};

/// Bits of the filter for each directory and link; three are set. One key in fifty that is none is taken for one.
const PASSAGE_BITS: usize = 12;
/// Lines whose reach lies in one word; twin of `REACH_LINES`.
const REACH_LINES: usize = 16;
/// With more ranges than this, all slots are noted anew in one launch.
const MAX_RANGES: usize = 64;

/// Where the hints lie; twin of `Hints`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HintsArg {
    pub reach: sys::CUdeviceptr,
    pub passages: sys::CUdeviceptr,
    pub n_passage_words: u64,
}

/// The hints of one index's copy.
#[derive(Debug)]
pub(crate) struct Hints {
    // Dropped first: waits for what writes the hints.
    stream: Stream,
    reach: DeviceBuffer,
    passages: DeviceBuffer,
    n_slots: usize,
    n_passage_words: usize,
    /// Directories and links that the filter is made for.
    capacity: usize,
    /// Slots noted since everything was. What was noted of a slot is never taken back.
    n_changed: usize,
}

impl Hints {
    /// Bytes of device memory for the hints of such tables.
    pub fn memory(params: &TableParams) -> usize {
        let (reach, passages) = Hints::words(params);
        4 * (reach + passages)
    }

    /// Words of the two arrays.
    pub fn words(params: &TableParams) -> (usize, usize) {
        (reach_words(n_slots(params)), passage_words(n_passages(params)))
    }

    /// Room for the hints of such tables; `note_all` fills it.
    pub fn new(context: &Arc<CudaContext>, params: &TableParams) -> Result<Hints, EngineError> {
        let (n_slots, capacity) = (n_slots(params), n_passages(params));
        let n_passage_words = passage_words(capacity);
        Ok(Hints {
            reach: DeviceBuffer::of_index(context, 4 * reach_words(n_slots))?,
            passages: DeviceBuffer::of_index(context, 4 * n_passage_words)?,
            n_slots,
            n_passage_words,
            capacity,
            n_changed: 0,
            stream: Stream::new(context)?,
        })
    }

    pub fn arg(&self) -> HintsArg {
        HintsArg {
            reach: self.reach.address,
            passages: self.passages.address,
            n_passage_words: self.n_passage_words as u64,
        }
    }

    /// Whether tables that have grown need other hints.
    pub fn are_outgrown(&self, params: &TableParams) -> bool {
        self.n_slots != n_slots(params) || n_passages(params) > 2 * self.capacity
    }

    /// Notes every slot, and forgets what is no longer there. Returns when that is done.
    ///
    /// # Safety
    /// `tables` is live device memory of the sizes that it says, and nothing is under way that reads the hints.
    pub unsafe fn note_all(&mut self, kernels: &Kernels, tables: &TablesArg) -> Result<(), EngineError> {
        for buffer in [&self.reach, &self.passages] {
            // SAFETY: the buffer is of this size and lives until the stream has been waited for.
            unsafe { result::memset_d8_async(buffer.address, 0, buffer.n_bytes, self.stream.raw) }
                .named("cuMemsetD8Async")?;
        }
        self.n_changed = 0;
        // SAFETY: the caller's duty.
        unsafe { kernels.note_slots(self.stream.raw, tables, 0..self.n_slots) }?;
        self.stream.wait()
    }

    /// Notes slots that have changed. Returns when that is done.
    ///
    /// # Safety
    /// As for `note_all`.
    pub unsafe fn note(
        &mut self,
        kernels: &Kernels,
        tables: &TablesArg,
        changed: &[Range<usize>],
    ) -> Result<(), EngineError> {
        self.n_changed += changed.iter().map(Range::len).sum::<usize>();
        if changed.len() > MAX_RANGES || self.n_changed > self.n_slots / 2 {
            // SAFETY: the caller's duty.
            return unsafe { self.note_all(kernels, tables) };
        }
        for range in changed {
            let range = range.start..range.end.min(self.n_slots);
            // SAFETY: the caller's duty, and the range is within the slots.
            unsafe { kernels.note_slots(self.stream.raw, tables, range) }?;
        }
        self.stream.wait()
    }
}

fn n_slots(params: &TableParams) -> usize {
    params.n_pairs as usize * PAIR_SLOTS as usize
}

fn n_passages(params: &TableParams) -> usize {
    params.n_dirs as usize + params.n_links as usize
}

fn reach_words(n_slots: usize) -> usize {
    (n_slots / LINE_SLOTS as usize).div_ceil(REACH_LINES)
}

fn passage_words(n_passages: usize) -> usize {
    // The kernels multiply by it in 32 bits.
    (n_passages * PASSAGE_BITS / 32 + 1).min(u32::MAX as usize)
}
