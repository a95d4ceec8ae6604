//! Blocks of paths, from the input to the output.
//!
//! ```text
//! each of rayon's threads: read a block in turn ──▶ split, resolve, format ──▶ hand it in
//!        ▲                                                                        │
//!        └── an empty slot ◀── write what is next, unless another thread does ◀────┘
//! ```
//!
//! A block is in one core's caches from its reading on, and no thread waits for another one's block while there are slots: who
//! hands in the next block writes it, and all behind it that come meanwhile. A fixed number of slots goes round, so memory is
//! bounded whatever the input's length.

use crate::input::{Block, Input};
use crate::output::{Answer, Counts, Format, Sink, Written};
use crate::targets::Targets;
use crate::{COULD_NOT_RUN, tell};
use anyhow::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use warpath_core::{Engine, INVALID_INODE, InodeId, LookupError, OutcomesMut};

/// What resolves, and against what.
pub struct Resolver<'a> {
    pub engine: &'a dyn Engine,
    pub targets: &'a Targets<'a>,
    pub format: &'a Format,
    /// Bytes of paths in a batch, where the input gives as many at once.
    pub batch_bytes: usize,
}

/// What came out of a run.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    pub counts: Counts,
    /// From the first read to the last write.
    pub time: Duration,
    /// Reading the input and waiting for it.
    pub read_time: Duration,
    /// In the engine, all threads together.
    pub engine_time: Duration,
}

/// A block on its way, with all that is worked out from it.
#[derive(Default)]
struct Slot {
    number: u64,
    block: Block,
    inodes: Vec<InodeId>,
    statuses: Vec<u8>,
    written: Written,
    counts: Counts,
    engine_time: Duration,
    failure: Option<Error>,
}

/// Answers all paths of the input on standard output, in order.
///
/// Fails where the input can't be read or the engine can't run; what came before is printed. Where nobody
/// reads the output any more the process ends.
pub fn run(input: Input, resolver: &Resolver<'_>) -> Result<Report> {
    let begin = Instant::now();
    let blocks = Blocks {
        input: Mutex::new(Numbered { input, next: 0 }),
        output: Mutex::new(Output {
            sink: Some(resolver.format.sink()?),
            next: 0,
            early: BTreeMap::new(),
            // Each thread works on one, and as many may wait for one that takes long.
            empty: (0..2 * rayon::current_num_threads() + 2).map(|_| Slot::default()).collect(),
            is_ended: false,
            report: Report::default(),
            failure: None,
        }),
        freed: Condvar::new(),
    };
    rayon::broadcast(|_| blocks.work(resolver));
    let read_time = lock(&blocks.input).input.time;
    let output = blocks.output.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = output.failure {
        return Err(failure);
    }
    if let Some(sink) = output.sink {
        sink.end()?;
    }
    Ok(Report { time: begin.elapsed(), read_time, ..output.report })
}

/// What the threads share.
struct Blocks {
    input: Mutex<Numbered>,
    output: Mutex<Output>,
    /// Told when slots have become empty, and at the end.
    freed: Condvar,
}

/// The input, and the number of its next block.
struct Numbered {
    input: Input,
    next: u64,
}

/// Slots that nobody works on, and what has become of the others.
struct Output {
    /// With the thread that writes, while one does.
    sink: Option<Box<dyn Sink>>,
    /// Number of the block that is written next.
    next: u64,
    /// Answered before their turn.
    early: BTreeMap<u64, Slot>,
    empty: Vec<Slot>,
    /// Nothing more is read.
    is_ended: bool,
    report: Report,
    failure: Option<Error>,
}

/// A panic elsewhere ends the run in any case; what is behind the lock is whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the run when a thread leaves, by whatever way: others may be waiting for slots.
struct Leaving<'a>(&'a Blocks);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        lock(&self.0.output).is_ended = true;
        self.0.freed.notify_all();
    }
}

impl Blocks {
    /// A thread's part: block after block, until there are none left.
    fn work(&self, resolver: &Resolver<'_>) {
        let _leaving = Leaving(self);
        while let Some(mut slot) = self.empty() {
            if !self.read(&mut slot, resolver.batch_bytes) {
                break;
            }
            if slot.failure.is_none() {
                resolver.answer(&mut slot);
            }
            self.hand_in(slot);
        }
    }

    /// A slot to work with, as soon as there is one; `None` at the end.
    fn empty(&self) -> Option<Slot> {
        let mut output = lock(&self.output);
        while !output.is_ended {
            if let Some(slot) = output.empty.pop() {
                return Some(slot);
            }
            output = self.freed.wait(output).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Fills the slot with the next block, or with the reason why it can't be read. False behind the last one.
    fn read(&self, slot: &mut Slot, n_bytes: usize) -> bool {
        let mut numbered = lock(&self.input);
        match numbered.input.next(&mut slot.block, n_bytes) {
            Ok(true) => {}
            Ok(false) => return false,
            // Told behind what came before it, so that no output is ended as if it were whole.
            Err(error) => slot.failure = Some(error),
        }
        slot.number = numbered.next;
        numbered.next += 1;
        true
    }

    /// Takes an answered slot, and writes what is next unless another thread is about it.
    fn hand_in(&self, slot: Slot) {
        let mut output = lock(&self.output);
        output.early.insert(slot.number, slot);
        loop {
            let next = output.next;
            if output.sink.is_none() || !output.early.contains_key(&next) {
                return;
            }
            let (Some(mut sink), Some(mut slot)) = (output.sink.take(), output.early.remove(&next)) else {
                return;
            };
            drop(output);
            let put = match slot.failure.take() {
                Some(failure) => Err(failure),
                None => sink.put(&mut slot.written),
            };
            output = lock(&self.output);
            match put {
                Ok(()) => output.sink = Some(sink),
                // Without a sink nothing more is written.
                Err(error) => {
                    output.failure = Some(error);
                    output.is_ended = true;
                }
            }
            output.next += 1;
            output.report.add(&slot);
            output.empty.push(slot);
            self.freed.notify_one();
        }
    }
}

impl Report {
    fn add(&mut self, slot: &Slot) {
        self.engine_time += slot.engine_time;
        for (sum, count) in self.counts.iter_mut().zip(slot.counts) {
            *sum += count;
        }
    }
}

impl Resolver<'_> {
    /// Splits, resolves and formats.
    fn answer(&self, slot: &mut Slot) {
        let paths = slot.block.paths();
        slot.inodes.clear();
        slot.inodes.resize(paths.len(), INVALID_INODE);
        slot.statuses.clear();
        slot.statuses.resize(paths.len(), LookupError::NotIndexed.code());
        let begin = Instant::now();
        let out = OutcomesMut { inodes: &mut slot.inodes, statuses: &mut slot.statuses };
        let resolved = self.targets.resolve(self.engine, &paths, out);
        slot.engine_time = begin.elapsed();
        match resolved {
            Ok(who) => {
                let answers = paths.iter().enumerate().map(|(i, path)| Answer {
                    path,
                    inode: slot.inodes[i],
                    status: slot.statuses[i],
                    known: who.known(i),
                });
                match self.format.write(answers, &mut slot.written) {
                    Ok(counts) => slot.counts = counts,
                    Err(error) => slot.failure = Some(error),
                }
            }
            Err(error) => slot.failure = Some(error.into()),
        }
    }
}

/// Writes to standard output, past the standard library's line buffer.
///
/// Ends the process where that fails: the reader may be waiting for input that never comes.
pub fn write_all(mut text: &[u8]) {
    while !text.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), text) {
            Ok(n) => text = &text[n..],
            Err(Errno::INTR) => {}
            // Somebody else has made the terminal or pipe non-blocking. Where waiting fails, writing will say why.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&rustix::stdio::stdout(), PollFlags::OUT)], None);
            }
            // Quietly, with the code that a shell gives for the signal.
            Err(Errno::PIPE) => std::process::exit(128 + 13),
            Err(errno) => {
                tell(format_args!("standard output: {errno}"));
                std::process::exit(COULD_NOT_RUN.into());
            }
        }
    }
}
