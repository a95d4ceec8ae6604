//! The synthetic tree of the benchmarks: 2^k entries, 16 children a directory, names of 4 to 20 bytes.

use rayon::prelude::*;
use warpath_core::batch::PathBuffer;
use warpath_core::{FileType, Index, InodeId, Namespace, ROOT};

const CHILDREN: usize = 16;

/// The tree's index, and the inodes of its leaves.
pub struct Tree {
    pub index: Index,
    leaves: Vec<InodeId>,
}

/// Paths, and the inode that each must lead to; `None` for one that must not be found.
pub struct Asked {
    pub bytes: Vec<u8>,
    pub offsets: Vec<u32>,
    pub expected: Vec<Option<InodeId>>,
}

/// splitmix64: the same numbers on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    fn name(&mut self, name: &mut Vec<u8>) {
        name.clear();
        let length = 4 + self.below(17);
        name.extend((0..length).map(|_| b"abcdefghijklmnopqrstuvwxyz012345"[self.below(32)]));
    }
}

impl Tree {
    /// A tree of 2^k entries.
    pub fn new(k: u32) -> Result<Tree, Box<dyn std::error::Error>> {
        let n_entries = 1usize << k;
        let n_directories = n_entries / CHILDREN;
        let mut random = Random(u64::from(k));
        let mut namespace = Namespace::with_capacity(n_entries + 1);
        let mut directories = Vec::with_capacity(n_directories);
        directories.push(ROOT);
        let mut leaves = Vec::with_capacity(n_entries - n_directories);
        let mut name = Vec::new();
        for entry in 0..n_entries {
            let parent = directories[entry / CHILDREN];
            let is_directory = entry + 1 < n_directories;
            // Two of 16 siblings with one name are rare: the second draws again.
            loop {
                random.name(&mut name);
                let added = match is_directory {
                    true => namespace.add_directory(parent, &name),
                    false => namespace.add_file(parent, &name, FileType::Regular),
                };
                match added {
                    Ok(inode) if is_directory => directories.push(inode),
                    Ok(inode) => leaves.push(inode),
                    Err(warpath_core::NamespaceError::NameTaken { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
                break;
            }
        }
        Ok(Tree { index: Index::build(namespace)?, leaves })
    }

    /// `n` random leaves' paths; of each `one_in` the last does not exist (0: all exist).
    pub fn ask(&self, n: usize, one_in: usize, seed: u64) -> Asked {
        let mut random = Random(seed);
        let picks: Vec<InodeId> = (0..n).map(|_| self.leaves[random.below(self.leaves.len())]).collect();
        let missing = |i: usize| one_in > 0 && i % one_in == one_in - 1;
        let part = 1 << 16;
        let parts: Vec<PathBuffer> = picks
            .par_chunks(part)
            .enumerate()
            .map(|(number, picks)| {
                let mut paths = PathBuffer::new();
                for (i, &inode) in picks.iter().enumerate() {
                    let mut path = self.index.namespace().path_of(inode).unwrap_or_default();
                    if missing(number * part + i) {
                        // No name of the tree holds it.
                        let last = path.len() - 1;
                        path[last] = b'~';
                    }
                    paths.push(&path);
                }
                paths
            })
            .collect();
        let mut bytes = Vec::new();
        let mut offsets = vec![0];
        for part in &parts {
            for path in part.as_batch().iter() {
                bytes.extend_from_slice(path);
                offsets.push(bytes.len() as u32);
            }
        }
        let expected = picks.iter().enumerate().map(|(i, &inode)| (!missing(i)).then_some(inode)).collect();
        Asked { bytes, offsets, expected }
    }
}
