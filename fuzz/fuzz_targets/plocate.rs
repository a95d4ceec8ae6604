//! plocate's databases: any bytes, and whole ones around any block.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{AnonymousFile, plocate, read};
use warpath_sources::plocate::read_plocate;

fuzz_target!(|input: (bool, &[u8])| {
    let (raw, bytes) = input;
    // Blocks are apart where a NUL and an 0xFF meet.
    let blocks: Vec<&[u8]> = if raw { vec![] } else { split(bytes) };
    let file = AnonymousFile::new(&if raw { bytes.to_vec() } else { plocate(&blocks) });
    read(|options| read_plocate(file.path(), options));
});

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    while let Some(at) = bytes.windows(2).position(|pair| pair == [0, 0xFF]) {
        blocks.push(&bytes[..at]);
        bytes = &bytes[at + 2..];
    }
    blocks.push(bytes);
    blocks
}
