//! The batcher's state, and who runs a batch.
//!
//! A few paths for the CPU need no batch ([`AtOnce`]). A request whose thread waits anyway, and that finds the engine free, is run by that
//! thread (it *leads*), with whatever has queued up: at a low load nobody is woken. For the others (their future must return at
//! once, or a time-out collects company, or so many batches are under way) workers do it: threads that are started when there is
//! work and end when there has been none for a while. A worker looks out for a moment before it sleeps where work comes so fast: to
//! wake a thread takes longer than most batches.

use super::at_once::{AtOnce, MOST_PATHS};
use super::queue::{Batch, Next, Queued, Queues};
use super::request::Request;
use super::settings::{Settings, WhenFull};
use super::stats::{BatcherStats, Metrics};
use super::timer::Timer;
use crate::filesystem::GpuFilesystem;
use crate::reply::Reply;
use crate::{Error, PathBuffer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use warpath_core::{EngineError, Options, Outcome, Outcomes};

/// A worker with nothing to do ends after this.
const IDLE: Duration = Duration::from_secs(5);

/// A worker looks out for work this long before it sleeps, if the last one came within that time.
const LOOK_OUT: Duration = Duration::from_micros(50);

/// How often it looks between two offers of its processor to others: about as long as an offer takes.
const LOOKS: usize = 16;

pub(crate) struct Inner {
    pub fs: GpuFilesystem,
    state: Mutex<State>,
    /// For workers: there may be a batch to take.
    work: Condvar,
    /// For threads that wait for room in the queue.
    room: Condvar,
    /// For shutdown: nothing waits and nothing runs.
    idle: Condvar,
    timer: Timer,
    at_once: AtOnce,
    /// Whether a request has come since the worker that looks out began to.
    has_come: AtomicBool,
    pub(super) metrics: Metrics,
}

struct State {
    settings: Settings,
    queues: Queues,
    in_flight: usize,
    closed: bool,
    n_workers: usize,
    n_idle_workers: usize,
    /// A worker is awake and looks out for work.
    looks_out: bool,
    /// When a worker looks again by itself.
    next_look: Option<Instant>,
    tasks_for_room: Vec<Waker>,
    n_threads_for_room: usize,
    stats: BatcherStats,
}

/// What became of a request.
pub(super) enum Admission {
    /// The caller answers it alone, by [`Inner::answer`].
    Lead(Request),
    /// The caller runs this batch; its own request is among those that wait.
    Run(Batch, Arc<Reply<Outcomes>>),
    Queued(Arc<Reply<Outcomes>>),
    /// There is no room.
    Full(Request),
}

/// Whether a request's own thread may run it.
#[derive(Clone, Copy)]
pub(super) enum Caller {
    /// It waits for the answer anyway.
    Blocks,
    /// It must come back at once.
    Returns,
}

impl Inner {
    pub fn new(fs: GpuFilesystem, settings: Settings) -> Arc<Inner> {
        let at_once = AtOnce::new(settings.timeout.is_zero());
        let state = State {
            settings,
            queues: Queues::default(),
            in_flight: 0,
            closed: false,
            n_workers: 0,
            n_idle_workers: 0,
            looks_out: false,
            next_look: None,
            tasks_for_room: vec![],
            n_threads_for_room: 0,
            stats: BatcherStats::default(),
        };
        Arc::new(Inner {
            fs,
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            idle: Condvar::new(),
            timer: Timer::default(),
            at_once,
            has_come: AtomicBool::new(false),
            metrics: Metrics::default(),
        })
    }

    /// Answers one path if the caller's thread shall do it now. `None` when it has to queue up; it is not counted then.
    #[inline]
    pub(super) fn lookup_at_once(
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
    pub(super) fn answer_at_once(&self, request: &Request) -> Option<Result<Outcomes, Error>> {
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

    /// Takes a request in. `again` for one that has been told [`Admission::Full`] before; `waker` is woken when there is room.
    pub(super) fn admit(
        self: &Arc<Self>,
        request: Request,
        caller: Caller,
        again: bool,
        waker: Option<&Waker>,
    ) -> Result<Admission, Error> {
        let mut state = self.lock();
        if !again {
            state.stats.requests += 1;
            self.metrics.requests.increment(1);
        }
        if state.closed {
            state.stats.failed += 1;
            self.metrics.failed.increment(1);
            return Err(Error::Closed);
        }
        // Not with a deadline: an engine that takes longer can't be left.
        let may_lead = state.may_lead(caller) && request.deadline.is_none();
        if may_lead {
            state.begin_alone();
            self.metrics.immediate.increment(1);
            return Ok(Admission::Lead(request));
        }
        let now = Instant::now();
        if request.deadline.is_some_and(|deadline| deadline <= now) {
            state.stats.timed_out += 1;
            self.metrics.timed_out.increment(1);
            return Err(Error::TimedOut);
        }
        if state.is_full(request.len()) {
            self.purge(&mut state);
        }
        if state.is_full(request.len()) {
            return self.no_room(state, request, waker);
        }
        let reply = Reply::new();
        let deadline = request.deadline;
        state.queues.push(Queued { request, reply: Arc::clone(&reply), since: now });
        let nobody_comes = !self.call_worker(&mut state, now);
        let admission = match nobody_comes.then(|| self.take(&mut state, now)).flatten() {
            Some(batch) => Admission::Run(batch, reply),
            None => Admission::Queued(reply),
        };
        drop(state);
        if let (Admission::Queued(reply), Some(deadline), Caller::Returns) = (&admission, deadline, caller) {
            self.timer.watch(self, deadline, reply);
        }
        Ok(admission)
    }

    fn no_room(
        &self,
        mut state: MutexGuard<'_, State>,
        request: Request,
        waker: Option<&Waker>,
    ) -> Result<Admission, Error> {
        if state.settings.when_full == WhenFull::Wait {
            state.tasks_for_room.extend(waker.cloned());
            return Ok(Admission::Full(request));
        }
        state.stats.rejected += 1;
        self.metrics.rejected.increment(1);
        Err(Error::Rejected { queued: state.queues.n_paths(), capacity: state.settings.queue_capacity })
    }

    /// Blocks until so many paths fit, or the deadline has come: then `false`.
    pub fn wait_for_room(&self, n_paths: usize, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        while !state.closed && state.is_full(n_paths) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            state.n_threads_for_room += 1;
            let waited = self.room.wait_timeout(state, left.unwrap_or(IDLE));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.n_threads_for_room -= 1;
        }
        true
    }

    /// Whether there is room for a path, with the waker kept where there is none.
    pub fn poll_room(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let waits = state.settings.when_full == WhenFull::Wait;
        let is_ready = state.closed || !waits || !state.is_full(1);
        if !is_ready {
            state.tasks_for_room.push(waker.clone());
        }
        is_ready
    }

    /// Answers a request alone, by the thread that leads.
    pub fn answer(self: &Arc<Self>, request: &Request) -> Result<Outcomes, Error> {
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
    pub(super) fn lead(self: &Arc<Self>, batch: Batch) {
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
        batch
    }

    /// Takes the next batch if one can go, and counts it as under way.
    fn take(&self, state: &mut State, now: Instant) -> Option<Batch> {
        if state.in_flight >= state.settings.max_in_flight {
            return None;
        }
        let State { queues, settings, stats, .. } = state;
        let Next::Now(queue, flush) = queues.next(settings, state.closed, now) else { return None };
        let batch = queues.take(queue, flush, settings, |dead| self.count_dead(dead, stats));
        for queued in &batch.requests {
            self.metrics.waited(now.saturating_duration_since(queued.since));
        }
        state.in_flight += 1;
        self.made_room(state);
        Some(batch)
    }

    fn purge(&self, state: &mut State) {
        let State { queues, stats, .. } = state;
        queues.purge(|dead| self.count_dead(dead, stats));
    }

    /// Time-outs have been counted by whoever noticed them.
    fn count_dead(&self, queued: &Queued, stats: &mut BatcherStats) {
        if queued.reply.is_cancelled() {
            stats.cancelled += 1;
            self.metrics.cancelled.increment(1);
        }
    }

    fn made_room(&self, state: &mut State) {
        state.tasks_for_room.drain(..).for_each(Waker::wake);
        if state.n_threads_for_room > 0 {
            self.room.notify_all();
        }
    }

    /// Sees to it that a worker takes what waits. Returns whether one will.
    fn call_worker(self: &Arc<Self>, state: &mut State, now: Instant) -> bool {
        let wanted = match state.queues.next(&state.settings, state.closed, now) {
            Next::Never => false,
            Next::Now(..) => state.in_flight < state.settings.max_in_flight,
            Next::At(at) => state.next_look.is_none_or(|look| at < look),
        };
        if !wanted {
            return true;
        }
        if state.looks_out {
            self.has_come.store(true, Ordering::Release);
            return true;
        }
        if state.n_idle_workers > 0 {
            self.work.notify_one();
            return true;
        }
        if state.n_workers < state.settings.max_in_flight {
            let inner = Arc::clone(self);
            let thread = std::thread::Builder::new().name("warpath-batcher".to_owned());
            if thread.spawn(move || inner.work()).is_ok() {
                state.n_workers += 1;
            }
        }
        state.n_workers > 0
    }

    /// A worker's life.
    fn work(self: &Arc<Self>) {
        let mut state = self.lock();
        // Since when there is nothing to do, and how long that was the last time.
        let mut idle_since: Option<Instant> = None;
        let mut last_idle = Duration::MAX;
        loop {
            let now = Instant::now();
            if let Some(batch) = self.take(&mut state, now) {
                // Until the request came, not until this thread was awake.
                if let (Some(since), Some(first)) = (idle_since.take(), batch.requests.first()) {
                    last_idle = first.since.saturating_duration_since(since);
                }
                self.call_worker(&mut state, now);
                drop(state);
                self.run(batch);
                state = self.lock();
                state.in_flight -= 1;
                if state.is_idle() {
                    self.idle.notify_all();
                }
                continue;
            }
            if state.closed && state.queues.is_empty() {
                break;
            }
            let begins_to_idle = idle_since.is_none();
            idle_since = idle_since.or(Some(now));
            if begins_to_idle && last_idle < LOOK_OUT && !state.looks_out && state.queues.is_empty() {
                state = self.look_out(state, now + LOOK_OUT);
                continue;
            }
            let look = match state.queues.next(&state.settings, state.closed, now) {
                Next::At(at) if state.next_look.is_none_or(|look| at < look) => Some(at),
                _ => None,
            };
            state.next_look = look.or(state.next_look);
            state.n_idle_workers += 1;
            let time = look.map_or(IDLE, |at| at.saturating_duration_since(now));
            let waited = self.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.n_idle_workers -= 1;
            if look.is_some() && state.next_look == look {
                state.next_look = None;
            }
            if look.is_none() && waited.1.timed_out() && state.queues.is_empty() {
                break;
            }
        }
        state.n_workers -= 1;
        self.idle.notify_all();
    }

    /// Stays awake until a request comes, or `until`. Whoever has something to do on this processor goes first.
    fn look_out<'a>(&'a self, mut state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        state.looks_out = true;
        self.has_come.store(false, Ordering::Relaxed);
        drop(state);
        let has_come = || {
            std::hint::spin_loop();
            self.has_come.load(Ordering::Acquire)
        };
        while !(0..LOOKS).any(|_| has_come()) && Instant::now() < until {
            std::thread::yield_now();
        }
        let mut state = self.lock();
        state.looks_out = false;
        state
    }

    /// Resolves a batch and hands out the answers.
    fn run(&self, batch: Batch) {
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

    /// Notes a request whose deadline passed.
    pub fn timed_out(&self) {
        self.lock().stats.timed_out += 1;
        self.metrics.timed_out.increment(1);
    }

    /// Notes a request that was dropped before it was in the queue.
    pub fn cancelled(&self) {
        self.lock().stats.cancelled += 1;
        self.metrics.cancelled.increment(1);
    }

    /// Notes a request without paths, which needs no engine.
    pub fn answered_nothing(&self) {
        let mut state = self.lock();
        state.stats.requests += 1;
        state.stats.answered += 1;
        self.metrics.requests.increment(1);
    }

    /// Takes no more requests; those that wait are answered.
    pub fn close(self: &Arc<Self>) {
        let mut state = self.lock();
        state.closed = true;
        self.at_once.set_open(false);
        self.has_come.store(true, Ordering::Release);
        let nobody_comes = !self.call_worker(&mut state, Instant::now());
        let batch = nobody_comes.then(|| self.take(&mut state, Instant::now())).flatten();
        self.made_room(&mut state);
        drop(state);
        self.work.notify_all();
        self.timer.close();
        if let Some(batch) = batch {
            self.lead(batch);
        }
    }

    /// Blocks until nothing waits and nothing runs, after [`Inner::close`].
    pub fn wait_until_idle(&self) {
        let mut state = self.lock();
        while !state.is_idle() || state.n_workers > 0 {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    pub fn set(self: &Arc<Self>, settings: Settings) {
        let mut state = self.lock();
        self.at_once.set_open(!state.closed && settings.timeout.is_zero());
        state.settings = settings;
        self.made_room(&mut state);
        self.call_worker(&mut state, Instant::now());
        drop(state);
        self.work.notify_all();
    }

    pub fn stats(&self) -> BatcherStats {
        let mut stats = self.lock().stats;
        self.at_once.add_to(&mut stats);
        stats
    }

    pub(super) fn timer(&self) -> &Timer {
        &self.timer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a request's own thread shall answer it, with nothing before it.
    fn may_lead(&self, caller: Caller) -> bool {
        matches!(caller, Caller::Blocks)
            && !self.closed
            && self.settings.timeout.is_zero()
            && self.in_flight < self.settings.max_in_flight
            && self.queues.is_empty()
    }

    fn begin_alone(&mut self) {
        self.stats.immediate += 1;
        self.in_flight += 1;
    }

    /// Whether so many paths more do not fit. An empty queue takes any request.
    fn is_full(&self, n_paths: usize) -> bool {
        let queued = self.queues.n_paths();
        queued > 0 && queued.saturating_add(n_paths) > self.settings.queue_capacity
    }

    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.queues.is_empty()
    }
}

/// One path as a request.
pub(super) fn one_path(path: &[u8], options: Options) -> Request {
    let mut paths = PathBuffer::new();
    paths.push(path);
    Request::from(paths).options(options)
}
