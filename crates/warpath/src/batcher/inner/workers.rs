//! Threads that run batches nobody waits for: started when there is work, ended when there has been none for a while.
//!
//! A worker looks out for a moment before it sleeps where work comes so fast: to wake a thread takes longer than most batches.

use super::{Batch, IDLE, Inner, Next, State};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker looks out for work this long before it sleeps, if the last one came within that time.
const LOOK_OUT: Duration = Duration::from_micros(50);

/// How often it looks between two offers of its processor to others: about as long as an offer takes.
const LOOKS: usize = 16;

/// Since when a worker has nothing to do, and how long that was the last time.
struct Idleness {
    since: Option<Instant>,
    last: Duration,
}

impl Idleness {
    /// Whether it begins now.
    fn begins(&mut self, now: Instant) -> bool {
        let begins = self.since.is_none();
        self.since = self.since.or(Some(now));
        begins
    }

    /// It ended when the batch's first request came, not when the worker was awake.
    fn ends(&mut self, batch: &Batch) {
        if let (Some(since), Some(first)) = (self.since.take(), batch.requests.first()) {
            self.last = first.since.saturating_duration_since(since);
        }
    }
}

impl Inner {
    /// Sees to it that a worker takes what waits. Returns whether one will.
    pub(super) fn call_worker(self: &Arc<Self>, state: &mut State, now: Instant) -> bool {
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
        let mut idleness = Idleness { since: None, last: Duration::MAX };
        loop {
            let now = Instant::now();
            if let Some(batch) = self.take(&mut state, now) {
                idleness.ends(&batch);
                self.call_worker(&mut state, now);
                self.unlock(state);
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
            let work_comes_fast = idleness.begins(now) && idleness.last < LOOK_OUT;
            if work_comes_fast && !state.looks_out && state.queues.is_empty() {
                state = self.look_out(state, now + LOOK_OUT);
                continue;
            }
            let is_wanted;
            (state, is_wanted) = self.sleep(state, now);
            if !is_wanted {
                break;
            }
        }
        state.n_workers -= 1;
        if state.closed {
            // Others may sleep, since what waited could not go yet; it has gone.
            self.work.notify_all();
        }
        self.idle.notify_all();
    }

    /// Sleeps until there may be a batch to take. Returns `false` where there has been nothing to do for so long that the worker ends.
    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>, now: Instant) -> (MutexGuard<'a, State>, bool) {
        let look = match state.queues.next(&state.settings, state.closed, now) {
            Next::At(at) if state.next_look.is_none_or(|look| at < look) => Some(at),
            _ => None,
        };
        state.next_look = look.or(state.next_look);
        state.n_idle_workers += 1;
        let time = look.map_or(IDLE, |at| at.saturating_duration_since(now));
        let (mut state, waited) = self.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
        state.n_idle_workers -= 1;
        if look.is_some() && state.next_look == look {
            state.next_look = None;
        }
        let is_wanted = look.is_some() || !waited.timed_out() || !state.queues.is_empty();
        (state, is_wanted)
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
}
