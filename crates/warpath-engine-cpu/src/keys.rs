//! Keys of whole paths, for engines that probe elsewhere: a GPU is sent 12 bytes a path instead of its text.

use crate::block::Query;
use crate::direct;
use crate::isa::{Isa, Job, Vectors};
use crate::probes::{Asked, GROUP, Piece, Questions};
use crate::source::{self, Source};
use std::marker::PhantomData;
use warpath_core::PathBatch;
use warpath_core::batch::Paths;
use warpath_core::index::{Plan, TablesView};

/// In place of the key of a path that the direct probe may not answer. No key is like it: the two lowest bits of a key's third
/// word are zero.
pub const NO_KEY: [u32; 3] = [0, 0, 1];

/// Writes the key words of every path of the batch, [`NO_KEY`] where a hit of it would not be the answer.
///
/// Runs on the calling thread, with `isa` where the machine has it. Of `keys` and paths, the longer is cut.
pub fn keys(isa: Isa, tables: &TablesView<'_>, plan: &Plan, batch: &PathBatch<'_>, keys: &mut [[u32; 3]]) {
    let query = Query::new(tables, plan);
    match batch.paths() {
        Paths::Flat32 { bytes, offsets } => {
            isa.run(Hashing { query: &query, source: source::Flat { bytes, offsets }, keys })
        }
        Paths::Flat64 { bytes, offsets } => {
            isa.run(Hashing { query: &query, source: source::Flat { bytes, offsets }, keys })
        }
        Paths::Slices(slices) => isa.run(Hashing { query: &query, source: source::Each(slices), keys }),
        Paths::Strs(strs) => isa.run(Hashing { query: &query, source: source::Each(strs), keys }),
    }
}

/// Paths to hash, and where their keys go.
struct Hashing<'a, S> {
    query: &'a Query<'a>,
    source: S,
    keys: &'a mut [[u32; 3]],
}

impl<S: Source> Job for Hashing<'_, S> {
    #[inline(always)]
    unsafe fn run<V: Vectors>(self) {
        let Hashing { query, source, keys } = self;
        let n = source.len().min(keys.len());
        let walk_only = query.is_walk_only();
        let mut paths = AllPaths {
            query,
            source: &source,
            n,
            walk_only,
            unasked: [false; GROUP],
            vectors: PhantomData::<V>,
        };
        let mut asked = [Asked::default(); GROUP];
        for (group, keys) in keys[..n].chunks_mut(GROUP).enumerate() {
            paths.unasked = [false; GROUP];
            // SAFETY: the instruction set is the caller's duty.
            unsafe { V::ask(query, &mut paths, group * GROUP, &mut asked) };
            for ((key, asked), unasked) in keys.iter_mut().zip(&asked).zip(paths.unasked) {
                *key = if unasked { NO_KEY } else { asked.words };
            }
        }
    }
}

/// The whole paths of a batch.
struct AllPaths<'q, S, V> {
    query: &'q Query<'q>,
    source: &'q S,
    n: usize,
    walk_only: bool,
    /// Those of the group that the direct probe may not answer.
    unasked: [bool; GROUP],
    vectors: PhantomData<V>,
}

impl<'q, S: Source, V: Vectors> Questions<'q> for AllPaths<'q, S, V> {
    fn len(&self) -> usize {
        self.n
    }

    #[inline(always)]
    fn piece(&mut self, i: usize) -> Piece<'q> {
        if i >= self.n {
            return Piece::NOTHING;
        }
        // SAFETY: the number is below the source's length.
        let (path, ahead) = unsafe { (self.source.path(i), self.source.ahead(i)) };
        if let Some(line) = ahead {
            // As much as most paths have.
            V::prefetch(line);
            V::prefetch(line.wrapping_add(64));
        }
        let piece = if self.walk_only { None } else { direct::piece_of(self.query, path) };
        self.unasked[i % GROUP] = piece.is_none();
        piece.unwrap_or(Piece::NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::hash::State;
    use warpath_core::{FileType, Index, Namespace, Options, ROOT};

    #[test]
    fn every_instruction_set_gives_the_core_s_keys() {
        let mut namespace = Namespace::new();
        let directory = namespace.add_directory(ROOT, "directory").unwrap();
        namespace.add_file(directory, "file", FileType::Regular).unwrap();
        let index = Index::build(namespace).unwrap();
        let plan = index.plan(&Options::default().start(directory)).unwrap();
        let view = index.tables().view();
        let long = format!("/{}", "x".repeat(300));
        let paths = ["/directory/file", "file", "", "/", "nul\0", long.as_str()];
        let hash = index.tables().hash_key();
        let key_of = |bytes: &[u8]| {
            let mut state = State::EMPTY;
            state.push(hash, bytes);
            state.finish(hash).words
        };
        let expected = [
            key_of(b"/directory/file"),
            key_of(b"/directory/file"),
            NO_KEY,
            key_of(b"/"),
            NO_KEY,
            key_of(long.as_bytes()),
        ];
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let mut found = [[7; 3]; 6];
            keys(isa, &view, &plan, &PathBatch::from_strs(&paths), &mut found);
            assert_eq!(found, expected, "{}", isa.name());
        }
    }
}
