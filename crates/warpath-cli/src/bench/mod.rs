//! `warpath bench`: how fast is each engine here, with this tree?
//!
//! Arguments → tree and path sets with their answers → measurements, each answer checked → table, CSV, JSON, HTML.

mod export;
mod html;
mod measure;
mod plot;
mod table;
mod tree;

use crate::engines::{self, EngineName};
use anyhow::{Context, Result, ensure};
use clap::Args as ClapArgs;
use measure::{Case, Measured, Measurements};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tree::Tree;
use warpath_core::{Engine, Options};
use warpath_workload::{Mix, Order};

/// Measure every engine of this machine
///
/// Throughput and latency over batch sizes, and of large batches that are found, missing, deep, through links, in the
/// order of find. Every answer is checked: a wrong one ends the run with exit code 2.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  warpath bench --root /usr --html report.html")]
pub struct BenchArgs {
    /// Measure with a synthetic tree of 2^K entries, 16 a directory; K is 4 to 30
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(4..=30))]
    pub k: u32,

    /// Measure with the tree of an index file instead
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub index: Option<PathBuf>,

    /// Measure with a scan of DIR instead
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Measure these engines only; all that run here by default
    #[arg(long, value_name = "NAME")]
    pub engine: Vec<EngineName>,

    /// Largest batch
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub max_batch: usize,

    /// Seconds for each point
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub seconds: f64,

    /// Write the figures as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write a report with plots: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Paths of a batch that is large, for what is not measured over batch sizes.
const LARGE: usize = 1 << 18;

/// Depths that are measured, where the tree has them.
const DEPTHS: std::ops::RangeInclusive<u32> = 1..=12;

/// Measures, prints the table, writes what was asked for.
pub fn run(args: &BenchArgs) -> Result<ExitCode> {
    ensure!(args.max_batch > 0, "--max-batch: 0 paths can't be measured");
    ensure!(args.seconds.is_finite() && args.seconds >= 0.0, "--seconds: {} is no duration", args.seconds);
    let tree = Tree::of(args)?;
    let (engines, mut notes) = engines_here(&args.engine)?;
    let measurements = measure_all(args, &tree, &engines)?;
    if tree.links.is_none() {
        notes.push("links: not measured, as only synthetic trees have known paths through links".to_owned());
    }
    let report = Measured { tree: tree.title.clone(), engines: infos(&engines), notes, measurements };
    std::io::stdout().lock().write_all(table::render(&report).as_bytes())?;
    for (file, text) in [
        (&args.csv, export::csv as fn(&Measured) -> String),
        (&args.json, export::json),
        (&args.html, html::render),
    ] {
        if let Some(file) = file {
            std::fs::write(file, text(&report)).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

type Named = (String, Box<dyn Engine>);

/// The engines that run here, and a note for each that does not.
fn engines_here(wanted: &[EngineName]) -> Result<(Vec<Named>, Vec<String>)> {
    let mut here: Vec<Named> = Vec::new();
    let mut notes = Vec::new();
    for name in if wanted.is_empty() { &EngineName::EACH } else { wanted } {
        match engines::choose(name) {
            Ok(chosen) => here.push((chosen.engine.info().name.to_owned(), chosen.engine)),
            Err(error) if wanted.is_empty() => notes.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((here, notes))
}

fn infos(engines: &[Named]) -> Vec<(String, String)> {
    engines.iter().map(|(name, engine)| (name.clone(), engine.info().device)).collect()
}

fn measure_all(args: &BenchArgs, tree: &Tree, engines: &[Named]) -> Result<Measurements> {
    let budget = Duration::from_secs_f64(args.seconds);
    let mut cases = sizes(args.max_batch)
        .map(|batch| Case::new("random", batch, Mix::default(), Options::default()))
        .collect::<Vec<_>>();
    cases.extend(large_cases(tree, args.max_batch.min(LARGE)));
    let mut measurements = Measurements::new(tree, args.max_batch)?;
    for (name, engine) in engines {
        for case in &cases {
            measurements.measure(tree, name, &**engine, case, budget)?;
        }
        measurements.measure_single_against_batch(tree, name, &**engine, args.max_batch.min(100), budget)?;
    }
    Ok(measurements)
}

/// 1, 10, 100 and so on.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1_usize), |size| size.checked_mul(10)).take_while(move |&size| size <= most)
}

fn large_cases(tree: &Tree, batch: usize) -> Vec<Case> {
    let (all, follow) = (Mix::default(), Options::default());
    let mut cases = vec![
        Case::new("random, large", batch, all, follow),
        Case::new("find order", batch, Mix { order: Order::Find, ..all }, follow),
        Case::new("a tenth missing", batch, Mix { missing: 0.1, ..all }, follow),
        Case::new("half missing", batch, Mix { missing: 0.5, ..all }, follow),
        Case::new("all missing", batch, Mix { missing: 1.0, ..all }, follow),
        Case::new("links not followed", batch, all, follow.no_follow()),
        Case::new("walk only", batch, all, follow.walk_only()),
    ];
    if tree.links.is_some() {
        cases.push(Case::new("a tenth through links", batch, Mix { through_links: 0.1, ..all }, follow));
    }
    for depth in DEPTHS.filter(|&depth| tree.paths.draw_at_depth(depth, 0).is_some()) {
        cases.push(Case::new(format!("depth {depth}"), batch, Mix { depth: Some(depth), ..all }, follow));
    }
    cases
}
