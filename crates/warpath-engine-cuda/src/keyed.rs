//! A chunk of a large batch whose keys a thread hashes: the device probes, and 12 bytes a path go over the bus instead of its text.

use crate::kernels::PENDING;
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use crate::text::Answers;
use crate::workers::Task;
use cudarc::driver::CudaContext;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use warpath_core::EngineError;
use warpath_engine_cpu::{Isa, keys};

/// Paths of a chunk at most.
pub(crate) const CHUNK_PATHS: usize = 1 << 16;

/// A chunk's keys and answers.
#[derive(Debug)]
pub(crate) struct KeyLane {
    stream: Stream,
    device_keys: DeviceBuffer,
    keys: HostBuffer,
    answers: Answers,
    at_work: Option<Range<usize>>,
}

impl KeyLane {
    pub fn new(context: &Arc<CudaContext>) -> Result<KeyLane, EngineError> {
        Ok(KeyLane {
            stream: Stream::new(context)?,
            device_keys: DeviceBuffer::new(context, CHUNK_PATHS * 12)?,
            keys: HostBuffer::new(context, CHUNK_PATHS * 12)?,
            answers: Answers::new(context, CHUNK_PATHS)?,
            at_work: None,
        })
    }

    /// Waits for the last chunk and forgets it, after an error or when all is done.
    pub fn abandon(&mut self) {
        let _ = self.stream.wait();
        self.at_work = None;
    }

    /// Hashes a chunk that was given to this thread, and has it probed. The last chunk has been collected.
    pub fn send(&mut self, task: &Task<'_>, range: Range<usize>) -> Result<(), EngineError> {
        let words = &mut self.keys.as_mut_slice::<[u32; 3]>()[..range.len()];
        keys(Isa::best(), task.view, task.plan, &task.source.batch().slice(range.clone()), words);
        let mut query = *task.query;
        query.params.n_paths = range.len() as u32;
        let (inodes, statuses) = self.answers.addresses();
        // SAFETY: the lane's buffers are as large as a chunk and untouched until its stream is done; the range of the columns is this
        // thread's alone, and the task's owner keeps tables and columns until all threads are done.
        unsafe {
            self.stream.upload(self.device_keys.address, self.keys.as_ptr(), range.len() * 12)?;
            task.kernels.keys(self.stream.raw, &query, self.device_keys.address, inodes, statuses)?;
            self.answers.download(task.context, &self.stream, &range, task.columns)?;
        }
        self.at_work = Some(range);
        Ok(())
    }

    /// Waits for the last chunk and hands its answers over; notes the paths that the probe did not answer.
    pub fn collect(&mut self, task: &Task<'_>) -> Result<(), EngineError> {
        let Some(range) = self.at_work.take() else { return Ok(()) };
        self.stream.wait()?;
        // SAFETY: the range is this thread's, and the device is done with it.
        let (_, statuses) = unsafe {
            self.answers.finish(&range, task.columns);
            task.columns.range(&range)
        };
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
