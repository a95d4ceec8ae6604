//! An answer on its way from whoever resolves to whoever asked: given once, taken once.

use crate::Error;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;
use std::time::Instant;

/// An answer on its way. The first of answer, time-out and cancellation counts; the others find it settled.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    state: Mutex<State<T>>,
    /// Counts it when it is cancelled or times out.
    n_dead: Option<Arc<AtomicUsize>>,
}

#[derive(Debug)]
enum State<T> {
    Waiting(Waiter),
    Done(Result<T, Error>),
    Taken,
    /// Nobody waits for it any more.
    Cancelled,
}

#[derive(Debug)]
enum Waiter {
    Nobody,
    Task(Waker),
    Thread(Thread),
}

impl<T> Reply<T> {
    pub fn new() -> Arc<Reply<T>> {
        Reply::of(None)
    }

    /// One that adds to `n_dead` when it is cancelled or times out.
    pub fn counted(n_dead: &Arc<AtomicUsize>) -> Arc<Reply<T>> {
        Reply::of(Some(Arc::clone(n_dead)))
    }

    fn of(n_dead: Option<Arc<AtomicUsize>>) -> Arc<Reply<T>> {
        Arc::new(Reply { state: Mutex::new(State::Waiting(Waiter::Nobody)), n_dead })
    }

    /// Whether an answer is still wanted and has not been given.
    pub fn is_open(&self) -> bool {
        matches!(*self.lock(), State::Waiting(_))
    }

    /// Whether whoever asked has gone.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.lock(), State::Cancelled)
    }

    /// Gives the answer and wakes whoever waits. Returns whether this was the one that counted.
    pub fn complete(&self, result: Result<T, Error>) -> bool {
        let mut state = self.lock();
        let State::Waiting(waiter) = &mut *state else { return false };
        let waiter = mem::replace(waiter, Waiter::Nobody);
        *state = State::Done(result);
        drop(state);
        match waiter {
            Waiter::Nobody => {}
            Waiter::Task(waker) => waker.wake(),
            Waiter::Thread(thread) => thread.unpark(),
        }
        true
    }

    /// Says that nobody waits any more. Returns whether that came before the answer.
    pub fn cancel(&self) -> bool {
        let mut state = self.lock();
        let open = matches!(*state, State::Waiting(_));
        if open {
            *state = State::Cancelled;
            self.count_dead();
        }
        open
    }

    /// Says that its time is over, as [`Reply::complete`].
    pub fn time_out(&self) -> bool {
        let is_late = self.complete(Err(Error::TimedOut));
        if is_late {
            self.count_dead();
        }
        is_late
    }

    fn count_dead(&self) {
        if let Some(n_dead) = &self.n_dead {
            n_dead.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The answer if it is there and was not taken before.
    pub fn try_take(&self) -> Option<Result<T, Error>> {
        let mut state = self.lock();
        match &*state {
            State::Done(_) => match mem::replace(&mut *state, State::Taken) {
                State::Done(result) => Some(result),
                _ => None,
            },
            State::Waiting(_) => None,
            // Polled after the end: there is no second answer.
            State::Taken | State::Cancelled => Some(Err(Error::Closed)),
        }
    }

    /// As a future's `poll`.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Result<T, Error>> {
        if let Some(result) = self.try_take() {
            return Poll::Ready(result);
        }
        let mut state = self.lock();
        match &mut *state {
            State::Waiting(Waiter::Task(waker)) => waker.clone_from(context.waker()),
            State::Waiting(waiter) => *waiter = Waiter::Task(context.waker().clone()),
            // It has come in between. A waker may come back here, so not with the lock held.
            _ => {
                drop(state);
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// Blocks until the answer is there, or `until` has come: then `None`.
    pub fn wait(&self, until: Option<Instant>) -> Option<Result<T, Error>> {
        loop {
            if let Some(result) = self.try_take() {
                return Some(result);
            }
            if let State::Waiting(waiter) = &mut *self.lock() {
                *waiter = Waiter::Thread(std::thread::current());
            } else {
                continue;
            }
            match until {
                None => std::thread::park(),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now())?;
                    std::thread::park_timeout(left);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_first_answer_counts_and_is_taken_once() {
        let reply = Reply::new();
        assert!(reply.try_take().is_none());
        assert!(reply.complete(Ok(1)));
        assert!(!reply.complete(Ok(2)));
        assert!(!reply.cancel());
        assert_eq!(reply.try_take(), Some(Ok(1)));
        assert_eq!(reply.try_take(), Some(Err(Error::Closed)));
    }

    #[test]
    fn a_cancelled_reply_takes_no_answer() {
        let reply = Reply::new();
        assert!(reply.cancel());
        assert!(!reply.complete(Ok(1)));
        assert!(!reply.is_open());
    }

    #[test]
    fn who_is_dead_is_counted_once() {
        let n_dead = Arc::default();
        let replies: [Arc<Reply<u32>>; 3] = std::array::from_fn(|_| Reply::counted(&n_dead));
        assert!(replies[0].cancel() && !replies[0].time_out() && !replies[0].cancel());
        assert!(replies[1].time_out() && !replies[1].cancel() && !replies[1].time_out());
        assert!(replies[2].complete(Ok(1)) && !replies[2].time_out() && !replies[2].cancel());
        assert_eq!(n_dead.load(Ordering::Relaxed), 2);
        assert_eq!(replies[1].try_take(), Some(Err(Error::TimedOut)));
    }

    #[test]
    fn a_thread_waits_until_the_answer_or_the_time() {
        let reply = Reply::<u32>::new();
        assert_eq!(reply.wait(Some(Instant::now() + Duration::from_millis(5))), None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| reply.wait(None));
            reply.complete(Ok(7));
            assert_eq!(waiting.join().unwrap(), Some(Ok(7)));
        });
    }
}
