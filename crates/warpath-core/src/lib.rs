//! What a path means, and the data that engines answer from.
//!
//! Data flows one way: paths are gathered into a [`PathBatch`], an [`Engine`] resolves it against the
//! [`Tables`] of an [`Index`], and the answers come back as [`Outcomes`], in the caller's order.
//!
//! | module | question it answers |
//! |---|---|
//! | [`batch`] | how are N paths handed over without copying them? |
//! | [`options`] | where does a relative path begin, are links followed, may a path leave its start? |
//! | [`outcome`] | which inode does a path name, or why does it name none? |
//! | [`engine`] | what is asked of whatever resolves batches? |
//! | [`namespace`] | what is the tree: names, children, link targets, attributes? |
//! | [`index`] | how is the tree laid out for engines, and kept in step with it? |
//! | [`hash`](mod@hash), [`probe`](mod@probe), [`resolve`](mod@resolve) | what do all engines compute, as plain scalar code? |
//! | [`reference`](mod@reference) | what is correct? |
//!
//! This crate holds no unsafe code, opens no file and knows no device.

#![forbid(unsafe_code)]

pub mod batch;
pub mod column;
pub mod engine;
pub mod hash;
pub mod index;
pub mod namespace;
pub mod options;
pub mod outcome;
pub mod probe;
pub mod reference;
pub mod resolve;

pub use batch::{BatchError, PathBatch};
pub use engine::{Engine, EngineError, EngineInfo, EngineName};
pub use index::{Index, Plan, ResolveError, Tables};
pub use namespace::{Attributes, FileType, Namespace, NamespaceError};
pub use options::Options;
pub use outcome::{LookupError, Outcome, Outcomes, OutcomesMut};
pub use warpath_layout as layout;

/// An object of the namespace: a small number, the same for every hard link of the object.
pub type InodeId = u32;

/// The root directory's inode.
pub const ROOT: InodeId = layout::ROOT;

/// No inode: what the inode column holds where a path was not found.
pub const INVALID_INODE: InodeId = layout::INVALID_INODE;
