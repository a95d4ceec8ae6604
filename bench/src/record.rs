//! Figures with where they come from, as a table for people and as CSV.

use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a figure must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Target::AtLeast(limit) => value >= limit,
            Target::AtMost(limit) => value <= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Target::AtLeast(limit) => format!(">= {limit}"),
            Target::AtMost(limit) => format!("<= {limit}"),
        }
    }
}

/// A figure.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Names it for ever: `debian.random.1.warpath`.
    pub key: String,
    /// What it is, for people.
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub target: Option<Target>,
}

/// Figures of one run.
#[derive(Debug, Default)]
pub struct Record {
    pub figures: Vec<Figure>,
    /// Tables and notes for people, in Markdown.
    pub text: String,
}

impl Record {
    pub fn add(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Option<Target>,
    ) {
        self.figures.push(Figure { key: key.into(), what: what.into(), value, unit, target });
    }

    /// Adds a line of text, and prints it.
    pub fn line(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref());
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// The table of what has a target, if anything has.
    pub fn targets(&mut self) {
        if self.figures.iter().all(|figure| figure.target.is_none()) {
            return;
        }
        self.line("\n| figure | measured | target | |\n|---|---|---|---|");
        let rows: Vec<String> = self
            .figures
            .iter()
            .filter_map(|figure| {
                let target = figure.target?;
                let met = if target.is_met(figure.value) { "met" } else { "**missed**" };
                let value = format_value(figure.value);
                Some(format!("| {} | {value} {} | {} | {met} |", figure.what, figure.unit, target.text()))
            })
            .collect();
        rows.iter().for_each(|row| self.line(row));
    }

    /// Writes `<folder>/<machine>/<date>-<name>.csv` and `.txt`; their path without the ending.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let folder = folder.join(machine_name());
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let stem = folder.join(format!("{}-{name}", output("date", &["-u", "+%Y-%m-%d"])));
        let header = header();
        let mut csv = header.lines().map(|line| format!("# {line}\n")).collect::<String>();
        csv.push_str("key,value,unit,target,met,what\n");
        for figure in &self.figures {
            let (target, met) = figure.target.map_or((String::new(), ""), |t| {
                (t.text(), if t.is_met(figure.value) { "yes" } else { "no" })
            });
            let what = figure.what.replace('"', "'");
            let value = format_value(figure.value);
            let _ = writeln!(csv, "{},{value},{},{target},{met},\"{what}\"", figure.key, figure.unit);
        }
        for (ending, text) in [("csv", csv), ("txt", format!("{header}\n{}", self.text))] {
            let file = stem.with_extension(ending);
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(stem)
    }
}

/// Four significant digits.
pub fn format_value(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).clamp(0, 4) };
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Machine, driver, commit, command, date: what is known of them.
fn header() -> String {
    let dirty = if output("git", &["status", "--porcelain", "-uno"]).is_empty() { "" } else { ", changed" };
    let head = || format!("{}{dirty}", output("git", &["rev-parse", "--short=12", "HEAD"]));
    let command: Vec<String> = std::env::args().skip(1).collect();
    let lines = [
        ("machine", machine()),
        ("gpu", output("nvidia-smi", &["--query-gpu=name,driver_version", "--format=csv,noheader"])),
        ("kernel", output("uname", &["-sr"])),
        ("compiler", output("rustc", &["--version"])),
        // A machine that has only the binary is told the commit.
        ("commit", std::env::var("WARPATH_COMMIT").unwrap_or_else(|_| head())),
        ("command", format!("cargo run --release -p warpath-bench -- {}", command.join(" "))),
        ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("load", read("/proc/loadavg")),
    ];
    lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let kib = memory_kib();
    format!("{}, {threads} threads, {} GiB", cpu_model(), (kib + (1 << 19)) >> 20)
}

fn memory_kib() -> u64 {
    let info = read("/proc/meminfo");
    info.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn cpu_model() -> String {
    let info = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().map(str::trim) == Some(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model"))
}

/// The machine as a folder's name.
fn machine_name() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let model: String = cpu_model()
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let words: Vec<&str> = model.split('-').filter(|word| !word.is_empty()).collect();
    format!("{}-{threads}-threads", words.join("-"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
