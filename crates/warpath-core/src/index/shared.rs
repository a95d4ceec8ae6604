//! Tables that readers hold while the index goes on: copied on the first write, or put into an earlier version's memory.

use super::Index;
use super::tables::Tables;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// An index's own tables: shared with readers while nothing changes, its alone when something does.
#[derive(Debug)]
pub(super) struct SharedTables(Arc<Tables>);

impl SharedTables {
    pub fn new(tables: Tables) -> SharedTables {
        SharedTables(Arc::new(tables))
    }
}

impl Deref for SharedTables {
    type Target = Tables;

    #[inline]
    fn deref(&self) -> &Tables {
        &self.0
    }
}

impl DerefMut for SharedTables {
    /// The tables, to be written; copies them whole when readers hold them.
    fn deref_mut(&mut self) -> &mut Tables {
        Arc::make_mut(&mut self.0)
    }
}

impl Index {
    /// The tables of this version. They stay as they are whatever changes later: readers go on with them, and the
    /// next change works on a copy (all of it, unless [`Index::reuse`] was called). O(1).
    pub fn shared_tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.0)
    }

    /// Lets the next change work in the memory of `spare`, tables of an earlier version that nobody reads any more: they are
    /// brought up to date by what changed since, and the current ones are left to their readers. Two copies that take turns
    /// thus serve readers and a writer at once.
    ///
    /// # Errors
    /// Gives `spare` back when somebody still holds it.
    pub fn reuse(&mut self, mut spare: Arc<Tables>) -> Result<(), Arc<Tables>> {
        let Some(tables) = Arc::get_mut(&mut spare) else { return Err(spare) };
        tables.catch_up(&self.tables);
        self.tables.0 = spare;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileType, Namespace, ROOT};

    #[test]
    fn two_copies_take_turns() {
        let mut index = Index::build(Namespace::new()).unwrap();
        let first = index.shared_tables();
        let first_at = Arc::as_ptr(&first);
        index.add_file(ROOT, "a", FileType::Regular).unwrap();
        assert_eq!((first.version(), first.n_entries()), (0, 0), "a reader's tables have changed");
        let second = index.shared_tables();
        assert_ne!(Arc::as_ptr(&second), first_at);

        let held = Arc::clone(&first);
        let first = index.reuse(first).unwrap_err();
        drop(held);
        index.reuse(first).unwrap();
        index.add_file(ROOT, "b", FileType::Regular).unwrap();
        let third = index.shared_tables();
        assert_eq!(Arc::as_ptr(&third), first_at, "the spare was not used");
        assert_eq!((third.version(), third.n_entries()), (2, 2));
        assert_eq!((second.version(), second.n_entries()), (1, 1));
    }

    #[test]
    fn older_tables_do_not_know_what_newer_ones_hold() {
        let mut index = Index::build(Namespace::new()).unwrap();
        let old = index.shared_tables();
        index.add_file(ROOT, "a", FileType::Regular).unwrap();
        let new = index.shared_tables();
        assert_eq!(old.changes_since(new.version()), None);
        assert!(new.changes_since(new.version()).is_some());
        let mut copy = Tables::clone(&new);
        copy.catch_up(&old);
        assert_eq!((copy.version(), copy.n_entries()), (old.version(), old.n_entries()));
        assert_eq!(copy.slots(), old.slots());
    }

    #[test]
    fn a_copy_that_caught_up_still_knows_earlier_changes() {
        let mut namespace = Namespace::new();
        for i in 0..1000 {
            namespace.add_file(ROOT, format!("{i}"), FileType::Regular).unwrap();
        }
        let mut index = Index::build(namespace).unwrap();
        let mut spare = index.shared_tables();
        for name in ["a", "b", "c", "d"] {
            let current = index.shared_tables();
            if index.reuse(spare).is_err() {
                assert_eq!(name, "a");
            }
            index.add_file(ROOT, name, FileType::Regular).unwrap();
            spare = current;
        }
        let changes = index.tables().changes_since(1).unwrap();
        assert!(changes.slots.iter().map(|range| range.len()).sum::<usize>() >= 3, "{changes:?}");
    }
}
