//! Any path against a good index: the CPU engine and the reference give one answer, for every option.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use warpath_core::{Index, Options, PathBatch, reference};
use warpath_engine_cpu::CpuEngine;
use warpath_fuzz::{shared, small_index};

static INDEX: LazyLock<Index> =
    LazyLock::new(|| warpath_file::open_bytes(shared(&small_index()), "fuzz".as_ref()).unwrap().index);
static ENGINE: LazyLock<CpuEngine> = LazyLock::new(CpuEngine::new);

fuzz_target!(|input: (u8, &[u8])| {
    let (bits, path) = input;
    let usr = INDEX.namespace().child(0, b"usr").unwrap();
    let options = Options {
        follow: bits & 1 == 0,
        beneath: bits & 2 != 0,
        no_symlinks: bits & 4 != 0,
        start: if bits & 8 != 0 { usr } else { 0 },
        walk_only: bits & 16 != 0,
    };
    let paths = [path];
    let outcomes = INDEX.resolve(&*ENGINE, &PathBatch::from_slices(&paths), &options).unwrap();
    assert_eq!(outcomes.get(0), reference::resolve(INDEX.namespace(), path, &options));
});
