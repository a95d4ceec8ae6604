//! A good index with bytes changed: three bytes of input say where, one what; its contents are sealed again, so that what
//! lies behind the checksums is reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use warpath_fuzz::{exercise, seal, shared, small_index};

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(small_index);

fuzz_target!(|changes: &[u8]| {
    let mut bytes = GOOD.clone();
    for change in changes.chunks_exact(4) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        bytes[at] = change[3];
    }
    seal(&mut bytes);
    if let Ok(opened) = warpath_file::open_bytes(shared(&bytes), "fuzz".as_ref()) {
        exercise(&opened.index);
        let _ = opened.index.check();
    }
});
