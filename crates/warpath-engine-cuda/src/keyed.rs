//! A chunk of a large batch whose keys a thread hashes: the device reads them where they lie and probes, and 12 bytes a path go over
//! the bus instead of its text.

use crate::answers::InFlight;
use crate::kernels::PENDING;
use crate::memory::HostBuffer;
use crate::workers::Task;
use cudarc::driver::CudaContext;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use warpath_core::EngineError;
use warpath_engine_cpu::{Isa, keys};

/// Paths of a chunk at most.
pub(crate) const CHUNK_PATHS: usize = 1 << 16;

/// A chunk's keys and answers. The kernel reads keys over the bus: a copy would wait for the copies of text before it, each of which may
/// take a millisecond.
#[derive(Debug)]
pub(crate) struct KeyBuffers {
    // Dropped first: its stream waits for what reads the keys.
    pub in_flight: InFlight,
    keys: HostBuffer,
}

impl KeyBuffers {
    pub fn new(context: &Arc<CudaContext>) -> Result<KeyBuffers, EngineError> {
        Ok(KeyBuffers {
            keys: HostBuffer::new(context, CHUNK_PATHS * 12)?,
            in_flight: InFlight::written(context, CHUNK_PATHS)?,
        })
    }

    /// Hashes a chunk that was given to this thread, and has it probed. The last chunk has been collected.
    pub fn send(&mut self, task: &Task<'_>, range: Range<usize>) -> Result<(), EngineError> {
        let words = &mut self.keys.as_mut_slice::<[u32; 3]>()[..range.len()];
        keys(Isa::best(), task.view, task.plan, &task.source.batch().slice(range.clone()), words);
        let mut query = *task.query;
        query.params.n_paths = range.len() as u32;
        let (inodes, statuses) = self.in_flight.answers(task.context, &range, task.columns)?;
        // SAFETY: the buffers are as large as a chunk and untouched until its stream is done; the range of the columns is this
        // thread's alone, and the task's owner keeps tables and columns until all threads are done.
        unsafe {
            let (stream, keys) = (self.in_flight.stream.raw, self.keys.device_address());
            task.kernels.keys(stream, &query, keys, inodes, statuses)?;
            self.in_flight.bring_back(task.context, range, task.columns)
        }
    }

    /// Waits for the last chunk and hands its answers over; notes the paths that the probe did not answer.
    pub fn collect(&mut self, task: &Task<'_>) -> Result<(), EngineError> {
        // SAFETY: the range was given to this thread alone.
        let Some(range) = unsafe { self.in_flight.collect(task.columns) }? else { return Ok(()) };
        // SAFETY: as above, and the device is done with it.
        let (_, statuses) = unsafe { task.columns.range(&range) };
        let mut missed: Vec<usize> = Vec::new();
        for (block, chunk) in statuses.chunks(64).enumerate() {
            // Most blocks hold no miss: the comparison of all vectorises.
            if chunk.iter().fold(false, |any, &status| any | (status == PENDING)) {
                let first = range.start + 64 * block;
                missed.extend((0..chunk.len()).filter(|&i| chunk[i] == PENDING).map(|i| first + i));
            }
        }
        task.misses.note(range.len(), missed.len());
        if !missed.is_empty() {
            task.missed.lock().unwrap_or_else(PoisonError::into_inner).append(&mut missed);
        }
        Ok(())
    }
}
