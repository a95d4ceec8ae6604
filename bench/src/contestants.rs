//! Contestants that answer the same paths: an engine, or a peer's table.

use crate::peers::PathTable;
use crate::record::{Record, format_value};
use crate::trees::Tree;
use anyhow::Result;
use warpath_core::{Engine, INVALID_INODE, InodeId, Options, Outcomes};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::PathSet;
use warpath_workload::stopwatch::{Contestant, Laps, time};

/// How much is measured.
pub struct Size {
    pub rounds: usize,
    /// Paths of a set, and of a round.
    pub set: usize,
    pub window: usize,
}

/// The paths of a round: not those of the round before, nor those that another contestant has just read.
pub fn window(set: &PathSet, size: &Size, round: usize, contestant: usize) -> std::ops::Range<usize> {
    let n_windows = set.len() / size.window;
    let first = (round * 7 + contestant * 3) % n_windows * size.window;
    first..first + size.window
}

/// An engine that answers a window of the set each round.
pub fn engine<'a>(
    name: &str,
    engine: &'a CpuEngine,
    tree: &'a Tree,
    options: Options,
    set: &'a PathSet,
    size: &'a Size,
    number: usize,
) -> Result<Contestant<'a>> {
    let plan = tree.index.plan(&options)?;
    let tables = tree.index.tables();
    let mut outcomes = Outcomes::with_len(size.window);
    // Once: it looks at every offset.
    let all = set.batch();
    Ok(Contestant::new(name, size.window, move |round| {
        let window = window(set, size, round, number);
        let batch = all.slice(window.clone());
        let (lap, result) = time(|| engine.resolve(tables, &plan, &batch, outcomes.as_mut()));
        assert!(result.is_ok(), "{result:?}");
        check(set, window.clone(), outcomes.inodes());
        let expected = &set.expected().statuses()[window.clone()];
        let wrong = outcomes.statuses().iter().zip(expected).position(|(told, right)| told != right);
        assert!(wrong.is_none(), "path {} has a wrong status", window.start + wrong.unwrap_or(0));
        lap
    }))
}

/// A table of paths that does the same.
pub fn table<'a>(
    name: &str,
    table: &'a dyn PathTable,
    set: &'a PathSet,
    size: &'a Size,
    number: usize,
    all_threads: bool,
) -> Contestant<'a> {
    let mut inodes = vec![INVALID_INODE; size.window];
    let all = set.batch();
    Contestant::new(name, size.window, move |round| {
        let window = window(set, size, round, number);
        let batch = all.slice(window.clone());
        let (lap, ()) = time(|| {
            if all_threads {
                table.look_up_on_all_threads(&batch, &mut inodes);
            } else {
                table.look_up(&batch, &mut inodes);
            }
        });
        check(set, window, &inodes);
        lap
    })
}

/// Ends the run at the first wrong inode.
pub fn check(set: &PathSet, window: std::ops::Range<usize>, inodes: &[InodeId]) {
    let expected = &set.expected().inodes()[window.clone()];
    if let Some(i) = (0..inodes.len()).find(|&i| inodes[i] != expected[i]) {
        let path = String::from_utf8_lossy(set.batch().get(window.start + i)).into_owned();
        panic!("a wrong answer for {path}: {} instead of {}", inodes[i], expected[i]);
    }
}

/// What a contestant is compared by: processor time on one thread, which a busy machine does not lengthen by waiting, and
/// wall time on all.
pub fn compared_rate(key: &str, laps: &Laps) -> f64 {
    if key.contains(".1.") { laps.thread_rate() } else { laps.rate() }
}

/// A row a contestant; the first one is warpath.
pub fn rows(record: &mut Record, key: &str, what: &str, laps: &[Laps]) {
    for (i, lap) in laps.iter().enumerate() {
        let million = |rate: f64| format_value(rate / 1e6);
        let name = lap.name.replace(", ", "_").replace(' ', "_");
        let figure = format!("{key}.{name}");
        let rate = compared_rate(&figure, lap);
        let times =
            if i == 0 { String::new() } else { format!("{:.1}x", compared_rate(&figure, &laps[0]) / rate) };
        record.line(format!(
            "| {what}: {} | {} | {} | {} | {times} |",
            lap.name,
            million(rate),
            million(lap.rate()),
            million(lap.best_rate())
        ));
        record.add(figure, format!("{what}: {}", lap.name), rate / 1e6, "M paths/s", None);
    }
}
