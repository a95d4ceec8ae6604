//! The same two lists in whole processes: a table of all paths of a tree, and a list of some of them in random order. warpath's index of the
//! table is made before, as a user would make it; data tools start from Parquet.

use super::process::{JOINS, Setup, columns_of_numbers, race, row, run};
use crate::record::{Record, Target};
use crate::trees::{AllPaths, Choice};
use anyhow::{Context, Result};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use warpath_core::InodeId;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Paths of the list.
    #[arg(long, default_value_t = 5_000_000)]
    n: usize,
    /// Rounds of each process.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    setup: Setup,
}

impl Arguments {
    /// Short name, for a record's.
    pub fn name(&self) -> &str {
        self.choice.name()
    }
}

pub fn measure(record: &mut Record, arguments: &Arguments, quick: bool) -> Result<()> {
    let setup = &arguments.setup;
    let folder = &setup.work;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let (tree, set) = arguments.choice.load(if quick { 1 << 12 } else { arguments.n })?;
    let rounds = if quick { 1 } else { arguments.rounds };
    let paths = tree.all_paths();
    record.line(format!(
        "### {}: a table of {} paths, a list of {} of {:.1} bytes, all found; everything cached, files in {}\n",
        tree.title,
        paths.len(),
        set.len(),
        set.mean_length(),
        folder.display()
    ));
    record.line("Seconds of wall time from the start of a process to its end; medians of rounds in turns. Outputs go to a file and are checked");
    record.line("afterwards; data tools may write rows in any order.\n");
    setup.versions(record);
    let (table, list) = (folder.join("table"), folder.join("list"));
    write_list(&table, paths.iter().map(|(path, _)| path))?;
    write_list(&list, set.batch().iter())?;
    let inodes: Vec<u64> = paths.inodes.iter().copied().map(number).collect();
    let expected: Vec<u64> = set.expected().inodes().iter().copied().map(number).collect();
    let index = folder.join("tree.warp").to_string_lossy().into_owned();
    let seconds = make_index(setup, &paths, &index)?;
    drop((tree, set, paths));
    let tables = setup.convert(&table, &inodes, &list)?;
    let ino = ["--index", &index, "--columns", "ino"];
    let mut processes = vec![
        setup.lookup("`warpath lookup -0 --index`: status, inode and path", rounds, &ino[..2])?,
        setup.lookup("`warpath lookup -0 --index --columns ino`: inodes alone", rounds, &ino)?,
    ];
    processes[1].read = columns_of_numbers;
    for process in &mut processes {
        process.input = Some(&list);
    }
    processes.extend(setup.joins(&tables, rounds));
    let times = race(folder, &mut processes, &expected)?;
    record.line("| | seconds | M paths/s | times warpath's |\n|---|---|---|---|");
    let key = |key: &str| format!("{}.join.{key}", arguments.name());
    for ((process, slug), &seconds) in
        processes.iter().zip(["warpath", "warpath_inodes"].into_iter().chain(JOINS)).zip(&times)
    {
        row(record, &key(slug), &process.name, seconds, times[0], 1.0, expected.len());
    }
    let name = "once before: `warpath index --from-list`, table to index file";
    row(record, &key("index"), name, seconds, times[0], 1.0, inodes.len());
    let what = "whole processes, a random list: DuckDB's join from Parquet (inode and path) over `warpath lookup --index`";
    record.add(key("over_duckdb"), what, times[2] / times[0], "x", Some(Target::AtLeast(3.0)));
    let what = "whole processes, a random list: DuckDB's fastest join from Parquet (inodes alone) over `warpath lookup --index --columns ino`";
    record.add(
        key("over_duckdb_inodes"),
        what,
        times[3].min(times[4]) / times[1],
        "x",
        Some(Target::AtLeast(3.0)),
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// An inode number such as a file system has: seven digits.
fn number(inode: InodeId) -> u64 {
    1_000_000 + u64::from(inode)
}

fn write_list<'a>(file: &Path, paths: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for path in paths {
        out.write_all(path)?;
        out.write_all(b"\0")?;
    }
    Ok(out.flush()?)
}

/// Seconds that `warpath index` takes for the list of all paths with their inode numbers.
fn make_index(setup: &Setup, paths: &AllPaths, index: &str) -> Result<f64> {
    let file = setup.work.join("numbered");
    let mut text = Vec::with_capacity(paths.bytes.len() + 9 * paths.len());
    for (path, inode) in paths.iter() {
        write!(text, "{}\t", number(inode))?;
        text.extend_from_slice(path);
        text.push(0);
    }
    std::fs::write(&file, text)?;
    let mut command = Command::new(setup.warpath()?);
    command
        .args(["index", "-0", "--list-columns", "inode,path", "--from-list"])
        .arg(&file)
        .args(["-o", index]);
    let time = run(&mut command, None, None)?;
    std::fs::remove_file(file)?;
    Ok(time.as_secs_f64())
}
