//! Any bytes, opened as an index; what opens is read, resolved against and checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{exercise, shared};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(opened) = warpath_file::open_bytes(shared(bytes), "fuzz".as_ref()) {
        exercise(&opened.index);
    }
    let _ = warpath_file::verify_bytes(shared(bytes), "fuzz".as_ref());
});
