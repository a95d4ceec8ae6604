//! The suite accepts sound engines and rejects every broken one.

use std::sync::{Arc, LazyLock};
use warpath_conformance::broken::{BrokenEngine, Fault};
use warpath_conformance::library::{Library, ReferenceEngine};
use warpath_conformance::scalar::ScalarEngine;
use warpath_conformance::suite::{Config, Failure, run_suite};
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

#[test]
fn every_broken_engine_is_rejected() {
    let mut accepted = Vec::new();
    for fault in Fault::ALL {
        let library = Arc::new(Library::default());
        let config = Config { library: Some(Arc::clone(&library)), n_random: 5000, ..Config::default() };
        let result = run_suite(&|| make(BrokenEngine::new(fault, Arc::clone(&library))), &config);
        match result {
            Ok(_) => accepted.push(fault),
            Err(failure @ (Failure::Suite(_) | Failure::Namespace(_) | Failure::Unavailable(_))) => {
                panic!("{fault:?}: {failure}")
            }
            Err(_) => {}
        }
    }
    assert!(accepted.is_empty(), "the suite accepts {accepted:?}");
}
