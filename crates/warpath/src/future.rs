//! Answers that are not there yet.

use crate::Error;
use crate::reply::Reply;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use warpath_core::{Outcome, Outcomes};

/// The outcomes of a batch, when they are there. A plain future, which needs no runtime; it can also be asked
/// ([`try_get`](ResolveFuture::try_get)) or waited for ([`wait`](ResolveFuture::wait)).
///
/// The work goes on whether the future is polled or not. Dropping it cancels what has not been dispatched to an engine yet.
#[derive(Debug)]
#[must_use = "dropping the future cancels the lookup"]
pub struct ResolveFuture {
    reply: Arc<Reply<Outcomes>>,
}

impl ResolveFuture {
    pub(crate) fn new(reply: Arc<Reply<Outcomes>>) -> ResolveFuture {
        ResolveFuture { reply }
    }

    /// The outcomes if they are there; `None` while they are not. They are given once: later calls give [`Error::Closed`].
    pub fn try_get(&mut self) -> Option<Result<Outcomes, Error>> {
        self.reply.try_take()
    }

    /// Blocks until the outcomes are there.
    ///
    /// # Errors
    /// [`Error`] when the batch could not run at all.
    pub fn wait(self) -> Result<Outcomes, Error> {
        self.reply.wait(None).unwrap_or(Err(Error::Closed))
    }

    /// Blocks until the outcomes are there, but no longer than `timeout`: `None` when they are not there then. The work goes on.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Outcomes, Error>> {
        self.reply.wait(Instant::now().checked_add(timeout))
    }
}

impl Future for ResolveFuture {
    type Output = Result<Outcomes, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.poll(context)
    }
}

impl Drop for ResolveFuture {
    fn drop(&mut self) {
        self.reply.cancel();
    }
}

/// The answers of [`lookup_batch_async`](crate::GpuFilesystem::lookup_batch_async), when they are there: as [`ResolveFuture`],
/// with an inode or an error for each path.
#[derive(Debug)]
#[must_use = "dropping the future cancels the lookup"]
pub struct BatchLookupFuture(ResolveFuture);

impl BatchLookupFuture {
    pub(crate) fn new(future: ResolveFuture) -> BatchLookupFuture {
        BatchLookupFuture(future)
    }

    /// The answers if they are there; see [`ResolveFuture::try_get`].
    pub fn try_get(&mut self) -> Option<Result<Vec<Outcome>, Error>> {
        self.0.try_get().map(each)
    }

    /// Blocks until the answers are there.
    ///
    /// # Errors
    /// [`Error`] when the batch could not run at all.
    pub fn wait(self) -> Result<Vec<Outcome>, Error> {
        each(self.0.wait())
    }

    /// Blocks until the answers are there, but no longer than `timeout`; see [`ResolveFuture::wait_timeout`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Vec<Outcome>, Error>> {
        self.0.wait_timeout(timeout).map(each)
    }
}

impl Future for BatchLookupFuture {
    type Output = Result<Vec<Outcome>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(each)
    }
}

fn each(outcomes: Result<Outcomes, Error>) -> Result<Vec<Outcome>, Error> {
    outcomes.map(|outcomes| outcomes.iter().collect())
}
