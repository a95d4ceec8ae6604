//! The batcher's state: which requests are taken in, who runs them, and when there is room for more.
//!
//! A few paths for the CPU need no batch ([`AtOnce`]). A request whose thread waits anyway, and that finds the engine free, is run by that
//! thread (it *leads*, in `lead`), with whatever has queued up: at a low load nobody is woken. For the others (their future must return at
//! once, or a time-out collects company, or so many batches are under way) `workers` do it.

mod lead;
mod workers;

use super::at_once::AtOnce;
use super::queue::{Batch, Next, Queued, Queues};
use super::request::Request;
use super::settings::{Settings, WhenFull};
use super::stats::{BatcherStats, Metrics};
use super::timer::Timer;
use crate::filesystem::GpuFilesystem;
use crate::reply::Reply;
use crate::{Error, PathBuffer};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use warpath_core::{Options, Outcomes};

/// A thread that waits looks again after this; a worker with nothing to do ends.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) struct Inner {
    pub fs: GpuFilesystem,
    state: Mutex<State>,
    /// For workers: there may be a batch to take.
    work: Condvar,
    /// For threads that wait for room in the queue.
    room: Condvar,
    /// For shutdown: nothing waits and nothing runs.
    idle: Condvar,
    timer: Arc<Timer>,
    at_once: AtOnce,
    /// Whether a request has come since the worker that looks out began to.
    has_come: AtomicBool,
    /// Requests that were cancelled or timed out since the queue was last purged of such. Some may not have been in it.
    n_dead: Arc<AtomicUsize>,
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
    /// Tasks for which there is room now. They are woken when the state is unlocked: what a waker does may come back here.
    to_wake: Vec<Waker>,
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
    /// There is no room. The reply is the request's when it comes again.
    Full(Request, Arc<Reply<Outcomes>>),
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
            to_wake: vec![],
            n_threads_for_room: 0,
            stats: BatcherStats::default(),
        };
        Arc::new(Inner {
            fs,
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            idle: Condvar::new(),
            timer: Arc::default(),
            at_once,
            has_come: AtomicBool::new(false),
            n_dead: Arc::default(),
            metrics: Metrics::default(),
        })
    }

    /// Takes a request in. One that has been told [`Admission::Full`] before comes with the reply that it got then; `waker` is woken
    /// when there is room.
    pub(super) fn admit(
        self: &Arc<Self>,
        request: Request,
        caller: Caller,
        again: Option<Arc<Reply<Outcomes>>>,
        waker: Option<&Waker>,
    ) -> Result<Admission, Error> {
        let mut state = self.lock();
        if again.is_none() {
            state.stats.requests += 1;
            self.metrics.requests.increment(1);
        }
        // The timer may have been faster, and has counted it.
        let has_timed_out = || again.as_ref().is_some_and(|reply| !reply.cancel());
        if state.closed {
            if has_timed_out() {
                return Err(Error::TimedOut);
            }
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
            if has_timed_out() {
                return Err(Error::TimedOut);
            }
            state.stats.timed_out += 1;
            self.metrics.timed_out.increment(1);
            return Err(Error::TimedOut);
        }
        if state.is_full(request.len()) {
            self.purge(&mut state);
        }
        if state.is_full(request.len()) {
            return self.no_room(state, request, caller, again, waker);
        }
        let deadline = request.deadline;
        let (reply, is_new) = match again {
            Some(reply) => (reply, false),
            None => (Reply::counted(&self.n_dead), true),
        };
        state.queues.push(Queued { request, reply: Arc::clone(&reply), since: now });
        let nobody_comes = !self.call_worker(&mut state, now);
        let admission = match nobody_comes.then(|| self.take(&mut state, now)).flatten() {
            Some(batch) => Admission::Run(batch, reply),
            None => Admission::Queued(reply),
        };
        self.unlock(state);
        if let (true, Admission::Queued(reply)) = (is_new, &admission) {
            self.watch(deadline, caller, reply);
        }
        Ok(admission)
    }

    fn no_room(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        request: Request,
        caller: Caller,
        again: Option<Arc<Reply<Outcomes>>>,
        waker: Option<&Waker>,
    ) -> Result<Admission, Error> {
        if state.settings.when_full == WhenFull::Wait {
            state.tasks_for_room.extend(waker.cloned());
            drop(state);
            let reply = again.unwrap_or_else(|| {
                let reply = Reply::counted(&self.n_dead);
                self.watch(request.deadline, caller, &reply);
                reply
            });
            return Ok(Admission::Full(request, reply));
        }
        if again.is_some_and(|reply| !reply.cancel()) {
            return Err(Error::TimedOut);
        }
        state.stats.rejected += 1;
        self.metrics.rejected.increment(1);
        Err(Error::Rejected { queued: state.queues.n_paths(), capacity: state.settings.queue_capacity })
    }

    /// Has the timer look after the deadline of a request whose caller does not wait itself.
    fn watch(self: &Arc<Self>, deadline: Option<Instant>, caller: Caller, reply: &Arc<Reply<Outcomes>>) {
        if let (Some(deadline), Caller::Returns) = (deadline, caller) {
            self.timer.watch(self, deadline, reply);
        }
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

    /// Takes the next batch if one can go, and counts it as under way. The caller goes on to [`Inner::unlock`].
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

    /// Takes out the requests that nobody waits for, if there are any: it walks the whole queue, and refusals are many when it is full.
    fn purge(&self, state: &mut State) {
        if self.n_dead.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
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

    /// The caller goes on to [`Inner::unlock`].
    fn made_room(&self, state: &mut State) {
        let State { tasks_for_room, to_wake, .. } = state;
        to_wake.append(tasks_for_room);
        if state.n_threads_for_room > 0 {
            self.room.notify_all();
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
        self.unlock(state);
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
        self.unlock(state);
        self.work.notify_all();
    }

    pub fn stats(&self) -> BatcherStats {
        let mut stats = self.lock().stats;
        self.at_once.add_to(&mut stats);
        stats
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks the state and wakes the tasks for which room has been made.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let to_wake = mem::take(&mut state.to_wake);
        drop(state);
        to_wake.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Inner {
    /// Lets the timer's thread go on to its end: what it still has is answered.
    fn drop(&mut self) {
        self.timer.close();
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
