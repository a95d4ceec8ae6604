//! The CPU engine's answers are the kernel's: CI's share of the long run that `docs/conformance.md` tells of. Needs root.
#![cfg(target_os = "linux")]

use warpath_conformance::differential::{Config, run};
use warpath_core::{Engine, EngineError};
use warpath_engine_cpu::CpuEngine;

#[test]
fn the_engine_is_the_kernels_twin() {
    let make_engine = || -> Result<Box<dyn Engine>, EngineError> { Ok(Box::new(CpuEngine::new())) };
    let config = Config { seed: 20_260_802, n_cases: 200_000, n_threads: 2, engine: Some(&make_engine) };
    let report = run(&config).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.n_cases >= 200_000, "{report:?}");
}
