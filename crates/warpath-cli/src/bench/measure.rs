//! One engine, one kind of paths, one batch size: rate and latency, with every answer checked.

use super::tree::Tree;
use anyhow::{Result, bail};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};
use warpath_core::{Engine, Options, Outcomes, PathBatch};
use warpath_workload::stopwatch::percentile;
use warpath_workload::{Mix, PathSet};

/// Batches of a point, whatever its time.
const MIN_BATCHES: usize = 5;
const MAX_BATCHES: usize = 20_000;

/// Paths of a set beyond the largest batch, so that small batches do not ask the same again and again.
const SET_PATHS: usize = 1 << 20;

/// What a path moves in memory beside its text: its offset, a cache line of the table, its answer.
const IN_MEMORY_BESIDE_TEXT: f64 = (size_of::<u32>() + 64 + 5) as f64;

/// What a path moves to a device beside its text: its offset.
const TO_DEVICE_BESIDE_TEXT: f64 = size_of::<u32>() as f64;

/// Bytes that are copied to measure the memory.
const COPY_BYTES: usize = 256 << 20;

/// What is asked of an engine.
pub struct Case {
    pub name: String,
    pub batch: usize,
    mix: Mix,
    options: Options,
}

impl Case {
    pub fn new(name: impl Into<String>, batch: usize, mix: Mix, options: Options) -> Case {
        Case { name: name.into(), batch, mix, options }
    }
}

/// An engine, and the copy rate that bounds it.
pub struct Measurable {
    pub name: String,
    pub engine: Box<dyn Engine>,
    pub limit: Limit,
}

/// A copy rate of this run, and what a path moves at it beside its text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    pub bytes_per_s: f64,
    /// Whether it is the copy from the host to a device, and not the memory's.
    pub is_to_device: bool,
}

impl Limit {
    /// Of what runs on this machine's processors.
    pub fn of_memory(bytes_per_s: f64) -> Limit {
        Limit { bytes_per_s, is_to_device: false }
    }

    /// Of what takes paths to a device.
    pub fn of_copy_to_device(bytes_per_s: f64) -> Limit {
        Limit { bytes_per_s, is_to_device: true }
    }

    /// For people.
    pub fn name(&self) -> &'static str {
        if self.is_to_device { "copy to the device" } else { "memory copy, read and written" }
    }

    fn bytes_per_path(&self, mean_length: f64) -> f64 {
        mean_length + if self.is_to_device { TO_DEVICE_BESIDE_TEXT } else { IN_MEMORY_BESIDE_TEXT }
    }
}

/// A figure with all that belongs to it.
pub struct Point {
    pub engine: String,
    pub case: String,
    pub batch: usize,
    /// By the median batch.
    pub paths_per_s: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub batches: usize,
    /// What a mean path moves at the engine's limit.
    pub bytes_per_path: f64,
    /// The share of the limit that this is.
    pub share_of_limit: f64,
}

/// One call a path against one call for all.
pub struct SingleAgainstBatch {
    pub engine: String,
    pub n_paths: usize,
    pub singles: Duration,
    pub batch: Duration,
}

/// All figures of a run.
pub struct Measurements {
    pub points: Vec<Point>,
    pub singles: Vec<SingleAgainstBatch>,
    random: PathSet,
}

/// What the reports tell.
pub struct Measured {
    pub tree: String,
    pub engines: Vec<MeasuredEngine>,
    pub notes: Vec<String>,
    pub measurements: Measurements,
}

/// An engine in the reports.
pub struct MeasuredEngine {
    pub name: String,
    pub device: String,
    pub limit: Limit,
}

impl Measurements {
    pub fn new(tree: &Tree, max_batch: usize) -> Result<Measurements> {
        let n_paths = (2 * max_batch).clamp(max_batch, max_batch.max(SET_PATHS));
        let random = PathSet::draw(&*tree.paths, &Mix::default(), n_paths, 1)?;
        Ok(Measurements { points: vec![], singles: vec![], random })
    }

    /// Measures a case until the time is over.
    pub fn measure(
        &mut self,
        tree: &Tree,
        measurable: &Measurable,
        case: &Case,
        budget: Duration,
    ) -> Result<()> {
        let Measurable { name, engine, limit } = measurable;
        let own;
        let set = if case.mix == Mix::default() {
            &self.random
        } else {
            own = tree.draw(&case.mix, case.batch.max(1) * 2)?;
            &own
        };
        let plan = tree.index.plan(&case.options)?;
        let mut outcomes = Outcomes::with_len(case.batch);
        let mut times = Vec::new();
        let mut first = 0;
        // Once: it looks at every offset, and would leave the caches full of them.
        let all = set.batch();
        let begin = Instant::now();
        // The first batch warms up: it may upload an index.
        while times.len() <= MIN_BATCHES || begin.elapsed() < budget && times.len() < MAX_BATCHES {
            let window = first..first + case.batch;
            let batch = all.slice(window.clone());
            let start = Instant::now();
            engine.resolve(tree.index.tables(), &plan, &batch, outcomes.as_mut())?;
            times.push(start.elapsed());
            check(name, set, window, &outcomes)?;
            first = if first + 2 * case.batch <= set.len() { first + case.batch } else { 0 };
        }
        let times = &times[1..];
        let p50 = percentile(times.iter().copied(), 0.5);
        let paths_per_s = case.batch as f64 / p50.as_secs_f64();
        let bytes_per_path = limit.bytes_per_path(set.mean_length());
        self.points.push(Point {
            engine: name.clone(),
            case: case.name.clone(),
            batch: case.batch,
            paths_per_s,
            p50,
            p99: percentile(times.iter().copied(), 0.99),
            batches: times.len(),
            bytes_per_path,
            share_of_limit: paths_per_s * bytes_per_path / limit.bytes_per_s,
        });
        Ok(())
    }

    /// The first description's benchmark: as many single calls as there are paths, against one batch of them.
    pub fn measure_single_against_batch(
        &mut self,
        tree: &Tree,
        Measurable { name, engine, .. }: &Measurable,
        n_paths: usize,
        budget: Duration,
    ) -> Result<()> {
        let plan = tree.index.plan(&Options::default())?;
        let batch = self.random.batch().slice(0..n_paths);
        let mut outcomes = Outcomes::with_len(n_paths);
        let (mut single_times, mut batch_times) = (vec![], vec![]);
        let begin = Instant::now();
        while batch_times.len() <= MIN_BATCHES || begin.elapsed() < budget && batch_times.len() < MAX_BATCHES
        {
            let start = Instant::now();
            for i in 0..n_paths {
                let mut one = outcomes.as_mut().split_at(i).1.split_at(1).0;
                let path = PathBatch::slice(&batch, i..i + 1);
                engine.resolve(tree.index.tables(), &plan, &path, one.reborrow())?;
            }
            single_times.push(start.elapsed());
            check(name, &self.random, 0..n_paths, &outcomes)?;
            let start = Instant::now();
            engine.resolve(tree.index.tables(), &plan, &batch, outcomes.as_mut())?;
            batch_times.push(start.elapsed());
            check(name, &self.random, 0..n_paths, &outcomes)?;
        }
        self.singles.push(SingleAgainstBatch {
            engine: name.clone(),
            n_paths,
            singles: percentile(single_times.into_iter(), 0.5),
            batch: percentile(batch_times.into_iter(), 0.5),
        });
        Ok(())
    }

    /// The points of an engine over batch sizes.
    pub fn over_batches<'m>(&'m self, engine: &'m str) -> impl Iterator<Item = &'m Point> {
        self.points.iter().filter(move |point| point.engine == engine && point.case == "random")
    }

    /// Batch sizes from which on another engine is the fastest, with its name.
    pub fn crossovers(&self) -> Vec<(usize, &str)> {
        let mut fastest: Vec<&Point> = Vec::new();
        for point in self.points.iter().filter(|point| point.case == "random") {
            match fastest.iter_mut().find(|best| best.batch == point.batch) {
                Some(best) if best.paths_per_s < point.paths_per_s => *best = point,
                Some(_) => {}
                None => fastest.push(point),
            }
        }
        fastest.sort_by_key(|point| point.batch);
        fastest.dedup_by_key(|point| &point.engine);
        fastest.iter().map(|point| (point.batch, &*point.engine)).collect()
    }
}

/// Ends the run at the first wrong answer.
fn check(engine: &str, set: &PathSet, window: std::ops::Range<usize>, outcomes: &Outcomes) -> Result<()> {
    let expected = set.expected();
    if outcomes.inodes() == &expected.inodes()[window.clone()]
        && outcomes.statuses() == &expected.statuses()[window.clone()]
    {
        return Ok(());
    }
    for (i, answer) in outcomes.iter().enumerate() {
        let right = expected.get(window.start + i);
        if answer != right {
            let path = String::from_utf8_lossy(set.batch().get(window.start + i)).into_owned();
            bail!("engine {engine} gave a wrong answer for {path}: {answer:?} instead of {right:?}");
        }
    }
    bail!("engine {engine} gave an inode with an error")
}

/// What all threads copy, read and written, by the best of some rounds.
pub fn copy_rate() -> f64 {
    let from = vec![1_u8; COPY_BYTES];
    let mut to = vec![0_u8; COPY_BYTES];
    let piece = COPY_BYTES / rayon::current_num_threads().max(1);
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            to.par_chunks_mut(piece)
                .zip(from.par_chunks(piece))
                .for_each(|(to, from)| to.copy_from_slice(from));
            black_box(&to);
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    2.0 * COPY_BYTES as f64 / best.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::{EngineError, EngineInfo, OutcomesMut, Plan, Tables};
    use warpath_engine_cpu::CpuEngine;

    /// Answers as the CPU does, but for one path of a batch.
    struct Wrong(fn(&mut OutcomesMut<'_>));

    impl Engine for Wrong {
        fn info(&self) -> EngineInfo {
            EngineInfo { name: "wrong", device: "none".to_owned() }
        }

        fn resolve(
            &self,
            tables: &Tables,
            plan: &Plan,
            batch: &PathBatch<'_>,
            mut out: OutcomesMut<'_>,
        ) -> Result<(), EngineError> {
            CpuEngine::new().resolve(tables, plan, batch, out.reborrow())?;
            (self.0)(&mut out);
            Ok(())
        }
    }

    fn run(spoil: fn(&mut OutcomesMut<'_>)) -> [Result<()>; 2] {
        let tree = Tree::synthetic(8).unwrap();
        let limit = Limit::of_memory(1e9);
        let measurable = Measurable { name: "wrong".to_owned(), engine: Box::new(Wrong(spoil)), limit };
        let mut measurements = Measurements::new(&tree, 100).unwrap();
        let case = Case::new("random", 100, Mix::default(), Options::default());
        [
            measurements.measure(&tree, &measurable, &case, Duration::ZERO),
            measurements.measure_single_against_batch(&tree, &measurable, 100, Duration::ZERO),
        ]
    }

    #[test]
    fn a_wrong_answer_ends_the_run() {
        assert!(run(|_| ()).iter().all(Result::is_ok));
        let wrong_inode: fn(&mut OutcomesMut<'_>) = |out| *out.inodes.last_mut().unwrap() ^= 1;
        let wrong_status: fn(&mut OutcomesMut<'_>) = |out| *out.statuses.last_mut().unwrap() = 1;
        for spoil in [wrong_inode, wrong_status] {
            for result in run(spoil) {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("engine wrong gave"), "{error}");
            }
        }
    }
}
