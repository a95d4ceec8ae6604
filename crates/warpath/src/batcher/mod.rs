//! Many threads or tasks ask for a path or a few; one dispatch answers them.
//!
//! | module | question it answers |
//! |---|---|
//! | `settings` | what can be chosen? |
//! | `request` | what is asked? |
//! | `queue` | which requests wait, and which of them make the next batch? |
//! | `at_once` | which requests need no batch? |
//! | `inner` | who runs a batch, and when? |
//! | `run` | what happens to a batch? Equal paths once, answers back |
//! | `timer` | who notices a deadline? |
//! | `service` | how is it a `tower` service? |
//! | `stats` | what has been done? |

mod at_once;
mod inner;
mod queue;
mod request;
mod run;
#[cfg(feature = "tower")]
mod service;
mod settings;
mod stats;
mod timer;

pub use request::Request;
pub use settings::{Settings, SettingsError, WhenFull};
pub use stats::BatcherStats;

use crate::future::{BatchLookupFuture, LookupFuture, ResolveFuture};
use crate::reply::Reply;
use crate::{Error, GpuFilesystem};
pub(crate) use inner::Inner;
use inner::{Admission, Caller, one_path};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use warpath_core::{InodeId, LookupError, Options, Outcome, Outcomes};

/// Makes a [`BatchPathLookup`].
///
/// # Example
/// ```
/// use warpath::{BatchLookupBuilder, Device, FileType, GpuFilesystem};
///
/// let fs = GpuFilesystem::new(&Device::cpu(), 16)?;
/// let id = fs.add_file(0, "a", FileType::Regular)?;
/// let batcher = BatchLookupBuilder::new(&fs).max_batch_size(1000).timeout(0).build()?;
/// assert_eq!(batcher.lookup_path("/a")?, id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct BatchLookupBuilder {
    fs: GpuFilesystem,
    settings: Settings,
}

impl BatchLookupBuilder {
    /// A batcher over this file system, with [`Settings::default`].
    pub fn new(fs: &GpuFilesystem) -> BatchLookupBuilder {
        BatchLookupBuilder { fs: fs.clone(), settings: Settings::default() }
    }

    /// See [`Settings::max_batch_size`].
    pub fn max_batch_size(mut self, size: usize) -> BatchLookupBuilder {
        self.settings.max_batch_size = size;
        self
    }

    /// See [`Settings::max_batch_bytes`].
    pub fn max_batch_bytes(mut self, bytes: usize) -> BatchLookupBuilder {
        self.settings.max_batch_bytes = bytes;
        self
    }

    /// See [`Settings::timeout`]; in milliseconds. [`settings`](BatchLookupBuilder::settings) takes any duration.
    pub fn timeout(mut self, ms: u64) -> BatchLookupBuilder {
        self.settings.timeout = Duration::from_millis(ms);
        self
    }

    /// See [`Settings::preferred_sizes`].
    pub fn preferred_sizes(mut self, sizes: &[usize]) -> BatchLookupBuilder {
        self.settings.preferred_sizes = sizes.to_vec();
        self
    }

    /// See [`Settings::max_in_flight`].
    pub fn max_in_flight(mut self, batches: usize) -> BatchLookupBuilder {
        self.settings.max_in_flight = batches;
        self
    }

    /// See [`Settings::queue_capacity`] and [`Settings::when_full`].
    pub fn queue_capacity(mut self, paths: usize, when_full: WhenFull) -> BatchLookupBuilder {
        self.settings.queue_capacity = paths;
        self.settings.when_full = when_full;
        self
    }

    /// All settings at once.
    pub fn settings(self, settings: Settings) -> BatchLookupBuilder {
        BatchLookupBuilder { settings, ..self }
    }

    /// The batcher. Starts no thread: they come with the work.
    ///
    /// # Errors
    /// [`SettingsError`] for settings that no batcher can have, such as a `max_batch_size` of 0.
    pub fn build(self) -> Result<BatchPathLookup, SettingsError> {
        self.settings.check()?;
        let inner = Inner::new(self.fs, self.settings);
        let handle = Arc::new(Handle { inner: Arc::clone(&inner) });
        Ok(BatchPathLookup { inner, _handle: handle })
    }
}

/// The batcher: gathers the requests of many threads and tasks into batches.
///
/// A handle, cheap to clone; it keeps its file system. A few paths that the CPU answers are answered by their own thread at once, without a
/// lock: that takes less time than waking another. So is a request that finds a device free, where its thread waits anyway. What comes
/// while so many batches are under way queues up, and the next batch takes it. Equal paths of a batch are resolved once. Each batch, and
/// so each request, sees one version of the tree.
///
/// An engine that panics or loses its device fails nothing: the batch goes to the next one. Where there is no other, its requests
/// fail with [`Error::Engine`], and the batcher goes on.
///
/// When the last handle is dropped the batcher closes: what waits is still answered, in the background. See
/// [`shutdown`](BatchPathLookup::shutdown) to wait for that.
///
/// It counts what it does ([`stats`](BatchPathLookup::stats)), and tells the `metrics` crate's recorder, if one was installed
/// when it was built: counters `warpath_batcher_{requests, immediate, failed, rejected, timed_out, cancelled, duplicate_paths,
/// batches}_total`, the last by `flushed_by`; histograms `warpath_batcher_queue_wait_seconds`, `warpath_batcher_batch_paths`,
/// `warpath_batcher_engine_seconds`. Batches are `tracing` spans named `batch`.
#[derive(Clone)]
pub struct BatchPathLookup {
    inner: Arc<Inner>,
    /// Closes the batcher when the last handle goes.
    _handle: Arc<Handle>,
}

struct Handle {
    inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.close();
    }
}

impl BatchPathLookup {
    /// Looks up one path and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Lookup`] with what the kernel would say; [`Error::Rejected`] when the queue is full; [`Error::Closed`] after the end.
    pub fn lookup_path(&self, path: &str) -> Result<InodeId, Error> {
        let options = Options::default();
        if let Some(result) = self.inner.lookup_at_once(path.as_bytes(), &options, Caller::Blocks) {
            return Ok(result??);
        }
        let outcomes = self.resolve(one_path(path.as_bytes(), options))?;
        Ok(only(&outcomes)?)
    }

    /// Looks up a few paths under one version and waits for the answers, in their order.
    ///
    /// # Errors
    /// As [`resolve`](BatchPathLookup::resolve).
    pub fn lookup_batch(&self, paths: &[&str]) -> Result<Vec<Outcome>, Error> {
        Ok(self.resolve(Request::new(paths))?.iter().collect())
    }

    /// Looks up one path without waiting. On the CPU, without a time-out, the answer is there when this returns.
    pub fn lookup_path_async(&self, path: &str) -> LookupFuture {
        let options = Options::default();
        match self.inner.lookup_at_once(path.as_bytes(), &options, Caller::Returns) {
            Some(Ok(outcome)) => LookupFuture::ready(outcome.map_err(Error::Lookup)),
            Some(Err(error)) => LookupFuture::ready(Err(error)),
            None => LookupFuture::waiting(self.resolve_async(one_path(path.as_bytes(), options))),
        }
    }

    /// Looks up a few paths under one version without waiting.
    pub fn lookup_batch_async(&self, paths: &[&str]) -> BatchLookupFuture {
        BatchLookupFuture::new(self.resolve_async(Request::new(paths)))
    }

    /// Resolves a request and waits for the outcomes.
    ///
    /// # Errors
    /// [`Error::Rejected`] at once when the queue is full and refuses, [`Error::TimedOut`] at the request's deadline,
    /// [`Error::Closed`] after the end, or another [`Error`] when the batch could not run at all.
    pub fn resolve(&self, mut request: Request) -> Result<Outcomes, Error> {
        if request.is_empty() {
            self.inner.answered_nothing();
            return Ok(Outcomes::default());
        }
        if let Some(result) = self.inner.answer_at_once(&request) {
            return result;
        }
        let deadline = request.deadline;
        let mut again = None;
        let reply = loop {
            match self.inner.admit(request, Caller::Blocks, again.take(), None)? {
                Admission::Lead(request) => return self.inner.answer(&request),
                Admission::Run(batch, reply) => {
                    self.inner.lead(batch);
                    break reply;
                }
                Admission::Queued(reply) => break reply,
                Admission::Full(refused, reply) => {
                    if !self.inner.wait_for_room(refused.len(), deadline) {
                        self.inner.timed_out();
                        return Err(Error::TimedOut);
                    }
                    (request, again) = (refused, Some(reply));
                }
            }
        };
        match reply.wait(deadline) {
            Some(result) => result,
            None if reply.time_out() => {
                self.inner.timed_out();
                Err(Error::TimedOut)
            }
            // The answer came at the last moment.
            None => reply.try_take().unwrap_or(Err(Error::TimedOut)),
        }
    }

    /// Resolves a request without waiting: a future, which is also pollable and waitable. Errors as
    /// [`resolve`](BatchPathLookup::resolve).
    ///
    /// The request is in the queue when this returns, except in a full queue that lets its callers wait: then the future holds it.
    /// Dropping the future cancels what has not been dispatched; the queue forgets it when its turn comes.
    pub fn resolve_async(&self, request: Request) -> ResolveFuture {
        if request.is_empty() {
            self.inner.answered_nothing();
            return ResolveFuture::ready(Ok(Outcomes::default()));
        }
        if let Some(result) = self.inner.answer_at_once(&request) {
            return ResolveFuture::ready(result);
        }
        submit(&self.inner, request, None, None)
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.inner.settings()
    }

    /// Changes the settings. They hold for the next batch; requests that wait stay in the queue whatever its capacity is now.
    ///
    /// # Errors
    /// [`SettingsError`] for settings that no batcher can have; nothing has changed then.
    pub fn set_settings(&self, settings: Settings) -> Result<(), SettingsError> {
        settings.check()?;
        self.inner.set(settings);
        Ok(())
    }

    /// What has been done so far.
    pub fn stats(&self) -> BatcherStats {
        self.inner.stats()
    }

    /// Takes no more requests (they get [`Error::Closed`]), answers those that wait, and returns when all have been answered: as
    /// long as the engine needs for the rest.
    pub fn shutdown(&self) {
        self.inner.close();
        self.inner.wait_until_idle();
    }

    /// Whether there is room for a request; wakes the task when there is. Always so in a queue that rejects.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.inner.poll_room(context.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Hands a request in, for a future; `again` as for [`Inner::admit`].
pub(crate) fn submit(
    inner: &Arc<Inner>,
    request: Request,
    again: Option<Arc<Reply<Outcomes>>>,
    waker: Option<&Waker>,
) -> ResolveFuture {
    match inner.admit(request, Caller::Returns, again, waker) {
        Ok(Admission::Lead(request)) => ResolveFuture::ready(inner.answer(&request)),
        Ok(Admission::Run(batch, reply)) => {
            inner.lead(batch);
            ResolveFuture::new(reply)
        }
        Ok(Admission::Queued(reply)) => ResolveFuture::new(reply),
        Ok(Admission::Full(request, reply)) => ResolveFuture::without_room(Arc::clone(inner), request, reply),
        Err(error) => ResolveFuture::ready(Err(error)),
    }
}

/// The only outcome of a request of one path.
pub(crate) fn only(outcomes: &Outcomes) -> Outcome {
    if outcomes.is_empty() { Err(LookupError::NotFound) } else { outcomes.get(0) }
}

impl fmt::Debug for BatchPathLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchPathLookup")
            .field("settings", &self.settings())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
