//! Tar archives, compressed or not, with whiteouts or without; checksums of headers are made right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{read, seal_tar};
use warpath_sources::tar::read_tar_from;

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (whiteouts, raw, bytes) = input;
    let mut bytes = bytes.to_vec();
    if !raw {
        seal_tar(&mut bytes);
    }
    read(|options| read_tar_from(&bytes[..], "fuzz".as_ref(), whiteouts, options));
});
