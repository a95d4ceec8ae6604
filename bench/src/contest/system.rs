//! The kernel itself, asked for every path: `statx` in a loop and through io_uring, against a scan that was done before.

use crate::contestants::rows;
use crate::peers::uring;
use crate::record::Record;
use crate::trees::{Choice, Tree};
use anyhow::{Result, ensure};
use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::ffi::CStr;
use warpath_core::{Engine, INVALID_INODE, InodeId, Options, Outcomes};
use warpath_engine_cpu::CpuEngine;
use warpath_workload::PathSet;
use warpath_workload::stopwatch::{Contestant, race, time};

/// Paths that one thread takes at a time.
const CHUNK_PATHS: usize = 1024;

/// Paths with a NUL behind each, and the inode number that the kernel must tell.
struct Asked {
    text: Vec<u8>,
    starts: Vec<usize>,
    inodes: Vec<u64>,
}

impl Asked {
    fn new(tree: &Tree, set: &PathSet) -> Asked {
        let mut asked = Asked { text: vec![], starts: vec![], inodes: vec![] };
        for (path, answer) in set.batch().iter().zip(set.expected().iter()) {
            asked.starts.push(asked.text.len());
            asked.text.extend_from_slice(path);
            asked.text.push(0);
            asked.inodes.push(host_inode(tree, answer.unwrap_or(INVALID_INODE)));
        }
        asked
    }

    fn path(&self, i: usize) -> &CStr {
        CStr::from_bytes_until_nul(&self.text[self.starts[i]..]).unwrap_or_default()
    }

    fn paths(&self, range: std::ops::Range<usize>) -> impl ExactSizeIterator<Item = &CStr> {
        range.map(|i| self.path(i))
    }

    fn check(&self, answers: &[u64]) {
        if let Some(i) = (0..answers.len()).find(|&i| answers[i] != self.inodes[i]) {
            let path = self.path(i).to_string_lossy();
            panic!("a wrong answer for {path}: {} instead of {}", answers[i], self.inodes[i]);
        }
    }
}

fn host_inode(tree: &Tree, inode: InodeId) -> u64 {
    tree.index.namespace().attributes(inode).and_then(|attributes| attributes.ino).unwrap_or(0)
}

pub fn measure(record: &mut Record, choice: &Choice, quick: bool) -> Result<()> {
    let (tree, set) = choice.load(if quick { 1 << 12 } else { 1 << 17 })?;
    let asked = Asked::new(&tree, &set);
    ensure!(asked.inodes.iter().all(|&inode| inode != 0), "the tree holds no inode numbers: take --tree usr");
    record.line(format!(
        "### {}: {} entries; {} random paths of {:.1} bytes and {:.1} components, all found, everything cached\n",
        tree.title,
        tree.index.namespace().n_entries(),
        set.len(),
        set.mean_length(),
        set.mean_components()
    ));
    record.line("M paths/s until the file system's inode numbers are written: on one thread by its processor time, on all threads by wall");
    record.line("time. The kernel answers as of now and checks permissions; warpath answers as of its scan, whose time is not counted.\n");
    record.line(
        "| | M paths/s | by wall time | best round by wall time | warpath is faster |\n|---|---|---|---|---|",
    );
    let rounds = if quick { 2 } else { 7 };
    let one = CpuEngine::with_threads(1)?;
    let mut on_one = [warpath(&one, &tree, &set, &asked, false)?, statx_loop(&asked, false)];
    rows(record, "usr.system.1", "one thread", &race(rounds, &mut on_one));
    let all = CpuEngine::new();
    let mut on_all = vec![warpath(&all, &tree, &set, &asked, true)?, statx_loop(&asked, true)];
    match uring::Ring::new() {
        Ok(_) => on_all.push(through_uring(&asked)),
        Err(error) => record.line(format!("io_uring is not available here: {error}")),
    }
    rows(record, "usr.system.all", "all threads", &race(rounds, &mut on_all));
    Ok(())
}

fn warpath<'a>(
    engine: &'a CpuEngine,
    tree: &'a Tree,
    set: &'a PathSet,
    asked: &'a Asked,
    is_all: bool,
) -> Result<Contestant<'a>> {
    let plan = tree.index.plan(&Options::default())?;
    let mut outcomes = Outcomes::with_len(set.len());
    let mut answers = vec![0; set.len()];
    Ok(Contestant::new("warpath", set.len(), move |_| {
        let (lap, result) = time(|| {
            engine.resolve(tree.index.tables(), &plan, &set.batch(), outcomes.as_mut())?;
            let number = |(answer, &inode): (&mut u64, &InodeId)| *answer = host_inode(tree, inode);
            if is_all {
                answers.par_iter_mut().zip(outcomes.inodes()).with_min_len(CHUNK_PATHS).for_each(number);
            } else {
                answers.iter_mut().zip(outcomes.inodes()).for_each(number);
            }
            anyhow::Ok(())
        });
        assert!(result.is_ok(), "{result:?}");
        asked.check(&answers);
        lap
    }))
}

fn statx_loop(asked: &Asked, is_all: bool) -> Contestant<'_> {
    let mut answers = vec![0; asked.inodes.len()];
    Contestant::new("statx in a loop", answers.len(), move |_| {
        let ask = |(chunk, answers): (usize, &mut [u64])| {
            let first = chunk * CHUNK_PATHS;
            for (path, answer) in asked.paths(first..first + answers.len()).zip(answers) {
                let told = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO);
                *answer = told.map_or(0, |told| told.stx_ino);
            }
        };
        let (lap, ()) = time(|| {
            if is_all {
                answers.par_chunks_mut(CHUNK_PATHS).enumerate().for_each(ask);
            } else {
                answers.chunks_mut(CHUNK_PATHS).enumerate().for_each(ask);
            }
        });
        asked.check(&answers);
        lap
    })
}

/// One ring a thread, made before the round.
fn through_uring(asked: &Asked) -> Contestant<'_> {
    let n_threads = rayon::current_num_threads();
    let mut answers = vec![0; asked.inodes.len()];
    let share = answers.len().div_ceil(n_threads);
    Contestant::new("io_uring statx", answers.len(), move |_| {
        let (lap, ()) = time(|| {
            answers.par_chunks_mut(share).enumerate().for_each(|(part, answers)| {
                let paths = asked.paths(part * share..part * share + answers.len());
                let result = uring::Ring::new().and_then(|mut ring| ring.inode_numbers(paths, answers));
                assert!(result.is_ok(), "{result:?}");
            });
        });
        asked.check(&answers);
        lap
    })
}
