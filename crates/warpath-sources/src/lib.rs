//! Where namespaces come from.
//!
//! Every source is read as a stream, from its beginning to its end, and gives a
//! [`Namespace`](warpath_core::Namespace) and a [`Summary`] of what it held: conflicts follow the rules of
//! [`tree`] and are counted, never dropped in silence.
//!
//! | module | source |
//! |---|---|
//! | [`live`] | a directory tree of this machine, scanned in parallel |
//! | [`list`] | paths, a line each or NUL-terminated, with columns as `find -printf` writes them |
//! | [`table`] | CSV, Arrow IPC and Parquet with a path column |
//! | [`tar`] | tar archives |
//! | [`oci`] | container images, their layers applied in order |
//! | [`contents`] | Debian's Contents indexes |
//! | [`plocate`] | databases of plocate |

pub mod columns;
mod compressed;
pub mod contents;
pub mod diff;
mod error;
mod lines;
pub mod list;
pub mod live;
pub mod oci;
pub mod plocate;
mod progress;
mod subtree;
mod summary;
pub mod table;
pub mod tar;
#[cfg(test)]
mod testing;
pub mod tree;

pub use error::SourceError;
pub use progress::{OnProgress, Progress, silent};
pub use summary::Summary;

/// What every source takes besides its own options.
pub struct ReadOptions<'a> {
    /// Directories whose content is left out; they are marked as not wholly indexed.
    pub exclude: Option<tree::Exclude<'a>>,
    /// Called every few ten thousand records.
    pub on_progress: OnProgress<'a>,
}
