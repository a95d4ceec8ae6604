//! Checks and measures the engine on a machine with a GPU: `cuda-device suite|random|hostile|sanitize|resident|latency|bench|host|profile`.
//!
//! `scripts/device-cuda.sh` runs it all; its output is recorded under `bench/record/`.

#![allow(clippy::print_stdout, reason = "a program's output")]

mod checks;
#[path = "../tests/hostile/mod.rs"]
mod hostile;
#[path = "cuda-device/resident.rs"]
mod resident_mode;
#[path = "../tests/variants/mod.rs"]
mod variants;

use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use variants::{VARIANTS, Variant, make};
use warpath_conformance::suite::{Config, run_suite};
use warpath_core::{Engine, Index, Options, Outcomes, OutcomesMut, PathBatch};
use warpath_engine_cuda::{CudaEngine, CudaOptions, HostBuffer, Transfer, gpus};
use warpath_workload::{Mix, Order, PathSet, Synthetic, add_links};

/// Rounds of each measurement.
const ROUNDS: usize = 11;
/// Paths of a large batch.
const N_PATHS: usize = 1 << 24;

fn main() -> Result<()> {
    for gpu in gpus()? {
        println!("# {gpu:?}");
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((command, rest)) if command == "suite" => suite(rest),
        Some((command, rest)) if command == "random" => random(rest),
        Some((command, rest)) if command == "hostile" => checks::sanitize::run_hostile(number(rest, 300)?),
        Some((command, rest)) if command == "sanitize" => {
            checks::sanitize::run(number(rest, 5)?, rest.len() > 1)
        }
        Some((command, rest)) if command == "profile" => profile(number(rest, 24)? as u32),
        Some((command, rest)) if command == "bench" => rest.iter().try_for_each(|k| bench(k.parse()?, true)),
        Some((command, rest)) if command == "host" => rest.iter().try_for_each(|k| bench(k.parse()?, false)),
        Some((command, _)) if command == "resident" => resident_mode::check(),
        Some((command, _)) if command == "latency" => latency(),
        Some((command, _)) if command == "gpus" => split_over_all(),
        _ => bail!(
            "usage: cuda-device suite [N_RANDOM [VARIANT..]] | random [N [SECONDS]] | hostile [N] | sanitize [N_TREES [staying]] | resident | latency | bench K.. | host K.. \
             | profile [K] | gpus"
        ),
    }
}

/// Random cases: how many, and for how many seconds at most.
fn random(args: &[String]) -> Result<()> {
    let limit = args.get(1).map_or(Ok(600), |n| n.parse())?;
    checks::random::run(number(args, 10_000_000)?, Duration::from_secs(limit))
}

fn number(args: &[String], default: u64) -> Result<u64> {
    Ok(args.first().map_or(Ok(default), |n| n.parse())?)
}

/// The whole suite through every variant, or those named.
fn suite(args: &[String]) -> Result<()> {
    let n_random = number(args, 100_000)?;
    let named = |variant: &Variant| args.len() < 2 || args[1..].contains(&format!("{variant:?}"));
    for &variant in VARIANTS.iter().filter(|variant| named(variant)) {
        let begin = Instant::now();
        // The random cases in full on two variants, a share on the others.
        let many = matches!(variant, Variant::Default | Variant::Text);
        let config = Config { n_random: if many { n_random } else { n_random / 10 }, ..Config::default() };
        match run_suite(&|| make(variant), &config) {
            Ok(summary) => {
                println!("{variant:?} passes in {:.1} s: {summary}", begin.elapsed().as_secs_f64())
            }
            Err(failure) => bail!("{variant:?}: {failure}"),
        }
    }
    Ok(())
}

/// A measured rate beside its floor.
fn report(k: u32, what: &str, paths_a_second: f64, ceiling: f64) {
    println!(
        "2^{k} | {what:58} | {:9.1} M paths/s | ceiling {:9.1} | {:5.1}%",
        paths_a_second / 1e6,
        ceiling / 1e6,
        100.0 * paths_a_second / ceiling
    );
}

fn check(found: &Outcomes, expected: &Outcomes, what: &str) -> Result<()> {
    for i in 0..expected.len() {
        ensure!(
            found.get(i) == expected.get(i),
            "{what}: path {i}: {:?} instead of {:?}",
            found.get(i),
            expected.get(i)
        );
    }
    Ok(())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Seconds of each round, sorted, after one that is not counted. `prepare` is not timed.
fn timed(rounds: usize, prepare: impl Fn(), mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for _ in 0..=rounds {
        prepare();
        let begin = Instant::now();
        work()?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// Measures everything, or only what goes from host memory to host memory, and the index's upload.
fn bench(k: u32, all: bool) -> Result<()> {
    let begin = Instant::now();
    let (mut namespace, tree) = Synthetic::new(k, 7).build();
    let n_links = add_links(&mut namespace);
    let tree_seconds = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let index = Index::build(namespace)?;
    println!(
        "# 2^{k}: tree of {} entries and {n_links} links in {tree_seconds:.1} s, index of {:.2} GiB in {:.1} s, probe limit {}",
        tree.n_entries(),
        index.tables().memory() as f64 / f64::from(1 << 30),
        begin.elapsed().as_secs_f64(),
        index.tables().params().probe_limit
    );
    let random = PathSet::draw(&tree, &Mix::default(), N_PATHS, 11)?;
    let mixed = match all {
        true => {
            let mix = Mix { missing: 0.5, through_links: 0.1, ..Mix::default() };
            Some(PathSet::draw(&tree, &mix, N_PATHS, 12)?)
        }
        false => None,
    };
    // A file that says when the device is free: what comes before needs none.
    if let Ok(gate) = std::env::var("GATE") {
        while !std::path::Path::new(&gate).exists() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let engine = CudaEngine::new()?;
    let rates = engine.measure_copies(ROUNDS)?;
    println!("# {rates:?}");
    let uploads = timed(ROUNDS, || engine.forget(), || Ok(engine.prepare(index.tables())?))?;
    let rate = |seconds: f64| index.tables().memory() as f64 / seconds / 1e9;
    println!(
        "2^{k} | upload of the index | {:.1} GB/s, {:.1}% of the copy rate; from {:.1} to {:.1}",
        rate(uploads[ROUNDS / 2]),
        100e9 * rate(uploads[ROUNDS / 2]) / rates.to_device,
        rate(uploads[ROUNDS - 1]),
        rate(uploads[0])
    );
    println!("# paths: mean {:.1} bytes, {:.2} components", random.mean_length(), random.mean_components());
    if let Some(mixed) = &mixed {
        let floor = |lines| Floor { k, copy_rate: rates.on_device, lines };
        resident(&engine, &index, &random, "direct", Options::default(), &floor(LINES_OF_A_HIT))?;
        resident(&engine, &index, &random, "walk", Options::default().walk_only(), &floor(LINES_OF_A_HIT))?;
        let what = "half missing, a tenth through links";
        resident(&engine, &index, mixed, what, Options::default(), &floor(LINES_OF_THE_MIX))?;
        few(k, &engine, &index, &random, "launched")?;
        let staying = CudaEngine::with_options(&CudaOptions {
            resident: Some(CudaOptions::RESIDENT_IDLE),
            ..CudaOptions::default()
        })?;
        few(k, &staying, &index, &random, "resident")?;
        drop(staying);
    }
    let whole = rates.to_device / (random.mean_length() + 4.0);
    drop(engine);
    for transfer in [Transfer::Text, Transfer::Both, Transfer::Keys] {
        host_to_host(k, &index, &random, transfer, true, "random", whole)?;
    }
    for transfer in [Transfer::Text, Transfer::Keys, Transfer::Auto] {
        host_to_host(k, &index, &random, transfer, false, "random", whole)?;
    }
    let sorted = PathSet::draw(&tree, &Mix { order: Order::Find, ..Mix::default() }, N_PATHS, 13)?;
    let whole = rates.to_device / (sorted.mean_length() + 4.0);
    for (transfer, pinned) in [
        (Transfer::Auto, true),
        (Transfer::Text, true),
        (Transfer::Keys, true),
        (Transfer::Auto, false),
        (Transfer::Packed, false),
        (Transfer::Keys, false),
    ] {
        host_to_host(k, &index, &sorted, transfer, pinned, "find order", whole)?;
    }
    Ok(())
}

/// Lines of the table that a path reads which exists, at seven tenths full.
const LINES_OF_A_HIT: f64 = 1.19;
/// Lines of the table and records that a path reads on average where half are missing and a tenth lead through links; counted in
/// `docs/notes/cuda.md`.
const LINES_OF_THE_MIX: f64 = 2.94;

/// The least time of a path on the device: its text, offset, answer and lines at the copy rate, or the lines at the rate of random reads, whichever
/// is longer. They do overlap.
struct Floor {
    k: u32,
    copy_rate: f64,
    lines: f64,
}

impl Floor {
    /// Paths a second of paths of so many bytes.
    fn rate(&self, mean_length: f64) -> f64 {
        // Measured: of a table that the second-level cache holds, and of one of 2 GiB and more.
        let (lines_a_second, line) = if self.k <= 20 { (128e9, 0.0) } else { (29e9, 64.0) };
        let bytes = mean_length + 9.0 + self.lines * line;
        1.0 / (bytes / self.copy_rate).max(self.lines / lines_a_second)
    }
}

/// Paths and answers on the device.
fn resident(
    engine: &CudaEngine,
    index: &Index,
    set: &PathSet,
    what: &str,
    options: Options,
    floor: &Floor,
) -> Result<()> {
    let plan = index.plan(&options)?;
    let mut paths = engine.upload_paths(&set.batch())?;
    let seconds = engine.time_uploaded(index.tables(), &plan, &mut paths, ROUNDS + 2)?.split_off(2);
    check(&paths.outcomes()?, set.expected(), what)?;
    let (best, worst) = seconds.iter().fold((f64::MAX, 0.0f64), |(a, b), &s| (a.min(s), b.max(s)));
    let rate = set.len() as f64 / median(seconds);
    report(floor.k, &format!("{what}, device-resident"), rate, floor.rate(set.mean_length()));
    println!(
        "#   from {:.2} to {:.2} G paths/s",
        set.len() as f64 / worst / 1e9,
        set.len() as f64 / best / 1e9
    );
    Ok(())
}

/// A few launches for ncu: paths that exist, then half of them missing; each the direct kernel and the walk.
fn profile(k: u32) -> Result<()> {
    let (mut namespace, tree) = Synthetic::new(k, 7).build();
    add_links(&mut namespace);
    let index = Index::build(namespace)?;
    let engine = CudaEngine::new()?;
    let plan = index.plan(&Options::default())?;
    for missing in [0.0, 0.5] {
        let mix = Mix { missing, through_links: missing / 5.0, ..Mix::default() };
        let set = PathSet::draw(&tree, &mix, N_PATHS, 11)?;
        let mut paths = engine.upload_paths(&set.batch())?;
        engine.time_uploaded(index.tables(), &plan, &mut paths, 2)?;
        check(&paths.outcomes()?, set.expected(), "profiled")?;
    }
    Ok(())
}

/// Batches of 1, 100 and 1000, other paths each time.
fn few(k: u32, engine: &CudaEngine, index: &Index, set: &PathSet, mode: &str) -> Result<()> {
    let plan = index.plan(&Options::default())?;
    let begin = Instant::now();
    for _ in 0..1000 {
        engine.prepare(index.tables())?;
    }
    println!("#   the index found up to date in {:.2} us", begin.elapsed().as_secs_f64() * 1e3);
    // Made once: a batch checks all its offsets, which would empty the caches between two small ones.
    let all = set.batch();
    for n in [1, 100, 1000] {
        let mut outcomes = Outcomes::with_len(n);
        let mut seconds = Vec::new();
        for round in 0..2000 {
            let first = round * n % (set.len() - n);
            let batch = all.slice(first..first + n);
            let begin = Instant::now();
            engine.resolve(index.tables(), &plan, &batch, outcomes.as_mut())?;
            seconds.push(begin.elapsed().as_secs_f64());
            for i in 0..n {
                ensure!(outcomes.get(i) == set.expected().get(first + i), "few: path {}", first + i);
            }
        }
        seconds.sort_by(f64::total_cmp);
        println!(
            "2^{k} | batch of {n}, {mode} | median {:.1} us, p90 {:.1}, p99 {:.1}",
            seconds[1000] * 1e6,
            seconds[1800] * 1e6,
            seconds[1980] * 1e6
        );
    }
    Ok(())
}

/// Small batches alone, launched and resident, in a process that has done nothing else.
fn latency() -> Result<()> {
    let (namespace, tree) = Synthetic::new(20, 7).build();
    let index = Index::build(namespace)?;
    let set = PathSet::draw(&tree, &Mix::default(), 1 << 21, 11)?;
    for (mode, resident) in [("launched", None), ("resident", Some(CudaOptions::RESIDENT_IDLE))] {
        let engine = CudaEngine::with_options(&CudaOptions { resident, ..CudaOptions::default() })?;
        engine.prepare(index.tables())?;
        few(20, &engine, &index, &set, mode)?;
        println!("#   {:?}", engine.resident_stats());
    }
    Ok(())
}

/// A large batch from host memory to host memory.
fn host_to_host(
    k: u32,
    index: &Index,
    set: &PathSet,
    transfer: Transfer,
    pinned: bool,
    order: &str,
    ceiling: f64,
) -> Result<()> {
    let engine = CudaEngine::with_options(&CudaOptions { transfer, few: false, ..CudaOptions::default() })?;
    engine.prepare(index.tables())?;
    let plan = index.plan(&Options::default())?;
    let what = format!("{transfer:?}, {} memory, {order}", if pinned { "pinned" } else { "ordinary" });
    let seconds = if pinned {
        let mut bytes = engine.pinned(set.bytes().len())?;
        bytes.as_mut_slice::<u8>()[..set.bytes().len()].copy_from_slice(set.bytes());
        let (mut inodes, mut statuses) = (engine.pinned(set.len() * 4)?, engine.pinned(set.len())?);
        let text: &HostBuffer = &bytes;
        let batch = PathBatch::new(&text.as_slice::<u8>()[..set.bytes().len()], set.offsets())
            .context("the batch")?;
        let (inodes, statuses) =
            (&mut inodes.as_mut_slice::<u32>()[..set.len()], &mut statuses.as_mut_slice::<u8>()[..set.len()]);
        let ask = || {
            let out = OutcomesMut { inodes: &mut *inodes, statuses: &mut *statuses };
            Ok(engine.resolve(index.tables(), &plan, &batch, out)?)
        };
        let seconds = timed(ROUNDS, || (), ask)?;
        ensure!(
            inodes == set.expected().inodes() && statuses == set.expected().statuses(),
            "{what}: wrong answers"
        );
        seconds
    } else {
        let mut outcomes = Outcomes::with_len(set.len());
        // Made once: a batch checks all its offsets, on one thread.
        let batch = set.batch();
        let ask = || Ok(engine.resolve(index.tables(), &plan, &batch, outcomes.as_mut())?);
        let seconds = timed(ROUNDS, || (), ask)?;
        check(&outcomes, set.expected(), &what)?;
        seconds
    };
    let rate = |seconds: f64| set.len() as f64 / seconds;
    report(k, &what, rate(seconds[ROUNDS / 2]), ceiling);
    println!("#   from {:.1} to {:.1} M paths/s", rate(seconds[ROUNDS - 1]) / 1e6, rate(seconds[0]) / 1e6);
    if transfer == Transfer::Text && pinned {
        // The rate changes from minute to minute.
        println!("#   copies to the device now: {:.1} GB/s", engine.measure_copies(5)?.to_device / 1e9);
    }
    Ok(())
}

/// A large batch over one GPU and over all.
fn split_over_all() -> Result<()> {
    let (namespace, tree) = Synthetic::new(24, 7).build();
    let index = Index::build(namespace)?;
    let set = PathSet::draw(&tree, &Mix::default(), N_PATHS, 11)?;
    let plan = index.plan(&Options::default())?;
    let all: Vec<usize> = gpus()?.iter().map(|gpu| gpu.ordinal).collect();
    for gpus in [vec![0], all] {
        for transfer in [Transfer::Text, Transfer::Keys] {
            let engine = CudaEngine::with_options(&CudaOptions {
                gpus: gpus.clone(),
                transfer,
                ..CudaOptions::default()
            })?;
            engine.prepare(index.tables())?;
            let mut outcomes = Outcomes::with_len(set.len());
            let batch = set.batch();
            let ask = || Ok(engine.resolve(index.tables(), &plan, &batch, outcomes.as_mut())?);
            let seconds = timed(ROUNDS, || (), ask)?[ROUNDS / 2];
            check(&outcomes, set.expected(), "several GPUs")?;
            println!(
                "GPUs {gpus:?} | {transfer:?}, ordinary memory | {:.1} M paths/s",
                set.len() as f64 / seconds / 1e6
            );
        }
    }
    Ok(())
}
