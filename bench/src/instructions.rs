//! Instructions a path of the CPU engine's hot path, counted by valgrind: exact where time is noise, so that CI can hold
//! them to a bound.
//!
//! Valgrind knows no AVX-512, so it is the AVX2 code that is counted.

use crate::core::call_each;
use crate::trees::Tree;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use warpath_core::index::Plan;
use warpath_core::{Engine, Options, Outcomes, Tables};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::{Mix, Order, PathSet};

/// Paths that are counted.
const N_PATHS: usize = 4096;
/// Entries of the tree: `2^k`.
const K: u32 = 14;
/// How far a new bound lies above what was counted: a random key moves the counts by a hundredth.
const ROOM: f64 = 1.05;

#[derive(clap::Args)]
pub struct Arguments {
    /// The bounds, a line each: name and most instructions a path.
    #[arg(long, default_value = "bench/instructions.csv")]
    bounds: PathBuf,
    /// Write new bounds, a twentieth above what is counted now.
    #[arg(long)]
    update: bool,
}

#[derive(clap::Args)]
pub struct HotPath {
    /// One of those that `instructions` counts.
    name: Case,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
enum Case {
    /// All found, random order.
    Direct,
    /// Half missing.
    Missing,
    /// A tenth through links.
    Links,
    /// `find` order.
    Find,
    /// Walk only.
    Walk,
    /// One path a call.
    Single,
}

impl Case {
    fn all() -> impl Iterator<Item = (String, Case)> {
        <Case as clap::ValueEnum>::value_variants()
            .iter()
            .map(|case| (format!("{case:?}").to_lowercase(), *case))
    }

    fn mix(self) -> Mix {
        match self {
            Case::Missing => Mix { missing: 0.5, ..Mix::default() },
            Case::Links => Mix { through_links: 0.1, ..Mix::default() },
            Case::Find => Mix { order: Order::Find, ..Mix::default() },
            Case::Direct | Case::Walk | Case::Single => Mix::default(),
        }
    }
}

/// Counts all cases and compares them with their bounds.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = &arguments.bounds;
    let bounds = if arguments.update { BTreeMap::new() } else { read_bounds(file)? };
    let mut new = String::from("case,most instructions a path\n");
    let mut over = Vec::new();
    println!("| case | instructions a path | bound |\n|---|---|---|");
    for (name, _) in Case::all() {
        let count = count(&name)? as f64 / N_PATHS as f64;
        let bound = match bounds.get(&name) {
            Some(&bound) => bound,
            None if arguments.update => (count * ROOM).ceil(),
            None => bail!("{}: no bound for {name}; --update writes it", file.display()),
        };
        println!("| {name} | {count:.1} | {bound} |");
        let _ = writeln!(new, "{name},{bound}");
        if count > bound {
            over.push(name);
        }
    }
    if arguments.update {
        std::fs::write(file, new).with_context(|| format!("writing {}", file.display()))?;
    }
    ensure!(over.is_empty(), "more instructions than {} allows: {}", file.display(), over.join(", "));
    Ok(())
}

fn read_bounds(file: &Path) -> Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.lines()
        .skip(1)
        .map(|line| {
            let (name, bound) = line.split_once(',').with_context(|| format!("not `case,bound`: {line}"))?;
            Ok((name.to_owned(), bound.parse().with_context(|| format!("not a number: {bound}"))?))
        })
        .collect()
}

/// Runs this program's `hot-path` under callgrind; the instructions of the measured function and all below it.
fn count(name: &str) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*measured_paths*")
        .arg(std::env::current_exe()?)
        .args(["hot-path", name])
        .output()
        .context("running valgrind; scripts/setup-tests.sh installs it")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "callgrind failed for {name}:\n{text}");
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1));
    let count: u64 =
        collected.and_then(|count| count.trim().parse().ok()).context("callgrind told no count")?;
    ensure!(
        count > N_PATHS as u64,
        "callgrind counted {count} instructions: the measured function was not seen"
    );
    Ok(count)
}

/// What is counted; the answers are checked.
pub fn hot_path(arguments: &HotPath) -> Result<()> {
    let tree = Tree::synthetic(K, 42)?;
    let case = arguments.name;
    let set = tree.draw(&case.mix(), N_PATHS, 1)?;
    let options = if case == Case::Walk { Options::default().walk_only() } else { Options::default() };
    let plan = tree.index.plan(&options)?;
    let engine = CpuEngine::with_threads(1)?;
    let mut outcomes = Outcomes::with_len(N_PATHS);
    measured_paths(&engine, tree.index.tables(), &plan, &set, case, &mut outcomes);
    ensure!(&outcomes == set.expected(), "wrong answers");
    Ok(())
}

/// Callgrind counts while this runs.
#[inline(never)]
fn measured_paths(
    engine: &CpuEngine,
    tables: &Tables,
    plan: &Plan,
    set: &PathSet,
    case: Case,
    outcomes: &mut Outcomes,
) {
    if case == Case::Single {
        let out = outcomes.as_mut();
        call_each(engine, tables, plan, set, |i, inode, status| {
            out.inodes[i] = inode;
            out.statuses[i] = status;
        });
    } else {
        let result = engine.resolve(tables, plan, &set.batch(), outcomes.as_mut());
        assert!(result.is_ok(), "{result:?}");
    }
    black_box(outcomes);
}
