//! What can be chosen about a batcher, before it runs and while it does.

use std::time::Duration;
use thiserror::Error;

/// What can be chosen about a batcher. All of it can be changed while it runs, by
/// [`BatchPathLookup::set_settings`](crate::BatchPathLookup::set_settings).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most paths of a batch. A request of more than that is a batch of its own, which an engine gets in pieces of this size.
    /// Default: 65,536.
    pub max_batch_size: usize,
    /// The most bytes of a batch's paths. A request of more than that is a batch of its own. Default: 16 MiB.
    pub max_batch_bytes: usize,
    /// The longest time that the first request of a batch waits for others. Default: zero, which takes what has queued up while
    /// the engine was busy: no request ever waits for company.
    pub timeout: Duration,
    /// Sizes at which a batch goes off at once, before the time-out; the largest that the queue can fill is taken. Default: none.
    pub preferred_sizes: Vec<usize>,
    /// Batches that run at a time. Default: one a processor, two at least.
    pub max_in_flight: usize,
    /// Paths that may wait. A request larger than this is taken when the queue is empty. Default: 1,048,576.
    pub queue_capacity: usize,
    /// What happens to a request that does not fit in the queue. Default: it is rejected.
    pub when_full: WhenFull,
}

/// What happens to a request that does not fit in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// It fails with [`Error::Rejected`](crate::Error::Rejected), at once.
    Reject,
    /// Its caller waits until there is room.
    Wait,
}

/// Settings that no batcher can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A count must be 1 at least.
    #[error("{name} is 0: it must be 1 at least")]
    Zero {
        /// The setting's name.
        name: &'static str,
    },
    /// A preferred size lies above the largest.
    #[error("a preferred size of {size} paths is above max_batch_size, {max_batch_size}")]
    PreferredTooLarge {
        /// The preferred size.
        size: usize,
        /// The largest.
        max_batch_size: usize,
    },
}

impl Default for Settings {
    fn default() -> Settings {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            max_batch_size: 65_536,
            max_batch_bytes: 16 << 20,
            timeout: Duration::ZERO,
            preferred_sizes: vec![],
            max_in_flight: n_processors.max(2),
            queue_capacity: 1 << 20,
            when_full: WhenFull::Reject,
        }
    }
}

impl Settings {
    /// Whether a batcher can have them.
    ///
    /// # Errors
    /// [`SettingsError`] with the setting at fault.
    pub fn check(&self) -> Result<(), SettingsError> {
        let counts = [
            ("max_batch_size", self.max_batch_size),
            ("max_batch_bytes", self.max_batch_bytes),
            ("max_in_flight", self.max_in_flight),
            ("queue_capacity", self.queue_capacity),
            ("a preferred size", self.preferred_sizes.iter().copied().min().unwrap_or(1)),
        ];
        if let Some(&(name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(SettingsError::Zero { name });
        }
        let max_batch_size = self.max_batch_size;
        match self.preferred_sizes.iter().find(|size| **size > max_batch_size) {
            Some(&size) => Err(SettingsError::PreferredTooLarge { size, max_batch_size }),
            None => Ok(()),
        }
    }

    /// The largest preferred size that so many paths fill.
    pub(super) fn preferred(&self, n_paths: usize) -> Option<usize> {
        self.preferred_sizes.iter().copied().filter(|size| *size <= n_paths).max()
    }
}
