//! What a batcher has done, for its callers and for the `metrics` crate.

use metrics::{Counter, Histogram, counter, histogram};
use std::time::Duration;

/// Why a batch went when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// It was as large as a batch may be.
    Size,
    /// Its paths had as many bytes as a batch may have.
    Bytes,
    /// It filled a preferred size.
    Preferred,
    /// Its first request had waited long enough: with a time-out of zero, the engine was free.
    Timeout,
    /// The batcher was shut down.
    Drain,
}

impl Flush {
    pub fn name(self) -> &'static str {
        match self {
            Flush::Size => "size",
            Flush::Bytes => "bytes",
            Flush::Preferred => "preferred",
            Flush::Timeout => "timeout",
            Flush::Drain => "drain",
        }
    }
}

/// What a batcher has done so far.
///
/// Every request ends in one way: after [`shutdown`](crate::BatchPathLookup::shutdown), `requests` is the sum of `answered`,
/// `failed`, `rejected`, `timed_out` and `cancelled`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatcherStats {
    /// Requests that came.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests whose batch failed on every engine, or that came after the end.
    pub failed: u64,
    /// Requests that found the queue full.
    pub rejected: u64,
    /// Requests whose deadline passed.
    pub timed_out: u64,
    /// Requests whose future was dropped before the answer was there.
    pub cancelled: u64,
    /// Requests that were answered by their own thread at once, because they were small or no batch was under way.
    pub immediate: u64,
    /// Batches taken from the queue.
    pub batches: u64,
    /// Paths in those batches.
    pub batched_paths: u64,
    /// Paths in those batches that were equal to another and not resolved again.
    pub duplicate_paths: u64,
}

/// Handles of the `metrics` crate's recorder, as it was when the batcher was built.
pub(super) struct Metrics {
    pub requests: Counter,
    pub immediate: Counter,
    pub failed: Counter,
    pub rejected: Counter,
    pub timed_out: Counter,
    pub cancelled: Counter,
    duplicates: Counter,
    flushed: [(Flush, Counter); 5],
    queue_wait: Histogram,
    batch_paths: Histogram,
    engine_time: Histogram,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let flushed = [Flush::Size, Flush::Bytes, Flush::Preferred, Flush::Timeout, Flush::Drain];
        Metrics {
            requests: counter!("warpath_batcher_requests_total"),
            immediate: counter!("warpath_batcher_immediate_total"),
            failed: counter!("warpath_batcher_failed_total"),
            rejected: counter!("warpath_batcher_rejected_total"),
            timed_out: counter!("warpath_batcher_timed_out_total"),
            cancelled: counter!("warpath_batcher_cancelled_total"),
            duplicates: counter!("warpath_batcher_duplicate_paths_total"),
            flushed: flushed.map(|flush| {
                (flush, counter!("warpath_batcher_batches_total", "flushed_by" => flush.name()))
            }),
            queue_wait: histogram!("warpath_batcher_queue_wait_seconds"),
            batch_paths: histogram!("warpath_batcher_batch_paths"),
            engine_time: histogram!("warpath_batcher_engine_seconds"),
        }
    }
}

impl Metrics {
    pub fn batch(&self, flush: Flush, n_paths: usize, n_unique: usize, engine_time: Duration) {
        if let Some((_, counter)) = self.flushed.iter().find(|(of, _)| *of == flush) {
            counter.increment(1);
        }
        self.duplicates.increment((n_paths - n_unique) as u64);
        self.batch_paths.record(n_paths as f64);
        self.engine_time.record(engine_time);
    }

    pub fn waited(&self, time: Duration) {
        self.queue_wait.record(time);
    }
}
