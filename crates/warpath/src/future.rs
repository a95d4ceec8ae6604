//! Answers that are not there yet.

use crate::Error;
use crate::batcher::{self, Inner, Request};
use crate::reply::Reply;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use std::{fmt, mem};
use warpath_core::{InodeId, Outcome, Outcomes};

/// The outcomes of a batch, when they are there. A plain future, which needs no runtime; it can also be asked
/// ([`try_get`](ResolveFuture::try_get)) or waited for ([`wait`](ResolveFuture::wait)).
///
/// The work goes on whether the future is polled or not, with one exception: a request to a batcher whose full queue lets its callers
/// wait enters the queue when the future is polled or waited for. Dropping the future cancels what has not been dispatched to an
/// engine yet.
#[derive(Debug)]
#[must_use = "dropping the future cancels the lookup"]
pub struct ResolveFuture {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Under way.
    Asked(Arc<Reply<Outcomes>>),
    /// There is no room in the batcher's queue yet.
    WithoutRoom(Box<WithoutRoom>),
    /// There before anybody had to wait.
    Ready(Result<Outcomes, Error>),
    /// Given away.
    Taken,
}

/// A request that waits for room in a batcher's queue.
struct WithoutRoom {
    batcher: Arc<Inner>,
    request: Option<Request>,
    /// The request's, once it is in the queue. Before, a time-out where its deadline has come.
    reply: Arc<Reply<Outcomes>>,
}

impl WithoutRoom {
    fn is_too_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        self.request.as_ref().and_then(|request| request.deadline)
    }
}

impl ResolveFuture {
    pub(crate) fn new(reply: Arc<Reply<Outcomes>>) -> ResolveFuture {
        ResolveFuture { state: State::Asked(reply) }
    }

    pub(crate) fn ready(result: Result<Outcomes, Error>) -> ResolveFuture {
        ResolveFuture { state: State::Ready(result) }
    }

    pub(crate) fn without_room(
        batcher: Arc<Inner>,
        request: Request,
        reply: Arc<Reply<Outcomes>>,
    ) -> ResolveFuture {
        let waiting = WithoutRoom { batcher, request: Some(request), reply };
        ResolveFuture { state: State::WithoutRoom(Box::new(waiting)) }
    }

    /// The outcomes if they are there; `None` while they are not. They are given once: later calls give [`Error::Closed`].
    pub fn try_get(&mut self) -> Option<Result<Outcomes, Error>> {
        self.enter(None);
        match &self.state {
            State::Asked(reply) => reply.try_take(),
            State::WithoutRoom(_) => None,
            State::Ready(_) | State::Taken => Some(self.take_ready()),
        }
    }

    /// Blocks until the outcomes are there.
    ///
    /// # Errors
    /// [`Error`] when the batch could not run at all.
    pub fn wait(mut self) -> Result<Outcomes, Error> {
        self.wait_until(None).unwrap_or(Err(Error::Closed))
    }

    /// Blocks until the outcomes are there, but no longer than `timeout`: `None` when they are not there then. The work goes on.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Outcomes, Error>> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&mut self, until: Option<Instant>) -> Option<Result<Outcomes, Error>> {
        loop {
            self.enter(None);
            match &self.state {
                State::Asked(reply) => return reply.wait(until),
                State::Ready(_) | State::Taken => return Some(self.take_ready()),
                State::WithoutRoom(waiting) => {
                    let n_paths = waiting.request.as_ref().map_or(0, Request::len);
                    let end = until.into_iter().chain(waiting.deadline()).min();
                    // Once its deadline has come it is told so when it tries to enter again.
                    if !waiting.batcher.wait_for_room(n_paths, end) && !waiting.is_too_late() {
                        return None;
                    }
                }
            }
        }
    }

    /// Tries to enter the queue, if the request is still without.
    fn enter(&mut self, waker: Option<&Waker>) {
        let State::WithoutRoom(waiting) = &mut self.state else { return };
        if let Some(request) = waiting.request.take() {
            let reply = Arc::clone(&waiting.reply);
            *self = batcher::submit(&Arc::clone(&waiting.batcher), request, Some(reply), waker);
        }
    }

    fn take_ready(&mut self) -> Result<Outcomes, Error> {
        match mem::replace(&mut self.state, State::Taken) {
            State::Ready(result) => result,
            _ => Err(Error::Closed),
        }
    }
}

impl Future for ResolveFuture {
    type Output = Result<Outcomes, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.enter(Some(context.waker()));
        match &self.state {
            State::Asked(reply) => reply.poll(context),
            // Ready when the deadline comes first.
            State::WithoutRoom(waiting) => {
                let polled = waiting.reply.poll(context);
                if polled.is_ready() {
                    self.state = State::Taken;
                }
                polled
            }
            State::Ready(_) | State::Taken => Poll::Ready(self.take_ready()),
        }
    }
}

impl Drop for ResolveFuture {
    fn drop(&mut self) {
        if let State::Asked(reply) = &self.state {
            reply.cancel();
        }
    }
}

impl Drop for WithoutRoom {
    fn drop(&mut self) {
        // A time-out has been counted by the timer.
        if self.request.is_some() && self.reply.cancel() {
            self.batcher.cancelled();
        }
    }
}

impl fmt::Debug for WithoutRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithoutRoom").field("request", &self.request).finish_non_exhaustive()
    }
}

/// The inode of one path, when it is there: as [`ResolveFuture`], for [`BatchPathLookup`](crate::BatchPathLookup).
#[derive(Debug)]
#[must_use = "dropping the future cancels the lookup"]
pub struct LookupFuture {
    ready: Option<Result<InodeId, Error>>,
    waiting: Option<ResolveFuture>,
}

impl LookupFuture {
    pub(crate) fn ready(result: Result<InodeId, Error>) -> LookupFuture {
        LookupFuture { ready: Some(result), waiting: None }
    }

    pub(crate) fn waiting(future: ResolveFuture) -> LookupFuture {
        LookupFuture { ready: None, waiting: Some(future) }
    }

    /// The answer if it is there; see [`ResolveFuture::try_get`].
    pub fn try_get(&mut self) -> Option<Result<InodeId, Error>> {
        match &mut self.waiting {
            Some(waiting) => waiting.try_get().map(the_only),
            None => Some(self.ready.take().unwrap_or(Err(Error::Closed))),
        }
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// [`Error::Lookup`] with what the kernel would say, or another [`Error`] when the lookup could not run.
    pub fn wait(self) -> Result<InodeId, Error> {
        match self.waiting {
            Some(waiting) => the_only(waiting.wait()),
            None => self.ready.unwrap_or(Err(Error::Closed)),
        }
    }
}

impl Future for LookupFuture {
    type Output = Result<InodeId, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.waiting {
            Some(waiting) => Pin::new(waiting).poll(context).map(the_only),
            None => Poll::Ready(self.ready.take().unwrap_or(Err(Error::Closed))),
        }
    }
}

fn the_only(outcomes: Result<Outcomes, Error>) -> Result<InodeId, Error> {
    Ok(batcher::only(&outcomes?)?)
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
