//! Batches of several chunks: the host's threads fill buffer sets and take answers over while the device copies and answers others.
//!
//! The caller's thread conducts: it never copies a byte itself. What it hands out are jobs for rayon's threads, a part of a
//! chunk each, first come first served; there are always some, so that no thread sleeps between two chunks.

use crate::buffer_set::{BufferSet, Dispatch};
use crate::device::Gpu;
use crate::failed;
use crate::parts::{Work, take_parts};
use rayon::{ScopeFifo, Yield};
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use warpath_core::EngineError;
use wgpu::PollType;

/// How long the conductor waits for the end of jobs before it looks at the device again.
const LOOK: Duration = Duration::from_micros(50);

/// What a buffer set is at.
enum Stage<'a> {
    Free,
    /// Jobs fill it.
    Filling(Work<'a>),
    /// The device has it.
    Underway(Work<'a>),
    /// Jobs take its answers over.
    Taking,
}

/// The end of a set's last job, or of one that failed: the number of the set, and how it went.
type Done = (usize, Result<(), EngineError>);

/// The jobs of one set, which end in any order.
#[derive(Clone)]
struct Jobs {
    set: usize,
    left: Arc<AtomicUsize>,
    done: Sender<Done>,
}

impl Jobs {
    fn new(set: usize, n: usize, done: &Sender<Done>) -> Jobs {
        Jobs { set, left: Arc::new(AtomicUsize::new(n)), done: done.clone() }
    }

    /// One of them ends.
    fn end(&self, result: Result<(), EngineError>) {
        // What they wrote is seen by whoever hears of the last one.
        let is_last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last || result.is_err() {
            // The conductor may have left after an error, and its ears with it.
            drop(self.done.send((self.set, result)));
        }
    }
}

/// The sets, and what each is at.
struct Conductor<'s, 'a> {
    gpu: &'s Gpu,
    dispatch: &'s Dispatch<'s>,
    sets: &'s mut [BufferSet],
    stages: Vec<Stage<'a>>,
    done: Sender<Done>,
}

/// Answers the chunks, each in any free buffer set. Each of them has room for any chunk.
pub(crate) fn answer<'a>(
    gpu: &Gpu,
    sets: &mut [BufferSet],
    dispatch: &Dispatch<'_>,
    mut chunks: Peekable<impl Iterator<Item = Work<'a>>>,
) -> Result<(), EngineError> {
    let (done, jobs_done) = channel();
    let stages = sets.iter().map(|_| Stage::Free).collect();
    let mut conductor = Conductor { gpu, dispatch, sets, stages, done };
    // Leaving the scope, with an error too, waits for the jobs: nothing outlives the batch.
    rayon::in_place_scope_fifo(|scope| {
        loop {
            let mut moved = conductor.start(scope, &mut chunks);
            while let Ok(done) = jobs_done.try_recv() {
                conductor.advance(done)?;
                moved = true;
            }
            moved |= conductor.collect(scope)?;
            if moved {
                continue;
            }
            if chunks.peek().is_none() && conductor.stages.iter().all(|stage| matches!(stage, Stage::Free)) {
                return Ok(());
            }
            conductor.wait(&jobs_done)?;
        }
    })
}

impl<'a> Conductor<'_, 'a> {
    /// Has free sets filled; whether there was any.
    fn start<'p>(&mut self, scope: &ScopeFifo<'p>, chunks: &mut impl Iterator<Item = Work<'a>>) -> bool
    where
        'a: 'p,
    {
        let mut moved = false;
        for (number, stage) in self.stages.iter_mut().enumerate() {
            if !matches!(stage, Stage::Free) || !self.sets[number].is_writable() {
                continue;
            }
            let Some(work) = chunks.next() else { break };
            let set = &self.sets[number];
            let parts = set.fill_parts(&work, self.dispatch);
            let jobs = Jobs::new(number, parts.len(), &self.done);
            for part in parts {
                let (jobs, host) = (jobs.clone(), set.host().clone());
                scope.spawn_fifo(move |_| jobs.end(part.write(&host)));
            }
            *stage = Stage::Filling(work);
            moved = true;
        }
        moved
    }

    /// Goes on with a set whose jobs have ended.
    fn advance(&mut self, (number, result): Done) -> Result<(), EngineError> {
        result?;
        let stage = std::mem::replace(&mut self.stages[number], Stage::Free);
        match stage {
            Stage::Filling(work) => {
                self.sets[number].submit(self.gpu, &work, self.dispatch)?;
                self.stages[number] = Stage::Underway(work);
            }
            Stage::Taking => self.sets[number].release(),
            Stage::Free | Stage::Underway(_) => {
                return Err(failed("a job ended in a set without one".to_owned()));
            }
        }
        Ok(())
    }

    /// Has the answers taken over of sets that the device is done with; whether there was any.
    fn collect<'p>(&mut self, scope: &ScopeFifo<'p>) -> Result<bool, EngineError>
    where
        'a: 'p,
    {
        // What goes wrong here goes wrong again in `wait`, where it is looked at.
        let _ = self.gpu.device.poll(PollType::Poll);
        let mut moved = false;
        for (number, stage) in self.stages.iter_mut().enumerate() {
            let Stage::Underway(_) = stage else { continue };
            let set = &self.sets[number];
            let Some((submission, maps)) = set.underway() else { continue };
            if !maps.iter().all(|map| map.is_settled()) {
                continue;
            }
            // Returns at once; for what may have gone wrong.
            self.gpu.wait(Some(submission.clone()), &maps)?;
            let Stage::Underway(work) = std::mem::replace(stage, Stage::Taking) else { continue };
            let parts = take_parts(&work.paths, work.out);
            let jobs = Jobs::new(number, parts.len(), &self.done);
            for part in parts {
                let (jobs, answers) = (jobs.clone(), set.answers().clone());
                scope.spawn_fifo(move |_| jobs.end(part.take(&answers)));
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Waits for the end of jobs for a moment; where there is no job, for the device.
    fn wait(&mut self, jobs_done: &Receiver<Done>) -> Result<(), EngineError> {
        if self.stages.iter().any(|stage| matches!(stage, Stage::Filling(_) | Stage::Taking)) {
            // Where the caller is one of rayon's threads, the job may have nobody else to do it.
            if rayon::yield_now() == Some(Yield::Executed) {
                return Ok(());
            }
            return match jobs_done.recv_timeout(LOOK) {
                Ok(done) => self.advance(done),
                Err(_) => Ok(()),
            };
        }
        let underway = self.sets.iter().zip(&self.stages);
        let mut underway = underway.filter(|(_, stage)| matches!(stage, Stage::Underway(_)));
        match underway.find_map(|(set, _)| set.underway()) {
            Some((submission, maps)) => self.gpu.wait(Some(submission.clone()), &maps),
            // Sets wait to be writable, which they are when the device has nothing to do.
            None => self.gpu.wait(None, &[]),
        }
    }
}
