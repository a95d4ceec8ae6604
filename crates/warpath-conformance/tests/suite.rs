//! The suite accepts sound engines and rejects every broken one.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};
use warpath_conformance::broken::{BrokenEngine, Fault};
use warpath_conformance::broken_tables::{BrokenTableEngine, TableFault};
use warpath_conformance::library::{Library, ReferenceEngine};
use warpath_conformance::scalar::ScalarEngine;
use warpath_conformance::suite::{Config, Failure, MakeEngine, run_suite};
use warpath_core::{Engine, EngineError};

static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(Arc::default);

fn with_library() -> Config {
    Config { library: Some(Arc::clone(&LIBRARY)), n_random: 10_000, ..Config::default() }
}

fn make(engine: impl Engine + 'static) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(engine))
}

mod reference {
    use super::*;
    warpath_conformance::conformance_tests!(
        || make(ReferenceEngine::new(Arc::clone(&LIBRARY))),
        with_library()
    );
}

mod scalar {
    use super::*;
    warpath_conformance::conformance_tests!(|| make(ScalarEngine::default()));
}

/// The broken engines' own resolver is sound when it has no fault: what the suite rejects is the fault.
mod no_fault {
    use super::*;
    warpath_conformance::conformance_tests!(
        || make(BrokenEngine::new(Fault::None, Arc::clone(&LIBRARY))),
        with_library()
    );
}

mod no_table_fault {
    use super::*;
    warpath_conformance::conformance_tests!(|| make(BrokenTableEngine::new(TableFault::None)));
}

/// Whether the suite rejects the engine, for a reason that is the engine's.
fn is_rejected(fault: &dyn Debug, make_engine: &MakeEngine<'_>, config: &Config) -> bool {
    match run_suite(make_engine, config) {
        Ok(_) => false,
        Err(failure @ (Failure::Suite(_) | Failure::Namespace(_) | Failure::Unavailable(_))) => {
            panic!("{fault:?}: {failure}")
        }
        Err(_) => true,
    }
}

#[test]
fn every_broken_engine_is_rejected() {
    let accepted = Fault::ALL.iter().filter(|&&fault| {
        let library = Arc::new(Library::default());
        let config = Config { library: Some(Arc::clone(&library)), n_random: 5000, ..Config::default() };
        !is_rejected(&fault, &|| make(BrokenEngine::new(fault, Arc::clone(&library))), &config)
    });
    assert_eq!(accepted.collect::<Vec<_>>(), [&Fault::None; 0]);
}

#[test]
fn every_engine_that_reads_tables_wrongly_is_rejected() {
    let config = Config { n_random: 5000, ..Config::default() };
    let accepted = TableFault::ALL
        .iter()
        .filter(|&&fault| !is_rejected(&fault, &|| make(BrokenTableEngine::new(fault)), &config));
    assert_eq!(accepted.collect::<Vec<_>>(), [&TableFault::None; 0]);
}

/// The comparison with the kernel finds a fault too, and makes the case small.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_rejects_a_broken_engine() {
    use warpath_conformance::differential;
    let make_engine = || make(BrokenTableEngine::new(TableFault::ComparesKindToo));
    let config = differential::Config { seed: 1, n_cases: 50_000, n_threads: 1, engine: Some(&make_engine) };
    let Err(differential::Failure::Differs { difference, .. }) = differential::run(&config) else {
        panic!("no difference is found");
    };
    assert!(difference.tree.nodes().len() <= 4, "{difference}");
    assert!(difference.query.path.len() <= 8, "{difference}");
}
