//! Parquet files.
//!
//! Their libraries panic on some damaged files. `warpath-sources` makes an error of that, so panics end nothing here,
//! unless they come out of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{AnonymousFile, read};
use warpath_sources::table::TableFormat;
use warpath_sources::table::parquet::read_parquet;

fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let file = AnonymousFile::new(bytes);
        read(|options| read_parquet(file.path(), &TableFormat::default(), options));
    }
);
