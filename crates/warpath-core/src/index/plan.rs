//! Options made ready for the tables of one version.

use crate::layout::LinkRecord;
use crate::{EngineError, InodeId};
use std::sync::Arc;
use thiserror::Error;

/// Options made ready for the tables of one version; made by [`Index::plan`](crate::Index::plan).
#[derive(Debug, Clone)]
pub struct Plan {
    /// The start directory.
    pub start: InodeId,
    /// QUERY_ flags.
    pub flags: u32,
    /// For `beneath`: what each link leads to for somebody who may not leave `start`. Replaces the tables' link records.
    pub links: Option<Arc<BeneathLinks>>,
}

/// Link records as `beneath` sees them from one start directory.
#[derive(Debug)]
pub struct BeneathLinks {
    /// A number that no other tables or links of this process have, so that a device may keep a copy.
    pub id: u64,
    /// One a link, in the order of the tables' own.
    pub records: Vec<LinkRecord>,
}

/// Why a batch could not be resolved at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The start directory does not exist, or is no directory.
    #[error("the start directory, inode {inode}, is not a directory of this index")]
    Start {
        /// The inode that was given.
        inode: InodeId,
    },
    /// The engine could not run the batch.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
