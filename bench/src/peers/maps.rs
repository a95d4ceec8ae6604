//! Hash maps of full paths. Their keys borrow from one buffer in `find` order, so that they are as close as can be.

use super::PathTable;
use crate::trees::AllPaths;
use std::hash::{BuildHasher, RandomState};
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

/// The standard library's map with its default hasher, SipHash.
pub struct StdMap<'p> {
    map: std::collections::HashMap<&'p [u8], InodeId, RandomState>,
    n_bytes: usize,
}

impl<'p> StdMap<'p> {
    pub fn new(paths: &'p AllPaths) -> Self {
        StdMap { map: paths.iter().collect(), n_bytes: paths.bytes.len() }
    }
}

impl PathTable for StdMap<'_> {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (path, inode) in batch.iter().zip(inodes) {
            *inode = self.map.get(path).copied().unwrap_or(INVALID_INODE);
        }
    }

    fn memory(&self) -> usize {
        // A slot and its control byte; seven of eight slots are used at most.
        let n_slots = (self.map.capacity() * 8 / 7).next_power_of_two();
        n_slots * (size_of::<(&[u8], InodeId)>() + 1) + self.n_bytes
    }
}

/// dashmap, filled and then made read-only, so that lookups take no locks.
pub struct DashMapView<'p, S: Clone> {
    map: dashmap::ReadOnlyView<&'p [u8], InodeId, S>,
    n_bytes: usize,
}

impl<'p, S: BuildHasher + Default + Clone> DashMapView<'p, S> {
    pub fn new(paths: &'p AllPaths) -> Self {
        let map = dashmap::DashMap::with_capacity_and_hasher(paths.len(), S::default());
        for (path, inode) in paths.iter() {
            map.insert(path, inode);
        }
        DashMapView { map: map.into_read_only(), n_bytes: paths.bytes.len() }
    }
}

impl<S: BuildHasher + Clone + Sync> PathTable for DashMapView<'_, S> {
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        for (path, inode) in batch.iter().zip(inodes) {
            *inode = self.map.get(path).copied().unwrap_or(INVALID_INODE);
        }
    }

    fn memory(&self) -> usize {
        let n_slots = (self.map.capacity() * 8 / 7).next_power_of_two();
        n_slots * (size_of::<(&[u8], InodeId)>() + 1) + self.n_bytes
    }
}
