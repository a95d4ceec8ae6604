//! Whether tables are those of their namespace.

use super::{Index, build};
use crate::hash::Key;
use crate::hash::{HashKey, State};
use crate::layout::{self, Slot};
use crate::namespace::Unsound;
use crate::namespace::check::ensure;
use crate::probe::{home_pair, probe};
use rayon::prelude::*;
use std::hint::black_box;

/// Entries whose slots are touched before the first of them is looked at: memory then answers many at a time.
const GROUP: usize = 64;

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

        let dirs = build::directory_records(namespace, hash);
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

        let n_groups = namespace.entry_bound().div_ceil(GROUP);
        (0..n_groups).into_par_iter().with_min_len(64).try_for_each(|group| {
            let mut wanted = [(0, Slot::EMPTY); GROUP];
            let mut n_wanted = 0;
            for id in group * GROUP..namespace.entry_bound().min((group + 1) * GROUP) {
                let Some(entry) = namespace.entry(id) else { continue };
                let number = super::links::dir_number(namespace, entry.parent);
                let Some(record) = number.and_then(|number| dirs.get(number as usize)) else { continue };
                let slot = build::slot_of(namespace, hash, State::of(record), &entry);
                wanted[n_wanted] = (id, slot);
                n_wanted += 1;
            }
            // A loop of its own: a processor looks only some hundred instructions ahead.
            let home = |slot: &Slot| {
                home_pair(slot.key0, tables.params.n_pairs) as usize * layout::PAIR_SLOTS as usize
            };
            let first = |slot: &Slot| tables.slots.get(home(slot)).map_or(0, |slot| slot.key0);
            black_box(wanted[..n_wanted].iter().fold(0, |touched, (_, slot)| touched ^ first(slot)));
            wanted[..n_wanted].iter().try_for_each(|(id, slot)| {
                let key = Key { words: [slot.key0, slot.key1, slot.key2_kind & !layout::KIND_MASK] };
                ensure(probe(tables.slots, &tables.params, &key) == Some(slot), || {
                    format!("the slot of entry {id} is missing or wrong")
                })
            })
        })?;
        let n_taken = tables.slots.par_iter().filter(|slot| !slot.is_empty()).count();
        let sound = (n_taken, n_taken) == (namespace.n_entries(), self.tables.n_entries());
        ensure(sound, || format!("{n_taken} slots are taken by {} entries", namespace.n_entries()))
    }
}
