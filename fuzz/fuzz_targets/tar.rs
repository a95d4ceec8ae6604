//! Tar archives, compressed or not, with whiteouts or without; checksums of headers are made right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::read;
use warpath_sources::tar::read_tar_from;

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (whiteouts, raw, bytes) = input;
    let mut bytes = bytes.to_vec();
    if !raw {
        for block in bytes.chunks_exact_mut(512) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    read(|options| read_tar_from(&bytes[..], "fuzz".as_ref(), whiteouts, options));
});
