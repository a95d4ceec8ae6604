//! Deadlines of requests whose callers do not wait themselves: a thread, started with the first of them.

use super::inner::Inner;
use crate::reply::Reply;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use warpath_core::Outcomes;

/// The thread ends when there has been no deadline for so long.
const IDLE: Duration = Duration::from_secs(5);

/// Below this many deadlines nobody looks for answered ones to throw out.
const FEW: usize = 1024;

#[derive(Default)]
pub(super) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    deadlines: BinaryHeap<Reverse<Deadline>>,
    /// Deadlines of answered requests are thrown out when there are this many.
    clean_at: usize,
    n_watched: u64,
    is_running: bool,
    is_closed: bool,
}

struct Deadline {
    at: Instant,
    number: u64,
    reply: Weak<Reply<Outcomes>>,
}

impl Timer {
    /// Sees to it that the reply is a time-out when `at` has come and there is no other.
    ///
    /// The thread does not keep the batcher: it may outlive it until [`Timer::close`].
    pub fn watch(self: &Arc<Self>, inner: &Arc<Inner>, at: Instant, reply: &Arc<Reply<Outcomes>>) {
        let mut state = self.lock();
        if state.deadlines.len() >= state.clean_at.max(FEW) {
            state.deadlines.retain(|Reverse(deadline)| deadline.is_open());
            state.clean_at = 2 * state.deadlines.len();
        }
        state.n_watched += 1;
        let number = state.n_watched;
        let is_first = state.deadlines.peek().is_none_or(|Reverse(first)| at < first.at);
        state.deadlines.push(Reverse(Deadline { at, number, reply: Arc::downgrade(reply) }));
        if !state.is_running {
            let (timer, inner) = (Arc::clone(self), Arc::downgrade(inner));
            let thread = std::thread::Builder::new().name("warpath-timer".to_owned());
            // Without a thread the answer still comes; the next deadline tries again.
            state.is_running = thread.spawn(move || timer.run(&inner)).is_ok();
        } else if is_first {
            self.changed.notify_one();
        }
    }

    /// Lets the thread end when no deadline is left.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn run(&self, inner: &Weak<Inner>) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let next = state.deadlines.peek().map(|Reverse(first)| first.at);
            let time = match next {
                Some(at) if at <= now => {
                    if let Some(Reverse(due)) = state.deadlines.pop() {
                        drop(state);
                        due.time_out(inner);
                        state = self.lock();
                    }
                    continue;
                }
                Some(at) => at - now,
                None if state.is_closed => break,
                None => IDLE,
            };
            if state.is_closed {
                let n_before = state.deadlines.len();
                state.deadlines.retain(|Reverse(deadline)| deadline.is_open());
                if state.deadlines.len() < n_before {
                    continue;
                }
            }
            let waited = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.deadlines.is_empty() {
                break;
            }
        }
        state.is_running = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deadline {
    fn is_open(&self) -> bool {
        self.reply.upgrade().is_some_and(|reply| reply.is_open())
    }

    fn time_out(&self, inner: &Weak<Inner>) {
        let is_late = self.reply.upgrade().is_some_and(|reply| reply.time_out());
        if is_late && let Some(inner) = inner.upgrade() {
            inner.timed_out();
        }
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Deadline) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Deadline) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Deadline) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
