//! Requests that need no batch.
//!
//! The CPU answers a few paths in less time than handing them to another thread takes. So their own thread does it, without a
//! lock and whatever else is under way. Only counting them is shared.

use super::stats::BatcherStats;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Paths that a request's own thread resolves on the CPU: a few microseconds, which a task may take.
pub(super) const MOST_PATHS: usize = 64;

/// Threads count in so many places, so that they don't contend for one cache line.
const PLACES: usize = 16;

/// Whether requests may be answered at once, and how many were.
pub(super) struct AtOnce {
    is_open: AtomicBool,
    places: [Place; PLACES],
}

/// A place has a pair of cache lines of its own, as processors fetch them.
#[derive(Default)]
#[repr(align(128))]
struct Place {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl AtOnce {
    pub fn new(is_open: bool) -> AtOnce {
        AtOnce { is_open: AtomicBool::new(is_open), places: Default::default() }
    }

    /// Whether requests may be answered at once: not in a batcher that is closed or waits for company.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    pub fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Release);
    }

    /// Notes that a request has been answered, or could not be.
    pub fn count(&self, is_ok: bool) {
        let place = &self.places[place_of_thread()];
        let counter = if is_ok { &place.answered } else { &place.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn add_to(&self, stats: &mut BatcherStats) {
        for place in &self.places {
            let (answered, failed) =
                (place.answered.load(Ordering::Relaxed), place.failed.load(Ordering::Relaxed));
            stats.answered += answered;
            stats.failed += failed;
            stats.immediate += answered + failed;
            stats.requests += answered + failed;
        }
    }
}

/// Threads take turns at the places.
fn place_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PLACE: Cell<usize> = const { Cell::new(usize::MAX) });
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Ordering::Relaxed) % PLACES);
        }
        place.get()
    })
}
