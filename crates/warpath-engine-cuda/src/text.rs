//! Large batches, text sent by the copy engine from pinned memory: chunk after chunk, through buffers used in turn, so that copies and
//! kernels of several overlap.

use crate::answers::{Columns, InFlight};
use crate::kernels::{Job, Kernels, Query};
use crate::memory::{DeviceBuffer, HostBuffer, pinned_address};
use cudarc::driver::CudaContext;
use std::ops::Range;
use std::sync::Arc;
use warpath_core::batch::Paths;
use warpath_core::{EngineError, PathBatch};

/// Paths of a chunk at most, and bytes. Between the copies of two chunks the bus rests for some ten microseconds, so chunks are
/// large: of 24 MiB they reach 94% of the copy rate, of 96 MiB 98%.
const CHUNK_PATHS: usize = 3 << 19;
const CHUNK_BYTES: usize = 96 << 20;
/// The same where threads take paths from the other end: what the copy engine has taken nobody can take over, and at the end all wait
/// for it.
const SHARED_CHUNK_PATHS: usize = 1 << 19;
const SHARED_CHUNK_BYTES: usize = 48 << 20;
/// Paths of the first and the last chunk, which nothing overlaps.
const EDGE_PATHS: usize = 1 << 16;
/// Chunks in flight.
const IN_FLIGHT: usize = 3;

/// What one chunk goes through.
#[derive(Debug)]
struct BufferSet {
    // Dropped first: its stream waits for what reads and writes the buffers.
    in_flight: InFlight,
    device_bytes: DeviceBuffer,
    device_offsets: DeviceBuffer,
    offsets: HostBuffer,
}

impl BufferSet {
    fn new(context: &Arc<CudaContext>) -> Result<BufferSet, EngineError> {
        Ok(BufferSet {
            device_bytes: DeviceBuffer::new(context, CHUNK_BYTES)?,
            device_offsets: DeviceBuffer::new(context, (CHUNK_PATHS + 2) * 4)?,
            offsets: HostBuffer::new(context, (CHUNK_PATHS + 2) * 4)?,
            in_flight: InFlight::copied(context, CHUNK_PATHS)?,
        })
    }
}

/// The buffers of a device, used in turn.
#[derive(Debug)]
pub(crate) struct TextBuffers {
    context: Arc<CudaContext>,
    sets: Vec<BufferSet>,
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
            Paths::Flat32 { bytes, .. } | Paths::Flat64 { bytes, .. } => pinned_address(bytes).is_some(),
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

    /// The paths at the begin of `left` that go by the copy engine at once, after `sent` others: few first and last. `shared`: threads
    /// take paths from the end meanwhile. Empty where the first one is too long.
    pub fn first_chunk(&self, left: &Range<usize>, sent: usize, shared: bool) -> Range<usize> {
        let (most_paths, most_bytes, share) = match shared {
            true => (SHARED_CHUNK_PATHS, SHARED_CHUNK_BYTES, 2 * IN_FLIGHT),
            false => (CHUNK_PATHS, CHUNK_BYTES, 2),
        };
        let n = sent.clamp(EDGE_PATHS, most_paths).min((left.len() / share).max(EDGE_PATHS)).min(left.len());
        left.start..self.longest_fitting(left.start..left.start + n, most_bytes, true).end
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

impl TextBuffers {
    pub fn new(context: &Arc<CudaContext>) -> Result<TextBuffers, EngineError> {
        Ok(TextBuffers {
            context: Arc::clone(context),
            sets: (0..IN_FLIGHT).map(|_| BufferSet::new(context)).collect::<Result<_, _>>()?,
            next: 0,
        })
    }

    /// Sends a chunk's text, which lies in pinned memory, and has it answered. Waits for the last chunk in its buffers,
    /// whose answers it hands over first.
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
        let n_sets = self.sets.len();
        let set = &mut self.sets[self.next % n_sets];
        self.next += 1;
        // SAFETY: the caller's duty.
        unsafe { set.in_flight.collect(columns) }?;
        let offsets = &mut set.offsets.as_mut_slice::<u32>()[..range.len() + 2];
        // Behind the offsets, the word that says whether any path is pending.
        offsets[range.len() + 1] = 0;
        let Some(text) = source.flat(&range, &mut offsets[..=range.len()]) else {
            return Err(crate::driver::failed("paths that lie each for itself are not pinned"));
        };
        let (inodes, statuses) = set.in_flight.answers(&self.context, &range, columns)?;
        let job = Job {
            bytes: set.device_bytes.address,
            offsets: set.device_offsets.address,
            wide_offsets: false,
            inodes,
            statuses,
            pending: set.device_offsets.address + 4 * (range.len() as u64 + 1),
        };
        let mut query = *query;
        query.params.n_paths = range.len() as u32;
        // SAFETY: the set's buffers are as large as a chunk, and nobody touches them until its stream is done; the text stays borrowed
        // by the caller's duty.
        unsafe {
            let stream = &set.in_flight.stream;
            stream.upload(job.offsets, set.offsets.as_ptr(), (range.len() + 2) * 4)?;
            stream.upload(job.bytes, text.as_ptr(), text.len())?;
            kernels.resolve(stream.raw, &query, &job)?;
            set.in_flight.bring_back(&self.context, range, columns)
        }
    }

    /// Waits for all chunks and hands their answers over.
    ///
    /// # Safety
    /// As for `send`.
    pub unsafe fn finish(&mut self, columns: Columns) -> Result<(), EngineError> {
        // SAFETY: the caller's duty.
        self.sets.iter_mut().try_for_each(|set| unsafe { set.in_flight.collect(columns) }.map(drop))
    }

    /// Waits for all chunks and forgets them, after an error.
    pub fn abandon(&mut self) {
        self.sets.iter_mut().for_each(|set| set.in_flight.abandon());
    }
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
            assert_eq!(source.first_chunk(&(3..100), 0, false), 3..100);
            assert_eq!(source.first_chunk(&(3..100), 0, true), 3..100);
        }
    }
}
