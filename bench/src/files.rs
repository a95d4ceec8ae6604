//! Index files against their targets: building from a list, saving, checking, opening; scanning; the whole command.

use crate::arguments::{DebianList, Run};
use crate::record::{Record, Target};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use warpath_core::{Index, Namespace, Options, PathBatch};
use warpath_engine_cpu::CpuEngine;
use warpath_file::{Facts, SaveOptions};
use warpath_sources::ReadOptions;
use warpath_sources::list::{ListFormat, read_list};
use warpath_sources::live::{ScanOptions, scan};
use warpath_workload::stopwatch::{Contestant, Laps, median, race, time};
use warpath_workload::{Listed, Paths, Synthetic};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    run: Run,
    #[command(flatten)]
    debian: DebianList,
    /// Size of the synthetic tree, as a power of two.
    #[arg(long, default_value_t = 24)]
    k: u32,
    /// A directory to scan.
    #[arg(long, default_value = "/usr")]
    tree: PathBuf,
    /// Where files are written: on the disk that is to be measured. Default: a temporary directory.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Debian, Part::Synthetic, Part::Scan])]
    only: Vec<Part>,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Every path of Debian's main.
    Debian,
    /// A synthetic tree.
    Synthetic,
    /// A scan beside `find` and `fd`.
    Scan,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut record = Record::default();
    record.line("Wall time, medians of rounds in turns; the lists and files lie in the page cache.");
    let temporary = std::env::temp_dir().join(format!("warpath-bench-files-{}", std::process::id()));
    let folder = arguments.folder.as_ref().unwrap_or(&temporary);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let measured = measure(&mut record, arguments, folder);
    if arguments.folder.is_none() {
        std::fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    measured?;
    arguments.run.finish(&mut record, "files")
}

fn measure(record: &mut Record, arguments: &Arguments, folder: &Path) -> Result<()> {
    let (k, rounds) = if arguments.run.quick { (14, 2) } else { (arguments.k, arguments.rounds) };
    if arguments.only.contains(&Part::Debian) && !arguments.run.quick {
        let list = arguments.debian.file()?.to_owned();
        measure_list(
            record,
            &Case { key: "debian".into(), title: "Debian's main".into(), list },
            folder,
            rounds,
        )?;
    }
    if arguments.only.contains(&Part::Synthetic) {
        let list = folder.join("synthetic.txt");
        write_list(&Synthetic::new(k, 42).build().0, &list)?;
        let case = Case { key: format!("k{k}"), title: format!("synthetic, 2^{k} entries"), list };
        measure_list(record, &case, folder, rounds)?;
    }
    if arguments.only.contains(&Part::Scan) {
        measure_scan(record, &arguments.tree, rounds)?;
    }
    Ok(())
}

/// A list of paths that is measured.
struct Case {
    key: String,
    title: String,
    list: PathBuf,
}

/// Every path of the tree, a line each, directories with a slash.
fn write_list(namespace: &Namespace, list: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(list)?);
    let paths = Listed::of_namespace(namespace);
    for i in 0..paths.len() {
        out.write_all(paths.get(i))?;
        out.write_all(if namespace.is_directory(paths.inode(i)) { b"/\n" } else { b"\n" })?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}

fn measure_list(record: &mut Record, case: &Case, folder: &Path, rounds: usize) -> Result<()> {
    let (key, title) = (&case.key, &case.title);
    let index = measure_build(record, case, rounds.min(3))?;
    let file = folder.join("index.warp");
    measure_save(record, case, &index, &file, rounds)?;
    measure_size(record, case, index.namespace(), &file)?;
    drop(index);
    measure_verify(record, case, &file, rounds)?;
    measure_open(record, case, &file, 4 * rounds)?;
    match warpath() {
        Some(warpath) => measure_command(record, case, &warpath, &file, rounds)?,
        None => record.line(format!(
            "{title}: the command was not measured: build it first (`cargo build --release -p warpath-cli`)"
        )),
    }
    record.line(format!("{key}: done\n"));
    Ok(())
}

/// From a list in the page cache to an index.
fn measure_build(record: &mut Record, case: &Case, rounds: usize) -> Result<Index> {
    let mut walls = Vec::new();
    let mut built = None;
    for _ in 0..=rounds {
        drop(built.take());
        let (lap, made) = time(|| -> Result<_> {
            let options = ReadOptions { exclude: None, on_progress: &mut warpath_sources::silent };
            let (namespace, summary) = read_list(&case.list, &ListFormat::lines(), options)?;
            Ok((summary.records, Index::build(namespace)?))
        });
        built = Some(made?);
        walls.push(lap.wall);
    }
    let (n_paths, index) = built.context("at least one round")?;
    let rate = n_paths as f64 / median(walls.into_iter().skip(1)).as_secs_f64() / 1e6;
    add(record, case, "build", "built from the list, M paths/s", rate, "M/s", Some(Target::AtLeast(2.0)));
    Ok(index)
}

/// Saving, beside writing the same bytes to the same disk; while the old file is there, too, as a save replaces it whole.
fn measure_save(record: &mut Record, case: &Case, index: &Index, file: &Path, rounds: usize) -> Result<()> {
    let mut laps = [Vec::new(), Vec::new()];
    let beside = file.with_extension("copy");
    for _ in 0..=rounds {
        let (lap, saved) = time(|| warpath_file::save(index, &Facts::new(), file, &SaveOptions::default()));
        saved?;
        laps[0].push(lap.wall);
        let bytes = std::fs::read(file)?;
        let new = file.with_extension("new");
        let (lap, written) = time(|| -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &beside)
        });
        written?;
        laps[1].push(lap.wall);
    }
    let n_bytes = std::fs::metadata(file)?.len();
    std::fs::remove_file(&beside)?;
    let [save, write] = laps.map(|walls| median(walls.into_iter().skip(1)));
    add(record, case, "save", "saved, MB/s", megabytes(n_bytes, save), "MB/s", None);
    add(
        record,
        case,
        "write",
        "the same bytes written and synced, MB/s",
        megabytes(n_bytes, write),
        "MB/s",
        None,
    );
    let share = write.as_secs_f64() / save.as_secs_f64();
    add(record, case, "save.share", "saving over writing", share, "x", Some(Target::AtLeast(0.7)));
    Ok(())
}

fn measure_size(record: &mut Record, case: &Case, namespace: &Namespace, file: &Path) -> Result<()> {
    let names: usize =
        (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)).map(|entry| entry.name.len()).sum();
    let n_entries = namespace.n_entries();
    let n_bytes = std::fs::metadata(file)?.len();
    let each = n_bytes as f64 / n_entries as f64;
    add(record, case, "entries", "entries", n_entries as f64, "", None);
    add(record, case, "bytes", "the file's bytes an entry", each, "B", None);
    let limit = 1.3 * names as f64 + 40.0 * n_entries as f64;
    let share = n_bytes as f64 / limit;
    let what = "the file over 1.3 times the names and 40 bytes an entry";
    add(record, case, "size.share", what, share, "x", Some(Target::AtMost(1.0)));
    Ok(())
}

/// Checking everything, and the checksums alone, beside copying the file in memory on all threads.
fn measure_verify(record: &mut Record, case: &Case, file: &Path, rounds: usize) -> Result<()> {
    let bytes = std::fs::read(file)?;
    let mut copy = vec![0_u8; bytes.len()];
    let failed = std::cell::RefCell::new(None);
    let laps = race(
        rounds,
        &mut [
            Contestant::new("verify", bytes.len(), |_| {
                let (lap, verified) = time(|| warpath_file::verify(file));
                if let Err(error) = verified {
                    *failed.borrow_mut() = Some(error);
                }
                lap
            }),
            Contestant::new("copy", bytes.len(), |_| {
                const PIECE: usize = 1 << 20;
                time(|| {
                    let pieces = copy.par_chunks_mut(PIECE).zip(bytes.par_chunks(PIECE));
                    pieces.for_each(|(to, from)| to.copy_from_slice(from));
                })
                .0
            }),
        ],
    );
    if let Some(error) = failed.into_inner() {
        return Err(error.into());
    }
    add(record, case, "verify", "verified, MB/s", laps[0].rate() / 1e6, "MB/s", None);
    add(record, case, "copy", "copied in memory on all threads, MB/s", laps[1].rate() / 1e6, "MB/s", None);
    let share = laps[0].rate() / laps[1].rate();
    add(
        record,
        case,
        "verify.share",
        "verifying over copying in memory",
        share,
        "x",
        Some(Target::AtLeast(0.7)),
    );
    Ok(())
}

/// Opening, and the first answers with an engine that is made then.
fn measure_open(record: &mut Record, case: &Case, file: &Path, rounds: usize) -> Result<()> {
    const N_FIRST: usize = 1000;
    let list = BufReader::new(File::open(&case.list)?);
    let step = std::fs::metadata(&case.list)?.len() as usize / 100 / N_FIRST;
    let paths =
        list.split(b'\n').step_by(step.clamp(1, 700)).take(N_FIRST).collect::<std::io::Result<Vec<_>>>()?;
    let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let (mut opens, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..=rounds {
        let (open, opened) = time(|| warpath_file::open(file));
        let opened = opened?;
        let (first, outcomes) = time(|| {
            opened.index.resolve(&CpuEngine::new(), &PathBatch::from_slices(&paths), &Options::default())
        });
        ensure!(outcomes?.statuses().iter().all(|&status| status == 0), "a listed path was not found");
        opens.push(open.wall);
        answers.push(first.wall);
    }
    let milliseconds = |walls: Vec<Duration>| median(walls.into_iter().skip(1)).as_secs_f64() * 1e3;
    add(record, case, "open", "opened, ms", milliseconds(opens), "ms", Some(Target::AtMost(50.0)));
    let what = "the first 1,000 answers after that, ms";
    add(record, case, "first", what, milliseconds(answers), "ms", Some(Target::AtMost(20.0)));
    Ok(())
}

/// The binary, beside this one.
fn warpath() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("warpath");
    path.exists().then_some(path)
}

/// `warpath lookup --index` of the whole list, whole processes: to nowhere, and into a pipe.
fn measure_command(
    record: &mut Record,
    case: &Case,
    warpath: &Path,
    file: &Path,
    rounds: usize,
) -> Result<()> {
    let n_lines = lines(File::open(&case.list)?)?;
    let lookup = || {
        let mut command = Command::new(warpath);
        command.arg("lookup").arg("--index").arg(file).arg("-f").arg(&case.list);
        command
    };
    let (mut to_null, mut to_pipe) = (Vec::new(), Vec::new());
    for _ in 0..=rounds {
        let (lap, status) = time(|| lookup().stdout(Stdio::null()).status());
        ensure!(status?.success(), "a listed path was not found");
        to_null.push(lap.wall);
        let (lap, n_answers) = time(|| -> Result<usize> {
            let mut child = lookup().stdout(Stdio::piped()).spawn()?;
            let n_answers = lines(child.stdout.take().context("it was piped")?)?;
            ensure!(child.wait()?.success(), "a listed path was not found");
            Ok(n_answers)
        });
        ensure!(n_answers? == n_lines, "a line a path");
        to_pipe.push(lap.wall);
    }
    let rate = |walls: Vec<Duration>| n_lines as f64 / median(walls.into_iter().skip(1)).as_secs_f64() / 1e6;
    let what = "`warpath lookup --index` of the list to /dev/null, M lines/s";
    add(record, case, "text", what, rate(to_null), "M/s", Some(Target::AtLeast(5.0)));
    let what = "`warpath lookup --index` of the list into a pipe, M lines/s";
    add(record, case, "text.pipe", what, rate(to_pipe), "M/s", None);
    Ok(())
}

fn lines(mut reader: impl Read) -> Result<usize> {
    let (mut n_lines, mut buffer) = (0, vec![0; 1 << 18]);
    loop {
        let n_bytes = reader.read(&mut buffer)?;
        if n_bytes == 0 {
            return Ok(n_lines);
        }
        n_lines += buffer[..n_bytes].iter().filter(|&&byte| byte == b'\n').count();
    }
}

/// A scan into a namespace, beside other programs that print the tree.
fn measure_scan(record: &mut Record, tree: &Path, rounds: usize) -> Result<()> {
    let rivals: [(&str, &[&str]); 3] = [("find", &[]), ("fdfind", &["-HI", "."]), ("fd", &["-HI", "."])];
    let n_entries = scan(tree, &ScanOptions::default())?.summary.entries as usize;
    let mut contestants = vec![Contestant::new("scan", n_entries, |_| {
        let (lap, scanned) = time(|| scan(tree, &ScanOptions::default()));
        assert!(scanned.is_ok(), "{}", tree.display());
        lap
    })];
    for (program, arguments) in rivals {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            record.line(format!("{program}: not there"));
            continue;
        }
        contestants.push(Contestant::new(program, n_entries, move |_| {
            let mut command = Command::new(program);
            let (lap, status) = time(|| command.args(arguments).arg(tree).stdout(Stdio::null()).status());
            assert!(status.is_ok(), "{program}");
            lap
        }));
    }
    let laps = race(rounds, &mut contestants);
    record.line(format!("\n| {}, {n_entries} entries | ms |\n|---|---|", tree.display()));
    let milliseconds = |laps: &Laps| median(laps.laps.iter().map(|lap| lap.wall)).as_secs_f64() * 1e3;
    for lap in &laps {
        record.line(format!("| {} | {:.1} |", lap.name, milliseconds(lap)));
        record.add(
            format!("scan.{}", lap.name),
            format!("{} of the tree", lap.name),
            milliseconds(lap),
            "ms",
            None,
        );
    }
    for lap in &laps[1..] {
        let share = milliseconds(&laps[0]) / milliseconds(lap);
        let what = format!("a scan over `{}`", lap.name);
        record.add(format!("scan.over_{}", lap.name), what, share, "x", Some(Target::AtMost(1.2)));
    }
    Ok(())
}

fn megabytes(n_bytes: u64, wall: Duration) -> f64 {
    n_bytes as f64 / wall.as_secs_f64() / 1e6
}

fn add(
    record: &mut Record,
    case: &Case,
    key: &str,
    what: &str,
    value: f64,
    unit: &'static str,
    target: Option<Target>,
) {
    record.line(format!("{}: {what}: {}", case.title, crate::record::format_value(value)));
    record.add(format!("{}.{key}", case.key), format!("{}: {what}", case.title), value, unit, target);
}
