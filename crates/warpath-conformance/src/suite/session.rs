//! Asks an engine, and compares what it says with the reference resolver.

use super::{Config, Failure};
use crate::check::{Difference, Query, outcome_text};
use crate::shrink::shrink;
use crate::tree::{Planted, Tree};
use std::sync::atomic::{AtomicU64, Ordering};
use warpath_core::outcome::status_code;
use warpath_core::{
    Engine, INVALID_INODE, Index, InodeId, LookupError, Namespace, Options, Outcome, OutcomesMut, PathBatch,
    Plan, Tables, reference,
};

/// Elements before and behind each column that the engine may not touch.
const MARGIN: usize = 64;

/// What a column holds before the engine writes: no inode that any tree has, and no status.
const UNWRITTEN_INODE: u32 = 0xDEAD_BEEF;
const UNWRITTEN_STATUS: u8 = 0xA5;

/// One engine under test.
pub(super) struct Session<'s> {
    pub engine: &'s dyn Engine,
    pub config: &'s Config,
    n_asked: AtomicU64,
}

/// A tree in memory and its index.
pub(super) struct Indexed<'t> {
    pub tree: &'t Tree,
    pub index: Index,
    pub inodes: Vec<InodeId>,
}

impl<'t> Indexed<'t> {
    pub fn new(tree: &'t Tree) -> Result<Indexed<'t>, Failure> {
        let Planted { namespace, inodes } = tree.plant()?;
        Ok(Indexed { tree, index: Index::build(namespace)?, inodes })
    }
}

impl<'s> Session<'s> {
    pub fn new(engine: &'s dyn Engine, config: &'s Config) -> Session<'s> {
        Session { engine, config, n_asked: AtomicU64::new(0) }
    }

    pub fn n_asked(&self) -> u64 {
        self.n_asked.load(Ordering::Relaxed)
    }

    /// The engine's answers, once they are seen to be answers.
    pub fn ask(
        &self,
        index: &Index,
        options: &Options,
        batch: &PathBatch<'_>,
    ) -> Result<Vec<Outcome>, Failure> {
        let n_paths = batch.len();
        let plan = index.plan(options).map_err(|error| Failure::Resolve { n_paths, error })?;
        self.ask_tables(index.tables(), index.namespace(), &plan, batch)
    }

    /// As `ask`, of any version: its tables, the namespace that they were made from, and a plan for them.
    pub fn ask_tables(
        &self,
        tables: &Tables,
        namespace: &Namespace,
        plan: &Plan,
        batch: &PathBatch<'_>,
    ) -> Result<Vec<Outcome>, Failure> {
        if let Some(library) = &self.config.library {
            library.publish(tables, namespace);
        }
        let n_paths = batch.len();
        let mut columns = Columns::new(n_paths);
        self.engine
            .resolve(tables, plan, batch, columns.inner())
            .map_err(|error| Failure::Resolve { n_paths, error: error.into() })?;
        self.n_asked.fetch_add(n_paths as u64, Ordering::Relaxed);
        columns.outcomes()
    }

    /// Compares the engine's answers with the reference's.
    pub fn compare(
        &self,
        indexed: &Indexed<'_>,
        start: usize,
        options: &Options,
        batch: &PathBatch<'_>,
    ) -> Result<(), Failure> {
        let options = options.start(indexed.inodes[start]);
        let outcomes = self.ask(&indexed.index, &options, batch)?;
        for (i, (path, &outcome)) in batch.iter().zip(&outcomes).enumerate() {
            let right = reference::resolve(indexed.index.namespace(), path, &options);
            if outcome != right {
                let query = Query { path: path.to_vec(), start, options };
                let place = format!("path {i} of {}", batch.len());
                return Err(self.smallest(indexed, query, place, right, outcome));
            }
        }
        Ok(())
    }

    /// The smallest failing case, if the path fails alone; else where it stood.
    fn smallest(
        &self,
        indexed: &Indexed<'_>,
        query: Query,
        place: String,
        right: Outcome,
        wrong: Outcome,
    ) -> Failure {
        let mut fails = |tree: &Tree, query: &Query| {
            self.answers(tree, query).is_some_and(|(right, wrong)| right != wrong)
        };
        if !fails(indexed.tree, &query) {
            let planted =
                Planted { namespace: indexed.index.namespace().clone(), inodes: indexed.inodes.clone() };
            let difference = self.difference(indexed.tree.clone(), query, right, wrong, &planted);
            return Failure::DiffersThere { place, difference: Box::new(difference) };
        }
        let (tree, query) = shrink(indexed.tree.clone(), query, &mut fails);
        let (right, wrong) = self.answers(&tree, &query).unwrap_or((right, wrong));
        match tree.plant() {
            Ok(planted) => Failure::Differs(Box::new(self.difference(tree, query, right, wrong, &planted))),
            Err(error) => Failure::Namespace(error),
        }
    }

    /// The reference's answer and the engine's, in an index of their own.
    fn answers(&self, tree: &Tree, query: &Query) -> Option<(Outcome, Outcome)> {
        let indexed = Indexed::new(tree).ok()?;
        let options = query.options.start(indexed.inodes[query.start]);
        let paths = [query.path.as_slice()];
        let outcomes = self.ask(&indexed.index, &options, &PathBatch::from_slices(&paths)).ok()?;
        Some((reference::resolve(indexed.index.namespace(), &query.path, &options), outcomes[0]))
    }

    pub fn difference(
        &self,
        tree: Tree,
        query: Query,
        right: Outcome,
        wrong: Outcome,
        planted: &Planted,
    ) -> Difference {
        let wrong = (self.engine.info().name.to_owned(), outcome_text(wrong, planted));
        Difference { tree, query, right: ("reference", outcome_text(right, planted)), wrong }
    }
}

/// Two columns in the middle of larger buffers.
struct Columns {
    n: usize,
    inodes: Vec<InodeId>,
    statuses: Vec<u8>,
}

impl Columns {
    fn new(n: usize) -> Columns {
        let length = n + 2 * MARGIN;
        Columns { n, inodes: vec![UNWRITTEN_INODE; length], statuses: vec![UNWRITTEN_STATUS; length] }
    }

    fn inner(&mut self) -> OutcomesMut<'_> {
        let range = MARGIN..MARGIN + self.n;
        OutcomesMut { inodes: &mut self.inodes[range.clone()], statuses: &mut self.statuses[range] }
    }

    fn outcomes(&self) -> Result<Vec<Outcome>, Failure> {
        let outside = |i: &usize| !(MARGIN..MARGIN + self.n).contains(i);
        let touched = |i: usize| self.inodes[i] != UNWRITTEN_INODE || self.statuses[i] != UNWRITTEN_STATUS;
        if let Some(i) = (0..self.inodes.len()).filter(outside).find(|&i| touched(i)) {
            return Err(Failure::Columns(format!(
                "the engine wrote at {}, outside of columns of {}",
                i as i64 - MARGIN as i64,
                self.n
            )));
        }
        (0..self.n).map(|i| self.outcome(i)).collect()
    }

    fn outcome(&self, i: usize) -> Result<Outcome, Failure> {
        let (inode, status) = (self.inodes[MARGIN + i], self.statuses[MARGIN + i]);
        let outcome = match LookupError::from_code(status) {
            None => Ok(inode),
            Some(error) => Err(error),
        };
        let is_answer = status == status_code(outcome)
            && inode != UNWRITTEN_INODE
            && (inode == INVALID_INODE) == outcome.is_err();
        if is_answer {
            return Ok(outcome);
        }
        Err(Failure::Columns(format!(
            "path {i} of {} has status {status} and inode {inode:#x}: an answer has status 0 and an inode, or a \
             status from 1 to 7 and {INVALID_INODE:#x}",
            self.n
        )))
    }
}
