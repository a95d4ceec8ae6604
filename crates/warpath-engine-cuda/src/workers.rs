//! Large batches: what all host threads do. Each takes chunks from the end of what is left and sends keys or text until nothing is left:
//! half of them text while the bus keeps up, the others keys.

use crate::answers::Columns;
use crate::driver::Named;
use crate::kernels::{Kernels, Query};
use crate::keyed::{self, KeyBuffers};
use crate::staged::{self, StagedBuffers};
use crate::text::Source;
use cudarc::driver::CudaContext;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;
use warpath_core::index::{Plan, TablesView};
use warpath_core::{EngineError, OutcomesMut, resolve};

/// A thread takes no fewer paths at a time, unless fewer are left.
const LEAST_PATHS: usize = 1 << 12;
/// Answered paths after which the share of misses is judged.
const JUDGE_FROM: usize = 1 << 18;
/// One path in so many may miss before hashing on the host stops paying.
const MISSES_ALLOWED: usize = 8;

/// The paths that nobody has taken yet: the copy engine's are taken from the front, the threads' from the back.
#[derive(Debug)]
pub(crate) struct Remaining(Mutex<Range<usize>>);

impl Remaining {
    pub fn new(n_paths: usize) -> Remaining {
        Remaining(Mutex::new(0..n_paths))
    }

    /// Number of paths left.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes from the front what `chunk` says of what is left.
    pub fn take_front(&self, chunk: impl FnOnce(&Range<usize>) -> Range<usize>) -> Option<Range<usize>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return None;
        }
        let taken = left.start..chunk(&left).end.clamp(left.start, left.end);
        left.start = taken.end;
        Some(taken)
    }

    /// Takes from the back what `chunk` says of what is left.
    pub fn take_back(&self, chunk: impl FnOnce(&Range<usize>) -> Range<usize>) -> Option<Range<usize>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return None;
        }
        let taken = chunk(&left).start.clamp(left.start, left.end)..left.end;
        left.end = taken.start;
        Some(taken)
    }
}

/// Runs `work` on `n` threads and `beside` on this one; returns when all have ended.
///
/// The caller holds a device's lock, so whoever waits here may do nothing else, and nothing here may wait for others who want that
/// lock. Rayon's global threads may all be such others. Hence threads of the engine's own, which never take a device's lock; a thread
/// that waits for another pool's threads sleeps, and takes up no work.
pub(crate) fn side_by_side(n: usize, work: impl Fn() + Sync, beside: impl FnOnce()) {
    match own_threads() {
        Some(threads) => threads.in_place_scope(|scope| {
            (0..n).for_each(|_| scope.spawn(|_| work()));
            beside();
        }),
        None => thread::scope(|scope| {
            let made = (0..n).filter(|_| thread::Builder::new().spawn_scoped(scope, &work).is_ok()).count();
            beside();
            if made < n {
                work();
            }
        }),
    }
}

/// The threads that work for batches, of every engine in the process: as many as rayon's global ones, made when first needed. None
/// where the system gives none.
fn own_threads() -> Option<&'static ThreadPool> {
    static THREADS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let make = || {
        // A thread of some smaller pool would be told that pool's number.
        let n = thread::scope(|scope| {
            let asked = thread::Builder::new().spawn_scoped(scope, rayon::current_num_threads);
            asked.ok()?.join().ok()
        })?;
        ThreadPoolBuilder::new()
            .num_threads(n)
            .thread_name(|number| format!("warpath-cuda-{number}"))
            .build()
            .ok()
    };
    THREADS.get_or_init(make).as_ref()
}

/// The first error of several threads.
#[derive(Debug, Default)]
pub(crate) struct Failure(Mutex<Option<EngineError>>);

impl Failure {
    pub fn note(&self, result: Result<(), EngineError>) {
        if let Err(error) = result {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    pub fn into_result(self) -> Result<(), EngineError> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// How often keys have missed in a batch.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    answered: AtomicUsize,
    missed: AtomicUsize,
}

impl Misses {
    pub fn note(&self, answered: usize, missed: usize) {
        self.answered.fetch_add(answered, Ordering::Relaxed);
        self.missed.fetch_add(missed, Ordering::Relaxed);
    }

    /// Whether so many paths miss that their text is better sent at once.
    fn are_too_many(&self) -> bool {
        let answered = self.answered.load(Ordering::Relaxed);
        answered > JUDGE_FROM && self.missed.load(Ordering::Relaxed) * MISSES_ALLOWED > answered
    }
}

/// Buffers that no thread has at the moment.
#[derive(Debug, Default)]
pub(crate) struct FreeBuffers {
    keyed: Mutex<Vec<KeyBuffers>>,
    staged: Mutex<Vec<StagedBuffers>>,
}

fn take<B>(free: &Mutex<Vec<B>>, make: impl FnOnce() -> Result<B, EngineError>) -> Result<B, EngineError> {
    let buffers = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
    buffers.map_or_else(make, Ok)
}

/// What threads may send of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Keys, until they miss too often.
    pub keys: bool,
    /// Text as it is.
    pub text: bool,
    /// Text of which neighbours share prefixes, packed, where no keys are sent: a path costs a thread as much either way, and keys are
    /// shorter.
    pub packed: bool,
}

impl Ways {
    pub fn any(self) -> bool {
        self.keys || self.text || self.packed
    }
}

/// What a thread sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Keys,
    Text,
    Packed,
}

/// What the threads of one batch share.
pub(crate) struct Task<'a> {
    pub context: &'a Arc<CudaContext>,
    pub free: &'a FreeBuffers,
    pub kernels: &'a Kernels,
    pub query: &'a Query,
    pub view: &'a TablesView<'a>,
    pub plan: &'a Plan,
    pub source: Source<'a>,
    pub columns: Columns,
    pub remaining: &'a Remaining,
    pub n_threads: usize,
    pub ways: Ways,
    /// Threads that have begun.
    pub begun: AtomicUsize,
    pub costs: Costs,
    pub misses: Misses,
    /// Paths that the probe did not answer.
    pub missed: Mutex<Vec<usize>>,
}

impl Task<'_> {
    /// One thread's work, until nothing is left. Where text may not be sent, it ends when keys miss too often.
    pub fn work(&self) -> Result<(), EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        // The first half prefers to send text.
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let prefers_text = number < self.n_threads.div_ceil(2);
        let mut worker = Worker { task: self, prefers_text, keyed: Vec::new(), staged: Vec::new() };
        let worked = worker.run();
        worker.give_back();
        worked
    }

    /// Answers one path that is too long to be sent: the core says why it is none.
    pub fn answer_unsendable(&self, i: usize) {
        // SAFETY: the path was given to this thread alone.
        let (inodes, statuses) = unsafe { self.columns.range(&(i..i + 1)) };
        let outcome = resolve::walk(self.view, self.plan, self.source.batch().get(i));
        OutcomesMut { inodes, statuses }.set(0, outcome);
    }
}

/// What paths have cost the threads of a batch.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    keys: Cost,
    text: Cost,
}

#[derive(Debug, Default)]
struct Cost {
    nanoseconds: AtomicU64,
    n_paths: AtomicU64,
}

impl Cost {
    fn note(&self, begin: Instant, n_paths: usize) {
        self.nanoseconds.fetch_add(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.n_paths.fetch_add(n_paths as u64, Ordering::Relaxed);
    }

    /// Nanoseconds a path; None before the first.
    fn a_path(&self) -> Option<f64> {
        let n_paths = self.n_paths.load(Ordering::Relaxed);
        (n_paths > 0).then(|| self.nanoseconds.load(Ordering::Relaxed) as f64 / n_paths as f64)
    }
}

/// Where a copied path costs so many times a hashed one, nobody sends text; where a hashed path costs so many times a copied one, nobody
/// prefers keys.
const TEXT_TOO_DEAR: f64 = 1.5;
const KEYS_TOO_DEAR: f64 = 3.0;

impl Costs {
    /// Whether text is the better choice, if buffers for it are free, for a thread that prefers it or does not.
    fn choose_text(&self, prefers_text: bool) -> bool {
        match (self.keys.a_path(), self.text.a_path()) {
            (Some(keys), Some(text)) if prefers_text => text < TEXT_TOO_DEAR * keys,
            (Some(keys), Some(text)) => keys > KEYS_TOO_DEAR * text,
            _ => prefers_text,
        }
    }
}

struct Worker<'a> {
    task: &'a Task<'a>,
    prefers_text: bool,
    /// Two of each, once needed, used in turn: one is filled while the other is on its way.
    keyed: Vec<KeyBuffers>,
    staged: Vec<StagedBuffers>,
}

impl Worker<'_> {
    fn run(&mut self) -> Result<(), EngineError> {
        while let Some(next) = self.choose()? {
            let sent = match next {
                Next::Keys => self.send_keys()?,
                Next::Text => self.send_text(false)?,
                Next::Packed => self.send_text(true)?,
            };
            if !sent {
                break;
            }
        }
        self.keyed.iter_mut().try_for_each(|buffers| buffers.collect(self.task))?;
        self.staged.iter_mut().try_for_each(|buffers| buffers.collect(self.task))
    }

    fn give_back(self) {
        let free = self.task.free;
        for mut buffers in self.keyed {
            // After an error nothing may be under way when the columns' borrow ends.
            buffers.in_flight.abandon();
            free.keyed.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        }
        for mut buffers in self.staged {
            buffers.in_flight.abandon();
            free.staged.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        }
    }

    /// What is sent next; None when nothing may be.
    fn choose(&self) -> Result<Option<Next>, EngineError> {
        let ways = self.task.ways;
        let keys = ways.keys && !self.task.misses.are_too_many();
        Ok(match (keys, ways.text) {
            // Text while the bus keeps up: then the chunk in the buffers whose turn it is has been answered.
            (true, true) => {
                let text = self.task.costs.choose_text(self.prefers_text)
                    && (self.staged.len() < 2 || self.staged[0].in_flight.is_done()?);
                Some(if text { Next::Text } else { Next::Keys })
            }
            (true, false) => Some(Next::Keys),
            _ if ways.packed => Some(Next::Packed),
            (false, true) => Some(Next::Text),
            (false, false) => None,
        })
    }

    /// How many paths a thread takes at a time: less towards the end, so that all threads end together.
    fn share(&self, left: &Range<usize>, most: usize) -> usize {
        (left.len() / (2 * self.task.n_threads)).clamp(LEAST_PATHS, most)
    }

    fn send_keys(&mut self) -> Result<bool, EngineError> {
        let task = self.task;
        let chunk = task
            .remaining
            .take_back(|left| left.end - self.share(left, keyed::CHUNK_PATHS).min(left.len())..left.end);
        let Some(range) = chunk else { return Ok(false) };
        let mut buffers = if self.keyed.len() < 2 {
            take(&task.free.keyed, || KeyBuffers::new(task.context))?
        } else {
            self.keyed.remove(0)
        };
        let n = range.len();
        let begin = Instant::now();
        let sent = buffers.collect(task).and_then(|()| buffers.send(task, range));
        task.costs.keys.note(begin, n);
        self.keyed.push(buffers);
        sent.map(|()| true)
    }

    fn send_text(&mut self, packed: bool) -> Result<bool, EngineError> {
        let task = self.task;
        let chunk = task.remaining.take_back(|left| {
            task.source.last_chunk(left, self.share(left, staged::CHUNK_PATHS), staged::CHUNK_BYTES)
        });
        let Some(range) = chunk else { return Ok(false) };
        if range.is_empty() {
            if let Some(one) = task.remaining.take_back(|left| left.end - 1..left.end) {
                task.answer_unsendable(one.start);
            }
            return Ok(true);
        }
        let mut buffers = if self.staged.len() < 2 {
            take(&task.free.staged, || StagedBuffers::new(task.context))?
        } else {
            self.staged.remove(0)
        };
        let collected = buffers.collect(task);
        let n = range.len();
        let begin = Instant::now();
        let sent = collected.and_then(|()| buffers.send(task, range, packed));
        task.costs.text.note(begin, n);
        self.staged.push(buffers);
        sent.map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held_up::while_rayon_is_held_up;
    use std::time::Duration;

    #[test]
    fn what_is_left_is_given_out_once() {
        let remaining = Remaining::new(100);
        let mut seen = [0; 100];
        while let Some(front) = remaining.take_front(|left| left.start..left.start + 7) {
            front.for_each(|i| seen[i] += 1);
            let back = remaining.take_back(|left| left.end.saturating_sub(13)..left.end);
            back.into_iter().flatten().for_each(|i| seen[i] += 1);
        }
        assert_eq!(seen, [1; 100]);
        assert_eq!(remaining.take_back(|left| left.clone()), None);
    }

    #[test]
    fn a_thread_that_waits_takes_up_no_other_work() {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let (done, other) = (AtomicUsize::new(0), Mutex::new(()));
        let count = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        pool.scope(|scope| {
            scope.spawn(|scope| {
                let _held = other.lock().unwrap();
                scope.spawn(|_| assert!(other.try_lock().is_ok()));
                side_by_side(3, count, || thread::sleep(Duration::from_millis(20)));
            });
        });
        side_by_side(2, count, || ());
        assert_eq!(done.into_inner(), 5);
    }

    #[test]
    fn a_batch_ends_although_every_global_thread_waits_for_its_lock() {
        while_rayon_is_held_up(|| side_by_side(1, || (), || ()));
    }

    #[test]
    fn text_and_keys_are_chosen_by_what_they_cost() {
        let costs = Costs::default();
        assert!(costs.choose_text(true) && !costs.choose_text(false));
        let spend = |cost: &Cost, nanoseconds| {
            cost.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
            cost.n_paths.fetch_add(1, Ordering::Relaxed);
        };
        spend(&costs.keys, 20);
        spend(&costs.text, 20);
        assert!(costs.choose_text(true) && !costs.choose_text(false));
        spend(&costs.text, 60);
        assert!(!costs.choose_text(true) && !costs.choose_text(false));
        spend(&costs.keys, 300);
        assert!(costs.choose_text(true) && costs.choose_text(false));
    }

    #[test]
    fn misses_are_judged_after_enough_answers() {
        let misses = Misses::default();
        misses.note(JUDGE_FROM, JUDGE_FROM);
        assert!(!misses.are_too_many());
        misses.note(1, 0);
        assert!(misses.are_too_many());
        misses.note(JUDGE_FROM * MISSES_ALLOWED, 0);
        assert!(!misses.are_too_many());
    }
}
