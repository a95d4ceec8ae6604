//! What else a program could look paths up with, set up as its own docs advise.

pub mod automaton;
pub mod flat;
pub mod maps;
pub mod sorted;
pub mod uring;

use rayon::prelude::*;
use warpath_core::{InodeId, PathBatch};

/// Paths that one thread takes at a time.
const CHUNK_PATHS: usize = 4096;

/// A table of full paths.
pub trait PathTable: Sync {
    /// Looks a batch up on this thread: the inode of each path, or the invalid one.
    fn look_up(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]);

    /// Bytes that the table holds, the paths' own text included.
    fn memory(&self) -> usize;

    /// The same on all threads.
    fn look_up_on_all_threads(&self, batch: &PathBatch<'_>, inodes: &mut [InodeId]) {
        inodes.par_chunks_mut(CHUNK_PATHS).enumerate().for_each(|(chunk, inodes)| {
            let first = chunk * CHUNK_PATHS;
            self.look_up(&batch.slice(first..first + inodes.len()), inodes);
        });
    }
}
