//! Arrow IPC, as files and as streams.
//!
//! Their libraries panic on some damaged files. `warpath-sources` makes an error of that, so panics end nothing here,
//! unless they come out of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{AnonymousFile, read};
use warpath_sources::table::TableFormat;
use warpath_sources::table::arrow::read_arrow;

fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let file = AnonymousFile::new(bytes);
        read(|options| read_arrow(file.path(), &TableFormat::default(), options));
    }
);
