//! Why a source could not be read.

use std::path::{Path, PathBuf};
use thiserror::Error;
use warpath_core::NamespaceError;

/// A source that could not be read to its end. What was read of it is lost: a namespace is whole or not there.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Opening or reading failed.
    #[error("reading {}: {error}", .path.display())]
    Io {
        /// The file at fault.
        path: PathBuf,
        /// What the operating system or the decompressor said.
        error: std::io::Error,
    },
    /// The content is not what it should be.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// The file at fault.
        path: PathBuf,
        /// Where and why, and what to do about it.
        reason: String,
    },
    /// A blob of an image is not the one that its manifest leads to.
    #[error("{}: the blob {blob} is damaged: its digest is {found}, not {promised}; fetch or save the image again", .path.display())]
    WrongDigest {
        /// The image.
        path: PathBuf,
        /// Where the blob lies in it.
        blob: String,
        /// The digest that the manifest tells.
        promised: String,
        /// The digest of what is there.
        found: String,
    },
    /// The namespace has no room left.
    #[error("{}: {error}", .path.display())]
    Full {
        /// The file that was being read.
        path: PathBuf,
        /// The limit that was met.
        error: NamespaceError,
    },
}

impl SourceError {
    /// Names the file of an I/O error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError + '_ {
        move |error| SourceError::Io { path: path.to_path_buf(), error }
    }

    /// Names the file of a namespace that is full.
    pub(crate) fn full(path: &Path) -> impl FnOnce(NamespaceError) -> SourceError + '_ {
        move |error| SourceError::Full { path: path.to_path_buf(), error }
    }

    /// Content that is not what it should be.
    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> SourceError {
        SourceError::Malformed { path: path.to_path_buf(), reason: reason.into() }
    }
}
