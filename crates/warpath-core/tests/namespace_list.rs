//! Lists of paths in any order give the tree that a naive reading of them gives.

use proptest::prelude::*;
use std::collections::BTreeMap;
use warpath_core::namespace::{ListBuilder, ListSummary};
use warpath_core::{FileType, Namespace};

/// Every path of the tree, with its type.
fn tree_of(namespace: &Namespace) -> BTreeMap<Vec<u8>, FileType> {
    let mut tree = BTreeMap::new();
    for entry in (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)) {
        assert_eq!(namespace.child(entry.parent, entry.name), Some(entry.inode));
        let path = namespace.path_of(entry.inode).unwrap();
        assert_eq!(tree.insert(path, namespace.file_type(entry.inode).unwrap()), None);
    }
    assert_eq!(tree.len(), namespace.n_entries());
    let listed: usize = (0..namespace.inode_bound()).map(|inode| namespace.list(inode).count()).sum();
    assert_eq!(listed, tree.len());
    tree
}

/// The same, from the list alone.
fn expected(list: &[Vec<u8>]) -> (BTreeMap<Vec<u8>, FileType>, u64) {
    let (mut tree, mut n_refused) = (BTreeMap::new(), 0);
    for path in list {
        let names: Vec<&[u8]> =
            path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
        if names.iter().any(|name| *name == b".." || name.len() > 255 || name.contains(&0)) {
            n_refused += 1;
            continue;
        }
        let mut at = Vec::new();
        for (i, name) in names.iter().enumerate() {
            at.push(b'/');
            at.extend_from_slice(name);
            let last = i + 1 == names.len() && !path.ends_with(b"/") && !path.ends_with(b"/.");
            let file_type = tree.entry(at.clone()).or_insert(FileType::Regular);
            if !last {
                *file_type = FileType::Directory;
            }
        }
    }
    (tree, n_refused)
}

fn build(list: &[Vec<u8>]) -> (Namespace, ListSummary) {
    let mut builder = ListBuilder::new();
    for path in list {
        builder.push(path, FileType::Regular);
    }
    builder.finish()
}

fn check(list: &[Vec<u8>]) {
    let (namespace, summary) = build(list);
    let (tree, n_refused) = expected(list);
    assert_eq!(tree_of(&namespace), tree);
    assert_eq!((summary.n_paths, summary.n_refused), (list.len() as u64, n_refused));
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let component = prop_oneof![
        30 => "[a-c]{1,2}",
        // Around the slash in the order of bytes.
        10 => "[a-b][-./0]{1,2}",
        2 => Just(String::new()),
        2 => Just(".".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just("\0".to_owned()),
        1 => Just("y".repeat(256)),
    ];
    (prop_oneof![Just("/"), Just(""), Just("./")], proptest::collection::vec(component, 0..5))
        .prop_map(|(start, components)| [start, &components.join("/")].concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_list_gives_the_tree_that_it_says(
        mut list in proptest::collection::vec(path(), 0..40),
        sorted_from in 0usize..40,
    ) {
        check(&list);
        // Partly, then wholly in the order of bytes.
        let sorted_from = sorted_from.min(list.len());
        list[..sorted_from].sort();
        check(&list);
        list.sort();
        check(&list);
        list.dedup();
        check(&list);
    }

    /// As sorted lists are without odd paths: never looked up.
    #[test]
    fn clean_sorted_lists(names in proptest::collection::btree_set("(/[a-b]{1,2}[-.]{0,2}){1,4}", 0..60)) {
        check(&names.into_iter().map(String::into_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_as_find_writes_it(paths in proptest::collection::vec(path(), 0..40), reverse in any::<bool>()) {
        let (tree, _) = expected(&paths);
        let mut list: Vec<Vec<u8>> = tree.into_keys().collect();
        // A directory before what it holds; siblings in some other order than that of bytes.
        list.sort_by_key(|path| {
            let turned = |byte: u8| if reverse && byte != b'/' { !byte } else { byte };
            path.iter().map(|&byte| if byte == b'/' { 0 } else { u16::from(turned(byte)) + 1 }).collect::<Vec<_>>()
        });
        check(&list);
    }
}
