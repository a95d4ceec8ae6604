//! `warpath bench`: how fast is each engine here, with this tree?
//!
//! Arguments → tree and path sets with their answers → measurements, each answer checked → table, CSV, JSON, HTML.

mod export;
mod html;
mod measure;
mod plot;
mod table;
mod tree;

use crate::{cmd, engines};
use anyhow::{Context, Result, ensure};
use clap::Args as ClapArgs;
use measure::{Case, Limit, Measurable, Measured, MeasuredEngine, Measurements};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;
use tree::Tree;
use warpath_core::engine::UnknownEngine;
use warpath_core::{EngineName, Options};
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

    /// Measure this engine only (can be repeated), or all that run here, which is the default; each that does not is named
    /// with the reason
    #[arg(long, value_name = "NAME|all")]
    pub engine: Vec<Wanted>,

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

/// What `--engine` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    All,
    One(EngineName),
}

impl FromStr for Wanted {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Wanted, UnknownEngine> {
        if name == "all" { Ok(Wanted::All) } else { name.parse().map(Wanted::One) }
    }
}

/// Paths of a batch that is large, for what is not measured over batch sizes.
const LARGE: usize = 1 << 18;

/// Depths that are measured, where the tree has them.
const DEPTHS: std::ops::RangeInclusive<u32> = 1..=12;

/// The largest batch that can be asked for: with its paths it takes some 100 GiB.
const LARGEST: usize = 1 << 30;

/// The longest time for a measurement, in seconds.
const A_DAY: f64 = 86_400.0;

/// Measures, prints the table, writes what was asked for.
pub fn run(args: &BenchArgs) -> Result<ExitCode> {
    let n = args.max_batch;
    ensure!((1..=LARGEST).contains(&n), "--max-batch: {n} is not from 1 to {LARGEST}");
    ensure!((0.0..=A_DAY).contains(&args.seconds), "--seconds: {} is not from 0 to {A_DAY}", args.seconds);
    // Before the measurements: a report that can't be written should be told at once.
    let reports = [
        (&args.csv, export::csv as fn(&Measured) -> String),
        (&args.json, export::json),
        (&args.html, html::render),
    ]
    .into_iter()
    .filter_map(|(path, text)| path.as_deref().map(|path| Ok((ReportFile::open(path)?, text))))
    .collect::<Result<Vec<_>>>()?;
    let tree = Tree::of(args)?;
    let (engines, mut notes) = engines_here(&args.engine)?;
    let measurements = measure_all(args, &tree, &engines)?;
    if tree.links.is_none() {
        notes.push("links: not measured, as only synthetic trees have known paths through links".to_owned());
    }
    let report = Measured { tree: tree.title.clone(), engines: measured(&engines), notes, measurements };
    cmd::print(table::render(&report).as_bytes());
    for (file, text) in reports {
        file.write(&text(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A file that a report will be written to. What it holds stays until then.
struct ReportFile<'a> {
    path: &'a Path,
    file: File,
}

impl ReportFile<'_> {
    fn open(path: &Path) -> Result<ReportFile<'_>> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        Ok(ReportFile { path, file: file.with_context(|| writing(path))? })
    }

    fn write(mut self, text: &str) -> Result<()> {
        // Pipes and devices have no length.
        let is_file = self.file.metadata().is_ok_and(|metadata| metadata.is_file());
        let emptied = if is_file { self.file.set_len(0) } else { Ok(()) };
        emptied.and_then(|()| self.file.write_all(text.as_bytes())).with_context(|| writing(self.path))
    }
}

fn writing(path: &Path) -> String {
    format!("writing {}", path.display())
}

/// The engines that run here, and a note for each that does not.
fn engines_here(wanted: &[Wanted]) -> Result<(Vec<Measurable>, Vec<String>)> {
    let all = wanted.is_empty() || wanted.contains(&Wanted::All);
    let named = wanted.iter().filter_map(|wanted| match wanted {
        Wanted::One(name) => Some(name.clone()),
        Wanted::All => None,
    });
    let names: Vec<EngineName> = if all { EngineName::EACH.to_vec() } else { named.collect() };
    let memory = Limit::of_memory(measure::copy_rate());
    let mut here: Vec<Measurable> = Vec::new();
    let mut notes = Vec::new();
    for name in &names {
        match engines::choose_and_measure(name) {
            Ok((chosen, copies)) => here.push(Measurable {
                name: chosen.engine.info().name.to_owned(),
                engine: chosen.engine,
                limit: copies.map_or(memory, |copies| Limit::of_copy_to_device(copies.to_device)),
            }),
            Err(error) if all => notes.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((here, notes))
}

fn measured(engines: &[Measurable]) -> Vec<MeasuredEngine> {
    let measured = |engine: &Measurable| MeasuredEngine {
        name: engine.name.clone(),
        device: engine.engine.info().device,
        limit: engine.limit,
    };
    engines.iter().map(measured).collect()
}

fn measure_all(args: &BenchArgs, tree: &Tree, engines: &[Measurable]) -> Result<Measurements> {
    let budget = Duration::from_secs_f64(args.seconds);
    let mut cases = sizes(args.max_batch)
        .map(|batch| Case::new("random", batch, Mix::default(), Options::default()))
        .collect::<Vec<_>>();
    cases.extend(large_cases(tree, args.max_batch.min(LARGE)));
    let mut measurements = Measurements::new(tree, args.max_batch)?;
    for engine in engines {
        for case in &cases {
            measurements.measure(tree, engine, case, budget)?;
        }
        measurements.measure_single_against_batch(tree, engine, args.max_batch.min(100), budget)?;
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
