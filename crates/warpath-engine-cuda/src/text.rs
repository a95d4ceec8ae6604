//! Large batches, text sent by the copy engine from pinned memory: chunk after chunk, each on a lane of its own, so that copies and
//! kernels of several overlap.

use crate::kernels::{Job, Kernels, Query};
use crate::memory::{DeviceBuffer, HostBuffer, Stream, is_pinned};
use cudarc::driver::{CudaContext, sys};
use std::ops::Range;
use std::sync::Arc;
use warpath_core::batch::Paths;
use warpath_core::{EngineError, PathBatch};

/// Paths of a chunk at most, and bytes. Between the copies of two chunks the bus rests for some ten microseconds, so chunks are
/// large: of 24 MiB they reach 94% of the copy rate, of 96 MiB 98%.
const CHUNK_PATHS: usize = 1 << 20;
const CHUNK_BYTES: usize = 96 << 20;
/// Paths of the first and the last chunk, which nothing overlaps.
const EDGE_PATHS: usize = 1 << 16;
/// Chunks in flight.
const LANES: usize = 3;

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
    /// Inodes, then statuses; made when they are first needed.
    stage: Option<HostBuffer>,
    n_paths: usize,
}

impl Answers {
    pub fn new(context: &Arc<CudaContext>, n_paths: usize) -> Result<Answers, EngineError> {
        Ok(Answers {
            device_inodes: DeviceBuffer::new(context, n_paths * 4)?,
            device_statuses: DeviceBuffer::new(context, n_paths)?,
            stage: None,
            n_paths,
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
        &mut self,
        context: &Arc<CudaContext>,
        stream: &Stream,
        range: &Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        let (inodes, statuses) = if columns.pinned {
            // SAFETY: the range is within the columns, by the caller's duty.
            unsafe { (columns.inodes.add(range.start).cast::<u8>(), columns.statuses.add(range.start)) }
        } else {
            let stage = match &mut self.stage {
                Some(stage) => stage,
                none => none.insert(HostBuffer::new(context, self.n_paths * 5)?),
            };
            // SAFETY: the statuses lie behind all inodes, within the stage.
            (stage.as_ptr(), unsafe { stage.as_ptr().add(self.n_paths * 4) })
        };
        // SAFETY: the caller's duty for the columns; the stage is this lane's.
        unsafe {
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
        let Some(stage) = &self.stage else { return };
        // SAFETY: the caller's duty.
        let (inodes, statuses) = unsafe { columns.range(range) };
        inodes.copy_from_slice(&stage.as_slice::<u32>()[..range.len()]);
        statuses.copy_from_slice(&stage.as_slice::<u8>()[self.n_paths * 4..][..range.len()]);
    }
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    device_bytes: DeviceBuffer,
    device_offsets: DeviceBuffer,
    offsets: HostBuffer,
    answers: Answers,
    at_work: Option<Range<usize>>,
}

impl Lane {
    fn new(context: &Arc<CudaContext>) -> Result<Lane, EngineError> {
        Ok(Lane {
            stream: Stream::new(context)?,
            device_bytes: DeviceBuffer::new(context, CHUNK_BYTES)?,
            device_offsets: DeviceBuffer::new(context, (CHUNK_PATHS + 2) * 4)?,
            offsets: HostBuffer::new(context, (CHUNK_PATHS + 2) * 4)?,
            answers: Answers::new(context, CHUNK_PATHS)?,
            at_work: None,
        })
    }
}

/// The lanes of a device.
#[derive(Debug)]
pub(crate) struct TextLanes {
    context: Arc<CudaContext>,
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

    /// All paths.
    pub fn batch(&self) -> &PathBatch<'a> {
        &self.batch
    }

    /// The paths at the begin of `left` that go by the copy engine at once: few first and last. Empty where the first one is too long.
    fn first_chunk(&self, left: &Range<usize>, sent: usize) -> Range<usize> {
        let n = sent.clamp(EDGE_PATHS, CHUNK_PATHS).min((left.len() / 2).max(EDGE_PATHS)).min(left.len());
        left.start..self.longest_fitting(left.start..left.start + n, CHUNK_BYTES, true).end
    }

    /// The `n` paths or fewer at the end of `left` whose text has no more than `n_bytes`. Empty where the last one has more.
    pub fn last_chunk(&self, left: &Range<usize>, n: usize, n_bytes: usize) -> Range<usize> {
        self.longest_fitting(left.end - n.min(left.len())..left.end, n_bytes, false)
    }

    /// The paths of a range, from its begin or up to its end, whose text has no more than `n_bytes`.
    fn longest_fitting(&self, range: Range<usize>, n_bytes: usize, from_begin: bool) -> Range<usize> {
        fn fitting<T: Copy + Into<u64>>(all: &[T], n_bytes: usize, from_begin: bool) -> usize {
            // Offsets are sorted: the first one too far is searched for.
            let (first, last) = (all[0].into(), all[all.len() - 1].into());
            if from_begin {
                all.partition_point(|&at| at.into() - first <= n_bytes as u64) - 1
            } else {
                all.len() - 1 - all.partition_point(|&at| last - at.into() > n_bytes as u64)
            }
        }
        let n = match self.batch.paths() {
            Paths::Flat32 { offsets, .. } => fitting(&offsets[range.start..=range.end], n_bytes, from_begin),
            Paths::Flat64 { offsets, .. } => fitting(&offsets[range.start..=range.end], n_bytes, from_begin),
            _ => {
                let mut left = n_bytes;
                let mut fits = |i: &usize| {
                    let length = self.batch.get(*i).len();
                    left = left.wrapping_sub(length);
                    left <= n_bytes
                };
                match from_begin {
                    true => range.clone().take_while(&mut fits).count(),
                    false => range.clone().rev().take_while(&mut fits).count(),
                }
            }
        };
        if from_begin { range.start..range.start + n } else { range.end - n..range.end }
    }

    /// The chunk's text where it lies, with its offsets written from 0 on; None where each path lies for itself.
    pub fn flat(&self, range: &Range<usize>, to: &mut [u32]) -> Option<&'a [u8]> {
        match self.batch.paths() {
            Paths::Flat32 { bytes, offsets } => {
                let all = &offsets[range.start..=range.end];
                to.iter_mut().zip(all).for_each(|(to, from)| *to = from - all[0]);
                Some(&bytes[all[0] as usize..all[range.len()] as usize])
            }
            Paths::Flat64 { bytes, offsets } => {
                let all = &offsets[range.start..=range.end];
                to.iter_mut().zip(all).for_each(|(to, from)| *to = (from - all[0]) as u32);
                Some(&bytes[all[0] as usize..all[range.len()] as usize])
            }
            _ => None,
        }
    }
}

impl TextLanes {
    pub fn new(context: &Arc<CudaContext>) -> Result<TextLanes, EngineError> {
        Ok(TextLanes {
            context: Arc::clone(context),
            lanes: (0..LANES).map(|_| Lane::new(context)).collect::<Result<_, _>>()?,
            next: 0,
        })
    }

    /// The paths of what is left that are to be sent next, after `sent` others. Empty where the first one is too long to be a path.
    pub fn next_chunk(source: &Source<'_>, left: &Range<usize>, sent: usize) -> Range<usize> {
        source.first_chunk(left, sent)
    }

    /// Sends a chunk's text, which lies in pinned memory, and has it answered. Waits for the lane's last chunk, whose answers it hands
    /// over first.
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
        let offsets = &mut lane.offsets.as_mut_slice::<u32>()[..range.len() + 2];
        // Behind the offsets, the word that says whether any path is pending.
        offsets[range.len() + 1] = 0;
        let Some(text) = source.flat(&range, &mut offsets[..=range.len()]) else {
            return Err(crate::driver::failed("paths that lie each for itself are not pinned"));
        };
        let (inodes, statuses) = lane.answers.addresses();
        let job = Job {
            bytes: lane.device_bytes.address,
            offsets: lane.device_offsets.address,
            wide_offsets: false,
            inodes,
            statuses,
            pending: lane.device_offsets.address + 4 * (range.len() as u64 + 1),
        };
        let mut query = *query;
        query.params.n_paths = range.len() as u32;
        // SAFETY: the lane's buffers are as large as a chunk, and nobody touches them until its stream is done; the text stays borrowed
        // by the caller's duty.
        unsafe {
            lane.stream.upload(job.offsets, lane.offsets.as_ptr(), (range.len() + 2) * 4)?;
            lane.stream.upload(job.bytes, text.as_ptr(), text.len())?;
            kernels.resolve(lane.stream.raw, &query, &job)?;
            lane.answers.download(&self.context, &lane.stream, &range, columns)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::batch::PathBuffer;

    #[test]
    fn chunks_hold_no_more_text_than_they_may() {
        let paths: PathBuffer = (0..100).map(|i| "x".repeat(i % 10)).collect();
        let slices: Vec<&[u8]> = paths.as_batch().iter().collect();
        for batch in [paths.as_batch(), PathBatch::from_slices(&slices)] {
            let source = Source { batch, pinned: false };
            for end in 1..100 {
                for n_bytes in [0, 5, 9, 30, 1000] {
                    let chunk = source.last_chunk(&(0..end), 20, n_bytes);
                    let size = |first: usize| (first..end).map(|i| i % 10).sum::<usize>();
                    assert_eq!(chunk.end, end);
                    assert!(chunk.len() <= 20 && size(chunk.start) <= n_bytes);
                    // One more would be too many.
                    assert!(
                        chunk.len() == 20.min(end) || size(chunk.start - 1) > n_bytes,
                        "{chunk:?} {n_bytes}"
                    );
                }
            }
            assert_eq!(source.first_chunk(&(3..100), 0), 3..100);
        }
    }
}
