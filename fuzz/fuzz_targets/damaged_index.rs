//! A good index with bytes changed: three bytes of input say where, one what; its contents are sealed again, so that what
//! lies behind the checksums is reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use warpath_fuzz::{change, exercise, shared, small_index};

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(small_index);

fuzz_target!(|changes: &[u8]| {
    if let Ok(opened) = warpath_file::open_bytes(shared(&change(&GOOD, changes)), "fuzz".as_ref()) {
        exercise(&opened.index);
        let _ = opened.index.check();
    }
});
