//! Data tools: joins of a list of paths with the table of all paths, in memory and from Parquet.

use crate::record::{Record, format_value};
use crate::trees::{AllPaths, Choice, Tree};
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use warpath_core::namespace::ListBuilder;
use warpath_core::{Engine, FileType, Index, Options, Outcomes};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::PathSet;
use warpath_workload::stopwatch::median;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Paths of the list.
    #[arg(long, default_value_t = 5_000_000)]
    n: usize,
    /// Rounds of each way.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these tools: duckdb, polars, datafusion, pyarrow. pyarrow takes as long as all others.
    #[arg(long, value_delimiter = ',', default_values_t = TOOLS.map(String::from))]
    only: Vec<String>,
    /// Python with the packages of bench/peers/requirements.txt, from bench/peers.sh.
    #[arg(long, default_value = "target/peers/venv/bin/python")]
    python: PathBuf,
    /// Where the tables are written; best in memory.
    #[arg(long, default_value = "/dev/shm/warpath-peers")]
    work: PathBuf,
}

impl Arguments {
    /// Short name, for a record's: the tree, and the tools where not all are measured.
    pub fn name(&self) -> String {
        let tree = self.choice.name();
        if self.only == TOOLS { tree.to_owned() } else { format!("{tree}-{}", self.only.join("-")) }
    }
}

const TOOLS: [&str; 3] = ["duckdb", "polars", "datafusion"];

const SCRIPT: &str = "bench/peers/tables.py";

pub fn measure(record: &mut Record, arguments: &Arguments, quick: bool) -> Result<()> {
    let (tree, set) = arguments.choice.load(if quick { 1 << 12 } else { arguments.n })?;
    let rounds = if quick { 1 } else { arguments.rounds };
    let paths = tree.all_paths();
    record.line(format!(
        "### {}: a table of {} paths, a list of {} of {:.1} bytes\n",
        tree.title,
        paths.len(),
        set.len(),
        set.mean_length()
    ));
    record.line("All threads, seconds of wall time, medians. Tables are in each tool's memory, in its own form, or in two Parquet files in");
    record.line("memory, until the columns (n, inode) are in memory, in whatever order. None of these tools keeps a hash table of a column, so");
    record.line("each join builds one; warpath is shown with its index built before, and built from the list of all paths in the same time.\n");
    record.line(
        "| | seconds | M paths/s | times warpath's | times warpath's with its index built |\n|---|---|---|---|---|",
    );
    let engine = CpuEngine::new();
    let resolved = resolve(&tree.index, &engine, &set, rounds)?;
    let built = build_and_resolve(&tree, &paths, &engine, &set, rounds)?;
    let key = format!("{}.tools", tree.key);
    let mut row = |slug: &str, what: &str, seconds: f64| {
        let times = [resolved, built].map(|own| format_value(seconds / own));
        let rate = set.len() as f64 / seconds / 1e6;
        record.line(format!(
            "| {what} | {} | {} | {} | {} |",
            format_value(seconds),
            format_value(rate),
            times[0],
            times[1]
        ));
        record.add(format!("{key}.{slug}"), what, rate, "M paths/s", None);
    };
    row("warpath", "warpath, one call", resolved);
    row("warpath_build", "warpath, index built and one call", built);
    export(&arguments.work, "table", &paths.bytes, offsets_of(&paths), &paths.inodes)?;
    let offsets = set.offsets().iter().map(|&offset| u64::from(offset));
    export(&arguments.work, "list", set.bytes(), offsets, set.expected().inodes())?;
    drop((tree, paths));
    python(arguments, &["convert".to_owned(), arguments.work.display().to_string()])?;
    let threads = rayon::current_num_threads().to_string();
    for tool in &arguments.only {
        // pyarrow takes half a minute a join.
        let rounds = if tool == "pyarrow" { 1 } else { rounds };
        let words = [tool.clone(), arguments.work.display().to_string(), threads.clone(), rounds.to_string()];
        for line in python(arguments, &words)?.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            ensure!(fields.len() == 4 && fields[0] == "RESULT", "{SCRIPT}: {line}");
            row(fields[1], fields[2], fields[3].parse()?);
        }
    }
    std::fs::remove_dir_all(&arguments.work)?;
    Ok(())
}

/// All paths in one call.
fn resolve(index: &Index, engine: &CpuEngine, set: &PathSet, rounds: usize) -> Result<f64> {
    let plan = index.plan(&Options::default())?;
    let mut outcomes = Outcomes::with_len(set.len());
    let mut times = Vec::new();
    for _ in 0..=rounds {
        let start = Instant::now();
        engine.resolve(index.tables(), &plan, &set.batch(), outcomes.as_mut())?;
        times.push(start.elapsed());
        ensure!(&outcomes == set.expected(), "wrong answers");
    }
    Ok(seconds(&times[1..]))
}

/// The index built from the list of all paths, and the call.
fn build_and_resolve(
    tree: &Tree,
    paths: &AllPaths,
    engine: &CpuEngine,
    set: &PathSet,
    rounds: usize,
) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let mut builder = ListBuilder::with_capacity(paths.len());
        for (path, _) in paths.iter() {
            builder.push(path, FileType::Regular);
        }
        let index = Index::build(builder.finish().0)?;
        let outcomes = index.resolve(engine, &set.batch(), &Options::default())?;
        times.push(start.elapsed());
        // Inodes are numbered anew: what they are called tells whether they are right.
        for i in (0..set.len()).step_by(997) {
            let path = |index: &Index, inode: u32| index.namespace().path_of(inode);
            let (own, right) = (outcomes.inodes()[i], set.expected().inodes()[i]);
            ensure!(path(&index, own) == path(&tree.index, right), "wrong answers");
        }
        ensure!(outcomes.statuses() == set.expected().statuses(), "wrong answers");
    }
    Ok(seconds(&times))
}

fn seconds(times: &[Duration]) -> f64 {
    median(times.iter().copied()).as_secs_f64()
}

fn offsets_of(paths: &AllPaths) -> impl Iterator<Item = u64> {
    std::iter::once(0).chain((0..paths.len()).map(|i| paths.range(i).end as u64))
}

/// Arrow's columns of large strings and of 32-bit numbers, as they lie in memory.
fn export(
    folder: &Path,
    name: &str,
    text: &[u8],
    offsets: impl Iterator<Item = u64>,
    inodes: &[u32],
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    std::fs::write(folder.join(format!("{name}.bytes")), text)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join(format!("{name}.offsets")))?);
    for offset in offsets {
        file.write_all(&offset.to_le_bytes())?;
    }
    file.flush()?;
    let inodes: Vec<u8> = inodes.iter().flat_map(|inode| inode.to_le_bytes()).collect();
    std::fs::write(folder.join(format!("{name}.inodes")), inodes)?;
    Ok(())
}

fn python(arguments: &Arguments, words: &[String]) -> Result<String> {
    let python = &arguments.python;
    ensure!(python.exists(), "{}: missing; bench/peers.sh makes it", python.display());
    let output = Command::new(python).arg(SCRIPT).args(words).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{SCRIPT} {}: {}", words.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}
