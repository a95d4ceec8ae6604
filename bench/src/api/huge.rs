//! A batch of 10^8 paths: answered by one call, in bounded memory.

use super::named_device;
use crate::record::{Record, Target, format_value};
use anyhow::{Context, Result, ensure};
use std::time::Instant;
use warpath::{
    BatchLookupBuilder, FileType, GpuFilesystem, InodeId, Options, Outcomes, PathBatch, PathBuffer, Request,
};

/// Files that the paths name.
const FILES: usize = 10_000;

/// One path in so many is missing.
const MISSING: usize = 1000;

/// Memory that a call may need beside the batch and its two columns.
const MOST_MIB: f64 = 256.0;

/// `n_paths` in one call, on each engine, and as one request to the batcher.
pub fn measure(record: &mut Record, engines: &[String], n_paths: usize) -> Result<()> {
    let mut bytes = Vec::with_capacity(n_paths * 6);
    let mut offsets = Vec::with_capacity(n_paths + 1);
    offsets.push(0u32);
    for i in 0..n_paths {
        let number = file(i).unwrap_or(FILES);
        bytes.push(b'/');
        bytes.extend((0..5).rev().map(|digit| b'0' + (number / 10usize.pow(digit) % 10) as u8));
        offsets.push(u32::try_from(bytes.len()).context("fewer paths: 32-bit offsets end at 4 GiB")?);
    }
    let batch = PathBatch::new(&bytes, &offsets)?;
    record.line(format!(
        "\n### {n_paths} paths in one call\n\n| | seconds | M paths/s | memory beside batch and columns |\n|---|---|---|---|"
    ));
    for engine in engines {
        let fs = GpuFilesystem::new(&named_device(engine)?.without_fallback(), FILES)?;
        let inodes: Vec<InodeId> = (0..FILES)
            .map(|i| fs.add_file(0, format!("{i:05}"), FileType::Regular))
            .collect::<Result<_, _>>()?;
        // Opens the device.
        fs.lookup_batch(&["/"; 1000])?;
        let mut outcomes = Outcomes::with_len(n_paths);
        // Written once, so that their pages are there.
        outcomes.as_mut().inodes.fill(1);
        outcomes.as_mut().statuses.fill(1);
        let before = peak(true)?;
        let begin = Instant::now();
        fs.resolve_into(batch, &Options::default(), outcomes.as_mut())?;
        let seconds = begin.elapsed().as_secs_f64();
        let extra = peak(false)? - before;
        check(&outcomes, &inodes)?;
        drop(outcomes);
        row(record, engine, n_paths, seconds, Some(extra));
        if engine == "cpu" {
            let batcher = BatchLookupBuilder::new(&fs).build()?;
            let paths: PathBuffer = batch.iter().collect();
            let begin = Instant::now();
            let outcomes = batcher.resolve(Request::from(paths))?;
            let seconds = begin.elapsed().as_secs_f64();
            check(&outcomes, &inodes)?;
            row(record, "cpu, a request to the batcher", n_paths, seconds, None);
        }
    }
    Ok(())
}

fn file(i: usize) -> Option<usize> {
    (i % MISSING != MISSING - 1).then_some(i.wrapping_mul(7919) % FILES)
}

fn check(outcomes: &Outcomes, inodes: &[InodeId]) -> Result<()> {
    let is_right = |i: usize| match file(i) {
        Some(file) => outcomes.inodes()[i] == inodes[file] && outcomes.statuses()[i] == 0,
        None => outcomes.statuses()[i] == 1,
    };
    let wrong = (0..outcomes.len()).find(|&i| !is_right(i));
    ensure!(wrong.is_none(), "path {} has a wrong answer", wrong.unwrap_or(0));
    Ok(())
}

fn row(record: &mut Record, what: &str, n_paths: usize, seconds: f64, extra: Option<f64>) {
    let rate = n_paths as f64 / seconds / 1e6;
    let memory = extra.map_or("-".to_owned(), |mib| format!("{} MiB", format_value(mib)));
    record.line(format!("| {what} | {} | {} | {memory} |", format_value(seconds), format_value(rate)));
    let key = format!("huge.{}", what.replace(", ", "_").replace(' ', "_"));
    record.add(
        format!("{key}.rate"),
        format!("{n_paths} paths in one call: {what}"),
        rate,
        "M paths/s",
        None,
    );
    if let Some(mib) = extra {
        let what = format!("{n_paths} paths in one call: {what}, memory beside batch and columns");
        record.add(format!("{key}.memory"), what, mib, "MiB", Some(Target::AtMost(MOST_MIB)));
    }
}

/// The most memory that the process has held since the last `reset`, in MiB.
fn peak(reset: bool) -> Result<f64> {
    if reset {
        std::fs::write("/proc/self/clear_refs", "5").context("resetting the peak of resident memory")?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
