//! Small batches: one launch, a warp a path, paths and answers in memory that host and device share.

use crate::driver::failed;
use crate::kernels::{ANSWERED, Kernels, Query, SLOT_TEXT};
use crate::memory::{HostBuffer, Stream};
use cudarc::driver::CudaContext;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use warpath_core::{EngineError, OutcomesMut, PathBatch};

/// Paths of a small batch.
pub(crate) const MAX_PATHS: usize = 1024;
/// The longest slot: a path of 4095 bytes and its length, in pieces of 16 bytes.
const MAX_STRIDE: usize = 4112;
const BUFFER_BYTES: usize = 1 << 20;
/// How long answers are awaited before the device is asked whether it still works.
const PATIENCE: Duration = Duration::from_millis(20);

/// What small batches go through.
#[derive(Debug)]
pub(crate) struct Few {
    stream: Stream,
    slots: HostBuffer,
    answers: HostBuffer,
}

impl Few {
    pub fn new(context: &Arc<CudaContext>) -> Result<Few, EngineError> {
        Ok(Few {
            stream: Stream::new(context)?,
            slots: HostBuffer::new(context, BUFFER_BYTES)?,
            answers: HostBuffer::new(context, MAX_PATHS * 8)?,
        })
    }

    /// Bytes of a slot, if this batch is small: few paths, none of them too long for a slot, and slots that fit.
    pub fn stride(batch: &PathBatch<'_>) -> Option<usize> {
        if batch.is_empty() || batch.len() > MAX_PATHS {
            return None;
        }
        let longest = batch.iter().map(<[u8]>::len).max()?;
        let stride = (longest + SLOT_TEXT).next_multiple_of(16);
        (stride <= MAX_STRIDE && stride * batch.len() <= BUFFER_BYTES).then_some(stride)
    }

    /// Answers the batch.
    pub fn resolve(
        &mut self,
        kernels: &Kernels,
        query: &mut Query,
        batch: &PathBatch<'_>,
        stride: usize,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        for (slot, path) in self.slots.as_mut_slice::<u8>().chunks_exact_mut(stride).zip(batch.iter()) {
            slot[..SLOT_TEXT].copy_from_slice(&(path.len() as u32).to_le_bytes());
            slot[SLOT_TEXT..SLOT_TEXT + path.len()].copy_from_slice(path);
        }
        self.answers.as_mut_slice::<u64>()[..batch.len()].fill(0);
        query.params.n_paths = batch.len() as u32;
        let (slots, answers) = (self.slots.device_address(), self.answers.device_address());
        // SAFETY: the replica's tables live while the caller holds the device; slots and answers are as large as the batch.
        unsafe { kernels.few(self.stream.raw, query, slots, stride as u32, answers) }?;
        let answered = self.await_answers(batch.len(), &mut out);
        if answered.is_err() {
            // Nothing may still write to the answers when they are used again.
            self.stream.wait()?;
        }
        answered
    }

    fn await_answers(&self, n: usize, out: &mut OutcomesMut<'_>) -> Result<(), EngineError> {
        // SAFETY: the device writes each answer as one aligned word of 8 bytes, as an atomic store would.
        let answers: &[AtomicU64] =
            unsafe { std::slice::from_raw_parts(self.answers.as_ptr().cast::<AtomicU64>(), n) };
        for (i, answer) in answers.iter().enumerate() {
            let word = await_answer(&self.stream, answer)?;
            out.inodes[i] = word as u32;
            out.statuses[i] = (word >> 32) as u8;
        }
        Ok(())
    }
}

/// Polls an answer; every so often asks whether the device still works on it.
fn await_answer(stream: &Stream, answer: &AtomicU64) -> Result<u64, EngineError> {
    let mut since = None;
    let mut spins = 0u32;
    loop {
        let word = answer.load(Ordering::Acquire);
        if (word >> 32) as u32 & ANSWERED != 0 {
            return Ok(word);
        }
        std::hint::spin_loop();
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(4096)
            && since.get_or_insert_with(Instant::now).elapsed() > PATIENCE
            && stream.is_done()?
        {
            let word = answer.load(Ordering::Acquire);
            let answered = (word >> 32) as u32 & ANSWERED != 0;
            return if answered { Ok(word) } else { Err(failed("the device ended without an answer")) };
        }
    }
}
