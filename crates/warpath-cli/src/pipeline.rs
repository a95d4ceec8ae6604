//! Blocks of paths, from the input to the output.
//!
//! ```text
//! this thread: read ──▶ rayon's threads: split, resolve, format ──▶ writer: put in order, write
//!        ▲                                                               │
//!        └──────────────────────── empty slots ◀──────────────────────────┘
//! ```
//!
//! A fixed number of slots goes round, so memory is bounded whatever the input's length.

use crate::input::{Block, Input};
use crate::output::{Answer, Counts, Format, Sink, Written};
use crate::targets::Targets;
use crate::{COULD_NOT_RUN, tell};
use anyhow::{Error, Result};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
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
pub fn run(mut input: Input, resolver: &Resolver<'_>) -> Result<Report> {
    let begin = Instant::now();
    let sink = resolver.format.sink()?;
    let (to_writer, answered) = channel();
    let (to_reader, empty) = channel();
    // Each thread works on one, while one waits for it.
    for _ in 0..2 * rayon::current_num_threads() + 2 {
        let _ = to_reader.send(Slot::default());
    }
    let writer = std::thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || write_in_order(&answered, &to_reader, sink))?;
    rayon::in_place_scope_fifo(|scope| {
        // Held by this closure and by the tasks: the writer ends when all have.
        let to_writer = to_writer;
        for number in 0.. {
            // No slot comes back where the writer has met a failure.
            let Ok(mut slot) = empty.recv() else { break };
            slot.number = number;
            match input.next(&mut slot.block, resolver.batch_bytes) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    // Told behind what came before it, so that no output is ended as if it were whole.
                    slot.failure = Some(error);
                    let _ = to_writer.send(slot);
                    break;
                }
            }
            let to_writer = to_writer.clone();
            scope.spawn_fifo(move |_| {
                resolver.answer(&mut slot);
                let _ = to_writer.send(slot);
            });
        }
    });
    let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let report = written?;
    Ok(Report { time: begin.elapsed(), read_time: input.time, ..report })
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

/// Writes slots in the order of their numbers and sends them back, until none come any more.
fn write_in_order(
    answered: &Receiver<Slot>,
    to_reader: &Sender<Slot>,
    mut sink: Box<dyn Sink>,
) -> Result<Report> {
    let mut early = BTreeMap::new();
    let mut report = Report::default();
    let mut next = 0;
    for slot in answered {
        early.insert(slot.number, slot);
        while let Some(mut slot) = early.remove(&next) {
            if let Some(failure) = slot.failure.take() {
                return Err(failure);
            }
            sink.put(&mut slot.written)?;
            report.engine_time += slot.engine_time;
            for (sum, count) in report.counts.iter_mut().zip(slot.counts) {
                *sum += count;
            }
            // The reader may have come to its end.
            let _ = to_reader.send(slot);
            next += 1;
        }
    }
    sink.end()?;
    Ok(report)
}

/// Writes to standard output, past the standard library's line buffer.
///
/// Ends the process where that fails: the reader may be waiting for input that never comes.
pub fn write_all(mut text: &[u8]) {
    while !text.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), text) {
            Ok(n) => text = &text[n..],
            Err(Errno::INTR) => {}
            // Quietly, with the code that a shell gives for the signal.
            Err(Errno::PIPE) => std::process::exit(128 + 13),
            Err(errno) => {
                tell(format_args!("standard output: {errno}"));
                std::process::exit(COULD_NOT_RUN.into());
            }
        }
    }
}
