//! What `--stats` prints.

use crate::output::status_name;
use crate::pipeline::Report;
use std::fmt::{Display, Formatter, Result};
use std::time::Duration;
use warpath_core::{EngineInfo, Index};
use warpath_sources::live::ScanSummary;

/// Everything that `--stats` prints, a name and its value a line.
pub struct Stats<'a> {
    pub scan: &'a ScanSummary,
    pub index: &'a Index,
    pub build_time: Duration,
    pub info: EngineInfo,
    pub why: &'a str,
    pub report: Report,
}

impl Display for Stats<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.scan(f)?;
        line(f, "build time", format_args!("{:.3} s", self.build_time.as_secs_f64()))?;
        line(f, "engine", format_args!("{} ({}): {}", self.info.name, self.info.device, self.why))?;
        answers(f, &self.report)
    }
}

/// What `--stats` prints where index files answer.
pub struct IndexStats<'a> {
    pub entries: u64,
    pub open_time: Duration,
    pub info: EngineInfo,
    pub why: &'a str,
    pub report: Report,
}

impl Display for IndexStats<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        line(f, "entries", grouped(self.entries))?;
        line(f, "open time", format_args!("{:.6} s", self.open_time.as_secs_f64()))?;
        line(f, "engine", format_args!("{} ({}): {}", self.info.name, self.info.device, self.why))?;
        answers(f, &self.report)
    }
}

impl Stats<'_> {
    fn scan(&self, f: &mut Formatter<'_>) -> Result {
        let ScanSummary { entries, directories, symlinks, files, hard_links, .. } = *self.scan;
        let kinds = format!(
            "{} ({} directories, {} links, {} others; {} further hard links)",
            grouped(entries),
            grouped(directories),
            grouped(symlinks),
            grouped(files),
            grouped(hard_links)
        );
        line(f, "entries", kinds)?;
        line(f, "scan time", format_args!("{:.3} s", self.scan.time.as_secs_f64()))?;
        let warnings = [
            (self.scan.unreadable, "unreadable directories"),
            (self.scan.excluded, "excluded directories"),
            (self.scan.other_file_systems, "other file systems"),
            (self.scan.vanished, "vanished during the scan"),
            (self.scan.refused, "names that are too long"),
        ];
        let warnings =
            warnings.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n)));
        let warnings = warnings.collect::<Vec<_>>().join(", ");
        line(
            f,
            "not indexed",
            if warnings.is_empty() { "nothing below the scanned directory" } else { &warnings },
        )?;
        let bytes = self.index.tables().memory();
        let each = bytes as f64 / self.index.namespace().n_entries().max(1) as f64;
        line(f, "index", format_args!("{} bytes, {each:.1} an entry", grouped(bytes as u64)))
    }
}

/// What came out.
fn answers(f: &mut Formatter<'_>, report: &Report) -> Result {
    let Report { counts, time, read_time, engine_time } = *report;
    let n_paths: u64 = counts.iter().sum();
    line(f, "paths", grouped(n_paths))?;
    for (status, &count) in counts.iter().enumerate().filter(|(status, count)| *status == 0 || **count > 0) {
        line(f, &format!("  {}", status_name(status as u8)), grouped(count))?;
    }
    let seconds = time.as_secs_f64();
    let reading = read_time.as_secs_f64();
    line(
        f,
        "time",
        format_args!("{seconds:.3} s, of which {reading:.3} s waiting for paths and reading them"),
    )?;
    let rate = |seconds: f64| grouped((n_paths as f64 / seconds.max(1e-9)) as u64);
    line(
        f,
        "paths/s",
        format_args!("{} (engine alone {} a thread)", rate(seconds), rate(engine_time.as_secs_f64())),
    )
}

fn line(f: &mut Formatter<'_>, name: &str, value: impl Display) -> Result {
    writeln!(f, "{name:<14}{value}")
}

/// A number with its thousands apart.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }
}
