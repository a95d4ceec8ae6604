//! Scan of a live directory tree of this machine.
//!
//! ```text
//! worker threads (walk): open, getdents, readlink ── Listing ──▶ the caller's thread (build) ──▶ Namespace
//! ```
//!
//! Workers take directories from a common stack and send what they find; the calling thread puts it into the
//! namespace meanwhile. Everything is opened relative to the descriptor of its directory and no link is
//! followed, so a tree that changes under the scan can't lead it astray.
//!
//! What the scan could not or should not read is recorded as a directory that is *partial*, so that nothing
//! below it is ever called missing: unreadable directories, excluded ones, other file systems.

mod build;
pub mod exclude;
mod filesystem;
mod host;
mod listing;
mod queue;
mod reader;
mod walk;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;
use warpath_core::{InodeId, LookupError, Namespace, NamespaceError, Options, ROOT, reference};

/// What to scan and how. The default: host paths, inode numbers only, one file system, all cores.
#[derive(Default, Clone)]
pub struct ScanOptions<'a> {
    /// The scanned directory becomes the namespace's root. Otherwise the namespace's root is the host's `/`,
    /// and what lies outside the scanned directory is not indexed.
    pub in_root: bool,
    /// Read size, times, mode and owner of everything: a system call for every entry. Otherwise attributes
    /// hold the inode number alone, which most file systems tell with the names.
    pub attributes: bool,
    /// Go into other file systems that are mounted within the tree, instead of marking them not indexed.
    pub follow_mounts: bool,
    /// Directories to mark not indexed instead of reading them. A glob without `/` is compared with the
    /// directory's name, one with `/` with its path relative to the scanned directory. Files are never excluded.
    pub exclude: Vec<String>,
    /// Threads that read directories; 0 is one for every core, and at least 4.
    pub threads: usize,
    /// Called now and then, from the calling thread, with the number of entries so far.
    pub progress: Option<&'a dyn Fn(u64)>,
}

/// A scanned tree.
#[derive(Debug)]
pub struct Scan {
    /// The tree.
    pub namespace: Namespace,
    /// The scanned directory within it: the root, if that was asked for.
    pub root: InodeId,
    /// What was seen.
    pub summary: ScanSummary,
    in_root: bool,
    every_attribute: bool,
}

/// What a scan has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// Names below the scanned directory; hard links count each.
    pub entries: u64,
    /// Directories among them, those that are not indexed included.
    pub directories: u64,
    /// Symbolic links among them.
    pub symlinks: u64,
    /// All others among them: regular files, devices, sockets, pipes.
    pub files: u64,
    /// Entries that are further names of an inode seen before.
    pub hard_links: u64,
    /// Directories that could not be read, or not to their end.
    pub unreadable: u64,
    /// Directories left out because of [`ScanOptions::exclude`].
    pub excluded: u64,
    /// Directories that begin another file system and were left out.
    pub other_file_systems: u64,
    /// Names that were gone, or were something else, when they were looked at a moment later.
    pub vanished: u64,
    /// Names that no namespace can hold, such as those of more than 255 bytes; their directory is partial.
    pub refused: u64,
    /// The first few unreadable directories, for a message.
    pub examples: Vec<Unreadable>,
    /// How long it took.
    pub time: Duration,
}

/// A directory that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path in the namespace.
    pub path: PathBuf,
    /// What the kernel said.
    pub reason: rustix::io::Errno,
}

/// Why a scan, or a start directory, failed as a whole.
#[derive(Debug, Error)]
pub enum ScanError {
    /// The directory does not exist, is none, or can't be read.
    #[error("{}: {error}", path.display())]
    Directory {
        /// The directory, as it was named.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// The start directory is not in the namespace.
    #[error("{}: {reason}", path.display())]
    Start {
        /// The directory, as it was named.
        path: PathBuf,
        /// The outcome of its lookup.
        reason: LookupError,
    },
    /// A glob can't be understood.
    #[error("glob `{glob}`: {reason}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The namespace can't hold the tree.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A thread could not be started.
    #[error("a thread can't be started: {0}")]
    Thread(io::Error),
}

/// Scans the tree below `directory`, in parallel.
///
/// Symbolic links in `directory` itself are followed. In the host's frame the directories and links on the
/// way to it are recorded too, so that the path as it was given leads there.
///
/// Takes about as long as `find` would on one core, less on several; one open file a thread and one for
/// every directory that has sub-directories waiting, within half of the process's limit.
///
/// # Errors
/// [`ScanError`] when `directory` can't be read, a glob is bad, or the namespace is full. Nothing below
/// `directory` makes the scan fail: it is counted in the [`ScanSummary`].
pub fn scan(directory: &Path, options: &ScanOptions<'_>) -> Result<Scan, ScanError> {
    let begin = Instant::now();
    let exclude = exclude::Exclude::new(&options.exclude)?;
    let mut namespace = Namespace::new();
    let root = match options.in_root {
        true => ROOT,
        false => host::enter(&mut namespace, directory, options.attributes)?,
    };
    let walk = walk::Walk::open(directory, options, exclude)?;
    let mut summary = build::build(&mut namespace, root, &walk, options)?;
    summary.time = begin.elapsed();
    Ok(Scan { namespace, root, summary, in_root: options.in_root, every_attribute: options.attributes })
}

impl Scan {
    /// The inode of a start directory.
    ///
    /// In the host's frame it is found as the kernel would, a relative path from the process's current
    /// directory; where it lies outside the scan it is added as a directory that is not indexed, so that
    /// `..` and absolute paths still work from there. With [`ScanOptions::in_root`] it is resolved within
    /// the namespace, from its root.
    ///
    /// # Errors
    /// [`ScanError::Directory`] or [`ScanError::Start`] when there is no such directory.
    pub fn start(&mut self, directory: &Path) -> Result<InodeId, ScanError> {
        if !self.in_root {
            return host::enter(&mut self.namespace, directory, self.every_attribute);
        }
        let fail = |reason| ScanError::Start { path: directory.to_owned(), reason };
        let path = directory.as_os_str().as_encoded_bytes();
        let inode = reference::resolve(&self.namespace, path, &Options::default()).map_err(fail)?;
        if self.namespace.is_directory(inode) { Ok(inode) } else { Err(fail(LookupError::NotADirectory)) }
    }
}

/// A path of a namespace as one of this machine.
fn host_path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}
