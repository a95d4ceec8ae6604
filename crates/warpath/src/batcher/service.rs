//! The batcher as a `tower` service.

use super::{BatchPathLookup, Request};
use crate::Error;
use crate::future::ResolveFuture;
use std::task::{Context, Poll};
use tower_service::Service;
use warpath_core::Outcomes;

/// Ready whenever the queue has room, or rejects what it has no room for. Readiness is not kept for the caller: a call that finds the
/// queue full after all waits in its future.
impl Service<Request> for BatchPathLookup {
    type Response = Outcomes;
    type Error = Error;
    type Future = ResolveFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        BatchPathLookup::poll_ready(self, context).map(Ok)
    }

    fn call(&mut self, request: Request) -> ResolveFuture {
        self.resolve_async(request)
    }
}
