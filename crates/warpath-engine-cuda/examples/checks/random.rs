//! Random cases against the reference: all threads make trees, paths and right answers, and each batch goes through every variant.

use crate::variants::{VARIANTS, Variant, make};
use anyhow::{Result, anyhow, ensure};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use warpath_conformance::check::all_modes;
use warpath_conformance::generate::{self, Knobs, Paths};
use warpath_conformance::text::escape;
use warpath_core::batch::PathBuffer;
use warpath_core::{Engine, Index, Options, Outcome, Outcomes, reference};

/// Batches of a tree and paths of each.
const SIZES: [usize; 10] = [2000, 512, 1, 700, 4000, 33, 1500, 1024, 300, 2500];
/// One tree in so many gets a single batch, so large that every warp goes round several times.
const LARGE_ONE_IN: u64 = 128;
const LARGE: usize = 300_000;

/// A batch, how it is resolved, and the right answers.
pub struct Asked {
    options: Options,
    batch: PathBuffer,
    right: Vec<Outcome>,
}

/// A random tree's index and what is asked of it.
pub struct Case {
    seed: u64,
    index: Index,
    asked: Vec<Asked>,
}

impl Case {
    /// The case of this seed, with batches of these sizes.
    pub fn new(seed: u64, sizes: &[usize]) -> Result<Case> {
        let tree = generate::tree(seed, Knobs { partial: seed.is_multiple_of(3), large: true });
        let planted = tree.plant()?;
        let index = Index::build(planted.namespace)?;
        let modes: Vec<Options> = all_modes().collect();
        let mut paths = Paths::new(&tree, seed);
        let mut path = Vec::new();
        let mut asked = Vec::new();
        for (round, &size) in sizes.iter().enumerate() {
            let start = paths.start();
            // The plain mode every other time.
            let mode = if round % 2 == 0 { 0 } else { (seed as usize + round * 5) % modes.len() };
            let options = modes[mode].start(planted.inodes[start]);
            let mut batch = PathBuffer::new();
            let mut right = Vec::with_capacity(size);
            for _ in 0..size {
                paths.next(start, &mut path);
                right.push(reference::resolve(index.namespace(), &path, &options));
                batch.push(&path);
            }
            asked.push(Asked { options, batch, right });
        }
        Ok(Case { seed, index, asked })
    }

    /// Asks an engine everything; the number of paths asked.
    pub fn ask(&self, engine: &dyn Engine, variant: Variant) -> Result<u64> {
        let mut n_asked = 0;
        for Asked { options, batch, right } in &self.asked {
            let outcomes: Outcomes = self.index.resolve(engine, &batch.as_batch(), options)?;
            n_asked += right.len() as u64;
            if let Some(i) = (0..right.len()).find(|&i| outcomes.get(i) != right[i]) {
                let path = escape(batch.as_batch().get(i), b"");
                return Err(anyhow!(
                    "{variant:?}, seed {}, path {i} of {}: r\"{path}\" gives {:?} instead of {:?}, {options:?}",
                    self.seed,
                    right.len(),
                    outcomes.get(i),
                    right[i]
                ));
            }
        }
        Ok(n_asked)
    }
}

/// Whether the variant's kernel stays on the device: whoever frees memory waits for it, a second at most.
pub fn stays(variant: Variant) -> bool {
    matches!(variant, Variant::Resident | Variant::Restless)
}

/// Asks `n_cases` random cases, each of every variant; before that a hundredth of those whose kernel stays, one after the other. Fails when
/// the time is up before.
pub fn run(n_cases: u64, limit: Duration) -> Result<()> {
    let begin = Instant::now();
    let left = || limit.saturating_sub(begin.elapsed());
    let (staying, others): (Vec<Variant>, Vec<Variant>) = VARIANTS.iter().partition(|&&v| stays(v));
    staying.into_iter().try_for_each(|variant| run_on(&[variant], n_cases / 100, left()))?;
    run_on(&others, n_cases, left())
}

fn run_on(variants: &[Variant], n_cases: u64, limit: Duration) -> Result<()> {
    let begin = Instant::now();
    let engines: Vec<(Variant, Mutex<Box<dyn Engine>>)> =
        variants.iter().map(|&v| Ok((v, Mutex::new(make(v)?)))).collect::<Result<_>>()?;
    let (next, n_done, n_asked) = (AtomicU64::new(1), AtomicU64::new(0), AtomicU64::new(0));
    let failed = AtomicBool::new(false);
    let work = || -> Result<()> {
        while n_done.load(Relaxed) < n_cases && !failed.load(Relaxed) && begin.elapsed() < limit {
            let seed = next.fetch_add(1, Relaxed);
            let large = seed.is_multiple_of(LARGE_ONE_IN);
            let case = Case::new(seed, if large { &[LARGE] } else { &SIZES })?;
            // Each thread begins with another engine.
            for turn in 0..engines.len() {
                let (variant, engine) = &engines[(turn + seed as usize) % engines.len()];
                let engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
                let asked =
                    case.ask(engine.as_ref(), *variant).inspect_err(|_| failed.store(true, Relaxed))?;
                n_asked.fetch_add(asked, Relaxed);
            }
            n_done.fetch_add(case.asked.iter().map(|asked| asked.right.len() as u64).sum(), Relaxed);
        }
        Ok(())
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked"))))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Result<Vec<()>>>()
    })?;
    let (n_done, n_asked) = (n_done.into_inner(), n_asked.into_inner());
    ensure!(n_asked == n_done * engines.len() as u64, "some were not asked");
    println!(
        "{n_done} random cases on {} trees are answered as by the reference, each through {variants:?}, in {:.1} s",
        next.into_inner() - 1,
        begin.elapsed().as_secs_f64()
    );
    ensure!(n_done >= n_cases, "{n_cases} were wanted");
    Ok(())
}
