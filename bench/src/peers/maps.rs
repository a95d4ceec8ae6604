//! Hash maps of full paths. Their keys borrow from one buffer in `find` order, so that they are as close as can be.

use super::PathTable;
use crate::trees::AllPaths;
use std::hash::BuildHasher;
use warpath_core::{INVALID_INODE, InodeId, PathBatch};

/// hashbrown with any hasher.
pub struct HashbrownMap<'p, S> {
    map: hashbrown::HashMap<&'p [u8], InodeId, S>,
    n_bytes: usize,
}

impl<'p, S: BuildHasher + Default> HashbrownMap<'p, S> {
    pub fn new(paths: &'p AllPaths) -> Self {
        let mut map = hashbrown::HashMap::with_capacity_and_hasher(paths.len(), S::default());
        map.extend(paths.iter());
        HashbrownMap { map, n_bytes: paths.bytes.len() }
    }
}

impl<S: BuildHasher + Sync> PathTable for HashbrownMap<'_, S> {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (path, inode) in batch.iter().zip(inodes) {
            *inode = self.map.get(path).copied().unwrap_or(INVALID_INODE);
        }
    }

    fn memory(&self) -> usize {
        self.map.allocation_size() + self.n_bytes
    }
}
