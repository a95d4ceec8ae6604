//! The suite that every engine passes: [`run_suite`], or [`conformance_tests!`](crate::conformance_tests) in its tests.
//!
//! | part | what it asks |
//! |---|---|
//! | [`Part::Cases`] | the case table, and its paths in every mode and from several start directories |
//! | [`Part::Batches`] | batches of every layout and of awkward sizes, order of answers, bytes around the columns |
//! | [`Part::Random`] | random trees and paths in every mode |
//! | [`Part::Properties`] | the same by proptest, which shrinks what it finds in its own way |
//! | [`Part::Changes`] | sequences of changes under one living engine |
//! | [`Part::Rekeying`] | large directories renamed, renamed again and replaced, while keys are outstanding |
//! | [`Part::Growth`] | tables that grow and shrink, and more changes between two batches than are remembered |
//! | [`Part::Alternating`] | several indexes on one engine, changed and dropped in turn |
//! | [`Part::Fingerprints`] | tables with slots that differ from a path's in one bit, and entries far from home |
//! | [`Part::Threads`] | several threads on one engine |
//!
//! An engine is right when inode and status of every path are those of the reference resolver.

mod alternating;
mod batches;
mod cases;
mod changes;
mod fingerprints;
mod growth;
mod properties;
mod random;
mod rekeying;
mod session;
mod threads;

use crate::check::Difference;
use crate::library::Library;
use session::Session;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use thiserror::Error;
use warpath_core::index::IndexError;
use warpath_core::{Engine, EngineError, EngineInfo, NamespaceError, ResolveError};

/// Makes an engine.
pub type MakeEngine<'e> = dyn Fn() -> Result<Box<dyn Engine>, EngineError> + Sync + 'e;

/// How much is asked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Random trees, paths and changes follow from it alone.
    pub seed: u64,
    /// Random cases; the other parts have their own sizes.
    pub n_random: u64,
    /// Where namespaces are published, for engines that read names instead of tables.
    pub library: Option<Arc<Library>>,
}

impl Default for Config {
    fn default() -> Config {
        Config { seed: 1, n_random: 50_000, library: None }
    }
}

/// A part of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the module's table says what each one asks")]
pub enum Part {
    Cases,
    Batches,
    Random,
    Properties,
    Changes,
    Rekeying,
    Growth,
    Alternating,
    Fingerprints,
    Threads,
}

impl Part {
    /// Every part, the quickest to explain first.
    pub const ALL: [Part; 10] = [
        Part::Cases,
        Part::Batches,
        Part::Random,
        Part::Properties,
        Part::Changes,
        Part::Rekeying,
        Part::Growth,
        Part::Alternating,
        Part::Fingerprints,
        Part::Threads,
    ];
}

/// What was asked and answered right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The engine.
    pub engine: EngineInfo,
    /// Paths asked by each part.
    pub parts: Vec<(Part, u64)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "engine {} ({})", self.engine.name, self.engine.device)?;
        for (part, n) in &self.parts {
            writeln!(f, "  {:12} {n} paths", format!("{part:?}"))?;
        }
        Ok(())
    }
}

/// Why an engine is rejected.
#[derive(Debug, Error)]
pub enum Failure {
    /// There is no engine to ask: a reason to skip, if it may be missing.
    #[error("no engine: {0}")]
    Unavailable(EngineError),
    /// An answer is not the reference resolver's; the case is as small as it could be made.
    #[error("a wrong answer\n{0}")]
    Differs(Box<Difference>),
    /// An answer is wrong in its place alone, not when the path is asked again in a new index.
    #[error(
        "a wrong answer, {place}; asked alone in an index of its own the path is answered right\n{difference}"
    )]
    DiffersThere {
        /// Where it stood.
        place: String,
        /// What was asked.
        difference: Box<Difference>,
    },
    /// An answer is wrong after a sequence of changes, as short as it could be made.
    #[error("a wrong answer after these changes:\n{steps}{difference}")]
    DiffersAfter {
        /// The changes, one a line.
        steps: String,
        /// What was asked then.
        difference: Box<Difference>,
    },
    /// A case of the table is answered otherwise than it says.
    #[error("case {name}: {expected} is expected\n{difference}")]
    Case {
        /// Its name.
        name: String,
        /// What the table says.
        expected: String,
        /// What was asked.
        difference: Box<Difference>,
    },
    /// The engine wrote what is no answer, left one out, or wrote outside of its columns.
    #[error("{0}")]
    Columns(String),
    /// The engine could not run a batch that it should have run.
    #[error("a batch of {n_paths} paths could not run: {error}")]
    Resolve {
        /// Paths of the batch.
        n_paths: usize,
        /// What the engine said.
        error: ResolveError,
    },
    /// The index does otherwise than its namespace.
    #[error("{0}")]
    Index(String),
    /// An index could not be built.
    #[error(transparent)]
    Build(#[from] IndexError),
    /// The suite itself is at fault.
    #[error("the suite is broken: {0}")]
    Suite(String),
    /// The suite itself is at fault.
    #[error("the suite is broken: the namespace refuses a tree: {0}")]
    Namespace(#[from] NamespaceError),
}

/// Asks one engine everything.
///
/// # Errors
/// The first [`Failure`].
pub fn run_suite(make_engine: &MakeEngine<'_>, config: &Config) -> Result<Summary, Failure> {
    let engine = make_engine().map_err(Failure::Unavailable)?;
    let mut parts = Vec::new();
    for part in Part::ALL {
        parts.push((part, run_on(part, engine.as_ref(), make_engine, config)?));
    }
    Ok(Summary { engine: engine.info(), parts })
}

/// Asks one engine one part; the number of paths asked.
///
/// # Errors
/// The first [`Failure`].
pub fn run_part(part: Part, make_engine: &MakeEngine<'_>, config: &Config) -> Result<u64, Failure> {
    let engine = make_engine().map_err(Failure::Unavailable)?;
    run_on(part, engine.as_ref(), make_engine, config)
}

fn run_on(
    part: Part,
    engine: &dyn Engine,
    make_engine: &MakeEngine<'_>,
    config: &Config,
) -> Result<u64, Failure> {
    let session = Session::new(engine, config);
    match part {
        Part::Cases => cases::run(&session)?,
        Part::Batches => batches::run(&session)?,
        Part::Random => random::run(&session)?,
        Part::Properties => properties::run(&session)?,
        Part::Changes => changes::run(&session, make_engine)?,
        Part::Rekeying => rekeying::run(&session)?,
        Part::Growth => growth::run(&session)?,
        Part::Alternating => alternating::run(&session)?,
        Part::Fingerprints => fingerprints::run(&session)?,
        Part::Threads => threads::run(&session)?,
    }
    Ok(session.n_asked())
}

/// What a test of one part does: passes, or says why not. An engine that is not available is a visible skip, unless
/// the environment's `WARPATH_MUST_RUN` names it.
///
/// # Panics
/// When the engine is rejected.
pub fn test_part(part: Part, make_engine: &MakeEngine<'_>, config: &Config) {
    match run_part(part, make_engine, config) {
        Ok(_) => {}
        // Not by eprintln, which a test harness keeps to itself; a closed stream is no reason to fail.
        Err(Failure::Unavailable(error)) if may_skip(&error) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED {part:?}: {error}");
        }
        Err(failure) => panic!("{part:?}, seed {}: {failure}", config.seed),
    }
}

/// Whether a test may pass without the engine: there is no device for it, and the environment's `WARPATH_MUST_RUN` does
/// not name it.
pub fn may_skip(error: &EngineError) -> bool {
    let EngineError::Unavailable { engine, .. } = error else { return false };
    let must_run = std::env::var("WARPATH_MUST_RUN").unwrap_or_default();
    !must_run.split([',', ' ']).any(|name| name == *engine)
}

/// The suite as tests: `conformance_tests!(|| Ok(Box::new(CpuEngine::new())));` in a file of `tests/`, or in a module
/// of its own for each variant of an engine. A second argument is a [`Config`].
#[macro_export]
macro_rules! conformance_tests {
    ($make_engine:expr) => {
        $crate::conformance_tests!($make_engine, $crate::suite::Config::default());
    };
    ($make_engine:expr, $config:expr) => {
        $crate::conformance_tests!(@parts $make_engine, $config,
            cases: Cases, batches: Batches, random: Random, properties: Properties, changes: Changes,
            rekeying: Rekeying, growth: Growth, alternating: Alternating, fingerprints: Fingerprints, threads: Threads);
    };
    (@parts $make_engine:expr, $config:expr, $($name:ident: $part:ident),+) => {
        $crate::conformance_tests!(@each [$make_engine] [$config] $($name: $part),+);
    };
    (@each $make:tt $config:tt $($name:ident: $part:ident),+) => {
        $($crate::conformance_tests!(@one $make $config $name $part);)+
    };
    (@one [$make_engine:expr] [$config:expr] $name:ident $part:ident) => {
        #[test]
        fn $name() {
            $crate::suite::test_part($crate::suite::Part::$part, &$make_engine, &$config);
        }
    };
}
