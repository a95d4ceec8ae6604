//! `fst`: a finite-state transducer, which shares prefixes and suffixes. The smallest of all tables; a lookup reads byte by byte.

use super::PathTable;
use super::sorted::SortedPaths;
use anyhow::Result;
use warpath_core::{INVALID_INODE, InodeId, PathBatch};

pub struct Automaton {
    map: fst::Map<Vec<u8>>,
}

impl Automaton {
    pub fn new(paths: &SortedPaths<'_>) -> Result<Self> {
        let map = fst::Map::from_iter(paths.iter().map(|(path, inode)| (path, u64::from(inode))))?;
        Ok(Automaton { map })
    }
}

impl PathTable for Automaton {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (path, inode) in batch.iter().zip(inodes) {
            *inode = self.map.get(path).map_or(INVALID_INODE, |found| found as InodeId);
        }
    }

    fn memory(&self) -> usize {
        self.map.as_fst().size()
    }
}
