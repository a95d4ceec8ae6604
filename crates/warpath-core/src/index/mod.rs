//! The index: the tree as engines read it, kept in step with the names.
//!
//! | part | what it does |
//! |---|---|
//! | [`tables`] | the arrays that engines read, their version, what changed |
//! | `shared` | tables that readers hold while the index goes on |
//! | `slots` | the hash table: insertion, deletion without tombstones, growth |
//! | `build` | tables of a whole namespace, in parallel |
//! | `check` | whether tables are those of their namespace |
//! | `links` | what each symbolic link leads to |
//! | `dependencies` | which links an entry's change touches |
//! | `update` | one change at a time, as the caller asks for it |
//! | `entries` | what an entry that comes or goes means for the tables |
//! | `rekey` | directories that were renamed, and how their keys catch up |
//! | [`plan`] | options made ready for a version |

pub mod changes;
pub mod plan;
pub mod tables;

mod build;
mod check;
mod dependencies;
mod entries;
#[cfg(test)]
#[path = "../../tests/held_up/mod.rs"]
mod held_up;
mod links;
mod rekey;
mod shared;
mod slots;
mod update;

pub use changes::Changes;
pub use plan::{BeneathLinks, Plan, ResolveError};
pub use tables::{TableParts, Tables, TablesView};
pub use update::{Change, ChangeError};

use crate::hash::random_key;
use crate::options::Options;
use crate::{Engine, InodeId, Namespace, Outcomes, PathBatch, layout};
use dependencies::LinkDependencies;
use links::{LinkResolver, NoObserver};
use rekey::StaleDirectories;
use shared::SharedTables;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// Start directories whose `beneath` links are kept.
const BENEATH_KEPT: usize = 8;

/// A namespace and its tables, kept in step.
///
/// Every change is one version of the tables. A batch resolved through [`Index::resolve`] sees exactly one version.
#[derive(Debug)]
pub struct Index {
    namespace: Namespace,
    tables: SharedTables,
    /// Made when the first change could touch a link.
    dependencies: Option<LinkDependencies>,
    stale: StaleDirectories,
    /// The `beneath` links of the current version, by start directory.
    beneath: Mutex<Vec<Beneath>>,
}

/// The `beneath` links of a start directory, at a version of tables of this id.
#[derive(Debug)]
struct Beneath {
    of: (u64, u64),
    start: InodeId,
    links: Arc<BeneathLinks>,
}

/// An index could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexError {
    /// The operating system has no random bytes for the hash key.
    #[error("no random key for the index: {reason}")]
    NoRandomKey {
        /// What the system said.
        reason: String,
    },
    /// Entries had equal keys under several random keys in a row: the generator is broken.
    #[error(
        "entries collide under {KEY_TRIES} random keys in a row: the system's random generator is broken"
    )]
    Collisions,
}

/// Random keys that are tried before collisions are blamed on the generator. With honest keys one collision has a
/// probability below 2^-26 even among 2^32 entries.
const KEY_TRIES: u32 = 4;

impl Index {
    /// Builds the index of a namespace, in parallel on rayon's threads: about 100 ns an entry and thread.
    ///
    /// # Errors
    /// [`IndexError`] when the system gives no random key.
    pub fn build(namespace: Namespace) -> Result<Index, IndexError> {
        for _ in 0..KEY_TRIES {
            let key = random_key().map_err(|error| IndexError::NoRandomKey { reason: error.to_string() })?;
            if let Ok(tables) = build::build(&namespace, key) {
                return Ok(Index::of(namespace, tables));
            }
        }
        Err(IndexError::Collisions)
    }

    /// The index of a namespace and the arrays that were built from it, as an index file holds them. O(1).
    ///
    /// `None` when the arrays are no tables, or were stored with a rename not re-keyed. Whether they belong to the namespace is
    /// not checked: answers may then be wrong, but engines end and stay in bounds. Before such an index is *changed*, [`Index::check`]
    /// must have found it sound: changing an unsound one may panic.
    pub fn from_parts(namespace: Namespace, parts: TableParts) -> Option<Index> {
        let settled = parts.flags & layout::TABLE_STRICT == 0;
        Some(Index::of(namespace, Tables::from_parts(parts).filter(|_| settled)?))
    }

    fn of(namespace: Namespace, tables: Tables) -> Index {
        Index {
            namespace,
            tables: SharedTables::new(tables),
            dependencies: None,
            stale: StaleDirectories::default(),
            beneath: Mutex::default(),
        }
    }

    /// The names, children, targets and attributes.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// What engines read.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Makes options ready for this version. O(1), but for the first `beneath` from a start directory, which resolves
    /// every link for it: O(links).
    ///
    /// # Errors
    /// [`ResolveError::Start`] when the start directory is none.
    pub fn plan(&self, options: &Options) -> Result<Plan, ResolveError> {
        let start = options.start;
        if !self.namespace.is_directory(start) {
            return Err(ResolveError::Start { inode: start });
        }
        let links = options.beneath.then(|| self.beneath_links(start));
        Ok(Plan { start, flags: options.flags(), links })
    }

    /// What each link leads to for somebody who may not leave `start`.
    fn beneath_links(&self, start: InodeId) -> Arc<BeneathLinks> {
        let of = (self.tables.id(), self.tables.version());
        let mut kept = self.beneath.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|beneath| beneath.of == of);
        if let Some(beneath) = kept.iter().find(|beneath| beneath.start == start) {
            return Arc::clone(&beneath.links);
        }
        let mut records = self.tables.links().to_vec();
        let all = 0..records.len() as u32;
        LinkResolver::new(&self.namespace, &mut records, all, Some(start), NoObserver).run();
        let links = Arc::new(BeneathLinks { id: tables::next_id(), records });
        if kept.len() == BENEATH_KEPT {
            kept.remove(0);
        }
        kept.push(Beneath { of, start, links: Arc::clone(&links) });
        links
    }

    /// Resolves a batch on an engine: the answers, in the batch's order.
    ///
    /// # Errors
    /// [`ResolveError`] when the batch could not run at all. A bad path is an outcome.
    pub fn resolve(
        &self,
        engine: &dyn Engine,
        batch: &PathBatch<'_>,
        options: &Options,
    ) -> Result<Outcomes, ResolveError> {
        let plan = self.plan(options)?;
        let mut outcomes = Outcomes::with_len(batch.len());
        engine.resolve(&self.tables, &plan, batch, outcomes.as_mut())?;
        Ok(outcomes)
    }

    /// Takes the index apart; the tables are dropped.
    pub fn into_namespace(self) -> Namespace {
        self.namespace
    }
}
