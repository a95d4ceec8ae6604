//! The directories that wait to be read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A stack that several threads work off, and that knows when there is nothing left to come.
///
/// Last in, first out: a walk that goes deep first keeps few directories open.
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: Vec<T>,
    /// Items that are waiting or being worked on.
    n_open: usize,
    n_sleeping: usize,
}

/// An item being worked on; it is done when this is dropped, also by a panic.
pub struct Task<'a, T> {
    queue: &'a Queue<T>,
    /// The item.
    pub item: T,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new() -> Queue<T> {
        let state = State { waiting: Vec::new(), n_open: 0, n_sleeping: 0 };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds items. To be called while an item is being worked on, or before the first `pop`.
    pub fn push(&self, items: impl IntoIterator<Item = T>) {
        let mut state = self.lock();
        let before = state.waiting.len();
        state.waiting.extend(items);
        let n_new = state.waiting.len() - before;
        state.n_open += n_new;
        let n_wake = n_new.min(state.n_sleeping);
        drop(state);
        for _ in 0..n_wake {
            self.changed.notify_one();
        }
    }

    /// Takes an item; waits for one while others are being worked on. `None` when all work is done.
    pub fn pop(&self) -> Option<Task<'_, T>> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop() {
                return Some(Task { queue: self, item });
            }
            if state.n_open == 0 {
                return None;
            }
            state.n_sleeping += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.n_sleeping -= 1;
        }
    }

    /// Forgets what waits, so that every thread comes to its end.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.n_open -= state.waiting.len();
        let forgotten = std::mem::take(&mut state.waiting);
        drop(state);
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Task<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.n_open -= 1;
        if state.n_open == 0 {
            drop(state);
            self.queue.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts the nodes of a binary tree of a depth on four threads.
    #[test]
    fn all_items_are_worked_on_and_threads_end() {
        let queue = Queue::new();
        let n_seen = AtomicUsize::new(0);
        queue.push([12]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(task) = queue.pop() {
                        n_seen.fetch_add(1, Ordering::Relaxed);
                        if task.item > 0 {
                            queue.push([task.item - 1, task.item - 1]);
                        }
                    }
                });
            }
        });
        assert_eq!(n_seen.into_inner(), (1 << 13) - 1);
    }

    #[test]
    fn a_stopped_queue_ends_those_who_wait() {
        let queue = Queue::new();
        queue.push([1, 2, 3]);
        let task = queue.pop();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                queue.stop();
                assert!(queue.pop().is_none());
            });
            drop(task);
        });
    }
}
