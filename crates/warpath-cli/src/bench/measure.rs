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
const BYTES_BESIDE_TEXT: f64 = (size_of::<u32>() + 64 + 5) as f64;

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
    /// Text, offset, cache line and answer of a mean path.
    pub bytes_per_path: f64,
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
    /// Bytes a second that all threads read and write together when they copy memory.
    pub copy_bytes_per_s: f64,
    random: PathSet,
}

/// What the reports tell.
pub struct Measured {
    pub tree: String,
    /// Name and device.
    pub engines: Vec<(String, String)>,
    pub notes: Vec<String>,
    pub measurements: Measurements,
}

impl Measurements {
    pub fn new(tree: &Tree, max_batch: usize) -> Result<Measurements> {
        let n_paths = (2 * max_batch).clamp(max_batch, max_batch.max(SET_PATHS));
        let random = PathSet::draw(&*tree.paths, &Mix::default(), n_paths, 1)?;
        Ok(Measurements { points: vec![], singles: vec![], copy_bytes_per_s: copy_rate(), random })
    }

    /// Measures a case until the time is over.
    pub fn measure(
        &mut self,
        tree: &Tree,
        name: &str,
        engine: &dyn Engine,
        case: &Case,
        budget: Duration,
    ) -> Result<()> {
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
        let begin = Instant::now();
        // The first batch warms up: it may upload an index.
        while times.len() <= MIN_BATCHES || begin.elapsed() < budget && times.len() < MAX_BATCHES {
            let window = first..first + case.batch;
            let batch = set.batch().slice(window.clone());
            let start = Instant::now();
            engine.resolve(tree.index.tables(), &plan, &batch, outcomes.as_mut())?;
            times.push(start.elapsed());
            check(name, set, window, &outcomes)?;
            first = if first + 2 * case.batch <= set.len() { first + case.batch } else { 0 };
        }
        let times = &times[1..];
        let p50 = percentile(times.iter().copied(), 0.5);
        self.points.push(Point {
            engine: name.to_owned(),
            case: case.name.clone(),
            batch: case.batch,
            paths_per_s: case.batch as f64 / p50.as_secs_f64(),
            p50,
            p99: percentile(times.iter().copied(), 0.99),
            batches: times.len(),
            bytes_per_path: set.mean_length() + BYTES_BESIDE_TEXT,
        });
        Ok(())
    }

    /// The first description's benchmark: as many single calls as there are paths, against one batch of them.
    pub fn measure_single_against_batch(
        &mut self,
        tree: &Tree,
        name: &str,
        engine: &dyn Engine,
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
            engine: name.to_owned(),
            n_paths,
            singles: percentile(single_times.into_iter(), 0.5),
            batch: percentile(batch_times.into_iter(), 0.5),
        });
        Ok(())
    }

    /// The share of the copy rate that a point's traffic is.
    pub fn share_of_memory(&self, point: &Point) -> f64 {
        point.paths_per_s * point.bytes_per_path / self.copy_bytes_per_s
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
fn copy_rate() -> f64 {
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
