//! Which engine answers a batch.

mod seat;

use crate::Error;
use crate::device::Device;
use seat::Seat;
use warpath_core::{EngineError, OutcomesMut, PathBatch, Plan, Tables};

/// Paths that an engine is given at a time: a batch of any size is one call, and what an engine keeps for a batch stays bounded.
const PIECE_PATHS: usize = 1 << 24;

/// A device's engines.
pub(crate) struct Router {
    seats: Vec<Seat>,
}

impl Router {
    /// Opens the engine of a device that has one. Those of several are opened when they are first needed.
    pub fn new(device: &Device) -> Result<Router, EngineError> {
        let (candidates, n_own) = device.seats();
        let seats: Vec<Seat> = candidates.into_iter().map(Seat::new).collect();
        if n_own == 1 {
            seats[0].open()?;
        }
        Ok(Router { seats })
    }

    /// Whether a batch of so many paths is answered by the calling thread, without waiting for a device.
    pub fn is_immediate(&self, _n_paths: usize) -> bool {
        self.seats.first().is_some_and(Seat::is_immediate)
    }

    /// The engines in words, in the order in which they are tried.
    pub fn describe(&self) -> Vec<String> {
        self.seats.iter().map(Seat::description).collect()
    }

    /// Answers a batch.
    #[inline]
    pub fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        let n_paths = batch.len();
        if n_paths <= PIECE_PATHS {
            return self.resolve_piece(tables, plan, batch, out);
        }
        let mut first = 0;
        while first < n_paths {
            let end = (first + PIECE_PATHS).min(n_paths);
            let (piece, rest) = out.split_at(end - first);
            self.resolve_piece(tables, plan, &batch.slice(first..end), piece)?;
            (out, first) = (rest, end);
        }
        Ok(())
    }

    fn resolve_piece(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.run_from(0, tables, plan, batch, out)
    }

    /// Runs a batch on an engine, or where that fails on the next one that does not. Engines that are left alone at present
    /// are asked only when there is no other.
    fn run_from(
        &self,
        chosen: usize,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        let mut first_error = None;
        for wants_paused in [false, true] {
            for seat in self.seats[chosen..].iter().chain(&self.seats[..chosen]) {
                if seat.pause().is_some() != wants_paused {
                    continue;
                }
                match seat.run(tables, plan, batch, out.reborrow()) {
                    Ok(()) => return Ok(()),
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
        }
        Err(first_error.map_or(Error::Closed, Error::Engine))
    }
}
