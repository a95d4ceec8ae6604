//! Small batches of small tables: where a call's fixed cost shows, and a hash map is enough.

use crate::contestants::check;
use crate::peers::PathTable;
use crate::peers::flat::FlatTable;
use crate::peers::maps::HashbrownMap;
use crate::record::{Record, format_value};
use crate::trees::Tree;
use anyhow::Result;
use warpath_core::{Engine, INVALID_INODE, InodeId, Options, Outcomes, PathBatch};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::stopwatch::{Contestant, Laps, median, race, time};
use warpath_workload::{Mix, PathSet};

/// Entries of the trees, as powers of two: in the first cache, in the second, in the last, in memory.
const SIZES: [u32; 4] = [8, 12, 16, 20];
/// Paths of a call.
const BATCHES: [usize; 4] = [1, 10, 100, 1000];
/// Paths of a round.
const ROUND: usize = 10_000;

pub fn measure(record: &mut Record, quick: bool) -> Result<()> {
    let one = CpuEngine::with_threads(1)?;
    record.line(
        "ns a path on one thread, all found, random; medians of rounds in turns. hashbrown with foldhash.\n",
    );
    record.line(
        "| entries | paths a call | warpath | hashbrown | flat table | warpath is faster than hashbrown |",
    );
    record.line("|---|---|---|---|---|---|");
    for k in SIZES {
        let tree = Tree::synthetic(k, 42)?;
        let set = tree.draw(&Mix::default(), ROUND, 1)?;
        let paths = tree.all_paths();
        let map = HashbrownMap::<foldhash::fast::RandomState>::new(&paths);
        let flat = FlatTable::new(&paths);
        for batch in BATCHES {
            let mut contestants = [
                engine(&one, &tree, &set, batch)?,
                table("hashbrown", &map, &set, batch),
                table("flat table", &flat, &set, batch),
            ];
            let laps = race(if quick { 3 } else { 101 }, &mut contestants);
            row(record, k, batch, &laps);
        }
    }
    Ok(())
}

fn row(record: &mut Record, k: u32, batch: usize, laps: &[Laps]) {
    let ns: Vec<f64> = laps
        .iter()
        .map(|laps| median(laps.laps.iter().map(|lap| lap.thread)).as_secs_f64() * 1e9 / laps.n_units as f64)
        .collect();
    for (laps, &ns) in laps.iter().zip(&ns) {
        let slug = laps.name.replace(' ', "_");
        let what = format!("{}: 2^{k} entries, {batch} paths a call", laps.name);
        record.add(format!("k{k}.batch{batch}.{slug}"), what, ns, "ns", None);
    }
    let [own, map, flat] = [0, 1, 2].map(|i| format_value(ns[i]));
    let times = ns[1] / ns[0];
    record.line(format!("| 2^{k} | {batch} | {own} | {map} | {flat} | {times:.1}x |"));
}

fn engine<'a>(one: &'a CpuEngine, tree: &'a Tree, set: &'a PathSet, size: usize) -> Result<Contestant<'a>> {
    let plan = tree.index.plan(&Options::default())?;
    let tables = tree.index.tables();
    let mut outcomes = Outcomes::with_len(set.len());
    Ok(Contestant::new("warpath", set.len(), move |_| {
        let (lap, result) = time(|| {
            let mut rest = outcomes.as_mut();
            for batch in batches(set, size) {
                let (out, behind) = rest.split_at(batch.len());
                one.resolve(tables, &plan, &batch, out)?;
                rest = behind;
            }
            anyhow::Ok(())
        });
        assert!(result.is_ok(), "{result:?}");
        check(set, 0..set.len(), outcomes.inodes());
        lap
    }))
}

fn table<'a>(name: &str, table: &'a impl PathTable, set: &'a PathSet, size: usize) -> Contestant<'a> {
    let mut inodes: Vec<InodeId> = vec![INVALID_INODE; set.len()];
    Contestant::new(name, set.len(), move |_| {
        let (lap, ()) = time(|| {
            for (batch, inodes) in batches(set, size).zip(inodes.chunks_mut(size)) {
                table.look_up(&batch, inodes);
            }
        });
        check(set, 0..set.len(), &inodes);
        lap
    })
}

fn batches(set: &PathSet, size: usize) -> impl Iterator<Item = PathBatch<'_>> {
    let batch = set.batch();
    (0..set.len()).step_by(size).map(move |first| batch.slice(first..set.len().min(first + size)))
}
