//! Large batches, text sent: chunk after chunk, each on a lane of its own, so that copies and kernels of several overlap.

use crate::driver::Named;
use crate::kernels::{Job, Kernels, Query};
use crate::memory::{DeviceBuffer, HostBuffer, Stream, is_pinned};
use crate::replica::copy_parallel;
use cudarc::driver::{CudaContext, sys};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use warpath_core::batch::Paths;
use warpath_core::{EngineError, PathBatch};

/// Paths of a chunk at most.
pub(crate) const CHUNK_PATHS: usize = 1 << 18;
/// Bytes of a chunk at most.
const CHUNK_BYTES: usize = 32 << 20;
/// A path of more bytes is no path, and is not sent.
pub(crate) const SENDABLE: usize = CHUNK_BYTES;
/// Chunks in flight.
const LANES: usize = 4;
/// Paths that a thread copies at a time where each lies for itself.
const COPY_PATHS: usize = 1 << 12;

/// Where the answers of a batch go: columns that several threads fill, each in ranges of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    inodes: *mut u32,
    statuses: *mut u8,
    /// The device may write to them.
    pinned: bool,
}

// SAFETY: threads write to disjoint ranges; see `range`.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    pub fn new(inodes: &mut [u32], statuses: &mut [u8]) -> Columns {
        let pinned = is_pinned(inodes) && is_pinned(statuses);
        Columns { inodes: inodes.as_mut_ptr(), statuses: statuses.as_mut_ptr(), pinned }
    }

    /// The columns of some paths.
    ///
    /// # Safety
    /// The range is within the batch, the columns are still borrowed, and nobody else has this range.
    pub unsafe fn range<'a>(self, range: &Range<usize>) -> (&'a mut [u32], &'a mut [u8]) {
        // SAFETY: the caller's duty.
        unsafe {
            (
                std::slice::from_raw_parts_mut(self.inodes.add(range.start), range.len()),
                std::slice::from_raw_parts_mut(self.statuses.add(range.start), range.len()),
            )
        }
    }
}

/// The answers of a chunk on their way back.
#[derive(Debug)]
pub(crate) struct Answers {
    device_inodes: DeviceBuffer,
    device_statuses: DeviceBuffer,
    inodes: HostBuffer,
    statuses: HostBuffer,
}

impl Answers {
    pub fn new(context: &Arc<CudaContext>, n_paths: usize) -> Result<Answers, EngineError> {
        Ok(Answers {
            device_inodes: DeviceBuffer::new(context, n_paths * 4)?,
            device_statuses: DeviceBuffer::new(context, n_paths)?,
            inodes: HostBuffer::new(context, n_paths * 4)?,
            statuses: HostBuffer::new(context, n_paths)?,
        })
    }

    pub fn addresses(&self) -> (sys::CUdeviceptr, sys::CUdeviceptr) {
        (self.device_inodes.address, self.device_statuses.address)
    }

    /// Starts the way back: into the columns where they are pinned, else into a stage.
    ///
    /// # Safety
    /// As for [`Columns::range`], until the stream is done.
    pub unsafe fn download(
        &self,
        stream: &Stream,
        range: &Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        // SAFETY: the caller's duty for the columns; the stages are this lane's.
        unsafe {
            let (inodes, statuses) = if columns.pinned {
                (columns.inodes.add(range.start).cast::<u8>(), columns.statuses.add(range.start))
            } else {
                (self.inodes.as_ptr(), self.statuses.as_ptr())
            };
            stream.download(inodes, self.device_inodes.address, range.len() * 4)?;
            stream.download(statuses, self.device_statuses.address, range.len())
        }
    }

    /// Ends the way back, after the stream is done.
    ///
    /// # Safety
    /// As for [`Columns::range`].
    pub unsafe fn finish(&self, range: &Range<usize>, columns: Columns) {
        if columns.pinned {
            return;
        }
        // SAFETY: the caller's duty.
        let (inodes, statuses) = unsafe { columns.range(range) };
        inodes.copy_from_slice(&self.inodes.as_slice::<u32>()[..range.len()]);
        statuses.copy_from_slice(&self.statuses.as_slice::<u8>()[..range.len()]);
    }
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    device_bytes: DeviceBuffer,
    device_offsets: DeviceBuffer,
    pending: DeviceBuffer,
    bytes: HostBuffer,
    offsets: HostBuffer,
    answers: Answers,
    at_work: Option<Range<usize>>,
}

impl Lane {
    fn new(context: &Arc<CudaContext>) -> Result<Lane, EngineError> {
        Ok(Lane {
            stream: Stream::new(context)?,
            device_bytes: DeviceBuffer::new(context, CHUNK_BYTES)?,
            device_offsets: DeviceBuffer::new(context, (CHUNK_PATHS + 1) * 4)?,
            pending: DeviceBuffer::new(context, 4)?,
            bytes: HostBuffer::new(context, CHUNK_BYTES)?,
            offsets: HostBuffer::new(context, (CHUNK_PATHS + 1) * 4)?,
            answers: Answers::new(context, CHUNK_PATHS)?,
            at_work: None,
        })
    }
}

/// The lanes of a device.
#[derive(Debug)]
pub(crate) struct TextLanes {
    lanes: Vec<Lane>,
    next: usize,
}

/// A batch whose text is sent, and how it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    batch: PathBatch<'a>,
    pinned: bool,
}

impl<'a> Source<'a> {
    pub fn new(batch: PathBatch<'a>) -> Source<'a> {
        let pinned = match batch.paths() {
            Paths::Flat32 { bytes, .. } | Paths::Flat64 { bytes, .. } => is_pinned(bytes),
            _ => false,
        };
        Source { batch, pinned }
    }

    /// Whether the device reads the text where it lies.
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Path `i`.
    pub fn path(&self, i: usize) -> &'a [u8] {
        self.batch.get(i)
    }

    /// The end of the chunk from `first` on: not behind `end`, and before a path that can't be sent. `first` itself where that
    /// path is the first.
    pub fn chunk_end(&self, first: usize, end: usize) -> usize {
        let end = end.min(first + CHUNK_PATHS);
        // Offsets are sorted: the first one too far is searched for.
        let fitting = |offsets: usize| first + offsets.saturating_sub(1);
        match self.batch.paths() {
            Paths::Flat32 { offsets, .. } => {
                let all = &offsets[first..=end];
                return fitting(all.partition_point(|&offset| (offset - all[0]) as usize <= SENDABLE));
            }
            Paths::Flat64 { offsets, .. } => {
                let all = &offsets[first..=end];
                return fitting(all.partition_point(|&offset| offset - all[0] <= SENDABLE as u64));
            }
            _ => {}
        }
        let mut n_bytes = 0;
        for i in first..end {
            n_bytes += self.batch.get(i).len();
            if n_bytes > SENDABLE {
                return i;
            }
        }
        end
    }
}

impl TextLanes {
    pub fn new(context: &Arc<CudaContext>) -> Result<TextLanes, EngineError> {
        Ok(TextLanes { lanes: (0..LANES).map(|_| Lane::new(context)).collect::<Result<_, _>>()?, next: 0 })
    }

    /// Sends a chunk's text and has it answered. Waits for the lane's last chunk, whose answers it hands over first.
    ///
    /// # Safety
    /// The batch and the columns stay borrowed until `finish` or `abandon`, nobody else has the chunk's range of the columns, and the
    /// query's tables stay.
    pub unsafe fn send(
        &mut self,
        kernels: &Kernels,
        query: &Query,
        source: &Source<'_>,
        range: Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        let n_lanes = self.lanes.len();
        let lane = &mut self.lanes[self.next % n_lanes];
        self.next += 1;
        // SAFETY: the caller's duty.
        unsafe { collect(lane, columns) }?;
        let start = stage(lane, source, &range);
        let (from, n_bytes) = match start {
            Some(text) => (text.as_ptr(), text.len()),
            None => {
                let end = lane.offsets.as_slice::<u32>()[range.len()];
                (lane.bytes.as_ptr().cast_const(), end as usize)
            }
        };
        let (inodes, statuses) = lane.answers.addresses();
        let job = Job {
            bytes: lane.device_bytes.address,
            offsets: lane.device_offsets.address,
            wide_offsets: false,
            inodes,
            statuses,
            pending: lane.pending.address,
        };
        let mut query = *query;
        query.params.n_paths = range.len() as u32;
        // SAFETY: the lane's buffers are as large as a chunk, and nobody touches them until its stream is done; text that is read where
        // it lies stays borrowed by the caller's duty.
        unsafe {
            lane.stream.upload(job.offsets, lane.offsets.as_ptr(), (range.len() + 1) * 4)?;
            lane.stream.upload(job.bytes, from, n_bytes)?;
            sys::cuMemsetD32Async(job.pending, 0, 1, lane.stream.raw).result().named("cuMemsetD32Async")?;
            kernels.resolve(lane.stream.raw, &query, &job)?;
            lane.answers.download(&lane.stream, &range, columns)?;
        }
        lane.at_work = Some(range);
        Ok(())
    }

    /// Waits for all chunks and hands their answers over.
    ///
    /// # Safety
    /// As for `send`.
    pub unsafe fn finish(&mut self, columns: Columns) -> Result<(), EngineError> {
        // SAFETY: the caller's duty.
        self.lanes.iter_mut().try_for_each(|lane| unsafe { collect(lane, columns) })
    }

    /// Waits for all chunks and forgets them, after an error.
    pub fn abandon(&mut self) {
        for lane in &mut self.lanes {
            let _ = lane.stream.wait();
            lane.at_work = None;
        }
    }
}

/// # Safety
/// As for [`Columns::range`], with the range of the chunk at work.
unsafe fn collect(lane: &mut Lane, columns: Columns) -> Result<(), EngineError> {
    let Some(range) = lane.at_work.take() else { return Ok(()) };
    lane.stream.wait()?;
    // SAFETY: the caller's duty.
    unsafe { lane.answers.finish(&range, columns) };
    Ok(())
}

/// Writes the chunk's offsets, from 0 on. Returns the text where the device can read it as it lies; else writes that too.
fn stage<'a>(lane: &mut Lane, source: &Source<'a>, range: &Range<usize>) -> Option<&'a [u8]> {
    let offsets = &mut lane.offsets.as_mut_slice::<u32>()[..=range.len()];
    let text = match source.batch.paths() {
        Paths::Flat32 { bytes, offsets: all } => {
            let all = &all[range.start..=range.end];
            offsets.iter_mut().zip(all).for_each(|(to, from)| *to = from - all[0]);
            &bytes[all[0] as usize..all[range.len()] as usize]
        }
        Paths::Flat64 { bytes, offsets: all } => {
            let all = &all[range.start..=range.end];
            offsets.iter_mut().zip(all).for_each(|(to, from)| *to = (from - all[0]) as u32);
            &bytes[all[0] as usize..all[range.len()] as usize]
        }
        _ => {
            gather(lane, &source.batch.slice(range.clone()));
            return None;
        }
    };
    if source.pinned {
        return Some(text);
    }
    copy_parallel(&mut lane.bytes.as_mut_slice::<u8>()[..text.len()], text);
    None
}

/// Copies paths that lie each for itself.
fn gather(lane: &mut Lane, batch: &PathBatch<'_>) {
    let offsets = &mut lane.offsets.as_mut_slice::<u32>()[..=batch.len()];
    let mut end = 0;
    offsets[0] = 0;
    for (offset, path) in offsets[1..].iter_mut().zip(batch.iter()) {
        end += path.len() as u32;
        *offset = end;
    }
    let mut rest = &mut lane.bytes.as_mut_slice::<u8>()[..end as usize];
    let mut pieces = Vec::with_capacity(batch.len().div_ceil(COPY_PATHS));
    for first in (0..batch.len()).step_by(COPY_PATHS) {
        let last = (first + COPY_PATHS).min(batch.len());
        let (piece, behind) = rest.split_at_mut((offsets[last] - offsets[first]) as usize);
        pieces.push((first..last, piece));
        rest = behind;
    }
    pieces.into_par_iter().for_each(|(range, mut piece)| {
        for path in batch.slice(range).iter() {
            let (to, behind) = piece.split_at_mut(path.len());
            to.copy_from_slice(path);
            piece = behind;
        }
    });
}
