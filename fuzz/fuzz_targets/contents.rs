//! Debian's Contents indexes, plain and compressed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::read;
use warpath_sources::contents::read_contents_from;

fuzz_target!(|bytes: &[u8]| {
    read(|options| read_contents_from(bytes, "fuzz".as_ref(), options));
});
