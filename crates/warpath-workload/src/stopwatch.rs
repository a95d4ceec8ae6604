//! Contestants timed in turns.
//!
//! A machine is never quiet. So each contestant runs a short round, then the next one, again and again, and medians are
//! compared; the processor time of the thread says what the round took when others held the processor in between.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Something to be timed.
pub struct Contestant<'a> {
    /// What it is called in tables.
    pub name: String,
    /// Paths (or other units) of a round.
    pub n_units: usize,
    /// Runs round `number` and checks its answers outside the time that it returns.
    run: Box<dyn FnMut(usize) -> Lap + 'a>,
}

impl<'a> Contestant<'a> {
    /// A contestant whose rounds time themselves, with [`time`].
    pub fn new(
        name: impl Into<String>,
        n_units: usize,
        run: impl FnMut(usize) -> Lap + 'a,
    ) -> Contestant<'a> {
        Contestant { name: name.into(), n_units, run: Box::new(run) }
    }
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one round took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lap {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Processor time of the calling thread.
    pub thread: Duration,
}

/// Times a piece of work.
pub fn time<R>(work: impl FnOnce() -> R) -> (Lap, R) {
    let (start, thread_start) = (Instant::now(), thread_time());
    let result = work();
    let (wall, thread) = (start.elapsed(), thread_time().saturating_sub(thread_start));
    (Lap { wall, thread }, result)
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// What all rounds of a contestant took.
#[derive(Debug, Clone)]
pub struct Laps {
    /// The contestant's name.
    pub name: String,
    /// Units of a round.
    pub n_units: usize,
    /// The rounds in order.
    pub laps: Vec<Lap>,
}

impl Laps {
    /// Units a second, by the median of the rounds' wall time.
    pub fn rate(&self) -> f64 {
        self.per_second(median(self.laps.iter().map(|lap| lap.wall)))
    }

    /// Units a second of the fastest round, by wall time.
    pub fn best_rate(&self) -> f64 {
        self.per_second(self.laps.iter().map(|lap| lap.wall).min().unwrap_or_default())
    }

    /// Units a second of processor time, by the median. For single-threaded work only.
    pub fn thread_rate(&self) -> f64 {
        self.per_second(median(self.laps.iter().map(|lap| lap.thread)))
    }

    fn per_second(&self, time: Duration) -> f64 {
        self.n_units as f64 / time.as_secs_f64()
    }
}

/// Runs every contestant once untimed, then `rounds` times in turns.
pub fn race(rounds: usize, contestants: &mut [Contestant<'_>]) -> Vec<Laps> {
    let mut results: Vec<Laps> = contestants
        .iter()
        .map(|contestant| Laps { name: contestant.name.clone(), n_units: contestant.n_units, laps: vec![] })
        .collect();
    for round in 0..=rounds {
        for (contestant, result) in contestants.iter_mut().zip(&mut results) {
            let lap = (contestant.run)(round);
            if round > 0 {
                result.laps.push(lap);
            }
        }
    }
    results
}

/// The median; zero of nothing.
pub fn median(times: impl Iterator<Item = Duration>) -> Duration {
    percentile(times, 0.5)
}

/// The time that this share of the times is not above.
pub fn percentile(times: impl Iterator<Item = Duration>, share: f64) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}
