//! Every kernel's answers are Linux's: CI's share of the long run that `docs/conformance.md` tells of. Needs root.
#![cfg(target_os = "linux")]

mod common;

use warpath_conformance::differential::{Config, run};
use warpath_core::{Engine, EngineError};
use warpath_engine_wgpu::{Arithmetic, Transfer, Variant, WgpuEngine};

/// Cases of one kernel: software Vulkan answers some 50,000 paths a second.
const CASES: u64 = 30_000;

fn compare(variant: Variant, arithmetic: Arithmetic, transfer: Transfer) {
    let options = common::options(|o| {
        o.variant = variant;
        o.arithmetic = arithmetic;
        o.transfer = transfer;
    });
    if common::engine(&options).is_none() {
        return;
    }
    let make_engine = || -> Result<Box<dyn Engine>, EngineError> { Ok(Box::new(WgpuEngine::new(&options)?)) };
    let config = Config { seed: 20_260_803, n_cases: CASES, n_threads: 1, engine: Some(&make_engine) };
    let report = run(&config).unwrap_or_else(|failure| panic!("{variant:?} {arithmetic:?}: {failure}"));
    assert!(report.n_cases >= CASES, "{report:?}");
}

#[test]
fn the_few_kernel_is_the_twin_of_linux() {
    compare(Variant::Few, Arithmetic::Bits32, Transfer::Staged);
    compare(Variant::Few, Arithmetic::Bits64, Transfer::Mapped);
}

#[test]
fn the_many_kernel_is_the_twin_of_linux() {
    compare(Variant::Many, Arithmetic::Bits64, Transfer::Staged);
    compare(Variant::Many, Arithmetic::Bits32, Transfer::Mapped);
}
