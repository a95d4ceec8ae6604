//! Requests that their own thread answers, and batches on their way through the engine.

use super::super::at_once::MOST_PATHS;
use super::{Batch, Caller, Inner, Request};
use crate::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use warpath_core::{EngineError, Options, Outcome, Outcomes};

impl Inner {
    /// Answers one path if the caller's thread shall do it now. `None` when it has to queue up; it is not counted then.
    #[inline]
    pub(in crate::batcher) fn lookup_at_once(
        self: &Arc<Self>,
        path: &[u8],
        options: &Options,
        caller: Caller,
    ) -> Option<Result<Outcome, Error>> {
        if self.takes_at_once(1) {
            let result = self.fs.core().resolve_path(path, options);
            self.count_at_once(result.is_ok());
            return Some(result);
        }
        let mut state = self.lock();
        if !state.may_lead(caller) {
            return None;
        }
        state.stats.requests += 1;
        state.begin_alone();
        drop(state);
        self.metrics.requests.increment(1);
        self.metrics.immediate.increment(1);
        let result = self.fs.core().resolve_path(path, options);
        self.end_alone(result.is_ok());
        Some(result)
    }

    /// Answers a request if the caller's thread shall do it now. `None` when it has to queue up; it is not counted then.
    pub(in crate::batcher) fn answer_at_once(&self, request: &Request) -> Option<Result<Outcomes, Error>> {
        if !self.takes_at_once(request.len()) || request.deadline.is_some_and(|at| at <= Instant::now()) {
            return None;
        }
        let result = self.fs.resolve(request.paths.as_batch(), &request.options);
        self.count_at_once(result.is_ok());
        Some(result)
    }

    /// Whether the CPU answers so many paths, and so fast that they need no batch.
    #[inline]
    fn takes_at_once(&self, n_paths: usize) -> bool {
        n_paths <= MOST_PATHS && self.at_once.is_open() && self.fs.core().router.is_immediate(n_paths)
    }

    fn count_at_once(&self, is_ok: bool) {
        self.at_once.count(is_ok);
        self.metrics.requests.increment(1);
        self.metrics.immediate.increment(1);
        if !is_ok {
            self.metrics.failed.increment(1);
        }
    }

    /// Answers a request alone, by the thread that leads.
    pub(in crate::batcher) fn answer(self: &Arc<Self>, request: &Request) -> Result<Outcomes, Error> {
        let result = self.fs.resolve(request.paths.as_batch(), &request.options);
        self.end_alone(result.is_ok());
        result
    }

    /// Ends an answer that a leading thread gave by itself.
    fn end_alone(self: &Arc<Self>, is_ok: bool) {
        let mut state = self.lock();
        if is_ok {
            state.stats.answered += 1;
        } else {
            state.stats.failed += 1;
        }
        drop(state);
        if !is_ok {
            self.metrics.failed.increment(1);
        }
        if let Some(batch) = self.finish() {
            self.lead(batch);
        }
    }

    /// Runs a batch, and where nobody else will, those that came meanwhile.
    pub(in crate::batcher) fn lead(self: &Arc<Self>, batch: Batch) {
        let mut next = Some(batch);
        while let Some(batch) = next {
            self.run(batch);
            next = self.finish();
        }
    }

    /// One batch less is under way. Returns the next one where nobody else will run it.
    fn finish(self: &Arc<Self>) -> Option<Batch> {
        let mut state = self.lock();
        state.in_flight -= 1;
        if state.queues.is_empty() && !state.closed {
            return None;
        }
        let now = Instant::now();
        let nobody_comes = !self.call_worker(&mut state, now);
        let batch = nobody_comes.then(|| self.take(&mut state, now)).flatten();
        if state.is_idle() {
            self.idle.notify_all();
        }
        self.unlock(state);
        batch
    }

    /// Resolves a batch and hands out the answers.
    pub(super) fn run(&self, batch: Batch) {
        let n_paths = batch.n_paths;
        let _span = tracing::debug_span!("batch", paths = n_paths, flushed_by = batch.flush.name()).entered();
        let begin = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| batch.resolve(self.fs.core())));
        let result = result.unwrap_or_else(|_| {
            let reason = "a batch panicked".to_owned();
            Err(EngineError::Failed { engine: "batcher", reason }.into())
        });
        let engine_time = begin.elapsed();
        let (result, n_unique) = match result {
            Ok((outcomes, n_unique)) => (Ok(outcomes), n_unique),
            Err(error) => (Err(error), n_paths),
        };
        let is_ok = result.is_ok();
        let n_taken = batch.distribute(result) as u64;
        self.metrics.batch(batch.flush, n_paths, n_unique, engine_time);
        let mut state = self.lock();
        let stats = &mut state.stats;
        stats.batches += 1;
        stats.batched_paths += n_paths as u64;
        stats.duplicate_paths += (n_paths - n_unique) as u64;
        if is_ok {
            stats.answered += n_taken;
        } else {
            stats.failed += n_taken;
            self.metrics.failed.increment(n_taken);
        }
        for queued in &batch.requests {
            self.count_dead(queued, stats);
        }
    }
}
