//! The conformance suite through every kernel, each arithmetic and each way of transfer.

use warpath_conformance::suite::Config;
use warpath_core::{Engine, EngineError};
use warpath_engine_wgpu::{Arithmetic, Transfer, Variant, WgpuEngine, WgpuOptions};

/// Software Vulkan answers some 50,000 paths a second: each kernel gets a share of the random cases.
fn config() -> Config {
    Config { n_random: 6_000, ..Config::default() }
}

fn make(
    variant: Variant,
    arithmetic: Arithmetic,
    transfer: Transfer,
    max_binding_bytes: Option<u64>,
) -> Result<Box<dyn Engine>, EngineError> {
    let uniform_key = arithmetic == Arithmetic::Bits64;
    let options = WgpuOptions {
        variant,
        arithmetic,
        transfer,
        uniform_key,
        max_binding_bytes,
        ..WgpuOptions::for_tests()
    };
    Ok(Box::new(WgpuEngine::new(&options)?))
}

macro_rules! kernels {
    ($($name:ident: $variant:ident, $arithmetic:ident, $transfer:ident, $max_binding:expr;)+) => {$(
        mod $name {
            use super::*;
            warpath_conformance::conformance_tests!(
                || make(Variant::$variant, Arithmetic::$arithmetic, Transfer::$transfer, $max_binding),
                config()
            );
        }
    )+};
}

kernels! {
    as_chosen: Auto, Auto, Auto, None;
    many_32_bit_staged: Many, Bits32, Staged, None;
    many_64_bit_mapped: Many, Bits64, Mapped, None;
    many_32_bit_in_windows: Many, Bits32, Staged, Some(256 << 10);
    few_32_bit_mapped: Few, Bits32, Mapped, None;
    few_64_bit_staged: Few, Bits64, Staged, None;
}
