//! Tables of full paths in this process.

use crate::contestants::{Size, engine, rows, table};
use crate::peers::PathTable;
use crate::peers::automaton::Automaton;
use crate::peers::flat::FlatTable;
use crate::peers::maps::{DashMapView, HashbrownMap, StdMap};
use crate::peers::sorted::SortedPaths;
use crate::record::{Record, format_value};
use crate::trees::{AllPaths, Choice, Tree};
use anyhow::{Result, ensure};
use std::time::Instant;
use warpath_core::namespace::ListBuilder;
use warpath_core::{FileType, Index, Options};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::stopwatch::race;
use warpath_workload::{Mix, PathSet};

type Foldhash = foldhash::fast::RandomState;

/// A table, what it is called, and how long it took to build.
struct Peer<'p> {
    name: &'static str,
    table: Box<dyn PathTable + Send + 'p>,
    seconds: f64,
}

pub fn measure(record: &mut Record, choice: &Choice, quick: bool) -> Result<()> {
    let size = if quick {
        Size { rounds: 2, set: 1 << 14, window: 1 << 12 }
    } else {
        Size { rounds: 9, set: 1 << 22, window: 1 << 18 }
    };
    let (tree, random) = choice.load(size.set)?;
    let size = Size { window: size.window.min(random.len()), ..size };
    let (one, all) = (CpuEngine::with_threads(1)?, CpuEngine::new());
    record.line(format!(
        "### {}: {} entries; {} paths of {:.1} bytes and {:.1} components\n",
        tree.title,
        tree.index.namespace().n_entries(),
        random.len(),
        random.mean_length(),
        random.mean_components()
    ));
    record.line("M paths/s: on one thread by its processor time, on all threads by wall time; medians of rounds in turns.");
    record.line("Every table holds all paths of the tree, directories too; keys of the maps borrow from one buffer in `find` order.\n");
    let paths = tree.all_paths();
    let peers = rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(|| peers(&paths))?;
    measure_tables(record, &tree, &paths, &peers)?;
    record.line(
        "\n| | M paths/s | by wall time | best round by wall time | warpath is faster |\n|---|---|---|---|---|",
    );
    let order = if tree.key == "history" { "history" } else { "random" };
    let race_on_one = Race { tree: &tree, engine: &one, is_all: false, size: &size };
    let race_on_all = Race { engine: &all, is_all: true, ..race_on_one };
    race_on_one.run(record, &format!("{}.{order}.1", tree.key), "one thread", &random, &mut peers.iter())?;
    race_on_all.run(
        record,
        &format!("{}.{order}.all", tree.key),
        "all threads",
        &random,
        &mut peers.iter(),
    )?;
    if tree.key != "history" {
        let missing = tree.draw(&Mix { missing: 0.5, ..Mix::default() }, size.set, 2)?;
        let key = format!("{}.missing.1", tree.key);
        let mut few = peers.iter().filter(|peer| ["flat table", "hashbrown, foldhash"].contains(&peer.name));
        race_on_one.run(record, &key, "half missing, one thread", &missing, &mut few)?;
    }
    Ok(())
}

/// What all contestants of a race have in common.
#[derive(Clone, Copy)]
struct Race<'a> {
    tree: &'a Tree,
    engine: &'a CpuEngine,
    is_all: bool,
    size: &'a Size,
}

impl<'a> Race<'a> {
    /// A row a contestant, warpath first.
    fn run<'p: 'a>(
        &self,
        record: &mut Record,
        key: &str,
        title: &str,
        set: &'a PathSet,
        peers: &mut dyn Iterator<Item = &'a Peer<'p>>,
    ) -> Result<()> {
        let Race { tree, size, is_all, .. } = *self;
        let mut contestants = vec![engine("warpath", self.engine, tree, Options::default(), set, size, 0)?];
        contestants.extend(
            peers.enumerate().map(|(i, peer)| table(peer.name, &*peer.table, set, size, i + 1, is_all)),
        );
        rows(record, key, title, &race(size.rounds, &mut contestants));
        Ok(())
    }
}

/// All peers.
fn peers<'p>(paths: &'p AllPaths) -> Result<Vec<Peer<'p>>> {
    let mut peers = Vec::new();
    let mut add = |name, build: &dyn Fn() -> Result<Box<dyn PathTable + Send + 'p>>| -> Result<()> {
        let start = Instant::now();
        let table = build()?;
        peers.push(Peer { name, table, seconds: start.elapsed().as_secs_f64() });
        Ok(())
    };
    add("flat table", &|| Ok(Box::new(FlatTable::new(paths))))?;
    add("hashbrown, foldhash", &|| Ok(Box::new(HashbrownMap::<Foldhash>::new(paths))))?;
    add("hashbrown, ahash", &|| Ok(Box::new(HashbrownMap::<ahash::RandomState>::new(paths))))?;
    add("dashmap, foldhash", &|| Ok(Box::new(DashMapView::<Foldhash>::new(paths))))?;
    add("std", &|| Ok(Box::new(StdMap::new(paths))))?;
    add("fst", &|| Ok(Box::new(Automaton::new(&SortedPaths::new(paths))?)))?;
    add("sorted vector", &|| Ok(Box::new(SortedPaths::new(paths))))?;
    Ok(peers)
}

/// Bytes an entry, and the time to build.
fn measure_tables(record: &mut Record, tree: &Tree, paths: &AllPaths, peers: &[Peer<'_>]) -> Result<()> {
    let n = tree.index.namespace().n_entries() as f64;
    record.line("| | bytes an entry, text included | built on one thread, M entries/s |\n|---|---|---|");
    let mut row = |name: &str, memory: usize, seconds: f64| {
        let (bytes, rate) = (memory as f64 / n, paths.len() as f64 / seconds / 1e6);
        record.line(format!("| {name} | {} | {} |", format_value(bytes), format_value(rate)));
        let slug = name.replace(", ", "_").replace(' ', "_");
        record.add(
            format!("{}.memory.{slug}", tree.key),
            format!("{name}: bytes an entry"),
            bytes,
            "B",
            None,
        );
        record.add(format!("{}.build.{slug}", tree.key), format!("{name}: built"), rate, "M entries/s", None);
    };
    let memory = tree.index.tables().memory() + tree.index.namespace().memory();
    row("warpath", memory, seconds_to_index(paths)?);
    for peer in peers {
        row(peer.name, peer.table.memory(), peer.seconds);
    }
    Ok(())
}

/// From the same list to warpath's index, on one thread.
fn seconds_to_index(paths: &AllPaths) -> Result<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let start = Instant::now();
    let index = pool.install(|| {
        let mut builder = ListBuilder::with_capacity(paths.len());
        for (path, _) in paths.iter() {
            builder.push(path, FileType::Regular);
        }
        Index::build(builder.finish().0)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(index.namespace().n_entries() >= paths.len(), "the index lacks entries");
    Ok(seconds)
}
