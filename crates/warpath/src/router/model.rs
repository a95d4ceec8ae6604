//! What a batch costs on an engine: measured at a few sizes, corrected by what is seen.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Batch sizes come in classes, a power of two each.
const CLASSES: usize = 40;

/// How far one observation moves the correction of its class.
const LEARNING: f32 = 0.1;

/// One observation counts for no more than this factor: an interrupted thread is no slow engine.
const MOST_SURPRISE: f32 = 4.0;

/// What was measured of an engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Paths and nanoseconds of batches of growing size, one at least.
    pub points: Vec<(f64, f64)>,
    /// Bytes of a path in those batches.
    pub mean_bytes: f64,
    /// Nanoseconds that a byte more costs.
    pub per_byte: f64,
}

/// Cost of an engine as a line, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostLine {
    /// What a batch costs, however small.
    pub fixed: Duration,
    /// Nanoseconds for each path of the usual length.
    pub nanos_per_path: f64,
    /// Nanoseconds for each byte above or below that.
    pub nanos_per_byte: f64,
}

/// The cost of batches on an engine.
#[derive(Debug)]
pub(super) struct Model {
    measured: ArcSwapOption<Measured>,
    /// Seen over expected, by class, as bits of an `f32`.
    corrections: [AtomicU32; CLASSES],
}

impl Default for Model {
    fn default() -> Model {
        let one = || AtomicU32::new(1f32.to_bits());
        Model { measured: ArcSwapOption::empty(), corrections: std::array::from_fn(|_| one()) }
    }
}

impl Measured {
    /// Nanoseconds for a batch: on the lines between the measured sizes, and beyond the last as between the last two.
    fn nanos(&self, n_paths: f64, n_bytes: f64) -> f64 {
        let Some(&(first_n, first_t)) = self.points.first() else { return 0.0 };
        let segment =
            self.points.windows(2).find(|pair| n_paths <= pair[1].0).or(self.points.windows(2).last());
        let time = match segment {
            Some(&[(n0, t0), (n1, t1)]) if n_paths > first_n => {
                t0 + (t1 - t0).max(0.0) * (n_paths - n0) / (n1 - n0)
            }
            _ => first_t,
        };
        let extra_bytes = n_bytes - n_paths * self.mean_bytes;
        (time + extra_bytes * self.per_byte).max(time / 4.0)
    }

    fn line(&self) -> CostLine {
        let (first, last) = (self.points.first().copied(), self.points.last().copied());
        let ((n0, t0), (n1, t1)) = (first.unwrap_or((1.0, 0.0)), last.unwrap_or((1.0, 0.0)));
        let nanos_per_path = if n1 > n0 { ((t1 - t0) / (n1 - n0)).max(0.0) } else { t0 };
        let fixed = Duration::from_nanos((t0 - n0 * nanos_per_path).max(0.0) as u64);
        CostLine { fixed, nanos_per_path, nanos_per_byte: self.per_byte }
    }
}

impl Model {
    pub fn set(&self, measured: Measured) {
        self.measured.store(Some(Arc::new(measured)));
        for correction in &self.corrections {
            correction.store(1f32.to_bits(), Ordering::Relaxed);
        }
    }

    pub fn line(&self) -> Option<CostLine> {
        self.measured.load().as_ref().map(|measured| measured.line())
    }

    /// Nanoseconds that a batch is expected to take; `None` before anything was measured. Without `n_bytes`, for paths of the usual
    /// length.
    pub fn nanos(&self, n_paths: usize, n_bytes: Option<usize>) -> Option<f64> {
        let measured = self.measured.load();
        let measured = measured.as_ref()?;
        let n_bytes = n_bytes.map_or(n_paths as f64 * measured.mean_bytes, |n_bytes| n_bytes as f64);
        Some(measured.nanos(n_paths as f64, n_bytes) * f64::from(self.correction(n_paths)))
    }

    /// Learns that a batch took so long.
    pub fn learn(&self, n_paths: usize, n_bytes: Option<usize>, seen: Duration) {
        let Some(expected) = self.nanos(n_paths, n_bytes).filter(|nanos| *nanos > 0.0) else { return };
        let surprise = (seen.as_nanos() as f64 / expected) as f32;
        let surprise = surprise.clamp(1.0 / MOST_SURPRISE, MOST_SURPRISE);
        let correction = self.correction(n_paths) * surprise.powf(LEARNING);
        self.corrections[class(n_paths)].store(correction.clamp(0.05, 20.0).to_bits(), Ordering::Relaxed);
    }

    /// Forgets a little of what was learnt, so that an engine that was slow once is tried again some day.
    pub fn forget_some(&self) {
        for correction in &self.corrections {
            let value = f32::from_bits(correction.load(Ordering::Relaxed)).powf(0.9);
            correction.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    fn correction(&self, n_paths: usize) -> f32 {
        f32::from_bits(self.corrections[class(n_paths)].load(Ordering::Relaxed))
    }
}

/// The class of a batch size.
pub(super) fn class(n_paths: usize) -> usize {
    (usize::BITS - n_paths.leading_zeros()).min(CLASSES as u32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            points: vec![(1.0, 100.0), (10.0, 190.0), (1000.0, 5140.0)],
            mean_bytes: 50.0,
            per_byte: 0.1,
        }
    }

    #[test]
    fn cost_lies_on_the_lines_between_what_was_measured() {
        let cost = |n: f64| measured().nanos(n, n * 50.0);
        assert_eq!((cost(1.0), cost(10.0), cost(1000.0)), (100.0, 190.0, 5140.0));
        assert_eq!((cost(4.0), cost(505.0), cost(2000.0)), (130.0, 2665.0, 10140.0));
        assert_eq!(measured().nanos(10.0, 600.0), 200.0);
        assert_eq!(Measured { points: vec![(1.0, 7.0)], ..Measured::default() }.nanos(100.0, 0.0), 7.0);
    }

    #[test]
    fn the_model_learns_and_is_not_thrown_by_one_outlier() {
        let model = Model::default();
        assert_eq!(model.nanos(10, None), None);
        model.set(measured());
        model.learn(10, None, Duration::from_secs(1));
        assert!(model.nanos(10, None).unwrap() < 230.0);
        for _ in 0..200 {
            model.learn(10, None, Duration::from_nanos(380));
        }
        assert!((model.nanos(10, None).unwrap() - 380.0).abs() < 10.0);
        assert_eq!(model.nanos(1000, None), Some(5140.0), "another class has not changed");
        for _ in 0..100 {
            model.forget_some();
        }
        assert!((model.nanos(10, None).unwrap() - 190.0).abs() < 1.0);
    }
}
