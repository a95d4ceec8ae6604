//! Large batches, keys sent: threads hash whole paths and the device probes, 12 bytes a path over the bus instead of its text.

use crate::kernels::{Kernels, PENDING, Query};
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use crate::text::{Answers, Columns};
use cudarc::driver::CudaContext;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use warpath_core::index::{Plan, TablesView};
use warpath_core::{EngineError, PathBatch};
use warpath_engine_cpu::{Isa, keys};

/// Paths of a chunk.
pub(crate) const CHUNK_PATHS: usize = 1 << 16;
/// Answered paths after which the share of misses is judged.
const JUDGE_FROM: usize = 1 << 18;
/// One path in so many may miss before hashing on the host stops paying.
const MISSES_ALLOWED: usize = 8;

/// The paths that nobody has taken yet: text is taken from the front, keys from the back.
#[derive(Debug)]
pub(crate) struct Remaining(Mutex<Range<usize>>);

impl Remaining {
    pub fn new(n_paths: usize) -> Remaining {
        Remaining(Mutex::new(0..n_paths))
    }

    /// Takes from the front, up to where `end_of` says for what is left.
    pub fn take_front(&self, end_of: impl FnOnce(Range<usize>) -> usize) -> Option<Range<usize>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return None;
        }
        let end = end_of(left.clone()).clamp(left.start, left.end);
        let taken = left.start..end;
        left.start = end;
        Some(taken)
    }

    /// Takes `n` or fewer from the back.
    pub fn take_back(&self, n: usize) -> Option<Range<usize>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return None;
        }
        let taken = left.end.saturating_sub(n).max(left.start)..left.end;
        left.end = taken.start;
        Some(taken)
    }
}

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
    fn new(context: &Arc<CudaContext>) -> Result<KeyLane, EngineError> {
        Ok(KeyLane {
            stream: Stream::new(context)?,
            device_keys: DeviceBuffer::new(context, CHUNK_PATHS * 12)?,
            keys: HostBuffer::new(context, CHUNK_PATHS * 12)?,
            answers: Answers::new(context, CHUNK_PATHS)?,
            at_work: None,
        })
    }
}

/// Lanes that no thread has at the moment.
#[derive(Debug, Default)]
pub(crate) struct KeyLanes(Mutex<Vec<KeyLane>>);

impl KeyLanes {
    fn take(&self, context: &Arc<CudaContext>) -> Result<KeyLane, EngineError> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(|| KeyLane::new(context), Ok)
    }

    fn give(&self, lane: KeyLane) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

/// What the threads of one batch share.
pub(crate) struct Shared<'a> {
    pub context: &'a Arc<CudaContext>,
    pub lanes: &'a KeyLanes,
    pub kernels: &'a Kernels,
    pub query: &'a Query,
    pub view: &'a TablesView<'a>,
    pub plan: &'a Plan,
    pub batch: PathBatch<'a>,
    pub columns: Columns,
    pub remaining: &'a Remaining,
    pub answered: AtomicUsize,
    /// Paths that the probe did not answer.
    pub missed: Mutex<Vec<usize>>,
    pub n_missed: AtomicUsize,
}

impl Shared<'_> {
    /// Whether so many paths miss that their text is better sent at once.
    fn misses_too_often(&self) -> bool {
        let answered = self.answered.load(Ordering::Relaxed);
        answered > JUDGE_FROM && self.n_missed.load(Ordering::Relaxed) * MISSES_ALLOWED > answered
    }

    /// One thread's work: hashes chunks from the back and has them probed, two at a time, until nothing is left or too much is missed.
    pub fn work(&self) -> Result<(), EngineError> {
        let mut lanes = [self.lanes.take(self.context)?, self.lanes.take(self.context)?];
        let worked = self.work_with(&mut lanes);
        for mut lane in lanes {
            // After an error nothing may be under way when the columns' borrow ends.
            let _ = lane.stream.wait();
            lane.at_work = None;
            self.lanes.give(lane);
        }
        worked
    }

    fn work_with(&self, lanes: &mut [KeyLane; 2]) -> Result<(), EngineError> {
        let isa = Isa::best();
        let mut turn = 0;
        while !self.misses_too_often()
            && let Some(range) = self.remaining.take_back(CHUNK_PATHS)
        {
            let lane = &mut lanes[turn % 2];
            turn += 1;
            self.collect(lane)?;
            let words = &mut lane.keys.as_mut_slice::<[u32; 3]>()[..range.len()];
            keys(isa, self.view, self.plan, &self.batch.slice(range.clone()), words);
            self.send(lane, range)?;
        }
        lanes.iter_mut().try_for_each(|lane| self.collect(lane))
    }

    fn send(&self, lane: &mut KeyLane, range: Range<usize>) -> Result<(), EngineError> {
        let mut query = *self.query;
        query.params.n_paths = range.len() as u32;
        let (inodes, statuses) = lane.answers.addresses();
        // SAFETY: the lane's buffers are as large as a chunk and untouched until its stream is done; `remaining` gave this range of the
        // columns to this thread alone, and the caller of `work` keeps tables and columns until it returns.
        unsafe {
            lane.stream.upload(lane.device_keys.address, lane.keys.as_ptr(), range.len() * 12)?;
            self.kernels.keys(lane.stream.raw, &query, lane.device_keys.address, inodes, statuses)?;
            lane.answers.download(&lane.stream, &range, self.columns)?;
        }
        lane.at_work = Some(range);
        Ok(())
    }

    fn collect(&self, lane: &mut KeyLane) -> Result<(), EngineError> {
        let Some(range) = lane.at_work.take() else { return Ok(()) };
        lane.stream.wait()?;
        // SAFETY: the range is this thread's, and the device is done with it.
        let (_, statuses) = unsafe {
            lane.answers.finish(&range, self.columns);
            self.columns.range(&range)
        };
        let mut missed: Vec<usize> = Vec::new();
        for (block, chunk) in statuses.chunks(64).enumerate() {
            // Most blocks hold no miss: the comparison of all vectorises.
            if chunk.iter().fold(false, |any, &status| any | (status == PENDING)) {
                let first = range.start + 64 * block;
                missed.extend((0..chunk.len()).filter(|&i| chunk[i] == PENDING).map(|i| first + i));
            }
        }
        self.answered.fetch_add(range.len(), Ordering::Relaxed);
        if !missed.is_empty() {
            self.n_missed.fetch_add(missed.len(), Ordering::Relaxed);
            self.missed.lock().unwrap_or_else(PoisonError::into_inner).append(&mut missed);
        }
        Ok(())
    }
}
