//! Batches that run while their callers do something else.
//!
//! A few threads, started when there is work and ended when there has been none for a while. They hold the file system's core as long
//! as they live. Dropping the last handle of the file system closes the queue: every batch in it ends with [`Error::Closed`], and then
//! the threads do.

use crate::Error;
use crate::filesystem::Core;
use crate::reply::Reply;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warpath_core::batch::PathBuffer;
use warpath_core::{Options, Outcomes};

/// Batches that run at a time: one is filled and sent while another is answered, and engines are parallel in themselves.
const MAX_THREADS: usize = 4;

/// A thread with nothing to do ends after this.
const IDLE: Duration = Duration::from_secs(5);

/// Paths between two looks at whether the answer is still wanted.
const STEP_PATHS: usize = 1 << 20;

/// A batch that waits for a thread.
struct Job {
    paths: PathBuffer,
    options: Options,
    reply: Arc<Reply<Outcomes>>,
}

/// The queue, shared with the threads.
#[derive(Default)]
pub(crate) struct Executor {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    n_threads: usize,
    n_idle: usize,
    closed: bool,
}

impl Executor {
    /// Queues a batch. Returns at once.
    pub fn submit(
        core: &Arc<Core>,
        paths: PathBuffer,
        options: Options,
    ) -> Result<Arc<Reply<Outcomes>>, Error> {
        let reply = Reply::new();
        let executor = &core.executor;
        let mut queue = executor.lock();
        if queue.closed {
            return Err(Error::Closed);
        }
        queue.jobs.push_back(Job { paths, options, reply: Arc::clone(&reply) });
        if queue.n_idle < queue.jobs.len() && queue.n_threads < MAX_THREADS {
            let core = Arc::clone(core);
            let spawned = std::thread::Builder::new()
                .name("warpath-async".to_owned())
                .spawn(move || Executor::work(&core));
            match spawned {
                Ok(_) => queue.n_threads += 1,
                // Others will come to it.
                Err(_) if queue.n_threads > 0 => {}
                Err(error) => {
                    queue.jobs.pop_back();
                    return Err(Error::Threads { reason: error.to_string() });
                }
            }
        }
        drop(queue);
        executor.work.notify_one();
        Ok(reply)
    }

    /// Ends every batch that waits. Threads end by themselves.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let jobs = std::mem::take(&mut queue.jobs);
        drop(queue);
        self.work.notify_all();
        for job in jobs {
            job.reply.complete(Err(Error::Closed));
        }
    }

    fn work(core: &Arc<Core>) {
        while let Some(job) = core.executor.next() {
            if !job.reply.is_open() {
                continue;
            }
            let result = core.resolve_in_steps(&job.paths.as_batch(), &job.options, &job.reply);
            job.reply.complete(result);
        }
    }

    /// The next batch; `None` when the thread shall end.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                queue.n_threads -= 1;
                return None;
            }
            queue.n_idle += 1;
            let waited = self.work.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            queue.n_idle -= 1;
            if waited.1.timed_out() && queue.jobs.is_empty() {
                queue.n_threads -= 1;
                return None;
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Resolves a batch under one version, and stops when nobody waits for it any more.
    fn resolve_in_steps(
        &self,
        batch: &warpath_core::PathBatch<'_>,
        options: &Options,
        reply: &Reply<Outcomes>,
    ) -> Result<Outcomes, Error> {
        let (version, plan) = self.store.plan(options)?;
        let mut outcomes = Outcomes::with_len(batch.len());
        let mut out = outcomes.as_mut();
        let mut first = 0;
        while first < batch.len() {
            if !reply.is_open() || self.executor.is_closed() {
                return Err(Error::Closed);
            }
            let end = (first + STEP_PATHS).min(batch.len());
            let (step, rest) = out.split_at(end - first);
            self.resolve_in(&version, &plan, &batch.slice(first..end), step)?;
            (out, first) = (rest, end);
        }
        Ok(outcomes)
    }
}
