//! Why an index file can't be used.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why an index file can't be opened, verified or saved. Each names the file and says what to do.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("{doing} {}: {error}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done to it.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// It begins otherwise than an index file.
    #[error("{} is no warpath index: make one with `warpath index`", .path.display())]
    NotAnIndex {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a version whose files this one does not read.
    #[error(
        "{} has format {found}, and this warpath reads format {expected}: make it anew with `warpath index`, or use the warpath that wrote it",
        .path.display()
    )]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// Its format: version of the file and of the layout.
        found: String,
        /// The format that is read.
        expected: String,
    },
    /// It is shorter than it says.
    #[error("{} is cut off: it should have {expected} bytes and has {found}; copy it again, whole, or make it anew", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// Its content contradicts itself.
    #[error("{} is damaged: {what}; restore it from a copy, or make it anew with `warpath index`", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
}

impl FileError {
    pub(crate) fn io<'a>(
        path: &'a Path,
        doing: &'static str,
    ) -> impl FnOnce(std::io::Error) -> FileError + 'a {
        move |error| FileError::Io { path: path.to_path_buf(), doing, error }
    }

    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> FileError {
        FileError::Corrupt { path: path.to_path_buf(), what: what.into() }
    }
}
