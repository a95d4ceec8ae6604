//! Whether tables are those of their namespace.

use super::Index;
use super::build::{self, CHUNK_ENTRIES, Chunk, n_regions};
use crate::hash::{HashKey, Key};
use crate::layout::{self, DirRecord};
use crate::namespace::Unsound;
use crate::namespace::check::ensure;
use crate::probe::probe;
use rayon::prelude::*;

/// Chunks of entries whose slots are computed before the first of them is looked up: 32 MiB of slots.
const BATCH_CHUNKS: usize = (1 << 21) / CHUNK_ENTRIES;

impl Index {
    /// Checks the namespace ([`Namespace::check`](crate::Namespace::check)), and that the tables are what it gives under their
    /// key: every directory record, every link's outcome, every entry's slot and no other. In parallel.
    ///
    /// # Errors
    /// [`Unsound`] with the first contradiction found; also while a renamed directory is being re-keyed. O(n).
    pub fn check(&self) -> Result<(), Unsound> {
        self.namespace.check()?;
        let (namespace, tables) = (&self.namespace, self.tables.view());
        let hash = HashKey::new(self.tables.key_words())
            .ok_or_else(|| Unsound::new("the hash key has not its length"))?;
        let same = tables.blocks == namespace.blocks();
        ensure(same, || "the inode blocks are not the namespace's".into())?;
        let flag = |flag: u32, set: bool| if set { flag } else { 0 };
        let flags = flag(layout::TABLE_HAS_PARTIAL, namespace.n_partial() > 0)
            | flag(layout::TABLE_HAS_ALIASES, namespace.n_aliases() > 0);
        // A flag may outlive its reason: engines then only look twice.
        let sound = flags & !tables.params.flags == 0 && tables.params.flags & layout::TABLE_STRICT == 0;
        ensure(sound, || "the flags are not the namespace's, or a directory is being re-keyed".into())?;

        let (dirs, n_taken) = rayon::join(
            || build::directory_records(namespace, hash),
            || tables.slots.par_iter().filter(|slot| !slot.is_empty()).count(),
        );
        let sound = (n_taken, n_taken) == (namespace.n_entries(), self.tables.n_entries());
        ensure(sound, || format!("{n_taken} slots are taken by {} entries", namespace.n_entries()))?;
        ensure(dirs.len() == tables.dirs.len(), || "there are too many or too few directory records".into())?;
        let wrong = dirs
            .par_iter()
            .zip(tables.dirs)
            .position_any(|(a, b)| a.inode != layout::INVALID_INODE && a != b);
        ensure(wrong.is_none(), || {
            format!("directory record {} is not its directory's", wrong.unwrap_or(0))
        })?;
        let links = build::link_records(namespace);
        ensure(links.len() == tables.links.len(), || "there are too many or too few link records".into())?;
        let wrong =
            links.iter().zip(tables.links).position(|(a, b)| a.own != layout::INVALID_INODE && a != b);
        ensure(wrong.is_none(), || format!("link record {} is not what its link gives", wrong.unwrap_or(0)))?;

        self.check_slots(hash, &dirs)
    }

    /// Every entry has its slot. Batch by batch, and within one region by region of the table: where entries follow one another, slots
    /// lie anywhere, and a mapped file has no huge pages.
    fn check_slots(&self, hash: HashKey<'_>, dirs: &[DirRecord]) -> Result<(), Unsound> {
        let tables = self.tables.view();
        let n_chunks = self.namespace.entry_bound().div_ceil(CHUNK_ENTRIES);
        for first in (0..n_chunks).step_by(BATCH_CHUNKS) {
            let chunks: Vec<Chunk> = (first..n_chunks.min(first + BATCH_CHUNKS))
                .into_par_iter()
                .map(|chunk| Chunk::new(&self.namespace, hash, dirs, chunk, tables.params.n_pairs))
                .collect();
            (0..n_regions(tables.params.n_pairs)).into_par_iter().try_for_each(|region| {
                chunks.iter().flat_map(|chunk| chunk.region(region)).try_for_each(|slot| {
                    let key = Key { words: [slot.key0, slot.key1, slot.key2_kind & !layout::KIND_MASK] };
                    ensure(probe(tables.slots, &tables.params, &key) == Some(slot), || {
                        format!("the slot of inode {} is missing or wrong", slot.inode)
                    })
                })
            })?;
        }
        Ok(())
    }
}
