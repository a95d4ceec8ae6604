//! The table on standard output.

use super::measure::{Measured, MeasuredEngine, Point};
use std::fmt::Write as _;
use std::time::Duration;

/// All figures as text.
pub fn render(measured: &Measured) -> String {
    let mut text = format!("{}\n", measured.tree);
    let measurements = &measured.measurements;
    for MeasuredEngine { name, device, limit } in &measured.engines {
        let rate = limit.bytes_per_s / 1e9;
        let _ = writeln!(text, "engine {name}: {device}; its limit, {}: {rate:.1} GB/s", limit.name());
    }
    for note in &measured.notes {
        let _ = writeln!(text, "{note}");
    }
    let _ = writeln!(
        text,
        "\n{:<8} {:<24} {:>10} {:>12} {:>12} {:>12} {:>8}",
        "engine", "paths", "batch", "M paths/s", "p50", "p99", "of limit"
    );
    for point in &measurements.points {
        let share = 100.0 * point.share_of_limit;
        let Point { engine, case, batch, .. } = point;
        let (rate, p50, p99) = (rate(point.paths_per_s), duration(point.p50), duration(point.p99));
        let _ =
            writeln!(text, "{engine:<8} {case:<24} {batch:>10} {rate:>12} {p50:>12} {p99:>12} {share:>7.1}%");
    }
    text.push('\n');
    for single in &measurements.singles {
        let times = single.singles.as_secs_f64() / single.batch.as_secs_f64();
        let (singles, batch) = (duration(single.singles), duration(single.batch));
        let _ = writeln!(
            text,
            "{}: {} single calls {singles}, one batch of them {batch}: {times:.1} times faster",
            single.engine, single.n_paths
        );
    }
    for (from, engine) in measurements.crossovers() {
        let _ = writeln!(text, "fastest from batches of {from} on: {engine}");
    }
    text
}

/// Millions a second, with four digits.
pub fn rate(paths_per_s: f64) -> String {
    let millions = paths_per_s / 1e6;
    let decimals = if millions >= 100.0 {
        0
    } else if millions >= 1.0 {
        2
    } else {
        4
    };
    format!("{millions:.decimals$}")
}

/// A duration in the unit that suits it.
pub fn duration(time: Duration) -> String {
    let ns = time.as_secs_f64() * 1e9;
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
