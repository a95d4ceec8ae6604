//! Work that must not wait for rayon's threads, since those may wait for the lock that the work is done under.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `work` gives, on a thread of its own, while every thread of the global pool waits for a lock. Fails after twenty seconds.
pub fn while_rayon_is_held_up<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock().unwrap();
    let n_waiting = Arc::new(AtomicUsize::new(0));
    let (lock_of_workers, waiting) = (Arc::clone(&lock), Arc::clone(&n_waiting));
    rayon::spawn_broadcast(move |_| {
        waiting.fetch_add(1, Ordering::SeqCst);
        drop(lock_of_workers.lock());
    });
    while n_waiting.load(Ordering::SeqCst) < rayon::current_num_threads() {
        std::thread::yield_now();
    }
    let (done, is_done) = channel();
    std::thread::spawn(move || done.send(work()));
    let worked = is_done.recv_timeout(Duration::from_secs(20));
    drop(held);
    worked.expect("it waits for rayon")
}
