//! Whole processes on a live tree, from start to exit: files in, a file out.

use crate::record::{Record, Target, format_value};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use warpath_workload::stopwatch::median;

#[derive(clap::Args)]
pub struct Arguments {
    /// The tree.
    #[arg(long, default_value = "/usr")]
    root: PathBuf,
    /// Paths of the long list: the tree's, again and again.
    #[arg(long, default_value_t = 5_000_000)]
    n: usize,
    /// The binary `warpath`; by default the one beside this program.
    #[arg(long)]
    warpath: Option<PathBuf>,
    /// Python with the packages of bench/peers/requirements.txt, from bench/peers.sh.
    #[arg(long, default_value = "target/peers/venv/bin/python")]
    python: PathBuf,
    /// Where lists, tables and outputs are written; best in memory.
    #[arg(long, default_value = "/dev/shm/warpath-peers")]
    work: PathBuf,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Long, Part::Few, Part::Scan])]
    only: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The long list, against `xargs stat` and joins that start from Parquet.
    Long,
    /// A few paths, where starting up and opening is most of the time.
    Few,
    /// Reading the tree, against `find` and `fd`.
    Scan,
}

/// What is run, on what, and how its output is read.
struct Process<'a> {
    name: String,
    rounds: usize,
    command: Command,
    input: Option<&'a Path>,
    /// Inode numbers from the output, in the order of the list unless `is_unordered`.
    read: fn(&[u8]) -> Result<Vec<u64>>,
    is_unordered: bool,
}

/// Lists, with what must be answered.
struct Work {
    folder: PathBuf,
    paths: Vec<Vec<u8>>,
    inodes: Vec<u64>,
}

pub fn measure(record: &mut Record, arguments: &Arguments, quick: bool) -> Result<()> {
    let beside = std::env::current_exe()?.with_file_name("warpath");
    let warpath = arguments.warpath.clone().unwrap_or(beside);
    ensure!(
        warpath.exists(),
        "{}: missing; cargo build --release -p warpath-cli makes it",
        warpath.display()
    );
    let work = Work::new(&arguments.work, &arguments.root)?;
    let index = work.folder.join("tree.warp");
    run(Command::new(&warpath).arg("index").arg(&arguments.root).arg("-o").arg(&index), None, None)?;
    record.line(format!(
        "### {}: {} paths, links among them and not followed; everything cached, files in {}\n",
        arguments.root.display(),
        work.paths.len(),
        arguments.work.display()
    ));
    record.line("Seconds of wall time from the start of a process to its end; medians of rounds in turns.\n");
    versions(record, &arguments.python);
    let binaries =
        Binaries { warpath, python: arguments.python.clone(), root: arguments.root.clone(), index };
    if arguments.only.contains(&Part::Scan) {
        scan(record, &work, &binaries, if quick { 1 } else { 9 })?;
    }
    if arguments.only.contains(&Part::Few) {
        few(record, &work, &binaries, if quick { 1 } else { 11 })?;
    }
    if arguments.only.contains(&Part::Long) {
        long(record, &work, &binaries, if quick { work.paths.len() } else { arguments.n })?;
    }
    std::fs::remove_dir_all(&arguments.work)?;
    Ok(())
}

struct Binaries {
    warpath: PathBuf,
    python: PathBuf,
    root: PathBuf,
    index: PathBuf,
}

impl Binaries {
    /// `warpath lookup`, reading its list from standard input.
    fn lookup(&self, name: &str, rounds: usize, arguments: &[&str]) -> Process<'static> {
        let mut command = Command::new(&self.warpath);
        command.args(["lookup", "-0", "--no-follow"]).args(arguments);
        Process { name: name.to_owned(), rounds, command, input: None, read: lookups, is_unordered: false }
    }

    fn lookup_in_index(&self, name: &str, rounds: usize) -> Process<'static> {
        self.lookup(name, rounds, &["--index", &self.index.to_string_lossy()])
    }

    fn python(&self, name: String, rounds: usize, arguments: &[&str]) -> Process<'static> {
        let mut command = Command::new(&self.python);
        command.arg("bench/peers/process.py").args(arguments);
        Process { name, rounds, command, input: None, read: numbers, is_unordered: true }
    }
}

fn stat(name: &str, rounds: usize) -> Process<'static> {
    let mut command = Command::new("xargs");
    command.args(["-0", "stat", "-c", "%i"]);
    Process { name: name.to_owned(), rounds, command, input: None, read: numbers, is_unordered: false }
}

/// As many of them at a time as there are threads. Each writes to a file of its own, as they would cut one another's lines in one;
/// these are put together in the end.
fn stat_in_parallel(threads: &str, folder: &Path) -> Process<'static> {
    let script = format!(
        "xargs -0 -P {threads} -n 4096 sh -c 'exec stat -c %i \"$@\" >\"$0/part.$$\"' \"$0\" && cat \"$0\"/part.* && rm \"$0\"/part.*"
    );
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(folder);
    let name = format!("`xargs -0 -P {threads} -n 4096 stat -c %i`");
    Process { name, rounds: 1, command, input: None, read: numbers, is_unordered: true }
}

impl Work {
    /// All paths of the tree as `find` writes them, with the kernel's inode numbers.
    fn new(folder: &Path, root: &Path) -> Result<Work> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let output = Command::new("find").arg(root).args(["-printf", "%p\\0"]).output().context("find")?;
        let paths: Vec<Vec<u8>> = output.stdout.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        let paths: Vec<Vec<u8>> = paths.into_iter().filter(|path| !path.is_empty()).collect();
        let inode = |path: &Vec<u8>| {
            std::fs::symlink_metadata(std::ffi::OsStr::from_bytes(path)).map_or(0, |told| told.ino())
        };
        let inodes = paths.iter().map(inode).collect();
        Ok(Work { folder: folder.to_owned(), paths, inodes })
    }

    /// A list of `n` paths, and what must be answered.
    fn list(&self, n: usize) -> Result<(PathBuf, Vec<u64>)> {
        let file = self.folder.join(format!("list-{n}"));
        let mut text = Vec::new();
        for path in self.paths.iter().cycle().take(n) {
            text.extend_from_slice(path);
            text.push(0);
        }
        std::fs::write(&file, text)?;
        Ok((file, self.inodes.iter().copied().cycle().take(n).collect()))
    }
}

/// Runs a process to its end: how long it took. Exit codes are the caller's to expect: 0 here.
fn run(command: &mut Command, input: Option<&Path>, output: Option<&Path>) -> Result<Duration> {
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
fn race(work: &Work, processes: &mut [Process<'_>], expected: &[u64]) -> Result<Vec<f64>> {
    let output = work.folder.join("output");
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
fn numbers(output: &[u8]) -> Result<Vec<u64>> {
    output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(number).collect()
}

fn number(text: &[u8]) -> Result<u64> {
    let digits: usize = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    ensure!(digits > 0, "no number: {}", String::from_utf8_lossy(text));
    Ok(text[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// STATUS<TAB>INO<TAB>PATH<NUL>.
fn lookups(output: &[u8]) -> Result<Vec<u64>> {
    let records = output.split(|&byte| byte == 0).filter(|record| !record.is_empty());
    records
        .map(|record| match record.strip_prefix(b"OK\t") {
            Some(rest) => number(rest),
            None => bail!("not found: {}", String::from_utf8_lossy(record)),
        })
        .collect()
}

fn row(record: &mut Record, key: &str, name: &str, seconds: f64, own: f64, unit: f64, n: usize) {
    let rate = format_value(n as f64 / seconds / 1e6);
    let times = if seconds == own { String::new() } else { format!("{:.2}x", seconds / own) };
    record.line(format!("| {name} | {} | {rate} | {times} |", format_value(seconds * unit)));
    record.add(format!("{key}.seconds"), name.to_owned(), seconds, "s", None);
}

/// The long list.
fn long(record: &mut Record, work: &Work, binaries: &Binaries, n: usize) -> Result<()> {
    let (list, expected) = work.list(n)?;
    let (table_file, list_file) = (work.folder.join("table.parquet"), work.folder.join("list.parquet"));
    let unique = work.list(work.paths.len())?.0;
    let inodes: Vec<u8> = work.inodes.iter().flat_map(|inode| inode.to_le_bytes()).collect();
    let inode_file = work.folder.join("inodes");
    std::fs::write(&inode_file, inodes)?;
    let files = [&unique, &inode_file, &list, &table_file, &list_file].map(|file| file.to_string_lossy());
    let files: Vec<&str> = files.iter().map(AsRef::as_ref).collect();
    run(Command::new(&binaries.python).args(["bench/peers/process.py", "convert"]).args(&files), None, None)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let tables = [files[3], files[4]];
    let sql = |columns: &str, out: &str| {
        format!(
            "COPY (SELECT {columns} FROM '{}' l LEFT JOIN '{}' t USING (path)) TO '{out}' (FORMAT csv, DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false)",
            tables[1], tables[0]
        )
    };
    let duckdb = |name: &str, columns: &str| {
        let mut command = Command::new(binaries.python.with_file_name("duckdb"));
        command.arg("-c").arg(sql(columns, "/dev/stdout"));
        Process { name: name.to_owned(), rounds: 3, command, input: None, read: numbers, is_unordered: true }
    };
    let mut processes = [
        binaries.lookup_in_index("`warpath lookup -0 --index`: status, inode and path", 5),
        binaries.lookup(
            "`warpath lookup -0 --index --columns ino`: inodes alone",
            5,
            &["--index", &binaries.index.to_string_lossy(), "--columns", "ino"],
        ),
        stat("`xargs -0 stat -c %i`", 1),
        stat_in_parallel(&threads, &work.folder),
        duckdb("DuckDB CLI from Parquet: inode and path", "t.ino, l.path"),
        duckdb("DuckDB CLI from Parquet: inodes alone", "t.ino"),
        binaries.python(
            "DuckDB in Python from Parquet: inodes alone".to_owned(),
            3,
            &["duckdb", tables[0], tables[1]],
        ),
        binaries.python(
            "Polars in Python from Parquet: inodes alone".to_owned(),
            3,
            &["polars", tables[0], tables[1]],
        ),
    ];
    processes[1].read = columns_of_numbers;
    for process in &mut processes[..4] {
        process.input = Some(&list);
    }
    let seconds = race(work, &mut processes, &expected)?;
    record.line(format!(
        "\n{n} paths, the tree's again and again; outputs as they come, checked afterwards:\n"
    ));
    record.line("| | seconds | M paths/s | times warpath's |\n|---|---|---|---|");
    let keys = [
        "warpath",
        "warpath_inodes",
        "xargs",
        "xargs_parallel",
        "duckdb",
        "duckdb_inodes",
        "duckdb_python",
        "polars",
    ];
    for ((process, key), &seconds_used) in processes.iter().zip(keys).zip(&seconds) {
        row(record, &format!("long.{key}"), &process.name, seconds_used, seconds[0], 1.0, n);
    }
    let fastest_duckdb = seconds[5].min(seconds[6]);
    let times = |value: f64| format_value(value / seconds[0]);
    record.line(format!(
        "\nxargs stat takes {} times as long, DuckDB's fastest {} times.",
        times(seconds[2]),
        times(fastest_duckdb)
    ));
    let what = "whole processes: `xargs -0 stat` over `warpath lookup --index`";
    record.add("long.over_xargs", what, seconds[2] / seconds[0], "x", Some(Target::AtLeast(10.0)));
    let what = "whole processes: DuckDB's join from Parquet (inode and path) over `warpath lookup --index`";
    record.add("long.over_duckdb", what, seconds[4] / seconds[0], "x", Some(Target::AtLeast(3.0)));
    let what = "whole processes: DuckDB's fastest join from Parquet (inodes alone) over `warpath lookup --index --columns ino`";
    record.add("long.over_duckdb_inodes", what, fastest_duckdb / seconds[1], "x", Some(Target::AtLeast(3.0)));
    Ok(())
}

/// `warpath lookup -0 --columns ino`: INO<NUL>.
fn columns_of_numbers(output: &[u8]) -> Result<Vec<u64>> {
    output.split(|&byte| byte == 0).filter(|record| !record.is_empty()).map(number).collect()
}

/// Where starting up, opening and scanning is most of the time.
fn few(record: &mut Record, work: &Work, binaries: &Binaries, rounds: usize) -> Result<()> {
    record.line("\nFew paths, milliseconds. `--root` scans the whole tree first:\n");
    record.line(
        "| paths | `xargs -0 stat` | `warpath lookup --index` | `warpath lookup --root` |\n|---|---|---|---|",
    );
    for n in [1, 100, 10_000, work.paths.len()] {
        let (list, expected) = work.list(n)?;
        let root = binaries.root.to_string_lossy();
        let mut processes = [
            stat("stat", rounds),
            binaries.lookup_in_index("index", rounds),
            binaries.lookup("root", rounds, &["--root", &root]),
        ];
        processes.iter_mut().for_each(|process| process.input = Some(&list));
        let seconds = race(work, &mut processes, &expected)?;
        let [stat, index, root] = [0, 1, 2].map(|i| format_value(seconds[i] * 1e3));
        record.line(format!("| {n} | {stat} | {index} | {root} |"));
        for (process, seconds) in processes.iter().zip(&seconds) {
            let what = format!("{n} paths, whole process: {}", process.name);
            record.add(format!("few.{n}.{}", process.name), what, seconds * 1e3, "ms", None);
        }
    }
    Ok(())
}

/// The tree read once.
fn scan(record: &mut Record, work: &Work, binaries: &Binaries, rounds: usize) -> Result<()> {
    let (root, output) = (&binaries.root, work.folder.join("output"));
    let index = work.folder.join("scan.warp");
    let fd = if has("fdfind") { "fdfind" } else { "fd" };
    let mut commands: Vec<(&str, &str, Command)> = Vec::new();
    let mut add = |key, name, program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        commands.push((key, name, command));
    };
    let (root, index) = (root.to_string_lossy(), index.to_string_lossy());
    add("warpath", "`warpath index`: scan, index, file", &binaries.warpath, &["index", &root, "-o", &index]);
    add("find", "`find`", Path::new("find"), &[&root]);
    add("find_inodes", "`find -printf '%i %p\\n'`", Path::new("find"), &[&root, "-printf", "%i %p\\n"]);
    if has(fd) {
        add("fd", "`fd -uu`", Path::new(fd), &["-uu", ".", &root]);
    } else {
        record.line("fd is not installed here: bench/peers.sh installs it");
    }
    let mut times = vec![vec![]; commands.len()];
    for round in 0..=rounds {
        for ((key, name, command), times) in commands.iter_mut().zip(&mut times) {
            let time = run(command, None, Some(&output))?;
            if round > 0 {
                times.push(time);
            }
            let n_lines = std::fs::read(&output)?.split(|&byte| byte == b'\n').count();
            let is_all = *key == "warpath" || n_lines.abs_diff(work.paths.len()) <= 1;
            ensure!(is_all, "{name}: {n_lines} lines for {} paths", work.paths.len());
        }
    }
    let seconds: Vec<f64> = times.into_iter().map(|times| median(times.into_iter()).as_secs_f64()).collect();
    record.line(
        "Reading the tree, milliseconds:\n\n| | ms | M entries/s | times warpath's |\n|---|---|---|---|",
    );
    for ((key, name, _), &seconds_used) in commands.iter().zip(&seconds) {
        row(record, &format!("scan.{key}"), name, seconds_used, seconds[0], 1e3, work.paths.len());
    }
    for (i, (key, _, _)) in
        commands.iter().enumerate().skip(1).filter(|(_, (key, _, _))| *key != "find_inodes")
    {
        let what = format!("whole processes: `warpath index` over `{key}` of the same tree, time");
        record.add(format!("scan.over_{key}"), what, seconds[0] / seconds[i], "x", Some(Target::AtMost(1.2)));
    }
    Ok(())
}

/// The peers' releases.
fn versions(record: &mut Record, python: &Path) {
    let duckdb = python.with_file_name("duckdb");
    for program in [Path::new("xargs"), Path::new("stat"), Path::new("find"), Path::new("fdfind"), &duckdb] {
        let told =
            Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        if let Some(line) = String::from_utf8_lossy(&told).lines().next() {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            record.line(format!("- {name}: {line}"));
        }
    }
    record.line("");
}

fn has(program: &str) -> bool {
    let probe = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}
