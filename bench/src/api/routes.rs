//! `auto` beside each single engine.

use super::Setting;
use crate::record::{Record, Target, format_value};
use anyhow::Result;
use std::time::{Duration, Instant};
use warpath::{Options, Outcomes};
use warpath_workload::stopwatch::median;

/// Time for each contestant at each size, and how many rounds at least.
const TIME: Duration = Duration::from_millis(300);
const LEAST_ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 3000;

/// Calls of a contestant in a round: more of small batches, as they come in streams, and the first few find the caches as another engine
/// left them.
fn calls(n_paths: usize) -> usize {
    (1000 / n_paths).clamp(4, 64)
}

/// Every engine forced, then `auto`, in turns, at batch sizes of 1 to 10^6: medians.
pub fn measure(record: &mut Record, setting: &Setting) -> Result<()> {
    if setting.engines.len() < 2 {
        record.line("\n### auto\n\nNot measured: there is one engine.");
        return Ok(());
    }
    setting.force(None)?;
    setting.fs.calibrate();
    let names = setting.engines.join(" | ");
    record.line(format!(
        "\n### auto\n\n| paths | {names} | auto | over the best | it would go to |\n{}",
        "|---".repeat(setting.engines.len() + 4) + "|"
    ));
    let mut n_paths = 1;
    while n_paths <= setting.most_paths {
        measure_size(record, setting, n_paths)?;
        n_paths *= 10;
    }
    setting.force(None)
}

fn measure_size(record: &mut Record, setting: &Setting, n_paths: usize) -> Result<()> {
    let n_ways = setting.engines.len() + 1;
    let mut times: Vec<Vec<Duration>> = vec![vec![]; n_ways];
    let mut outcomes = Outcomes::with_len(n_paths);
    // Once: it looks at every offset.
    let all = setting.set.batch();
    let begin = Instant::now();
    let limit = TIME * n_ways as u32;
    let calls = calls(n_paths);
    let mut round = 0;
    while round < LEAST_ROUNDS || (round < MOST_ROUNDS && begin.elapsed() < limit) {
        // To and fro: whoever follows another engine finds the caches, and the processors' clocks, as that has left them.
        let turns = 0..n_ways;
        let turns: Vec<usize> = if round % 2 == 0 { turns.collect() } else { turns.rev().collect() };
        for way in turns {
            setting.force(setting.engines.get(way).map(String::as_str))?;
            // Paths that no way has just read. The first call is not timed.
            let windows = (setting.set.len() / n_paths).max(1);
            let mut first = 0;
            for call in 0..calls {
                first = ((round * n_ways + way) * calls + call) % windows * n_paths;
                let batch = all.slice(first..first + n_paths);
                let start = Instant::now();
                setting.fs.resolve_into(batch, &Options::default(), outcomes.as_mut())?;
                if call > 0 {
                    times[way].push(start.elapsed());
                }
            }
            let expected = &setting.set.expected().inodes()[first..first + n_paths];
            assert!(
                outcomes.inodes() == expected,
                "a wrong answer among paths {first} to {}",
                first + n_paths
            );
        }
        round += 1;
    }
    let medians: Vec<f64> =
        times.into_iter().map(|times| median(times.into_iter()).as_secs_f64() * 1e6).collect();
    let best = medians[..n_ways - 1].iter().copied().fold(f64::MAX, f64::min);
    let auto = medians[n_ways - 1];
    setting.force(None)?;
    let explanation = setting.fs.explain(&all.slice(0..n_paths));
    let chosen: Vec<&str> = explanation.shares.iter().map(|share| &*share.engine).collect();
    let cells: Vec<String> = medians.iter().map(|micros| format!("{} us", format_value(*micros))).collect();
    record.line(format!(
        "| {n_paths} | {} | {}x | {} |",
        cells.join(" | "),
        format_value(auto / best),
        chosen.join(" and ")
    ));
    for (engine, micros) in setting.engines.iter().zip(&medians) {
        record.add(
            format!("auto.{n_paths}.{engine}"),
            format!("{n_paths} paths on {engine}"),
            *micros,
            "us",
            None,
        );
    }
    record.add(format!("auto.{n_paths}.auto"), format!("{n_paths} paths, auto"), auto, "us", None);
    let what = format!("{n_paths} paths: auto over the best single engine");
    record.add(format!("auto.{n_paths}.over_best"), what, auto / best, "x", Some(Target::AtMost(1.1)));
    Ok(())
}
