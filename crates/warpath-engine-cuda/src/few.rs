//! Small batches: one launch, a warp a path, paths and answers in memory that host and device share.

use crate::driver::failed;
use crate::kernels::{ANSWERED, Kernels, Query, SLOT_TEXT};
use crate::memory::{HostBuffer, Stream};
use cudarc::driver::CudaContext;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use warpath_core::{EngineError, InodeId, OutcomesMut, PathBatch};

/// Paths of a small batch.
pub(crate) const MAX_PATHS: usize = 1024;
/// The longest slot: a path of 4095 bytes and what stands before it, in pieces of 16 bytes.
pub(crate) const MAX_STRIDE: usize = 4112;
const BUFFER_BYTES: usize = 1 << 20;
/// How long answers are awaited before the device is asked whether it still works.
const PATIENCE: Duration = Duration::from_millis(20);
/// Reads of an answer between two looks at what else may have happened: some ten microseconds.
const SPINS_A_LOOK: u32 = 128;

/// A small batch as the device reads it: slots of `stride` bytes, each with a path's length, its start directory and its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots<'a> {
    batch: PathBatch<'a>,
    start: InodeId,
    stride: usize,
}

impl<'a> Slots<'a> {
    /// The batch's slots, if it is small: few paths, none of them too long for a slot, and slots that fit into `room` bytes.
    pub fn of(batch: &PathBatch<'a>, start: InodeId, room: usize) -> Option<Slots<'a>> {
        if batch.is_empty() || batch.len() > MAX_PATHS {
            return None;
        }
        let longest = batch.iter().map(<[u8]>::len).max()?;
        let stride = (longest + SLOT_TEXT).next_multiple_of(16);
        (stride <= MAX_STRIDE && stride * batch.len() <= room).then_some(Slots {
            batch: *batch,
            start,
            stride,
        })
    }

    pub fn n_paths(&self) -> usize {
        self.batch.len()
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Writes them.
    pub fn write(&self, room: &mut [u8]) {
        for (slot, path) in room.chunks_exact_mut(self.stride).zip(self.batch.iter()) {
            let head = u64::from(self.start) << 32 | path.len() as u64;
            slot[..SLOT_TEXT].copy_from_slice(&head.to_le_bytes());
            slot[SLOT_TEXT..SLOT_TEXT + path.len()].copy_from_slice(path);
        }
    }
}

/// What small batches go through.
#[derive(Debug)]
pub(crate) struct Few {
    stream: Stream,
    slots: HostBuffer,
    answers: HostBuffer,
}

impl Few {
    /// Bytes that slots may take.
    pub const ROOM: usize = BUFFER_BYTES;

    pub fn new(context: &Arc<CudaContext>) -> Result<Few, EngineError> {
        Ok(Few {
            stream: Stream::new(context)?,
            slots: HostBuffer::new(context, BUFFER_BYTES)?,
            answers: HostBuffer::new(context, MAX_PATHS * 8)?,
        })
    }

    /// Answers the batch.
    pub fn resolve(
        &mut self,
        kernels: &Kernels,
        query: &mut Query,
        slots: &Slots<'_>,
        out: &mut OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        slots.write(self.slots.as_mut_slice::<u8>());
        self.answers.as_mut_slice::<u64>()[..slots.n_paths()].fill(0);
        query.params.n_paths = slots.n_paths() as u32;
        let (room, answers) = (self.slots.device_address(), self.answers.device_address());
        // SAFETY: the replica's tables live while the caller holds the device; slots and answers are as large as the batch.
        unsafe { kernels.few(self.stream.raw, query, room, slots.stride() as u32, answers) }?;
        let answered = self.await_answers(slots.n_paths(), out);
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
        let mut since = None;
        for (i, answer) in answers.iter().enumerate() {
            let look = |_| {
                let waiting = since.get_or_insert_with(Instant::now).elapsed();
                if waiting < PATIENCE {
                    return ControlFlow::Continue(());
                }
                match self.stream.is_done() {
                    Err(error) => ControlFlow::Break(error),
                    Ok(true) if read_answer(answer).is_none() => {
                        ControlFlow::Break(failed("the device ended without an answer"))
                    }
                    Ok(_) => ControlFlow::Continue(()),
                }
            };
            let word = await_within(answer, look)?;
            out.inodes[i] = word as u32;
            out.statuses[i] = (word >> 32) as u8;
        }
        Ok(())
    }
}

/// An answer, if it is there.
pub(crate) fn read_answer(answer: &AtomicU64) -> Option<u64> {
    let word = answer.load(Ordering::Acquire);
    ((word >> 32) as u32 & ANSWERED != 0).then_some(word)
}

/// Polls an answer; `look` is called every so often, with the number of its call, and may end the wait.
pub(crate) fn await_within<E>(
    answer: &AtomicU64,
    mut look: impl FnMut(u32) -> ControlFlow<E>,
) -> Result<u64, E> {
    let mut looks = 0u32;
    loop {
        for _ in 0..SPINS_A_LOOK {
            if let Some(word) = read_answer(answer) {
                return Ok(word);
            }
            std::hint::spin_loop();
        }
        looks = looks.wrapping_add(1);
        if let ControlFlow::Break(error) = look(looks) {
            return Err(error);
        }
    }
}
