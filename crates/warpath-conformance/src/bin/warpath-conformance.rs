//! `warpath-conformance --engine NAME`: the suite as a program, for machines that have an engine's device and no Rust.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use warpath_conformance::engines;
use warpath_conformance::library::Library;
use warpath_conformance::suite::{Config, Part, run_part};

const USAGE: &str = "usage: warpath-conformance --engine NAME [--seed S] [--random N] [--part NAME]";

struct Arguments {
    engine: String,
    seed: u64,
    n_random: u64,
    part: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let Config { seed, n_random, .. } = Config::default();
    let mut parsed = Arguments { engine: String::new(), seed, n_random, part: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let wrong = |_| format!("{flag}: `{value}` is no number\n{USAGE}");
        match flag.as_str() {
            "--engine" => parsed.engine = value,
            "--seed" => parsed.seed = value.parse().map_err(wrong)?,
            "--random" => parsed.n_random = value.parse().map_err(wrong)?,
            "--part" => parsed.part = Some(value),
            _ => return Err(format!("{flag} is not known\n{USAGE}")),
        }
    }
    if parsed.engine.is_empty() {
        return Err(format!("{USAGE}\nengines in this build: {}", engines::NAMES.join(", ")));
    }
    Ok(parsed)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let library = Arc::new(Library::default());
    let make_engine = engines::by_name(&arguments.engine, &library)?;
    let config = Config { seed: arguments.seed, n_random: arguments.n_random, library: Some(library) };
    let info = make_engine().map_err(|error| error.to_string())?.info();
    println!("engine {} ({}), seed {}", info.name, info.device, config.seed);
    for part in Part::ALL {
        let name = format!("{part:?}").to_lowercase();
        if arguments.part.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let began = Instant::now();
        let n =
            run_part(part, make_engine.as_ref(), &config).map_err(|failure| format!("{name}: {failure}"))?;
        println!("  {name:12} {n:>10} paths right, {:.1} s", began.elapsed().as_secs_f64());
    }
    Ok(())
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
