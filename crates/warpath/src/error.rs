//! Why a call gave no answer at all.

use thiserror::Error;
use warpath_core::index::IndexError;
use warpath_core::{EngineError, InodeId, LookupError, ResolveError};

/// Why a call gave no answer at all. A bad path is no such reason: it is that path's [`LookupError`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The one path that was asked for names no inode. Only calls for a single path give this.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The start directory does not exist, or is no directory.
    #[error("the start directory, inode {inode}, is not a directory of this file system")]
    Start {
        /// The inode that was given.
        inode: InodeId,
    },
    /// Every engine of the device failed; this is what the first one said.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The device has no engine of this name.
    #[error("there is no engine `{name}`; there are: {engines}")]
    NoSuchEngine {
        /// The name that was given.
        name: String,
        /// The engines there are.
        engines: String,
    },
    /// The index could not be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The columns for the answers have not one element a path.
    #[error("{n_paths} paths, but {n_inodes} inodes and {n_statuses} statuses to be written")]
    Columns {
        /// Paths in the batch.
        n_paths: usize,
        /// Length of the inode column.
        n_inodes: usize,
        /// Length of the status column.
        n_statuses: usize,
    },
    /// An Arrow column that holds no paths.
    #[error("a column of paths is one of strings or bytes, and this is {data_type}")]
    Column {
        /// What it is.
        data_type: String,
    },
    /// The system gives no thread to work on.
    #[error("the system gives no thread: {reason}")]
    Threads {
        /// What it said.
        reason: String,
    },
    /// The file system or the batcher has been closed, or was dropped while the answer was under way.
    #[error("closed: the file system or the batcher was dropped or shut down")]
    Closed,
    /// The batcher's queue is full and refuses what does not fit; try again later, or raise `queue_capacity`.
    #[error("rejected: the queue holds {queued} paths of at most {capacity}")]
    Rejected {
        /// Paths in the queue.
        queued: usize,
        /// The most it takes.
        capacity: usize,
    },
    /// The request's deadline passed before its answer was there.
    #[error("timed out: the deadline passed before the answer was there")]
    TimedOut,
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Error {
        match error {
            ResolveError::Start { inode } => Error::Start { inode },
            ResolveError::Engine(error) => Error::Engine(error),
        }
    }
}
