//! The index: the tree as engines read it.
//!
//! See `warpath-layout` for the bytes.

use crate::options::Options;
use crate::{Engine, EngineError, InodeId, Namespace, NamespaceError, Outcomes, PathBatch, layout};
use std::sync::Arc;
use thiserror::Error;

/// What engines read: slots, inode blocks, directory and link records, hash key.
pub struct Tables {}

#[allow(unused_variables, clippy::unimplemented, missing_docs)]
impl Tables {
    /// Differs between any two tables made in this process.
    pub fn id(&self) -> u64 {
        unimplemented!()
    }
    /// Grows by one with every change.
    pub fn version(&self) -> u64 {
        unimplemented!()
    }
    pub fn slots(&self) -> &[layout::Slot] {
        unimplemented!()
    }
    pub fn blocks(&self) -> &[layout::InodeBlock] {
        unimplemented!()
    }
    pub fn dirs(&self) -> &[layout::DirRecord] {
        unimplemented!()
    }
    pub fn links(&self) -> &[layout::LinkRecord] {
        unimplemented!()
    }
    /// KEY_WORDS words.
    pub fn key(&self) -> &[u32] {
        unimplemented!()
    }
    pub fn params(&self) -> layout::TableParams {
        unimplemented!()
    }
    /// What has changed since `version`: merged ranges of each array, or None when the log does not reach back that far.
    pub fn changes_since(&self, version: u64) -> Option<Changes> {
        unimplemented!()
    }
}

/// The tables as borrowed arrays, for code that reads them path after path.
#[derive(Debug, Clone, Copy)]
pub struct TablesView<'a> {
    /// See [`layout::Slot`].
    pub slots: &'a [layout::Slot],
    /// See [`layout::InodeBlock`].
    pub blocks: &'a [layout::InodeBlock],
    /// See [`layout::DirRecord`].
    pub dirs: &'a [layout::DirRecord],
    /// See [`layout::LinkRecord`].
    pub links: &'a [layout::LinkRecord],
    /// The secret hash key.
    pub key: crate::hash::HashKey<'a>,
    /// Sizes and flags.
    pub params: layout::TableParams,
}

/// Ranges of elements that changed, per array; sorted and disjoint. Arrays may have grown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Changes {
    pub slots: Vec<std::ops::Range<usize>>,
    pub blocks: Vec<std::ops::Range<usize>>,
    pub dirs: Vec<std::ops::Range<usize>>,
    pub links: Vec<std::ops::Range<usize>>,
}

/// Options made ready for the tables of one version.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Plan {
    pub start: InodeId,
    /// QUERY_ flags.
    pub flags: u32,
    /// For `beneath`: what each link leads to for somebody who may not leave `start`; replaces Tables::links.
    pub links: Option<Arc<BeneathLinks>>,
}

/// Link records as `beneath` sees them from one start directory.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct BeneathLinks {
    /// Differs between any two in this process, so that a device may keep a copy.
    pub id: u64,
    pub records: Vec<layout::LinkRecord>,
}

/// A namespace and its tables, kept in step.
pub struct Index {}

/// Why a batch could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The start directory does not exist or is no directory.
    #[error("the start directory: {0}")]
    Start(NamespaceError),
    /// The engine could not run the batch.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

#[allow(unused_variables, clippy::unimplemented, missing_docs)]
impl Index {
    /// Bulk build, parallel.
    pub fn build(namespace: Namespace) -> Index {
        unimplemented!()
    }
    pub fn namespace(&self) -> &Namespace {
        unimplemented!()
    }
    pub fn tables(&self) -> &Tables {
        unimplemented!()
    }
    /// Checks the options against this version.
    pub fn plan(&self, options: &Options) -> Result<Plan, ResolveError> {
        unimplemented!()
    }
    /// Plans, resolves on `engine`, and returns the answers.
    pub fn resolve(
        &self,
        engine: &dyn Engine,
        batch: &PathBatch<'_>,
        options: &Options,
    ) -> Result<Outcomes, ResolveError> {
        unimplemented!()
    }
    // Mutations mirror Namespace's: add_file, add_directory, add_symlink, add_hard_link, remove, rename,
    // set_partial, set_attributes; each is one version.
}
