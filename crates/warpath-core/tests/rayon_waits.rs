//! Changes don't wait for rayon's threads: those may wait for the lock that the change is made under.
//!
//! In a process of its own, since it holds up every thread of the global pool.

mod held_up;

use held_up::while_rayon_is_held_up;
use warpath_core::index::Change;
use warpath_core::{Attributes, FileType, Index, Namespace, ROOT};

/// A slot table of more than 4 MiB, which has huge pages.
const ENTRIES: usize = 200_000;

/// Fills the table from seven tenths to above 13/16.
const MORE: usize = 40_000;

#[test]
fn tables_are_copied_and_grown_while_rayon_is_held_up() {
    let mut namespace = Namespace::new();
    for i in 0..ENTRIES {
        namespace.add_file(ROOT, format!("{i}"), FileType::Regular).unwrap();
    }
    let mut index = Index::build(namespace).unwrap();
    let change = |i: usize| Change::Add {
        parent: ROOT,
        name: format!("more {i}").into_bytes(),
        file_type: FileType::Regular,
        target: None,
        attributes: Attributes::default(),
    };
    let changes: Vec<Change> = (0..MORE).map(change).collect();

    let n_entries = while_rayon_is_held_up(move || {
        // Copied, since a reader holds them; grown; copied anew, since a spare of another size can't catch up.
        let first = index.shared_tables();
        let n_slots = first.slots().len();
        index.apply(&changes).unwrap();
        assert!(index.tables().slots().len() > n_slots, "the table has not grown");
        index.reuse(first).unwrap();
        index.add_file(ROOT, "last", FileType::Regular).unwrap();
        index.tables().n_entries()
    });
    assert_eq!(n_entries, ENTRIES + MORE + 1);
}
