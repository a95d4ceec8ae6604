//! What the tests share: engines on whatever adapter there is, software included.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::print_stderr, reason = "a skip must be seen")]

use warpath_conformance::suite::may_skip;
use warpath_core::{Engine, Index, Namespace, Options, Outcomes, PathBatch};
use warpath_engine_wgpu::{WgpuEngine, WgpuOptions};

/// An engine; `None`, with a line that says so, where there is no adapter and WARPATH_MUST_RUN doesn't name it.
pub fn engine(options: &WgpuOptions) -> Option<WgpuEngine> {
    match WgpuEngine::new(options) {
        Ok(engine) => Some(engine),
        Err(error) if may_skip(&error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Options for tests, changed by `change`.
pub fn options(change: impl FnOnce(&mut WgpuOptions)) -> WgpuOptions {
    let mut options = WgpuOptions::for_tests();
    change(&mut options);
    options
}

/// What core's scalar resolver says, path by path.
pub fn expected(index: &Index, batch: &PathBatch<'_>, options: &Options) -> Outcomes {
    let plan = index.plan(options).unwrap();
    let mut outcomes = Outcomes::with_len(batch.len());
    let mut out = outcomes.as_mut();
    for (i, path) in batch.iter().enumerate() {
        out.set(i, warpath_core::resolve::resolve(&index.tables().view(), &plan, path));
    }
    outcomes
}

/// Asserts that the engine answers as core's scalar resolver does.
pub fn assert_same(engine: &dyn Engine, index: &Index, batch: &PathBatch<'_>, options: &Options) {
    let answers = index.resolve(engine, batch, options).unwrap();
    let expected = expected(index, batch, options);
    if answers != expected {
        let i = (0..batch.len()).find(|&i| answers.get(i) != expected.get(i)).unwrap();
        let path = String::from_utf8_lossy(batch.get(i));
        panic!("path {i} {path:?} {options:?}: {:?} instead of {:?}", answers.get(i), expected.get(i));
    }
}

/// A small generator of pseudo-random numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    pub fn name(&mut self) -> Vec<u8> {
        let length = 1 + self.below(20);
        (0..length).map(|_| b"abcdefghij.-_"[self.below(13)]).collect()
    }
}

/// A tree of about `n` entries with links to everywhere, and the path of each entry.
pub fn tree(random: &mut Random, n: usize) -> (Namespace, Vec<Vec<u8>>) {
    let mut namespace = Namespace::new();
    let mut directories = vec![(warpath_core::ROOT, Vec::new())];
    let mut paths: Vec<Vec<u8>> = Vec::new();
    for _ in 0..n {
        let (parent, parent_path) = directories[random.below(directories.len())].clone();
        let name = random.name();
        let mut path = parent_path.clone();
        path.push(b'/');
        path.extend_from_slice(&name);
        let added = match random.below(8) {
            0..=2 => {
                namespace.add_directory(parent, &name).map(|inode| directories.push((inode, path.clone())))
            }
            3 => {
                let target = match paths.len() {
                    0 => b"..".to_vec(),
                    n => paths[random.below(n)].clone(),
                };
                let target = if random.below(3) == 0 { target[1..].to_vec() } else { target };
                namespace.add_symlink(parent, &name, target).map(drop)
            }
            _ => namespace.add_file(parent, &name, warpath_core::FileType::Regular).map(drop),
        };
        if added.is_ok() {
            paths.push(path);
        }
    }
    (namespace, paths)
}

/// Paths that exist, that nearly do, and that are odd.
pub fn odd_paths(random: &mut Random, paths: &[Vec<u8>], n: usize) -> Vec<Vec<u8>> {
    (0..n)
        .map(|_| {
            let mut path = paths[random.below(paths.len())].clone();
            match random.below(12) {
                0 => path.extend_from_slice(b"/"),
                1 => path.extend_from_slice(b"/.."),
                2 => path.extend_from_slice(&paths[random.below(paths.len())]),
                3 => path.insert(0, b'/'),
                4 => {
                    path.remove(0);
                }
                5 => path.truncate(random.below(path.len() + 1)),
                6 => path.push([0, b'x', b'.', b'/'][random.below(4)]),
                7 => {
                    let at = random.below(path.len());
                    path[at] = [b'/', b'.', 0, b'q'][random.below(4)];
                }
                8 => path = [&b"/../.."[..], &path, b"/./"].concat(),
                _ => {}
            }
            path
        })
        .collect()
}
