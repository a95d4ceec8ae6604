//! Whole processes, from start to exit: files in, a file out; every answer checked.

use crate::record::{Record, format_value};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use warpath_workload::stopwatch::median;

/// Where the programs are, and where files are written.
#[derive(clap::Args)]
pub struct Setup {
    /// The binary `warpath`; by default the one beside this program.
    #[arg(long)]
    warpath: Option<PathBuf>,
    /// Python with the packages of bench/peers/requirements.txt, from bench/peers.sh.
    #[arg(long, default_value = "target/peers/venv/bin/python")]
    pub python: PathBuf,
    /// Where lists, tables and outputs are written; best in memory.
    #[arg(long, default_value = "/dev/shm/warpath-peers")]
    pub work: PathBuf,
}

impl Setup {
    /// The binary `warpath`.
    pub fn warpath(&self) -> Result<PathBuf> {
        let beside = std::env::current_exe()?.with_file_name("warpath");
        let warpath = self.warpath.clone().unwrap_or(beside);
        let name = warpath.display();
        ensure!(warpath.exists(), "{name}: missing; cargo build --release -p warpath-cli makes it");
        Ok(warpath)
    }

    /// `warpath lookup`, reading its list from standard input; links are not followed.
    pub fn lookup(&self, name: &str, rounds: usize, arguments: &[&str]) -> Result<Process<'static>> {
        let mut command = Command::new(self.warpath()?);
        command.args(["lookup", "-0", "--no-follow"]).args(arguments);
        let name = name.to_owned();
        Ok(Process { name, rounds, command, input: None, read: lookups, is_unordered: false })
    }

    /// NUL-separated lists, and the inode numbers of the first one, as the Parquet files that `joins` starts from.
    pub fn convert(&self, table: &Path, inodes: &[u64], list: &Path) -> Result<Tables> {
        let tables = Tables { table: self.work.join("table.parquet"), list: self.work.join("list.parquet") };
        let inode_file = self.work.join("inodes");
        std::fs::write(
            &inode_file,
            inodes.iter().flat_map(|inode| inode.to_le_bytes()).collect::<Vec<u8>>(),
        )?;
        let mut command = self.python();
        command.arg("convert").args([table, &inode_file, list, &tables.table, &tables.list]);
        run(&mut command, None, None)?;
        Ok(tables)
    }

    /// Data tools that join the list with the table, from Parquet to rows in any order, each with all threads.
    pub fn joins(&self, tables: &Tables, rounds: usize) -> Vec<Process<'static>> {
        let (list, table) = (tables.list.display(), tables.table.display());
        let duckdb = |what: &str, columns: &str| {
            let join = format!("SELECT {columns} FROM '{list}' l LEFT JOIN '{table}' t USING (path)");
            let form = "FORMAT csv, DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false";
            let mut command = Command::new(self.python.with_file_name("duckdb"));
            command.args(["-c", "SET preserve_insertion_order = false"]);
            command.args(["-c", &format!("COPY ({join}) TO '/dev/stdout' ({form})")]);
            (format!("DuckDB CLI from Parquet: {what}"), command)
        };
        let python = |title: &str, tool: &str| {
            let mut command = self.python();
            command.arg(tool).args([&tables.table, &tables.list]);
            (format!("{title} in Python from Parquet: inodes alone"), command)
        };
        let commands = [
            duckdb("inode and path", "t.ino, l.path"),
            duckdb("inodes alone", "t.ino"),
            python("DuckDB", "duckdb"),
            python("Polars", "polars"),
        ];
        let process = |(name, command)| Process {
            name,
            rounds,
            command,
            input: None,
            read: numbers,
            is_unordered: true,
        };
        commands.into_iter().map(process).collect()
    }

    fn python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("bench/peers/process.py");
        command
    }

    /// The peers' releases.
    pub fn versions(&self, record: &mut Record) {
        let duckdb = self.python.with_file_name("duckdb");
        for program in
            [Path::new("xargs"), Path::new("stat"), Path::new("find"), Path::new("fdfind"), &duckdb]
        {
            let told = Command::new(program).arg("--version").output().map(|output| output.stdout);
            if let Some(line) = String::from_utf8_lossy(&told.unwrap_or_default()).lines().next() {
                let name = program.file_name().unwrap_or_default().to_string_lossy();
                record.line(format!("- {name}: {line}"));
            }
        }
        let packages = std::fs::read_to_string("bench/peers/requirements.txt").unwrap_or_default();
        for package in
            packages.lines().filter(|line| line.starts_with("duckdb==") || line.starts_with("polars=="))
        {
            record.line(format!("- Python: {package}"));
        }
        record.line("");
    }
}

/// A join's two files.
pub struct Tables {
    table: PathBuf,
    list: PathBuf,
}

/// Keys of `Setup::joins`.
pub const JOINS: [&str; 4] = ["duckdb", "duckdb_inodes", "duckdb_python", "polars"];

/// What is run, on what, and how its output is read.
pub struct Process<'a> {
    pub name: String,
    pub rounds: usize,
    pub command: Command,
    pub input: Option<&'a Path>,
    /// Inode numbers from the output, in the order of the list unless `is_unordered`.
    pub read: fn(&[u8]) -> Result<Vec<u64>>,
    pub is_unordered: bool,
}

/// Runs a process to its end: how long it took. Exit codes are the caller's to expect: 0 here.
pub fn run(command: &mut Command, input: Option<&Path>, output: Option<&Path>) -> Result<Duration> {
    let what = format!("{command:?}");
    command.stdin(input.map_or(Ok(Stdio::null()), |file| File::open(file).map(Stdio::from))?);
    command.stdout(output.map_or(Ok(Stdio::null()), |file| File::create(file).map(Stdio::from))?);
    let start = Instant::now();
    let status = command.status().with_context(|| what.clone())?;
    let time = start.elapsed();
    ensure!(status.success(), "{what}: {status}");
    Ok(time)
}

/// Runs processes in turns and checks each answer; seconds in the order of the processes.
pub fn race(folder: &Path, processes: &mut [Process<'_>], expected: &[u64]) -> Result<Vec<f64>> {
    let output = folder.join("output");
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    let mut times: Vec<Vec<Duration>> = vec![vec![]; processes.len()];
    let rounds = processes.iter().map(|process| process.rounds).max().unwrap_or(0);
    for round in 0..rounds {
        for (process, times) in processes.iter_mut().zip(&mut times) {
            if round >= process.rounds {
                continue;
            }
            times.push(run(&mut process.command, process.input, Some(&output))?);
            let mut answers = (process.read)(&std::fs::read(&output)?).context(process.name.clone())?;
            if process.is_unordered {
                answers.sort_unstable();
            }
            let right = if process.is_unordered { &*sorted } else { expected };
            ensure!(
                answers == right,
                "{}: wrong answers ({} for {})",
                process.name,
                answers.len(),
                right.len()
            );
        }
    }
    Ok(times.into_iter().map(|times| median(times.into_iter()).as_secs_f64()).collect())
}

/// The numbers at the beginning of lines; what is empty is 0.
pub fn numbers(output: &[u8]) -> Result<Vec<u64>> {
    output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(number).collect()
}

fn number(text: &[u8]) -> Result<u64> {
    let digits: usize = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    ensure!(digits > 0, "no number: {}", String::from_utf8_lossy(text));
    Ok(text[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// STATUS<TAB>INO<TAB>PATH<NUL>.
pub fn lookups(output: &[u8]) -> Result<Vec<u64>> {
    let records = output.split(|&byte| byte == 0).filter(|record| !record.is_empty());
    records
        .map(|record| match record.strip_prefix(b"OK\t") {
            Some(rest) => number(rest),
            None => bail!("not found: {}", String::from_utf8_lossy(record)),
        })
        .collect()
}

pub fn row(record: &mut Record, key: &str, name: &str, seconds: f64, own: f64, unit: f64, n: usize) {
    let rate = format_value(n as f64 / seconds / 1e6);
    let times = if seconds == own { String::new() } else { format!("{:.2}x", seconds / own) };
    record.line(format!("| {name} | {} | {rate} | {times} |", format_value(seconds * unit)));
    record.add(format!("{key}.seconds"), name.to_owned(), seconds, "s", None);
}

/// `warpath lookup -0 --columns ino`: INO<NUL>.
pub fn columns_of_numbers(output: &[u8]) -> Result<Vec<u64>> {
    output.split(|&byte| byte == 0).filter(|record| !record.is_empty()).map(number).collect()
}
