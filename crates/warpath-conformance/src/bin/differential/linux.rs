//! The program, where there is a kernel to compare with.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use warpath_conformance::differential::{Config, Report, run};
use warpath_conformance::engines;
use warpath_core::LookupError;

const USAGE: &str = "usage: differential [--cases N] [--seed S] [--threads T] [--engine NAME]";

struct Arguments {
    n_cases: u64,
    seed: u64,
    n_threads: usize,
    engine: String,
}

fn arguments() -> Result<Arguments, String> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parsed =
        Arguments { n_cases: 1_000_000, seed: random_seed(), n_threads, engine: "reference".to_owned() };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let wrong = |_| format!("{flag}: `{value}` is no number\n{USAGE}");
        match flag.as_str() {
            "--cases" => parsed.n_cases = value.parse().map_err(wrong)?,
            "--seed" => parsed.seed = value.parse().map_err(wrong)?,
            "--threads" => parsed.n_threads = value.parse().map_err(wrong)?,
            "--engine" => parsed.engine = value,
            _ => return Err(format!("{flag} is not known\n{USAGE}")),
        }
    }
    Ok(parsed)
}

/// A seed that differs from run to run; it is printed, so that a run can be had again.
fn random_seed() -> u64 {
    fastrand::u64(..) >> 32
}

pub fn main() -> ExitCode {
    let result = arguments().and_then(|arguments| {
        // The reference needs no index: it is asked without one.
        let library = Arc::default();
        let engine = match arguments.engine.as_str() {
            "reference" => None,
            name => Some(engines::by_name(name, &library)?),
        };
        let config = Config {
            seed: arguments.seed,
            n_cases: arguments.n_cases,
            n_threads: arguments.n_threads,
            engine: engine.as_deref(),
        };
        println!("engine {}, seed {}, {} threads", arguments.engine, config.seed, config.n_threads);
        let began = Instant::now();
        let report = run(&config).map_err(|failure| failure.to_string())?;
        Ok((report, began.elapsed().as_secs_f64()))
    });
    match result {
        Ok((report, seconds)) => {
            print_report(&report, seconds);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn print_report(report: &Report, seconds: f64) {
    let rate = report.n_cases as f64 / seconds;
    println!(
        "{} cases on {} trees in {seconds:.1} s ({rate:.0}/s): no difference",
        report.n_cases, report.n_trees
    );
    let names = std::iter::once("found").chain(LookupError::ALL.iter().map(|error| error.name()));
    for (name, n) in names.zip(report.by_status) {
        println!("  {name:12} {n}");
    }
}
