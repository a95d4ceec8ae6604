//! The resident mode on a GPU: callers side by side, idle ends, changes of the index, drops and panics while busy.

use anyhow::{Result, bail, ensure};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use warpath_core::{Engine, FileType, Index, Options, Outcomes, ROOT};
use warpath_engine_cuda::{CudaEngine, CudaOptions, ResidentStats};
use warpath_workload::{Mix, PathSet, Synthetic};

const N_PATHS: usize = 1 << 16;

/// Checks all of it; each step says what it saw.
pub fn check() -> Result<()> {
    let (namespace, tree) = Synthetic::new(18, 7).build();
    let index = RwLock::new(Index::build(namespace)?);
    let set = PathSet::draw(&tree, &Mix { missing: 0.1, ..Mix::default() }, N_PATHS, 11)?;
    for n_callers in [1, 4, 16] {
        callers(&index, &set, n_callers)?;
    }
    large_beside_small(&index, &set)?;
    idle(&index, &set)?;
    changes(&index, &set)?;
    ends(&index, &set)
}

fn engine(idle: Duration) -> Result<CudaEngine> {
    let engine = CudaEngine::with_options(&CudaOptions { resident: Some(idle), ..CudaOptions::default() })?;
    stats(&engine)?;
    Ok(engine)
}

fn stats(engine: &CudaEngine) -> Result<ResidentStats> {
    match engine.resident_stats() {
        Some(ResidentStats { refused: Some(reason), .. }) => bail!("refused: {reason}"),
        Some(stats) => Ok(stats),
        None => bail!("no resident mode"),
    }
}

/// Asks for `n` paths from `first` on and checks the answers.
fn ask(engine: &CudaEngine, index: &Index, set: &PathSet, first: usize, n: usize) -> Result<()> {
    let first = first % (set.len() - n);
    let plan = index.plan(&Options::default())?;
    let mut outcomes = Outcomes::with_len(n);
    engine.resolve(index.tables(), &plan, &set.batch().slice(first..first + n), outcomes.as_mut())?;
    for i in 0..n {
        ensure!(
            outcomes.get(i) == set.expected().get(first + i),
            "path {}: {:?} instead of {:?}",
            first + i,
            outcomes.get(i),
            set.expected().get(first + i)
        );
    }
    Ok(())
}

fn callers(index: &RwLock<Index>, set: &PathSet, n_callers: usize) -> Result<()> {
    const ROUNDS: usize = 3000;
    let engine = engine(CudaOptions::RESIDENT_IDLE)?;
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..n_callers)
            .map(|caller| {
                let engine = &engine;
                scope.spawn(move || -> Result<()> {
                    let index = index.read().expect("no caller panics");
                    (0..ROUNDS).try_for_each(|round| {
                        let n = [1, 7, 100, 33, 256, 2, 1000][(round + caller) % 7];
                        ask(engine, &index, set, (round * 31 + caller) * 977, n)
                    })
                })
            })
            .collect();
        asking.into_iter().try_for_each(|caller| caller.join().expect("a caller has panicked"))
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let stats = stats(&engine)?;
    ensure!(stats.requests == (n_callers * ROUNDS) as u64, "{stats:?}");
    println!(
        "{n_callers} callers: {:.0} batches/s of 200 paths on average, {stats:?}",
        (n_callers * ROUNDS) as f64 / seconds
    );
    Ok(())
}

/// Small batches are answered while large ones run.
fn large_beside_small(index: &RwLock<Index>, set: &PathSet) -> Result<()> {
    let engine = engine(CudaOptions::RESIDENT_IDLE)?;
    let index = index.read().expect("no caller panics");
    let done = AtomicBool::new(false);
    let mut small = 0;
    std::thread::scope(|scope| -> Result<()> {
        let large = scope.spawn(|| -> Result<()> {
            let result = (0..40).try_for_each(|_| ask(&engine, &index, set, 0, set.len() - 1));
            done.store(true, Ordering::Relaxed);
            result
        });
        while !done.load(Ordering::Relaxed) {
            ask(&engine, &index, set, small * 100, 100)?;
            small += 1;
        }
        large.join().expect("a caller has panicked")
    })?;
    println!("{small} batches of 100 beside 40 of {N_PATHS}: {:?}", stats(&engine)?);
    Ok(())
}

/// A kernel that ends for want of batches, and the next one.
fn idle(index: &RwLock<Index>, set: &PathSet) -> Result<()> {
    let engine = engine(Duration::from_millis(2))?;
    let index = index.read().expect("no caller panics");
    let mut first = Duration::ZERO;
    for round in 0..50 {
        std::thread::sleep(Duration::from_millis(6));
        let begin = Instant::now();
        ask(&engine, &index, set, round * 100, 100)?;
        first += begin.elapsed();
        ask(&engine, &index, set, round * 100 + 50, 100)?;
    }
    let stats = stats(&engine)?;
    ensure!(stats.idle_ends >= 45, "the kernel did not end: {stats:?}");
    println!("after an idle end: {:.1} us with the launch, {stats:?}", first.as_secs_f64() / 50.0 * 1e6);
    // And pauses of about the time that it stays, where it goes while a batch comes.
    let engine = self::engine(Duration::from_micros(30))?;
    for round in 0..20_000 {
        ask(&engine, &index, set, round * 3, 3)?;
        let until = Instant::now() + Duration::from_nanos(20_000 + (round as u64 * 7919) % 20_000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }
    println!("pauses of about the time that it stays: {:?}", self::stats(&engine)?);
    Ok(())
}

/// Changes of the index between batches, each of which must see its own version.
fn changes(index: &RwLock<Index>, set: &PathSet) -> Result<()> {
    const ROUNDS: usize = 300;
    let engine = engine(CudaOptions::RESIDENT_IDLE)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let asking: Vec<_> = (0..3)
            .map(|caller| {
                let (engine, done) = (&engine, &done);
                scope.spawn(move || -> Result<()> {
                    let mut round = caller;
                    while !done.load(Ordering::Relaxed) {
                        ask(engine, &index.read().expect("no caller panics"), set, round * 100, 50)?;
                        round += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        let changed = (0..ROUNDS).try_for_each(|round| -> Result<()> {
            let name = format!("new-{round}");
            let inode = index.write().expect("no caller panics").add_file(ROOT, &name, FileType::Regular)?;
            let index = index.read().expect("no caller panics");
            let path = format!("/{name}");
            let found =
                index.resolve(&engine, &warpath_core::PathBatch::from_strs(&[&path]), &Options::default())?;
            ensure!(found.get(0) == Ok(inode), "{path}: {:?}", found.get(0));
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        asking.into_iter().try_for_each(|caller| caller.join().expect("a caller has panicked"))?;
        changed
    })?;
    println!("{ROUNDS} changes under 3 callers: {:?}", stats(&engine)?);
    Ok(())
}

/// Engines that are dropped with the kernel at work, by a panic too.
fn ends(index: &RwLock<Index>, set: &PathSet) -> Result<()> {
    let index = index.read().expect("no caller panics");
    let mut longest = Duration::ZERO;
    for round in 0..5 {
        let engine = engine(Duration::from_secs(5))?;
        ask(&engine, &index, set, round, 100)?;
        let begin = Instant::now();
        drop(engine);
        longest = longest.max(begin.elapsed());
    }
    ensure!(longest < Duration::from_secs(1), "a drop took {longest:?}");
    let begin = Instant::now();
    let panicked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let engine = engine(Duration::from_secs(5)).expect("an engine");
                ask(&engine, &index, set, 1, 100).expect("answers");
                panic!("on purpose");
            })
            .join()
    });
    ensure!(panicked.is_err());
    ensure!(begin.elapsed() < Duration::from_secs(4), "a panic took {:?}", begin.elapsed());
    println!(
        "5 drops while the kernel stayed: {longest:?} at most; a panic: {:?} with making the engine",
        begin.elapsed()
    );
    Ok(())
}
