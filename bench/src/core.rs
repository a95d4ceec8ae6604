//! The CPU engine against its targets: two rivals in the same run, shares, single calls, memory, build rate.

use crate::allocations;
use crate::arguments::{DebianList, Run};
use crate::contestants::{Size, check, compared_rate, engine, rows, table};
use crate::peers::PathTable;
use crate::peers::flat::FlatTable;
use crate::peers::maps::HashbrownMap;
use crate::record::{Record, Target, format_value};
use crate::trees::Tree;
use anyhow::{Context, Result};
use std::time::Duration;
use warpath_core::index::Plan;
use warpath_core::namespace::ListBuilder;
use warpath_core::{Engine, FileType, INVALID_INODE, Index, InodeId, Options, PathBatch, Tables};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::stopwatch::{Contestant, Laps, median, race, time};
use warpath_workload::{Mix, Order, PathSet};

type Foldhash = foldhash::fast::RandomState;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    run: Run,
    #[command(flatten)]
    debian: DebianList,
    /// Sizes of synthetic trees, as powers of two.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 22, 24])]
    k: Vec<u32>,
    /// Leave Debian's tree out.
    #[arg(long)]
    no_debian: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Rivals, Part::Mixes, Part::Build, Part::Single])]
    only: Vec<Part>,
    /// Rounds of each contestant.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Random paths, direct and walked, beside hashbrown and the flat table.
    Rivals,
    /// Half missing, a tenth through links, `find` order.
    Mixes,
    /// From a list in memory to an index.
    Build,
    /// One path a call.
    Single,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut record = Record::default();
    let one = CpuEngine::with_threads(1)?;
    record.line(format!("engine: {}; all threads: {}", one.info().device, CpuEngine::new().info().device));
    record.line("M paths/s: on one thread by its processor time, on all threads by wall time; medians of rounds in turns.");
    let size = if arguments.run.quick {
        Size { rounds: 3, set: 1 << 14, window: 1 << 12 }
    } else {
        Size { rounds: arguments.rounds, set: 1 << 22, window: 1 << 18 }
    };
    let sizes = if arguments.run.quick { vec![14] } else { arguments.k.clone() };
    for k in sizes {
        let tree = Tree::synthetic(k, 42)?;
        measure_tree(&mut record, &one, &tree, &size, &arguments.only)?;
    }
    if !arguments.run.quick && !arguments.no_debian {
        let list = arguments.debian.file()?;
        let tree = Tree::listed("debian", "every path of Debian's main", list)?;
        measure_tree(&mut record, &one, &tree, &size, &arguments.only)?;
        drop(tree);
        if arguments.only.contains(&Part::Build) {
            measure_build(&mut record, &std::fs::read(list)?)?;
        }
    }
    if arguments.only.contains(&Part::Single) {
        measure_single_calls(&mut record, &one, if arguments.run.quick { 20 } else { 400 })?;
    }
    arguments.run.finish(&mut record, "core")
}

/// Everything that is measured in one tree.
fn measure_tree(
    record: &mut Record,
    one: &CpuEngine,
    tree: &Tree,
    size: &Size,
    parts: &[Part],
) -> Result<()> {
    let random = tree.draw(&Mix::default(), size.set, 1)?;
    record.line(format!(
        "\n### {}: {} entries, paths of {:.1} bytes and {:.1} components\n",
        tree.title,
        tree.index.namespace().n_entries(),
        random.mean_length(),
        random.mean_components()
    ));
    measure_memory(record, tree);
    record.line(
        "| | M paths/s | by wall time | best round by wall time | warpath is faster |\n|---|---|---|---|---|",
    );
    if parts.contains(&Part::Rivals) {
        measure_rivals(record, one, tree, &random, size)?;
    }
    if parts.contains(&Part::Mixes) {
        measure_mixes(record, one, tree, &random, size)?;
    }
    Ok(())
}

/// Random paths, beside the two rivals that the targets name.
fn measure_rivals(
    record: &mut Record,
    one: &CpuEngine,
    tree: &Tree,
    random: &PathSet,
    size: &Size,
) -> Result<()> {
    let all = CpuEngine::new();
    let (options, key) = (Options::default(), &tree.key);
    let paths = tree.all_paths();
    let flat = FlatTable::new(&paths);
    let map = HashbrownMap::<Foldhash>::new(&paths);
    for (threads, engine_used, is_all) in [("1", one, false), ("all", &all, true)] {
        let mut contestants = [
            engine("warpath", engine_used, tree, options, random, size, 0)?,
            table("flat table", &flat, random, size, 1, is_all),
            table("hashbrown", &map, random, size, 2, is_all),
        ];
        let laps = race(size.rounds, &mut contestants);
        let title = if is_all { "all threads" } else { "one thread" };
        rows(record, &format!("{key}.random.{threads}"), &format!("random paths, {title}"), &laps);
        let (over_map, over_flat) = targets_over_rivals(key);
        for (i, rival, slug, target) in
            [(2, "hashbrown", "hashbrown", over_map), (1, "the flat table", "flat", over_flat)]
        {
            let figure = format!("{key}.random.{threads}.over_{slug}");
            ratio(record, &figure, tree, &format!("{title} over {rival}"), (&laps[0], &laps[i]), target);
        }
    }
    let laps = race(
        size.rounds,
        &mut [
            engine("warpath, walk only", one, tree, options.walk_only(), random, size, 0)?,
            table("hashbrown", &map, random, size, 2, false),
        ],
    );
    rows(record, &format!("{key}.walk.1"), "the walk, one thread", &laps);
    let target = (key == "k24").then_some(Target::AtLeast(2.0));
    let figure = format!("{key}.walk.1.over_hashbrown");
    ratio(record, &figure, tree, "walk only over hashbrown", (&laps[0], &laps[1]), target);
    let n_entries = tree.index.namespace().n_entries() as f64;
    for (name, memory) in [("flat", flat.memory()), ("hashbrown", map.memory())] {
        let what = format!("{}: {name}, bytes an entry", tree.title);
        record.add(format!("{key}.memory.{name}"), what, memory as f64 / n_entries, "B", None);
    }
    Ok(())
}

/// Shares of the rate of random paths that all exist.
fn measure_mixes(
    record: &mut Record,
    one: &CpuEngine,
    tree: &Tree,
    random: &PathSet,
    size: &Size,
) -> Result<()> {
    let (options, key) = (Options::default(), &tree.key);
    let half = tree.draw(&Mix { missing: 0.5, ..Mix::default() }, size.set, 2)?;
    let linked = tree.draw(&Mix { through_links: 0.1, ..Mix::default() }, size.set, 3)?;
    let find = tree.draw(&Mix { order: Order::Find, ..Mix::default() }, size.set, 4)?;
    let laps = race(
        size.rounds,
        &mut [
            engine("warpath, all found", one, tree, options, random, size, 0)?,
            engine("warpath, half missing", one, tree, options, &half, size, 1)?,
            engine("warpath, a tenth through links", one, tree, options, &linked, size, 2)?,
            engine("warpath, find order", one, tree, options, &find, size, 3)?,
        ],
    );
    rows(record, &format!("{key}.mix.1"), "one thread", &laps);
    for (i, name, what, target) in [
        (1, "missing", "half missing over all found", 0.5),
        (2, "links", "a tenth through links over none", 0.8),
        (3, "find", "find order over random", 1.5),
    ] {
        let target = Some(Target::AtLeast(target));
        ratio(record, &format!("{key}.{name}.1.share"), tree, what, (&laps[i], &laps[0]), target);
    }
    Ok(())
}

/// What is aimed at over hashbrown and over the flat table.
fn targets_over_rivals(key: &str) -> (Option<Target>, Option<Target>) {
    match key {
        "debian" | "k24" => (Some(Target::AtLeast(6.0)), Some(Target::AtLeast(3.0))),
        "k20" => (Some(Target::AtLeast(4.0)), None),
        _ => (None, None),
    }
}

fn ratio(
    record: &mut Record,
    key: &str,
    tree: &Tree,
    what: &str,
    (a, b): (&Laps, &Laps),
    target: Option<Target>,
) {
    let value = compared_rate(key, a) / compared_rate(key, b);
    record.add(key, format!("{}: {what}", tree.title), value, "x", target);
}

/// Bytes an entry. The limits are for names of Debian's mean length.
fn measure_memory(record: &mut Record, tree: &Tree) {
    let namespace = tree.index.namespace();
    let n_entries = namespace.n_entries() as f64;
    let engines = tree.index.tables().memory() as f64 / n_entries;
    let all = engines + namespace.memory() as f64 / n_entries;
    let is_debian = tree.key == "debian";
    for (name, what, bytes, limit) in [
        ("engines", "bytes an entry that engines read", engines, 28.0),
        ("all", "bytes an entry in all", all, 64.0),
    ] {
        let target = is_debian.then_some(Target::AtMost(limit));
        record.add(
            format!("{}.memory.{name}", tree.key),
            format!("{}: {what}", tree.title),
            bytes,
            "B",
            target,
        );
    }
}

/// From a list in memory to an index, on one thread.
fn measure_build(record: &mut Record, list: &[u8]) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..3 {
        let (whole, tree, index) = pool.install(|| -> Result<_> {
            let (tree, namespace) = time(|| {
                let mut builder = ListBuilder::new();
                for path in list.split(|&byte| byte == b'\n').filter(|path| !path.is_empty()) {
                    builder.push(path, FileType::Regular);
                }
                builder.finish().0
            });
            let n_entries = namespace.n_entries() as f64;
            let (index, built) = time(|| Index::build(namespace));
            built.context("building the index")?;
            let rate = |lap: Duration| n_entries / lap.as_secs_f64() / 1e6;
            Ok((rate(tree.thread + index.thread), rate(tree.thread), rate(index.thread)))
        })?;
        for (rates, rate) in rates.iter_mut().zip([whole, tree, index]) {
            rates.push(rate);
        }
    }
    let names = ["whole", "tree", "index"];
    let parts = ["list to index", "list to tree", "tree to index"];
    for ((rates, name), part) in rates.iter_mut().zip(names).zip(parts) {
        rates.sort_by(f64::total_cmp);
        let target = (name == "whole").then_some(Target::AtLeast(3.0));
        let what = format!("Debian's list: build on one thread (processor time), {part}");
        record.add(format!("debian.build.{name}"), what, rates[1], "M entries/s", target);
        record.line(format!("build, one thread, {part}: {} M entries/s", format_value(rates[1])));
    }
    Ok(())
}

/// One path a call: an index in cache, everything warm.
fn measure_single_calls(record: &mut Record, one: &CpuEngine, runs: usize) -> Result<()> {
    let tree = Tree::synthetic(14, 42)?;
    let set = tree.draw(&Mix::default(), 1024, 1)?;
    let plan = tree.index.plan(&Options::default())?;
    let laps = race(runs, &mut [single_calls(one, tree.index.tables(), &plan, &set)]);
    let wall = median(laps[0].laps.iter().map(|lap| lap.wall));
    let nanoseconds = wall.as_nanos() as f64 / set.len() as f64;
    let before = allocations::count();
    let mut outcomes = [(INVALID_INODE, 0)];
    call_each(one, tree.index.tables(), &plan, &set, |_, inode, status| outcomes[0] = (inode, status));
    let n_allocations = (allocations::count() - before) as f64;
    record.line(format!(
        "\none path a call, warm, 2^14 entries: {nanoseconds:.1} ns, {n_allocations} allocations"
    ));
    let (most, none) = (Some(Target::AtMost(100.0)), Some(Target::AtMost(0.0)));
    record.add("single.ns", "one path a call, warm, index in cache (2^14 entries)", nanoseconds, "ns", most);
    record.add("single.allocations", "allocations of 1024 such calls", n_allocations, "", none);
    Ok(())
}

fn single_calls<'a>(
    one: &'a CpuEngine,
    tables: &'a Tables,
    plan: &'a Plan,
    set: &'a PathSet,
) -> Contestant<'a> {
    let mut inodes = vec![INVALID_INODE; set.len()];
    Contestant::new("single calls", set.len(), move |_| {
        let (lap, ()) = time(|| call_each(one, tables, plan, set, |i, inode, _| inodes[i] = inode));
        check(set, 0..set.len(), &inodes);
        lap
    })
}

/// Resolves each path with a call of its own.
pub fn call_each(
    one: &CpuEngine,
    tables: &Tables,
    plan: &Plan,
    set: &PathSet,
    mut answer: impl FnMut(usize, InodeId, u8),
) {
    let batch: PathBatch<'_> = set.batch();
    for i in 0..set.len() {
        let (mut inodes, mut statuses) = ([INVALID_INODE], [0]);
        let out = warpath_core::OutcomesMut { inodes: &mut inodes, statuses: &mut statuses };
        let result = one.resolve(tables, plan, &PathBatch::from_slices(&[batch.get(i)]), out);
        assert!(result.is_ok(), "{result:?}");
        answer(i, inodes[0], statuses[0]);
    }
}
