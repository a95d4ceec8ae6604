//! A chunk of a large batch whose text a thread stages itself: copied into pinned memory, or packed where neighbours share prefixes.

use crate::answers::InFlight;
use crate::kernels::{Job, PackedArg};
use crate::memory::{DeviceBuffer, HostBuffer};
use crate::pack::{self, Layout};
use crate::workers::Task;
use cudarc::driver::CudaContext;
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;

/// Paths of a chunk at most, and bytes of their text. Stages of 4 MiB that are used again and again stay in the cache: twelve threads
/// fill and send them at 97% of the copy rate, and with stores past the cache only at 84%.
pub(crate) const CHUNK_PATHS: usize = 1 << 16;
pub(crate) const CHUNK_BYTES: usize = 4 << 20;
const OFFSETS_BYTES: usize = ((CHUNK_PATHS + 2) * 4).next_multiple_of(16);

/// A chunk's stage, its copy on the device, and its answers.
#[derive(Debug)]
pub(crate) struct StagedBuffers {
    // Dropped first: its stream waits for what reads and writes the buffers.
    pub in_flight: InFlight,
    stage: HostBuffer,
    device_stage: DeviceBuffer,
    /// Where packed paths are made whole.
    device_text: DeviceBuffer,
    device_offsets: DeviceBuffer,
}

impl StagedBuffers {
    pub fn new(context: &Arc<CudaContext>) -> Result<StagedBuffers, EngineError> {
        let n_bytes = Layout::most_bytes(CHUNK_PATHS, CHUNK_BYTES).max(OFFSETS_BYTES + CHUNK_BYTES);
        Ok(StagedBuffers {
            stage: HostBuffer::new(context, n_bytes)?,
            device_stage: DeviceBuffer::new(context, n_bytes)?,
            device_text: DeviceBuffer::new(context, CHUNK_BYTES)?,
            device_offsets: DeviceBuffer::new(context, OFFSETS_BYTES)?,
            in_flight: InFlight::written(context, CHUNK_PATHS)?,
        })
    }

    /// Stages the text of a chunk that was given to this thread, sends it and has it answered. The last chunk has been collected.
    pub fn send(&mut self, task: &Task<'_>, range: Range<usize>, packed: bool) -> Result<(), EngineError> {
        let batch = task.source.batch().slice(range.clone());
        let (inodes, statuses) = self.in_flight.answers(task.context, &range, task.columns)?;
        let room = self.stage.as_mut_slice::<u8>();
        let layout = if packed { pack::pack(&batch, room) } else { None };
        let n = range.len();
        let (n_bytes, job) = match layout {
            Some((_, n_bytes)) => {
                let (bytes, offsets) = (self.device_text.address, self.device_offsets.address);
                let pending = offsets + 4 * (n as u64 + 1);
                (n_bytes, Job { bytes, offsets, wide_offsets: false, inodes, statuses, pending })
            }
            None => {
                let text_at = ((n + 2) * 4).next_multiple_of(16);
                let n_text = copy(task, &range, room, text_at);
                let offsets = self.device_stage.address;
                let (bytes, pending) = (offsets + text_at as u64, offsets + 4 * (n as u64 + 1));
                (text_at + n_text, Job { bytes, offsets, wide_offsets: false, inodes, statuses, pending })
            }
        };
        let mut query = *task.query;
        query.params.n_paths = n as u32;
        // SAFETY: the buffers are as large as a chunk and untouched until its stream is done; the range of the columns is this
        // thread's alone, and the task's owner keeps tables and columns until all threads are done.
        unsafe {
            let stream = &self.in_flight.stream;
            stream.upload(self.device_stage.address, self.stage.as_ptr(), n_bytes)?;
            if let Some((layout, _)) = layout {
                let packed = PackedArg::new(self.device_stage.address, &layout);
                task.kernels.unpack(stream.raw, &packed, job.bytes, job.offsets)?;
            }
            task.kernels.resolve(stream.raw, &query, &job)?;
            self.in_flight.bring_back(task.context, range, task.columns)
        }
    }

    /// Waits for the last chunk and hands its answers over.
    pub fn collect(&mut self, task: &Task<'_>) -> Result<(), EngineError> {
        // SAFETY: the range was given to this thread alone.
        unsafe { self.in_flight.collect(task.columns) }.map(drop)
    }
}

/// Writes the chunk's offsets, a word that says that no path is pending, and at `text_at` its text. Returns the text's bytes.
fn copy(task: &Task<'_>, range: &Range<usize>, room: &mut [u8], text_at: usize) -> usize {
    let (head, text) = room.split_at_mut(text_at);
    let words: &mut [u32] = bytemuck::cast_slice_mut(&mut head[..(range.len() + 2) * 4]);
    words[range.len() + 1] = 0;
    let offsets = &mut words[..=range.len()];
    if let Some(flat) = task.source.flat(range, offsets) {
        text[..flat.len()].copy_from_slice(flat);
        return flat.len();
    }
    let mut end = 0;
    offsets[0] = 0;
    for (offset, path) in offsets[1..].iter_mut().zip(task.source.batch().slice(range.clone()).iter()) {
        text[end..end + path.len()].copy_from_slice(path);
        end += path.len();
        *offset = end as u32;
    }
    end
}
