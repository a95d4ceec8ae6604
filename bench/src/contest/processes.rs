//! Whole processes on a live tree, from start to exit: files in, a file out.

use super::process::{JOINS, Process, Setup, columns_of_numbers, numbers, race, row, run};
use crate::record::{Record, Target, format_value};
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use warpath_workload::stopwatch::median;

#[derive(clap::Args)]
pub struct Arguments {
    /// The tree.
    #[arg(long, default_value = "/usr")]
    root: PathBuf,
    /// Paths of the long list: the tree's, again and again.
    #[arg(long, default_value_t = 5_000_000)]
    n: usize,
    #[command(flatten)]
    setup: Setup,
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

/// Lists, with what must be answered, and the tree's index.
struct Work<'a> {
    setup: &'a Setup,
    index: String,
    paths: Vec<Vec<u8>>,
    inodes: Vec<u64>,
}

pub fn measure(record: &mut Record, arguments: &Arguments, quick: bool) -> Result<()> {
    let Arguments { root, setup, .. } = arguments;
    let work = Work::new(setup, root)?;
    record.line(format!(
        "### {}: {} paths, links among them and not followed; everything cached, files in {}\n",
        root.display(),
        work.paths.len(),
        setup.work.display()
    ));
    record.line("Seconds of wall time from the start of a process to its end; medians of rounds in turns.\n");
    setup.versions(record);
    if arguments.only.contains(&Part::Scan) {
        scan(record, &work, root, if quick { 1 } else { 9 })?;
    }
    if arguments.only.contains(&Part::Few) {
        few(record, &work, root, if quick { 1 } else { 11 })?;
    }
    if arguments.only.contains(&Part::Long) {
        long(record, &work, if quick { work.paths.len() } else { arguments.n })?;
    }
    std::fs::remove_dir_all(&setup.work)?;
    Ok(())
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

impl<'a> Work<'a> {
    /// All paths of the tree as `find` writes them, with the kernel's inode numbers.
    fn new(setup: &'a Setup, root: &Path) -> Result<Work<'a>> {
        let folder = &setup.work;
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let output = Command::new("find").arg(root).args(["-printf", "%p\\0"]).output().context("find")?;
        let paths: Vec<Vec<u8>> = output.stdout.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        let paths: Vec<Vec<u8>> = paths.into_iter().filter(|path| !path.is_empty()).collect();
        let inode = |path: &Vec<u8>| {
            std::fs::symlink_metadata(std::ffi::OsStr::from_bytes(path)).map_or(0, |told| told.ino())
        };
        let inodes = paths.iter().map(inode).collect();
        let index = folder.join("tree.warp");
        run(Command::new(setup.warpath()?).arg("index").arg(root).arg("-o").arg(&index), None, None)?;
        Ok(Work { setup, index: index.to_string_lossy().into_owned(), paths, inodes })
    }

    /// A list of `n` paths, and what must be answered.
    fn list(&self, n: usize) -> Result<(PathBuf, Vec<u64>)> {
        let file = self.setup.work.join(format!("list-{n}"));
        let mut text = Vec::new();
        for path in self.paths.iter().cycle().take(n) {
            text.extend_from_slice(path);
            text.push(0);
        }
        std::fs::write(&file, text)?;
        Ok((file, self.inodes.iter().copied().cycle().take(n).collect()))
    }
}

/// The long list.
fn long(record: &mut Record, work: &Work<'_>, n: usize) -> Result<()> {
    let (list, expected) = work.list(n)?;
    let (keys, mut processes): (Vec<&str>, Vec<Process<'_>>) =
        long_processes(work, &list)?.into_iter().unzip();
    let seconds = race(&work.setup.work, &mut processes, &expected)?;
    record.line(format!(
        "\n{n} paths, the tree's again and again; outputs as they come, checked afterwards:\n"
    ));
    record.line("| | seconds | M paths/s | times warpath's |\n|---|---|---|---|");
    for ((process, key), &seconds_used) in processes.iter().zip(&keys).zip(&seconds) {
        row(record, &format!("long.{key}"), &process.name, seconds_used, seconds[0], 1.0, n);
    }
    long_targets(record, &keys.into_iter().zip(seconds).collect());
    Ok(())
}

/// What answers the long list, by the figures' keys.
fn long_processes<'a>(work: &'a Work<'_>, list: &'a Path) -> Result<Vec<(&'static str, Process<'a>)>> {
    let Work { setup, index, .. } = work;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let inodes = "`warpath lookup -0 --index --columns ino`: inodes alone";
    let mut alone = setup.lookup(inodes, 5, &["--index", index, "--columns", "ino"])?;
    alone.read = columns_of_numbers;
    let mut processes = vec![
        (
            "warpath",
            setup.lookup("`warpath lookup -0 --index`: status, inode and path", 5, &["--index", index])?,
        ),
        ("warpath_inodes", alone),
        ("xargs", stat("`xargs -0 stat -c %i`", 1)),
        ("xargs_parallel", stat_in_parallel(&threads, &setup.work)),
    ];
    for (_, process) in &mut processes {
        process.input = Some(list);
    }
    let tables = setup.convert(&work.list(work.paths.len())?.0, &work.inodes, list)?;
    processes.extend(JOINS.into_iter().zip(setup.joins(&tables, 3)));
    Ok(processes)
}

/// What the long list's seconds say of the targets.
fn long_targets(record: &mut Record, seconds: &HashMap<&str, f64>) {
    let fastest_duckdb = seconds["duckdb_inodes"].min(seconds["duckdb_python"]);
    let over_xargs = seconds["xargs"] / seconds["warpath"];
    record.line(format!(
        "\nxargs stat takes {} times as long, DuckDB's fastest {} times.",
        format_value(over_xargs),
        format_value(fastest_duckdb / seconds["warpath"])
    ));
    for (key, what, times, target) in [
        ("over_xargs", "`xargs -0 stat` over `warpath lookup --index`", over_xargs, 10.0),
        (
            "over_duckdb",
            "DuckDB's join from Parquet (inode and path) over `warpath lookup --index`",
            seconds["duckdb"] / seconds["warpath"],
            3.0,
        ),
        (
            "over_duckdb_inodes",
            "DuckDB's fastest join from Parquet (inodes alone) over `warpath lookup --index --columns ino`",
            fastest_duckdb / seconds["warpath_inodes"],
            3.0,
        ),
    ] {
        let what = format!("whole processes: {what}");
        record.add(format!("long.{key}"), what, times, "x", Some(Target::AtLeast(target)));
    }
}

/// Where starting up, opening and scanning is most of the time.
fn few(record: &mut Record, work: &Work<'_>, root: &Path, rounds: usize) -> Result<()> {
    record.line("\nFew paths, milliseconds. `--root` scans the whole tree first:\n");
    record.line(
        "| paths | `xargs -0 stat` | `warpath lookup --index` | `warpath lookup --root` |\n|---|---|---|---|",
    );
    for n in [1, 100, 10_000, work.paths.len()] {
        let (list, expected) = work.list(n)?;
        let mut processes = [
            stat("stat", rounds),
            work.setup.lookup("index", rounds, &["--index", &work.index])?,
            work.setup.lookup("root", rounds, &["--root", &root.to_string_lossy()])?,
        ];
        processes.iter_mut().for_each(|process| process.input = Some(&list));
        let seconds = race(&work.setup.work, &mut processes, &expected)?;
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
fn scan(record: &mut Record, work: &Work<'_>, root: &Path, rounds: usize) -> Result<()> {
    let folder = &work.setup.work;
    let (output, index, warpath) = (folder.join("output"), folder.join("scan.warp"), work.setup.warpath()?);
    let fd = if has("fdfind") { "fdfind" } else { "fd" };
    let mut commands: Vec<(&str, &str, Command)> = Vec::new();
    let mut add = |key, name, program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        commands.push((key, name, command));
    };
    let (root, index) = (root.to_string_lossy(), index.to_string_lossy());
    add("warpath", "`warpath index`: scan, index, file", &warpath, &["index", &root, "-o", &index]);
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

fn has(program: &str) -> bool {
    let probe = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}
