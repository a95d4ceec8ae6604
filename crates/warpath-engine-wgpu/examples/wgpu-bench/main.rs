//! Measures the wgpu engine on the synthetic tree, and has every kernel pass the conformance suite.
//!
//! Usage: `wgpu-bench [--k 26,20] [--paths 4194304] [--runs 9] [--adapter NAME] [--software] [--cases 20000] [--no-suite]`
//!
//! Every answer is checked; a wrong one ends the run with exit code 1.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::time::{Duration, Instant};
use warpath_conformance::suite::{Config, run_suite};
use warpath_core::{Engine, Index, Options, Outcomes};
use warpath_engine_wgpu::{Arithmetic, Transfer, Variant, WgpuEngine, WgpuOptions, adapters};
use warpath_workload::{Mix, PathSet, Synthetic};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The synthetic tree: its index, and what draws paths from it.
struct Tree {
    index: Index,
    synthetic: Synthetic,
}

impl Tree {
    fn new(k: u32) -> Result<Tree> {
        let (namespace, synthetic) = Synthetic::new(k, u64::from(k)).build();
        Ok(Tree { index: Index::build(namespace)?, synthetic })
    }

    /// `n` paths of random leaves, this share of them missing.
    fn ask(&self, n: usize, missing: f64, seed: u64) -> Result<PathSet> {
        Ok(PathSet::draw(&self.synthetic, &Mix { missing, ..Mix::default() }, n, seed)?)
    }
}

/// What the command line says.
struct Args {
    ks: Vec<u32>,
    n_paths: usize,
    runs: usize,
    cases: u64,
    suite: bool,
    options: WgpuOptions,
}

fn main() -> Result<()> {
    let args = parse(std::env::args().skip(1))?;
    for adapter in adapters() {
        println!("adapter: {adapter:?}");
    }
    let engine = WgpuEngine::new(&args.options)?;
    println!("engine: {}", engine.info().device);
    let rates = engine.copy_rates(256 << 20)?;
    println!(
        "copies of 256 MiB: host to device {:.1} GB/s, device to host {:.1} GB/s, host threads into staging {:.1} GB/s",
        rates.to_device / 1e9,
        rates.from_device / 1e9,
        rates.host_write / 1e9
    );
    for &k in &args.ks {
        let begin = Instant::now();
        let tree = Tree::new(k)?;
        println!("\n== 2^{k} entries, built in {:.1} s", begin.elapsed().as_secs_f64());
        resident(&args, &tree)?;
        host_to_host(&args, &tree, rates.to_device)?;
        latency(&args, &tree)?;
    }
    if args.suite {
        suite(&args)?;
    }
    Ok(())
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Args> {
    let mut parsed = Args {
        ks: vec![26, 20],
        n_paths: 1 << 22,
        runs: 9,
        cases: 20_000,
        suite: true,
        options: WgpuOptions::default(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--k" => {
                parsed.ks = value()?.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?
            }
            "--paths" => parsed.n_paths = value()?.parse()?,
            "--runs" => parsed.runs = value()?.parse()?,
            "--cases" => parsed.cases = value()?.parse()?,
            "--adapter" => parsed.options.adapter = Some(value()?),
            "--software" => parsed.options.software = true,
            "--no-suite" => parsed.suite = false,
            _ => return Err(format!("unknown argument {arg}").into()),
        }
    }
    Ok(parsed)
}

/// The engine's options with this kernel, arithmetic and transfer.
fn options(args: &Args, variant: Variant, arithmetic: Arithmetic, transfer: Transfer) -> WgpuOptions {
    WgpuOptions { variant, arithmetic, transfer, ..args.options.clone() }
}

/// An engine; a line that says why not where the adapter lacks what it needs.
fn make(options: &WgpuOptions) -> Option<WgpuEngine> {
    WgpuEngine::new(options).map_err(|error| println!("  skipped: {error}")).ok()
}

fn check(asked: &PathSet, out: &Outcomes) -> Result<()> {
    if out == asked.expected() {
        return Ok(());
    }
    let wrong = (0..asked.len()).find(|&i| out.get(i) != asked.expected().get(i)).unwrap_or(0);
    let (answer, expected) = (out.get(wrong), asked.expected().get(wrong));
    Err(format!("WRONG ANSWER: path {wrong}: {answer:?} instead of {expected:?}").into())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Paths and answers stay on the device; its own clock.
fn resident(args: &Args, tree: &Tree) -> Result<()> {
    let existing = tree.ask(args.n_paths, 0.0, 1)?;
    let half = tree.ask(args.n_paths, 0.5, 2)?;
    let bytes_a_path = existing.mean_length();
    println!("device-resident, {} paths of {bytes_a_path:.1} bytes, median of {}:", args.n_paths, args.runs);
    println!(
        "  kernel                 what            G paths/s    ms      GB/s (paths, offsets, a pair, outcomes)"
    );
    for (variant, arithmetic, uniform_key) in [
        (Variant::Many, Arithmetic::Bits64, true),
        (Variant::Many, Arithmetic::Bits64, false),
        (Variant::Many, Arithmetic::Bits32, true),
        (Variant::Many, Arithmetic::Bits32, false),
        (Variant::Few, Arithmetic::Bits64, false),
    ] {
        let options = WgpuOptions { uniform_key, ..options(args, variant, arithmetic, Transfer::Auto) };
        let Some(engine) = make(&options) else { continue };
        let lookups = [
            ("direct", &existing, Options::default()),
            ("walk", &existing, Options::default().walk_only()),
            ("half missing", &half, Options::default()),
        ];
        for (what, asked, options) in lookups {
            let resident = engine.make_resident(&asked.batch())?;
            let plan = tree.index.plan(&options)?;
            // The first runs warm up: clocks rise, pages are touched.
            engine.resolve_resident(tree.index.tables(), &plan, &resident, 3)?;
            let times = engine.resolve_resident(tree.index.tables(), &plan, &resident, args.runs as u32)?;
            let mut out = Outcomes::with_len(asked.len());
            engine.read_resident(&resident, &asked.batch(), out.as_mut())?;
            check(asked, &out)?;
            let took = median(times).as_secs_f64();
            let moved = asked.bytes().len() as f64 + args.n_paths as f64 * (4.0 + 32.0 + 4.0);
            println!(
                "  {:22} {what:14} {:9.3} {:8.3} {:9.1}",
                format!("{variant:?} {arithmetic:?}{}", if uniform_key { " uniform" } else { "" }),
                args.n_paths as f64 / took / 1e9,
                took * 1e3,
                moved / took / 1e9
            );
        }
    }
    Ok(())
}

/// From ordinary memory and back to it, with the CPU engine beside it.
fn host_to_host(args: &Args, tree: &Tree, copy_rate: f64) -> Result<()> {
    let asked = tree.ask(args.n_paths, 0.0, 3)?;
    let sent = asked.bytes().len() as f64 + 4.0 * args.n_paths as f64;
    println!("host to host, {} paths, random order, median of {}:", args.n_paths, args.runs);
    println!("  engine                 M paths/s   GB/s sent   share of the copy rate");
    // Written to before it is measured: a column's first touch is the system's time, not the engine's.
    let mut out = Outcomes::with_len(args.n_paths);
    let mut run = |name: &str, engine: &dyn Engine| -> Result<()> {
        let mut times = Vec::new();
        for turn in 0..args.runs + 2 {
            let plan = tree.index.plan(&Options::default())?;
            let begin = Instant::now();
            engine.resolve(tree.index.tables(), &plan, &asked.batch(), out.as_mut())?;
            if turn > 1 {
                times.push(begin.elapsed());
            }
            check(&asked, &out)?;
        }
        let took = median(times).as_secs_f64();
        let (rate, sent) = (args.n_paths as f64 / took / 1e6, sent / took);
        println!("  {name:22} {rate:9.1} {:11.2} {:11.2}", sent / 1e9, sent / copy_rate);
        Ok(())
    };
    run("CPU engine", &warpath_engine_cpu::CpuEngine::new())?;
    let (staged, mapped) = (Transfer::Staged, Transfer::Mapped);
    for (transfer, chunk_mib) in [(mapped, 16), (mapped, 32), (mapped, 8), (staged, 16)] {
        let mut options = options(args, Variant::Auto, Arithmetic::Auto, transfer);
        options.chunk_bytes = chunk_mib << 20;
        if let Some(engine) = make(&options) {
            run(&format!("{transfer:?}, {chunk_mib} MiB chunks"), &engine)?;
        }
    }
    Ok(())
}

/// One small batch after the other.
fn latency(args: &Args, tree: &Tree) -> Result<()> {
    println!("one batch after the other, host to host, microseconds:");
    println!("  kernel and transfer     batch   median      p99   K paths/s");
    for transfer in [Transfer::Staged, Transfer::Mapped] {
        for variant in [Variant::Few, Variant::Many] {
            let Some(engine) = make(&options(args, variant, Arithmetic::Auto, transfer)) else { continue };
            for n in [1, 100, 1000, 10_000] {
                let asked = tree.ask(n, 0.0, 4)?;
                let plan = tree.index.plan(&Options::default())?;
                let mut out = Outcomes::with_len(n);
                let mut times = Vec::new();
                for turn in 0..20 + 100 * args.runs {
                    let begin = Instant::now();
                    engine.resolve(tree.index.tables(), &plan, &asked.batch(), out.as_mut())?;
                    if turn >= 20 {
                        times.push(begin.elapsed());
                    }
                }
                check(&asked, &out)?;
                times.sort_unstable();
                let micros = |time: Duration| time.as_secs_f64() * 1e6;
                let (median, p99) = (micros(times[times.len() / 2]), micros(times[times.len() * 99 / 100]));
                println!(
                    "  {:22} {n:6} {median:8.1} {p99:8.1} {:11.1}",
                    format!("{variant:?} {transfer:?}"),
                    n as f64 / median * 1e3
                );
            }
        }
    }
    Ok(())
}

/// The conformance suite through every kernel, with both arithmetics and both transfers.
fn suite(args: &Args) -> Result<()> {
    println!("\n== conformance suite, {} random cases a kernel", args.cases);
    let config = Config { n_random: args.cases, ..Config::default() };
    for variant in Variant::KERNELS {
        for (arithmetic, transfer) in
            [(Arithmetic::Bits32, Transfer::Staged), (Arithmetic::Bits64, Transfer::Mapped)]
        {
            let options = options(args, variant, arithmetic, transfer);
            if make(&options).is_none() {
                continue;
            }
            let make = || Ok(Box::new(WgpuEngine::new(&options)?) as Box<dyn Engine>);
            let begin = Instant::now();
            let summary = run_suite(&make, &config)?;
            println!(
                "{variant:?} {arithmetic:?} {transfer:?}: passed in {:.1} s\n{summary}",
                begin.elapsed().as_secs_f64()
            );
        }
    }
    Ok(())
}
