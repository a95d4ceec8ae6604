//! Calibration: what batches of the tree's own paths cost on each engine.

use super::Router;
use super::clock::Instant;
use super::model::Measured;
use super::sample::{SAMPLE_PATHS, halves, sample};
use crate::store::Store;
use std::time::Duration;
use warpath_core::batch::PathBuffer;
use warpath_core::{EngineError, Options, Outcomes, Plan, Tables};

/// Batch sizes that are measured.
const SIZES: [usize; 6] = [1, 8, 64, 512, 4096, SAMPLE_PATHS];

/// Time for a size, and how often it is tried within that.
const TIME: Duration = Duration::from_millis(8);
const TRIES: std::ops::Range<usize> = 2..32;

/// Larger sizes are not tried on an engine that took this long.
const TOO_LONG: Duration = Duration::from_millis(60);

/// Paths of the batches that tell what a byte costs.
const HALF_PATHS: usize = 4096;

/// The tables and plan that an engine is measured with.
struct Bench<'a> {
    router: &'a Router,
    tables: &'a Tables,
    plan: &'a Plan,
    outcomes: Outcomes,
}

impl Router {
    /// Measures every engine with paths of the tree: about 50 ms an engine, more for one that is slow. An engine that fails is not
    /// chosen until it has been measured again.
    pub fn calibrate(&self, store: &Store) {
        let Ok((version, plan)) = store.plan(&Options::default()) else { return };
        let paths = sample(store);
        let all: PathBuffer = paths.iter().collect();
        let (short, long) = halves(&paths, HALF_PATHS);
        let outcomes = Outcomes::with_len(SAMPLE_PATHS.max(paths.len()));
        let mut bench = Bench { router: self, tables: &version.tables, plan: &plan, outcomes };
        for seat in 0..self.n_own {
            match bench.measure(seat, &all, &short, &long) {
                Ok(measured) => self.seats[seat].model.set(measured),
                Err(error) => tracing::warn!(%error, "an engine could not be measured"),
            }
        }
        self.measured_entries(version.tables.n_entries());
        self.measure_split(&mut bench, &all);
    }

    /// How much longer a batch takes that two engines share than each alone with its part.
    fn measure_split(&self, bench: &mut Bench<'_>, all: &PathBuffer) {
        let batch = all.as_batch();
        let Some(split) = self.best_split(batch.len(), None) else { return };
        let mut best = f64::MAX;
        for _ in 0..3 {
            let begin = Instant::now();
            let out = bench.outcomes.as_mut().split_at(batch.len()).0;
            if self.run_split(&split, bench.tables, bench.plan, &batch, out).is_err() {
                return;
            }
            best = best.min(begin.elapsed().as_nanos() as f64);
        }
        self.learn_overlap(best / split.nanos, 1.0);
    }
}

impl Bench<'_> {
    fn measure(
        &mut self,
        seat: usize,
        all: &PathBuffer,
        short: &PathBuffer,
        long: &PathBuffer,
    ) -> Result<Measured, EngineError> {
        // The first batch opens the device and brings the tables there.
        self.time_once(seat, all, 0, 1)?;
        let mut points = Vec::new();
        for n_paths in SIZES {
            let nanos = self.time(seat, all, n_paths)?;
            points.push((n_paths as f64, nanos));
            if nanos > TOO_LONG.as_nanos() as f64 {
                break;
            }
        }
        let extra_bytes = (long.n_bytes() - short.n_bytes()) as f64;
        let extra_nanos = self.time(seat, long, long.len())? - self.time(seat, short, short.len())?;
        let most = points.last().map_or(0.0, |(n, nanos)| nanos / n) / 16.0;
        let per_byte = if extra_bytes > 0.0 { (extra_nanos / extra_bytes).clamp(0.0, most) } else { 0.0 };
        Ok(Measured { points, mean_bytes: all.n_bytes() as f64 / all.len() as f64, per_byte })
    }

    /// The median time of batches of a size, from all over the sample.
    fn time(&mut self, seat: usize, paths: &PathBuffer, n_paths: usize) -> Result<f64, EngineError> {
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.len() < TRIES.start || (times.len() < TRIES.end && begin.elapsed() < TIME) {
            let first = times.len() * n_paths % (paths.len() - n_paths + 1);
            times.push(self.time_once(seat, paths, first, n_paths)?);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    fn time_once(
        &mut self,
        seat: usize,
        paths: &PathBuffer,
        first: usize,
        n_paths: usize,
    ) -> Result<f64, EngineError> {
        let batch = paths.as_batch().slice(first..first + n_paths);
        let out = self.outcomes.as_mut().split_at(n_paths).0;
        let begin = Instant::now();
        self.router.seats[seat].load().run(self.tables, self.plan, &batch, out)?;
        Ok(begin.elapsed().as_nanos() as f64)
    }
}
