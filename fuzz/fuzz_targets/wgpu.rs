//! Any bytes, and good indexes with bytes changed, resolved against on a GPU (Mesa's software Vulkan where there is none).
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use warpath_engine_wgpu::{WgpuEngine, WgpuOptions};
use warpath_fuzz::{change, resolve, shared, small_index};

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(small_index);
static ENGINE: LazyLock<WgpuEngine> =
    LazyLock::new(|| WgpuEngine::new(&WgpuOptions::for_tests()).expect("a Vulkan driver, software or not"));

fuzz_target!(|input: (bool, &[u8])| {
    let (raw, bytes) = input;
    let file = if raw { bytes.to_vec() } else { change(&GOOD, bytes) };
    if let Ok(opened) = warpath_file::open_bytes(shared(&file), "fuzz".as_ref()) {
        resolve(&opened.index, &*ENGINE);
    }
});
