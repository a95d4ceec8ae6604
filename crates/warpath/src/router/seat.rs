//! One engine of a device: made when it is first needed, left alone for a while after it failed, made anew after a loss.

use super::model::Model;
use crate::device::Candidate;
use arc_swap::{ArcSwap, Guard};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use warpath_core::{Engine, EngineError, OutcomesMut, PathBatch, Plan, Tables};

/// The first failure costs an engine nothing; from the second in a row on it is left alone, four times as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// An engine that goes on failing is tried again this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A lost device is not opened again before this.
const PAUSE_AFTER_LOSS: Duration = Duration::from_millis(100);

/// An engine's place in a device.
pub(crate) struct Seat {
    candidate: Candidate,
    pub model: Model,
    state: ArcSwap<State>,
    /// Held while the engine is made, so that it is made once.
    making: Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    engine: Option<Arc<dyn Engine>>,
    n_failures: u32,
    failed: Option<Failed>,
}

#[derive(Clone)]
struct Failed {
    until: Instant,
    error: EngineError,
}

/// A seat as it is for one batch.
pub(crate) struct Loaded<'s> {
    seat: &'s Seat,
    state: Guard<Arc<State>>,
}

impl Seat {
    pub fn new(candidate: Candidate) -> Seat {
        Seat { candidate, model: Model::default(), state: ArcSwap::default(), making: Mutex::new(()) }
    }

    pub fn name(&self) -> &'static str {
        self.candidate.name
    }

    /// Whether `name` means it: its name, or that with a part of what it runs on behind a colon, in any case.
    pub fn is_called(&self, name: &str) -> bool {
        match name.split_once(':') {
            None => name == self.name(),
            Some((engine, part)) => {
                engine == self.name() && self.description().to_lowercase().contains(&part.to_lowercase())
            }
        }
    }

    /// Whether a small batch is answered by the calling thread, without waiting for a device.
    pub fn is_immediate(&self) -> bool {
        self.candidate.immediate
    }

    /// The engine and what it runs on, in words.
    pub fn description(&self) -> String {
        match &self.state.load().engine {
            Some(engine) => format!("{}: {}", self.name(), engine.info().device),
            None => self.candidate.description.to_string(),
        }
    }

    #[inline]
    pub fn load(&self) -> Loaded<'_> {
        Loaded { seat: self, state: self.state.load() }
    }

    /// Why the engine is left alone at present.
    pub fn pause(&self) -> Option<EngineError> {
        self.load().pause().cloned()
    }

    /// Makes the engine where there is none.
    pub fn open(&self) -> Result<(), EngineError> {
        self.engine().map(|_| ())
    }

    fn engine(&self) -> Result<Arc<dyn Engine>, EngineError> {
        if let Some(error) = self.pause() {
            return Err(error);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state.load();
        if let Some(engine) = &state.engine {
            return Ok(Arc::clone(engine));
        }
        let made = catch_unwind(AssertUnwindSafe(|| (self.candidate.make)())).unwrap_or_else(|panic| {
            let reason = format!("opening it panicked: {}", panic_text(&*panic));
            Err(EngineError::Unavailable { engine: self.name(), reason })
        });
        match made {
            Ok(engine) => {
                let state = State { engine: Some(Arc::clone(&engine)), ..(**state).clone() };
                self.state.store(Arc::new(state));
                Ok(engine)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn recovered(&self) {
        self.state.rcu(|state| State { engine: state.engine.clone(), n_failures: 0, failed: None });
    }

    /// Notes a failure: the longer a row of them, the longer the engine is left alone.
    fn failed(&self, error: EngineError) -> EngineError {
        let gone = matches!(error, EngineError::Lost { .. } | EngineError::Unavailable { .. });
        let now = Instant::now();
        self.state.rcu(|state| {
            // Many batches may fail at once, or while the engine is left alone: that is one failure.
            let is_same = state.failed.as_ref().is_some_and(|failed| now < failed.until);
            let n_failures = state.n_failures.saturating_add(u32::from(!is_same));
            let until = now + pause_after(n_failures, gone);
            State {
                engine: state.engine.clone().filter(|_| !gone),
                n_failures,
                failed: Some(Failed { until, error: error.clone() }),
            }
        });
        tracing::warn!(engine = self.name(), %error, "an engine failed a batch");
        error
    }
}

impl Loaded<'_> {
    /// Why the engine is left alone at present.
    pub fn pause(&self) -> Option<&EngineError> {
        let failed = self.state.failed.as_ref()?;
        (Instant::now() < failed.until).then_some(&failed.error)
    }

    /// Resolves a batch on the engine. A panic in it is an error like others.
    #[inline]
    pub fn run(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let made;
        let engine = match &self.state.engine {
            Some(engine) => engine,
            None => {
                made = self.seat.engine()?;
                &made
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| engine.resolve(tables, plan, batch, out)));
        match result {
            Ok(Ok(())) => {
                if self.state.n_failures > 0 {
                    self.seat.recovered();
                }
                Ok(())
            }
            Ok(Err(error)) => Err(self.seat.failed(error)),
            Err(panic) => {
                let reason = format!("it panicked: {}", panic_text(&*panic));
                Err(self.seat.failed(EngineError::Failed { engine: engine.info().name, reason }))
            }
        }
    }
}

fn pause_after(n_failures: u32, gone: bool) -> Duration {
    let pause = match n_failures {
        0 | 1 => Duration::ZERO,
        n => FIRST_PAUSE.saturating_mul(4u32.saturating_pow(n - 2)),
    };
    pause.max(if gone { PAUSE_AFTER_LOSS } else { Duration::ZERO }).min(LONGEST_PAUSE)
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_panics_while_it_opens_is_named() {
        let seat = Seat::new(Candidate {
            name: "wgpu",
            description: "wgpu".into(),
            immediate: false,
            make: Arc::new(|| panic!("no symbol")),
        });
        let reason = "opening it panicked: no symbol".to_owned();
        assert_eq!(seat.open(), Err(EngineError::Unavailable { engine: "wgpu", reason }));
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pause_after(1, false), Duration::ZERO);
        assert_eq!(pause_after(1, true), PAUSE_AFTER_LOSS);
        assert_eq!(pause_after(2, false), FIRST_PAUSE);
        assert_eq!(pause_after(3, false), 4 * FIRST_PAUSE);
        assert_eq!(pause_after(u32::MAX, true), LONGEST_PAUSE);
    }
}
