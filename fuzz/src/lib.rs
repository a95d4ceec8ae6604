//! What the fuzz targets share.

mod sources;

pub use sources::{AnonymousFile, image, plocate, read, seal_tar};

use std::sync::{Arc, LazyLock};
use warpath_core::column::SharedBytes;
use warpath_core::{Engine, FileType, Index, Namespace, Options, PathBatch, ROOT};
use warpath_engine_cpu::CpuEngine;
use warpath_file::{Facts, SaveOptions};
use xxhash_rust::xxh3::xxh3_64;

struct Words(Vec<u64>, usize);

impl AsRef<[u8]> for Words {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..self.1]
    }
}

/// Bytes that begin at a multiple of 8, as those of a mapping do.
pub fn shared(bytes: &[u8]) -> SharedBytes {
    let mut words = vec![0_u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
    Arc::new(Words(words, bytes.len()))
}

/// The file of a small index with every kind of entry.
pub fn small_index() -> Vec<u8> {
    let mut tree = Namespace::new();
    let usr = tree.add_directory(ROOT, "usr").unwrap();
    let lib = tree.add_directory(usr, "lib").unwrap();
    for i in 0..40 {
        tree.add_file(lib, format!("lib{i}.so"), FileType::Regular).unwrap();
    }
    let link = tree.add_symlink(ROOT, "lib", "usr/lib").unwrap();
    tree.add_symlink(ROOT, "l", "l").unwrap();
    tree.add_symlink(lib, "up", "../../lib/./lib3.so").unwrap();
    tree.add_hard_link(usr, "lib64", link).unwrap();
    let file = tree.add_file(usr, "f", FileType::Other).unwrap();
    tree.add_hard_link(ROOT, "h", file).unwrap();
    tree.remove(lib, "lib7.so").unwrap();
    let seen = tree.add_directory(usr, "p").unwrap();
    tree.set_partial(seen, true).unwrap();
    let index = Index::build(tree).unwrap();
    let path = std::env::temp_dir().join(format!("warpath-fuzz-{}.warp", std::process::id()));
    warpath_file::save(&index, &Facts::new(), &path, &SaveOptions::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

/// Makes the checksum of header and contents right.
pub fn seal(bytes: &mut [u8]) {
    let Some(n_sections) = bytes.get(24..28) else { return };
    let n_sections = u32::from_le_bytes(n_sections.try_into().unwrap()) as usize;
    let Some(toc) = n_sections.checked_mul(32).and_then(|n| bytes.get(64..64 + n)) else { return };
    let sum = xxh3_64(&[&bytes[..56], toc].concat());
    bytes[56..64].copy_from_slice(&sum.to_le_bytes());
}

/// A file with bytes changed, its contents sealed again. Four bytes of `changes` are one: where (three) and what.
pub fn change(good: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for change in changes.chunks_exact(4) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        bytes[at] = change[3];
    }
    seal(&mut bytes);
    bytes
}

const PATHS: [&[u8]; 12] = [
    b"/",
    b"lib/lib1.so",
    b"/usr/lib/lib39.so",
    b"usr/lib/up",
    b"l",
    b"h/",
    b"usr/../h",
    b"usr/p/x",
    b"usr/lib64/lib2.so",
    b"none/..",
    b"lib/../lib/../f",
    b"usr/lib/lib7.so",
];

static ENGINE: LazyLock<CpuEngine> = LazyLock::new(CpuEngine::new);

/// Resolves against an index of which nothing is known, with every option.
pub fn resolve(index: &Index, engine: &dyn Engine) {
    for bits in 0..16 {
        let options = Options {
            follow: bits & 1 == 0,
            beneath: bits & 2 != 0,
            no_symlinks: bits & 4 != 0,
            walk_only: bits & 8 != 0,
            ..Options::default()
        };
        let _ = index.resolve(engine, &PathBatch::from_slices(&PATHS), &options);
    }
}

/// Resolves against an index of which nothing is known, and reads its names.
pub fn exercise(index: &Index) {
    resolve(index, &*ENGINE);
    let namespace = index.namespace();
    for id in 0..namespace.entry_bound().min(1 << 10) {
        let Some(entry) = namespace.entry(id) else { continue };
        let _ = namespace.path_of(entry.inode);
        let _ = namespace.entries_of(entry.inode).count();
        let _ = namespace.list(entry.inode).count();
        let _ = namespace.child(entry.parent, entry.name);
        let _ = (namespace.target(entry.inode), namespace.attributes(entry.inode));
    }
}
