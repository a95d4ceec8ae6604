//! A batch on its way through an engine: equal paths once, answers back to whoever asked.

use super::queue::Batch;
use crate::Error;
use crate::filesystem::Core;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::cell::RefCell;
use std::hash::BuildHasher;
use warpath_core::Outcomes;
use warpath_core::batch::PathBuffer;

/// A thread keeps its buffers up to this many paths, so that one huge batch does not hold memory for ever.
const KEPT_PATHS: usize = 1 << 17;

/// Buffers for the distinct paths of a batch.
#[derive(Default)]
struct Distinct {
    paths: PathBuffer,
    /// For each path of the batch its number among the distinct ones.
    numbers: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
}

thread_local! {
    static DISTINCT: RefCell<Distinct> = RefCell::default();
}

impl Batch {
    /// The one path of a batch that has just one.
    fn only_path(&self) -> Option<&[u8]> {
        match &self.requests[..] {
            [only] if only.request.len() == 1 => Some(only.request.paths.as_batch().get(0)),
            _ => None,
        }
    }

    /// Resolves the batch. Returns the outcomes of its paths, request after request, and how many were distinct.
    pub fn resolve(&self, core: &Core) -> Result<(Outcomes, usize), Error> {
        if let Some(path) = self.only_path() {
            let mut outcomes = Outcomes::with_len(1);
            outcomes.as_mut().set(0, core.resolve_path(path, &self.options)?);
            return Ok((outcomes, 1));
        }
        // Taken, not borrowed: an engine may run other work of this thread while it waits.
        let mut distinct = DISTINCT.take();
        distinct.gather(self);
        let result = self.resolve_distinct(core, &distinct);
        distinct.clear();
        DISTINCT.replace(distinct);
        result
    }

    fn resolve_distinct(&self, core: &Core, distinct: &Distinct) -> Result<(Outcomes, usize), Error> {
        let unique = distinct.paths.as_batch();
        let mut answers = Outcomes::with_len(unique.len());
        // One version for the whole batch, however many pieces it takes.
        let (version, plan) = core.store.plan(&self.options)?;
        let mut out = answers.as_mut();
        let mut first = 0;
        while first < unique.len() {
            let end = first.saturating_add(self.piece_paths).min(unique.len());
            let (piece, rest) = out.split_at(end - first);
            core.resolve_in(&version, &plan, &unique.slice(first..end), piece)?;
            (out, first) = (rest, end);
        }
        drop(version);
        if unique.len() == self.n_paths {
            return Ok((answers, unique.len()));
        }
        let mut outcomes = Outcomes::with_len(self.n_paths);
        let out = outcomes.as_mut();
        for (i, &number) in distinct.numbers.iter().enumerate() {
            out.inodes[i] = answers.inodes()[number as usize];
            out.statuses[i] = answers.statuses()[number as usize];
        }
        Ok((outcomes, unique.len()))
    }

    /// Hands every request its part of the outcomes, or the error. Returns how many requests took it.
    pub fn distribute(&self, result: Result<Outcomes, Error>) -> usize {
        let outcomes = match result {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let failed = |queued: &&super::queue::Queued| queued.reply.complete(Err(error.clone()));
                return self.requests.iter().filter(failed).count();
            }
        };
        if let [only] = &self.requests[..] {
            return usize::from(only.reply.complete(Ok(outcomes)));
        }
        let mut first = 0;
        let mut n_taken = 0;
        for queued in &self.requests {
            let end = first + queued.request.len();
            let mut part = Outcomes::with_len(end - first);
            let out = part.as_mut();
            out.inodes.copy_from_slice(&outcomes.inodes()[first..end]);
            out.statuses.copy_from_slice(&outcomes.statuses()[first..end]);
            n_taken += usize::from(queued.reply.complete(Ok(part)));
            first = end;
        }
        n_taken
    }
}

impl Distinct {
    fn gather(&mut self, batch: &Batch) {
        for queued in &batch.requests {
            for path in queued.request.paths.as_batch().iter() {
                self.add(path);
            }
        }
    }

    fn add(&mut self, path: &[u8]) {
        let Distinct { paths, numbers, table, hasher } = self;
        let hash = hasher.hash_one(path);
        let is_equal = |number: &u32| paths.as_batch().get(*number as usize) == path;
        let number = match table.find(hash, is_equal) {
            Some(&number) => number,
            None => {
                let number = paths.len() as u32;
                table.insert_unique(hash, number, |number| {
                    hasher.hash_one(paths.as_batch().get(*number as usize))
                });
                paths.push(path);
                number
            }
        };
        numbers.push(number);
    }

    fn clear(&mut self) {
        if self.numbers.capacity() > KEPT_PATHS {
            *self = Distinct::default();
        }
        self.paths.clear();
        self.numbers.clear();
        self.table.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_paths_are_one() {
        let mut distinct = Distinct::default();
        for path in [&b"/a"[..], b"/b", b"/a", b"", b"/a/", b"/b", b""] {
            distinct.add(path);
        }
        assert_eq!(distinct.numbers, [0, 1, 0, 2, 3, 1, 2]);
        assert_eq!(distinct.paths.as_batch().iter().collect::<Vec<_>>(), [&b"/a"[..], b"/b", b"", b"/a/"]);
        distinct.clear();
        distinct.add(b"/b");
        assert_eq!(distinct.numbers, [0]);
    }
}
