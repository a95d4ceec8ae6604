//! Which engine answers a batch.
//!
//! One engine: that one. Several: each batch goes where it is done first, by what was measured ([`measure`]) and learnt
//! ([`model`]); a large one is shared by two engines where that is faster. Whatever fails is answered by the next engine.

mod clock;
mod explain;
mod measure;
mod model;
mod sample;
mod seat;
#[cfg(test)]
mod tests;

pub use explain::{EngineCost, Explanation, Reason, Share};
pub use model::CostLine;

use crate::Error;
use crate::device::Device;
use clock::Instant;
use model::class;
use seat::Seat;
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use warpath_core::{EngineError, OutcomesMut, PathBatch, Plan, Tables};

/// Paths that an engine is given at a time: a batch of any size is one call, and what an engine keeps for a batch stays bounded.
const PIECE_PATHS: usize = 1 << 24;

/// Batches below this size go where the last decision for their class said, and one in so many is timed: to think and to look at the
/// clock would cost a tenth of what they take.
const SMALL: usize = 256;
const SMALL_TIMED: u32 = 64;

/// Batches below this size, or done in less than this, are not shared.
const SPLIT_FROM: usize = 8192;
const SPLIT_NANOS: f64 = 300_000.0;

/// To start and join a thread, in nanoseconds.
const THREAD_NANOS: f64 = 40_000.0;

/// A shared batch has to be done in this part of the time.
const SPLIT_GAIN: f64 = 0.9;

/// One large batch in so many goes to an engine that is nearly the best, so that it can show what it does now.
const TRY_ANOTHER: u32 = 256;
const NEARLY_BEST: f64 = 1.5;

/// Every so many large batches a little is forgotten.
const FORGET: u32 = 4096;

/// No choice.
const AUTO: usize = usize::MAX;

/// A device's engines.
pub(crate) struct Router {
    seats: Vec<Seat>,
    /// Batches go to one of the first so many; the others only stand behind them.
    n_own: usize,
    forced: AtomicUsize,
    /// Entries that the index had when the engines were measured, plus one; 0 before.
    measured_at: AtomicUsize,
    /// Where small batches go, by class.
    small: [AtomicU8; 9],
    /// How much longer than expected shared batches take, as bits of an `f32`.
    overlap: AtomicU32,
    n_decisions: AtomicU32,
}

/// A batch shared by two engines.
#[derive(Debug, Clone, Copy)]
struct Split {
    /// The engines; the first has the first `n_first` paths.
    seats: [usize; 2],
    n_first: usize,
    /// Nanoseconds that it takes if they don't hinder one another.
    nanos: f64,
}

/// A batch was answered.
struct Answered {
    /// By the engine that was asked first.
    as_chosen: bool,
}

enum Choice {
    One(usize),
    Two(Split),
}

thread_local! {
    static N_SMALL: Cell<u32> = const { Cell::new(0) };
}

impl Router {
    /// Opens the engine of a device that has one. Those of several are opened when they are first needed.
    pub fn new(device: &Device) -> Result<Router, EngineError> {
        let (candidates, n_own) = device.seats();
        let seats: Vec<Seat> = candidates.into_iter().map(Seat::new).collect();
        if n_own == 1 {
            seats[0].open()?;
        }
        let router = Router {
            seats,
            n_own,
            forced: AtomicUsize::new(AUTO),
            measured_at: AtomicUsize::new(0),
            small: std::array::from_fn(|_| AtomicU8::new(0)),
            overlap: AtomicU32::new(1f32.to_bits()),
            n_decisions: AtomicU32::new(0),
        };
        router.decide_small();
        Ok(router)
    }

    /// Whether a batch of so many paths is answered by the calling thread, without waiting for a device.
    pub fn is_immediate(&self, n_paths: usize) -> bool {
        let seat = match self.fixed() {
            Some((seat, _)) => seat,
            None if n_paths < SMALL => self.small_seat(n_paths),
            None => self.best(n_paths, None).0,
        };
        self.seats.get(seat).is_some_and(Seat::is_immediate)
    }

    /// The engines in words, in the order in which they are tried.
    pub fn describe(&self) -> Vec<String> {
        self.seats.iter().map(Seat::description).collect()
    }

    /// Sends every batch to this engine first, or to the best again. Returns whether there is such an engine.
    pub fn force(&self, name: Option<&str>) -> bool {
        let seat = match name {
            None => Some(AUTO),
            Some(name) => self.seats.iter().position(|seat| seat.is_called(name)),
        };
        self.forced.store(seat.unwrap_or_else(|| self.forced.load(Ordering::Relaxed)), Ordering::Relaxed);
        seat.is_some()
    }

    /// Whether there is a choice.
    pub fn is_multiple(&self) -> bool {
        self.n_own > 1
    }

    /// Whether engines have to be measured: they never were, or the index is of another order of size now.
    pub fn wants_calibration(&self, n_entries: usize) -> bool {
        if self.n_own < 2 {
            return false;
        }
        let measured = self.measured_at.load(Ordering::Relaxed);
        let (low, high) = (measured / 4, measured.saturating_mul(4).saturating_add(4096));
        measured == 0 || !(low..=high).contains(&(n_entries + 1))
    }

    fn measured_entries(&self, n_entries: usize) {
        self.measured_at.store(n_entries + 1, Ordering::Relaxed);
        self.decide_small();
    }

    /// The engine that needs no choosing.
    fn fixed(&self) -> Option<(usize, Reason)> {
        let forced = self.forced.load(Ordering::Relaxed);
        if forced != AUTO {
            return Some((forced, Reason::Forced));
        }
        if self.n_own < 2 {
            return Some((0, Reason::OnlyEngine));
        }
        None
    }

    /// Answers a batch.
    #[inline]
    pub fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        let n_paths = batch.len();
        if n_paths <= PIECE_PATHS {
            return self.resolve_piece(tables, plan, batch, out);
        }
        let mut first = 0;
        while first < n_paths {
            let end = (first + PIECE_PATHS).min(n_paths);
            let (piece, rest) = out.split_at(end - first);
            self.resolve_piece(tables, plan, &batch.slice(first..end), piece)?;
            (out, first) = (rest, end);
        }
        Ok(())
    }

    #[inline]
    fn resolve_piece(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some((seat, _)) = self.fixed() {
            return self.run_from(seat, tables, plan, batch, out).map(|_| ());
        }
        let n_paths = batch.len();
        if n_paths < SMALL {
            let seat = self.small_seat(n_paths);
            let n_small = N_SMALL.get().wrapping_add(1);
            N_SMALL.set(n_small);
            if !n_small.is_multiple_of(SMALL_TIMED) {
                return self.run_from(seat, tables, plan, batch, out).map(|_| ());
            }
            self.run_timed(seat, None, tables, plan, batch, out)?;
            self.decide_small_class(class(n_paths));
            return Ok(());
        }
        let n_bytes = batch.n_bytes();
        match self.choose(n_paths, n_bytes) {
            Choice::One(seat) => self.run_timed(seat, Some(n_bytes), tables, plan, batch, out),
            Choice::Two(split) => {
                let begin = Instant::now();
                match self.run_split(&split, tables, plan, batch, out.reborrow()) {
                    Err(Error::Threads { .. }) => {
                        return self.run_from(split.seats[0], tables, plan, batch, out).map(|_| ());
                    }
                    Ok(Answered { as_chosen: true }) => {
                        self.learn_overlap(begin.elapsed().as_nanos() as f64 / split.nanos, 0.2);
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error),
                }
                Ok(())
            }
        }
    }

    fn run_timed(
        &self,
        seat: usize,
        n_bytes: Option<usize>,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        if self.run_from(seat, tables, plan, batch, out)?.as_chosen {
            self.seats[seat].model.learn(batch.len(), n_bytes, begin.elapsed());
        }
        Ok(())
    }

    /// Where a large batch goes.
    fn choose(&self, n_paths: usize, n_bytes: usize) -> Choice {
        let (best, nanos) = self.best(n_paths, Some(n_bytes));
        let n_decisions = self.n_decisions.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if n_decisions.is_multiple_of(FORGET) {
            self.seats.iter().for_each(|seat| seat.model.forget_some());
            self.learn_overlap(1.0, 0.1);
        }
        if n_decisions.is_multiple_of(TRY_ANOTHER)
            && let Some(other) = self.nearly_best(best, nanos, n_paths, n_bytes)
        {
            return Choice::One(other);
        }
        match self.split(n_paths, Some(n_bytes), nanos) {
            Some(split) => Choice::Two(split),
            None => Choice::One(best),
        }
    }

    /// The engine that is done first, and when; before engines have been measured one that answers at once.
    fn best(&self, n_paths: usize, n_bytes: Option<usize>) -> (usize, f64) {
        let measured = (0..self.n_own).filter_map(|seat| {
            let nanos = self.seats[seat].model.nanos(n_paths, n_bytes)?;
            self.seats[seat].pause().is_none().then_some((seat, nanos))
        });
        measured.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_else(|| {
            let immediate = self.seats[..self.n_own].iter().position(Seat::is_immediate);
            (immediate.unwrap_or(0), 0.0)
        })
    }

    fn nearly_best(&self, best: usize, nanos: f64, n_paths: usize, n_bytes: usize) -> Option<usize> {
        (0..self.n_own).filter(|seat| *seat != best && self.seats[*seat].pause().is_none()).find(|seat| {
            let other = self.seats[*seat].model.nanos(n_paths, Some(n_bytes));
            other.is_some_and(|other| other < NEARLY_BEST * nanos)
        })
    }

    /// How two engines would share a batch, where that is faster than `nanos`.
    fn split(&self, n_paths: usize, n_bytes: Option<usize>, nanos: f64) -> Option<Split> {
        if n_paths < SPLIT_FROM || nanos < SPLIT_NANOS {
            return None;
        }
        let overlap = f64::from(f32::from_bits(self.overlap.load(Ordering::Relaxed)));
        let split = self.best_split(n_paths, n_bytes)?;
        (split.nanos * overlap + THREAD_NANOS < SPLIT_GAIN * nanos).then_some(split)
    }

    /// The two engines that are done first if they share a batch and don't hinder one another.
    fn best_split(&self, n_paths: usize, n_bytes: Option<usize>) -> Option<Split> {
        let pairs = (0..self.n_own).flat_map(|a| (0..a).map(move |b| [b, a]));
        pairs
            .filter_map(|seats| self.split_between(seats, n_paths, n_bytes))
            .min_by(|a, b| a.nanos.total_cmp(&b.nanos))
    }

    /// Shares a batch so that both are done at the same time.
    fn split_between(&self, seats: [usize; 2], n_paths: usize, n_bytes: Option<usize>) -> Option<Split> {
        let nanos = |seat: usize, n: usize| {
            let n_bytes = n_bytes.map(|bytes| (bytes as f64 * n as f64 / n_paths as f64) as usize);
            self.seats[seat].model.nanos(n, n_bytes)
        };
        if seats.iter().any(|seat| self.seats[*seat].pause().is_some()) {
            return None;
        }
        let (mut low, mut high) = (0, n_paths);
        while high - low > n_paths / 256 + 1 {
            let middle = low + (high - low) / 2;
            if nanos(seats[0], middle)? < nanos(seats[1], n_paths - middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        let n_first = low.clamp(1, n_paths - 1);
        let time = nanos(seats[0], n_first)?.max(nanos(seats[1], n_paths - n_first)?);
        Some(Split { seats, n_first, nanos: time })
    }

    fn run_split(
        &self,
        split: &Split,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<Answered, Error> {
        let (first_out, second_out) = out.split_at(split.n_first);
        let (first, second) = (batch.slice(0..split.n_first), batch.slice(split.n_first..batch.len()));
        let [first_seat, second_seat] = split.seats;
        std::thread::scope(|scope| {
            let run_second = move || self.run_from(second_seat, tables, plan, &second, second_out);
            let other = std::thread::Builder::new().name("warpath-split".to_owned());
            let other = other.spawn_scoped(scope, run_second);
            let first = self.run_from(first_seat, tables, plan, &first, first_out)?;
            let second = match other {
                Ok(other) => other.join().unwrap_or(Err(Error::Closed))?,
                Err(error) => return Err(Error::Threads { reason: error.to_string() }),
            };
            Ok(Answered { as_chosen: first.as_chosen && second.as_chosen })
        })
    }

    fn learn_overlap(&self, seen: f64, weight: f32) {
        let before = f32::from_bits(self.overlap.load(Ordering::Relaxed));
        let after = before * (1.0 - weight) + (seen as f32).clamp(0.5, 8.0) * weight;
        self.overlap.store(after.to_bits(), Ordering::Relaxed);
    }

    fn small_seat(&self, n_paths: usize) -> usize {
        usize::from(self.small[class(n_paths)].load(Ordering::Relaxed))
    }

    fn decide_small(&self) {
        (0..self.small.len()).for_each(|class| self.decide_small_class(class));
    }

    fn decide_small_class(&self, class: usize) {
        // The middle of a class: 3 of 2 to 3, 6 of 4 to 7.
        let n_paths = (3 << class) >> 2;
        let seat = u8::try_from(self.best(n_paths.max(1), None).0).unwrap_or(0);
        self.small[class].store(seat, Ordering::Relaxed);
    }

    /// Runs a batch on an engine, or where that fails on the next one that does not. Engines that are left alone at present
    /// are asked only when there is no other.
    #[inline]
    fn run_from(
        &self,
        chosen: usize,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<Answered, Error> {
        let mut first_error = None;
        for paused in [false, true] {
            for seat in (chosen..self.seats.len()).chain(0..chosen) {
                let loaded = self.seats[seat].load();
                if loaded.pause().is_some() != paused {
                    continue;
                }
                match loaded.run(tables, plan, batch, out.reborrow()) {
                    Ok(()) => return Ok(Answered { as_chosen: first_error.is_none() && seat == chosen }),
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
        }
        Err(first_error.map_or(Error::Closed, Error::Engine))
    }

    /// What would happen to a batch now.
    pub fn explain(&self, batch: &PathBatch<'_>) -> Explanation {
        let (n_paths, n_bytes) = (batch.len(), batch.n_bytes());
        let engine = |seat: usize| self.seats[seat].name().to_owned();
        let duration = |nanos: f64| Duration::from_nanos(nanos as u64);
        let engines = self.seats[..self.n_own].iter().map(|seat| EngineCost {
            engine: seat.name().to_owned(),
            expected: seat.model.nanos(n_paths, Some(n_bytes)).map(duration),
            line: seat.model.line(),
            pause: seat.pause(),
        });
        let (best, nanos) = self.best(n_paths, Some(n_bytes));
        let split = self.split(n_paths, Some(n_bytes), nanos);
        let (reason, seat, expected) = match self.fixed() {
            Some((seat, reason)) => (reason, seat, self.seats[seat].model.nanos(n_paths, Some(n_bytes))),
            None if nanos == 0.0 => (Reason::NotMeasured, best, None),
            None if n_paths < SMALL => (Reason::Fastest, self.small_seat(n_paths), Some(nanos)),
            None => (Reason::Fastest, best, Some(nanos)),
        };
        let mut explanation = Explanation {
            n_paths,
            n_bytes,
            reason,
            shares: vec![Share { engine: engine(seat), paths: 0..n_paths }],
            expected: expected.map(duration),
            engines: engines.collect(),
        };
        if let (Reason::Fastest, Some(split)) = (reason, split) {
            let overlap = f64::from(f32::from_bits(self.overlap.load(Ordering::Relaxed)));
            explanation.reason = Reason::Split;
            explanation.expected = Some(duration(split.nanos * overlap + THREAD_NANOS));
            explanation.shares = vec![
                Share { engine: engine(split.seats[0]), paths: 0..split.n_first },
                Share { engine: engine(split.seats[1]), paths: split.n_first..n_paths },
            ];
        }
        explanation
    }
}
