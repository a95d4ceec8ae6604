//! A sorted vector of full paths with binary search: no table at all, and the least memory of those that borrow their keys.

use super::PathTable;
use crate::trees::AllPaths;
use rayon::prelude::*;
use warpath_core::{INVALID_INODE, InodeId, PathBatch};

pub struct SortedPaths<'p> {
    paths: Vec<(&'p [u8], InodeId)>,
    n_bytes: usize,
}

impl<'p> SortedPaths<'p> {
    pub fn new(paths: &'p AllPaths) -> Self {
        let mut sorted: Vec<(&[u8], InodeId)> = paths.iter().collect();
        sorted.par_sort_unstable();
        SortedPaths { paths: sorted, n_bytes: paths.bytes.len() }
    }

    /// Paths in order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&'p [u8], InodeId)> {
        self.paths.iter().copied()
    }
}

impl PathTable for SortedPaths<'_> {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (path, inode) in batch.iter().zip(inodes) {
            let found = self.paths.binary_search_by(|(candidate, _)| (*candidate).cmp(path));
            *inode = found.map_or(INVALID_INODE, |at| self.paths[at].1);
        }
    }

    fn memory(&self) -> usize {
        self.paths.len() * size_of::<(&[u8], InodeId)>() + self.n_bytes
    }
}
