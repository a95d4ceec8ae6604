//! Tables on an NVIDIA GPU: the CUDA engine and the crate `flash-map`; keys for CuPy, which bench/gpu/cupy_peers.py measures.
//!
//! None of these tables takes paths: a program hashes them first, here to 64 bits on all host threads, and believes the hash.

use crate::record::{Record, format_value};
use crate::trees::{AllPaths, Choice, Tree};
use anyhow::{Context, Result, ensure};
use flash_map::FlashMap;
use rayon::prelude::*;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use warpath_core::{Engine, INVALID_INODE, InodeId, Options, Outcomes, PathBatch};
use warpath_engine_cuda::CudaEngine;
use warpath_workload::PathSet;
use warpath_workload::stopwatch::median;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Paths of a batch.
    #[arg(long, default_value_t = 1 << 22)]
    n: usize,
    /// Rounds of each way.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Write keys and answers here, for bench/gpu/cupy_peers.py.
    #[arg(long)]
    export: Option<PathBuf>,
    /// Leave flash-map out.
    #[arg(long)]
    no_flash_map: bool,
}

impl Arguments {
    /// Short name, for a record's.
    pub fn name(&self) -> &str {
        self.choice.name()
    }
}

/// The same for all keys of a run.
const SEED: u64 = 42;

pub fn measure(record: &mut Record, arguments: &Arguments, quick: bool) -> Result<()> {
    let (tree, set) = arguments.choice.load(if quick { 1 << 12 } else { arguments.n })?;
    let rounds = if quick { 2 } else { arguments.rounds };
    let paths = tree.all_paths();
    if let Some(folder) = &arguments.export {
        export(folder, &paths, &set)?;
    }
    record.line(format!(
        "### {}: {} entries; batches of {} random paths of {:.1} bytes and {:.1} components, all found\n",
        tree.title,
        tree.index.namespace().n_entries(),
        set.len(),
        set.mean_length(),
        set.mean_components()
    ));
    record.line("| | M paths/s |\n|---|---|");
    let mut row = |slug: &str, what: &str, times: &[Duration]| {
        let rate = set.len() as f64 / median(times.iter().copied()).as_secs_f64() / 1e6;
        record.line(format!("| {what} | {} |", format_value(rate)));
        record.add(format!("{}.gpu.{slug}", tree.key), what, rate, "M paths/s", None);
    };
    let engine = CudaEngine::new()?;
    let (whole, resident) = warpath(&engine, &tree, &set, rounds)?;
    row("warpath.host", "warpath cuda, host to host, from ordinary memory", &whole);
    row("warpath.device", "warpath cuda, paths and answers on the device", &resident);
    drop(engine);
    if !arguments.no_flash_map {
        let (whole, keyed, resident) = flash_map(&paths, &set, rounds)?;
        row("flash_map.host", "flash-map 0.7.0, host to host, paths hashed by all host threads", &whole);
        row("flash_map.keys", "flash-map 0.7.0, host to host, from 64-bit hashes", &keyed);
        row("flash_map.device", "flash-map 0.7.0, 64-bit hashes and answers on the device", &resident);
    }
    Ok(())
}

/// Host to host, and with everything on the device.
fn warpath(
    engine: &CudaEngine,
    tree: &Tree,
    set: &PathSet,
    rounds: usize,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (plan, tables) = (tree.index.plan(&Options::default())?, tree.index.tables());
    let mut outcomes = Outcomes::with_len(set.len());
    let mut whole = Vec::new();
    for _ in 0..=rounds {
        let start = Instant::now();
        engine.resolve(tables, &plan, &set.batch(), outcomes.as_mut())?;
        whole.push(start.elapsed());
        ensure!(&outcomes == set.expected(), "warpath: wrong answers");
    }
    let mut uploaded = engine.upload_paths(&set.batch())?;
    let seconds = engine.time_uploaded(tables, &plan, &mut uploaded, rounds + 1)?;
    ensure!(&uploaded.outcomes()? == set.expected(), "warpath: wrong answers on the device");
    let resident = seconds[1..].iter().map(|&seconds| Duration::from_secs_f64(seconds)).collect();
    Ok((whole.split_off(1), resident))
}

/// From paths, from hashes, and with everything on the device.
fn flash_map(
    paths: &AllPaths,
    set: &PathSet,
    rounds: usize,
) -> Result<(Vec<Duration>, Vec<Duration>, Vec<Duration>)> {
    let table: Vec<(u64, InodeId)> =
        (0..paths.len()).into_par_iter().map(|i| (key(paths.get(i)), paths.inodes[i])).collect();
    // Its documentation advises at most half full, and the identity for keys that are hashes.
    let mut map = FlashMap::<u64, InodeId>::with_capacity(paths.len() * 2)?;
    let device = map.device().context("flash-map found no GPU")?.clone();
    for pairs in table.chunks(1 << 22) {
        map.bulk_insert(pairs)?;
    }
    let check = |answers: &[Option<InodeId>]| {
        let right = set.expected().inodes();
        let equal =
            answers.iter().zip(right).all(|(answer, &right)| answer.unwrap_or(INVALID_INODE) == right);
        ensure!(answers.len() == right.len() && equal, "flash-map: wrong answers");
        Ok(())
    };
    let (mut whole, mut keyed, mut resident) = (vec![], vec![], vec![]);
    for _ in 0..=rounds {
        let start = Instant::now();
        let keys = keys(&set.batch());
        let hashed = start.elapsed();
        let answers = map.bulk_get(&keys)?;
        whole.push(start.elapsed());
        keyed.push(start.elapsed() - hashed);
        check(&answers)?;
    }
    let on_device = map.upload_keys(&keys(&set.batch()))?;
    for _ in 0..=rounds {
        device.synchronize()?;
        let start = Instant::now();
        let (values, found) = map.bulk_get_device(&on_device, set.len())?;
        device.synchronize()?;
        resident.push(start.elapsed());
        let (values, found) = (map.download(&values)?, map.download(&found)?);
        let value = |i: usize| {
            u32::from_le_bytes([values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3]])
        };
        let answers: Vec<Option<InodeId>> =
            (0..set.len()).map(|i| (found[i] != 0).then(|| value(i))).collect();
        check(&answers)?;
    }
    Ok((whole.split_off(1), keyed.split_off(1), resident.split_off(1)))
}

fn key(path: &[u8]) -> u64 {
    foldhash::quality::FixedState::with_seed(SEED).hash_one(path)
}

fn keys(batch: &PathBatch<'_>) -> Vec<u64> {
    (0..batch.len()).into_par_iter().with_min_len(4096).map(|i| key(batch.get(i))).collect()
}

/// Numbers as they lie in memory: keys and inodes of all paths, keys and answers of the batch.
fn export(folder: &std::path::Path, paths: &AllPaths, set: &PathSet) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let words = |keys: &mut dyn Iterator<Item = u64>| keys.flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    let inodes =
        |inodes: &[InodeId]| inodes.iter().flat_map(|inode| inode.to_le_bytes()).collect::<Vec<u8>>();
    std::fs::write(folder.join("table.keys"), words(&mut paths.iter().map(|(path, _)| key(path))))?;
    std::fs::write(folder.join("table.inodes"), inodes(&paths.inodes))?;
    std::fs::write(folder.join("list.keys"), words(&mut set.batch().iter().map(key)))?;
    std::fs::write(folder.join("list.inodes"), inodes(set.expected().inodes()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same calls on flash-map's processor backend: keys, capacity and answers fit together.
    #[test]
    fn flash_map_answers_from_hashes() {
        let tree = Tree::synthetic(10, 42).unwrap();
        let paths = tree.all_paths();
        let builder = FlashMap::<u64, InodeId>::builder(paths.len() * 2).force_cpu();
        let mut map: FlashMap<u64, InodeId> = builder.build().unwrap();
        let pairs: Vec<(u64, InodeId)> = paths.iter().map(|(path, inode)| (key(path), inode)).collect();
        map.bulk_insert(&pairs).unwrap();
        let set = tree.draw(&warpath_workload::Mix::default(), 1000, 1).unwrap();
        let answers = map.bulk_get(&keys(&set.batch())).unwrap();
        let answers: Vec<InodeId> =
            answers.into_iter().map(|answer| answer.unwrap_or(INVALID_INODE)).collect();
        assert_eq!(answers, set.expected().inodes());
    }
}
