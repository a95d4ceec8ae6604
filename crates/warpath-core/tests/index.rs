//! The index under random changes: after each, the scalar resolver over the tables agrees with the reference over the names,
//! for every option, and a replica that catches up holds the same tables.

use proptest::prelude::*;
use warpath_core::index::Tables;
use warpath_core::{FileType, Index, InodeId, LookupError, Namespace, Options, reference, resolve};

/// Names are few, so that changes meet.
const NAMES: [&str; 5] = ["a", "b", "c", "dd", "a-name-that-is-longer-than-two-units"];

/// Where links lead: relative and absolute, up and down, to themselves, to nothing.
const TARGETS: [&str; 10] = [
    "a",
    "../b",
    "/a/b",
    "b/",
    ".",
    "/",
    "a/../c",
    "../../a",
    "/c/./dd/",
    "a-name-that-is-longer-than-two-units/a",
];

#[derive(Debug, Clone)]
enum Operation {
    Add(usize, usize, FileType),
    Link(usize, usize, usize),
    HardLink(usize, usize, usize),
    Remove(usize, usize),
    Rename(usize, usize, usize, usize),
    Partial(usize, bool),
    Rekey(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let (dir, name) = (0..8usize, 0..NAMES.len());
    let file_type = prop_oneof![
        Just(FileType::Regular),
        Just(FileType::Directory),
        Just(FileType::Directory),
        Just(FileType::Other),
        Just(FileType::Symlink)
    ];
    prop_oneof![
        4 => (dir.clone(), name.clone(), file_type).prop_map(|(d, n, t)| Operation::Add(d, n, t)),
        3 => (dir.clone(), name.clone(), 0..TARGETS.len()).prop_map(|(d, n, t)| Operation::Link(d, n, t)),
        1 => (dir.clone(), name.clone(), 0..30usize).prop_map(|(d, n, i)| Operation::HardLink(d, n, i)),
        2 => (dir.clone(), name.clone()).prop_map(|(d, n)| Operation::Remove(d, n)),
        3 => (dir.clone(), name.clone(), dir.clone(), name.clone()).prop_map(|(d, n, e, m)| Operation::Rename(d, n, e, m)),
        1 => (dir, any::<bool>()).prop_map(|(d, p)| Operation::Partial(d, p)),
        1 => (1..4usize).prop_map(Operation::Rekey),
    ]
}

fn directories(namespace: &Namespace) -> Vec<InodeId> {
    (0..namespace.inode_bound()).filter(|&inode| namespace.is_directory(inode)).collect()
}

fn carry_out(index: &mut Index, operation: &Operation) {
    let dirs = directories(index.namespace());
    let dir = |i: usize| dirs[i % dirs.len()];
    // Refusals are part of the test: nothing may have changed then.
    let _ = match *operation {
        Operation::Add(d, n, file_type) => index.add_file(dir(d), NAMES[n], file_type).map(|_| ()),
        Operation::Link(d, n, t) => index.add_symlink(dir(d), NAMES[n], TARGETS[t]).map(|_| ()),
        Operation::HardLink(d, n, i) => {
            let bound = index.namespace().inode_bound();
            index.add_hard_link(dir(d), NAMES[n], i as u32 % bound)
        }
        Operation::Remove(d, n) => index.remove(dir(d), NAMES[n]).map(|_| ()),
        Operation::Rename(d, n, e, m) => index.rename(dir(d), NAMES[n], dir(e), NAMES[m]).map(|_| ()),
        Operation::Partial(d, partial) => index.set_partial(dir(d), partial),
        Operation::Rekey(entries) => {
            index.rekey(entries);
            Ok(())
        }
    };
}

/// Paths of one to three components, some odd.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> =
        ["", "/", "//", ".", "..", "/..", "./a", "a/", "a/.", "b/..", "/a//b/", "\0", "/a\0"]
            .map(str::to_owned)
            .to_vec();
    for first in NAMES {
        paths.push(format!("/{first}"));
        paths.push(first.to_owned());
        for second in NAMES {
            paths.push(format!("/{first}/{second}"));
            paths.push(format!("{first}/../{second}"));
            paths.extend(NAMES.map(|third| format!("/{first}/{second}/{third}")));
        }
    }
    paths
}

fn check(index: &Index, paths: &[String]) {
    let namespace = index.namespace();
    let dirs = directories(namespace);
    let start = dirs[dirs.len() / 2];
    for bits in 0..16 {
        let options = Options {
            follow: bits & 1 == 0,
            beneath: bits & 2 != 0,
            no_symlinks: bits & 4 != 0,
            start: if bits & 8 != 0 { start } else { warpath_core::ROOT },
            walk_only: false,
        };
        let plan = index.plan(&options).unwrap();
        for path in paths {
            let expected = reference::resolve(namespace, path.as_bytes(), &options);
            let found = resolve::resolve(&index.tables().view(), &plan, path.as_bytes());
            assert_eq!(found, expected, "{path:?} with {options:?}");
        }
    }
}

fn same_tables(a: &Tables, b: &Tables) -> bool {
    a.slots() == b.slots()
        && a.blocks() == b.blocks()
        && a.dirs() == b.dirs()
        && a.links() == b.links()
        && a.params() == b.params()
        && a.version() == b.version()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_change_keeps_tables_and_names_in_step(operations in prop::collection::vec(operation(), 1..60)) {
        let paths = paths();
        let mut index = Index::build(Namespace::new()).unwrap();
        let mut replica = index.tables().clone();
        for (number, operation) in operations.iter().enumerate() {
            carry_out(&mut index, operation);
            if number % 3 == 0 {
                replica.catch_up(index.tables());
                prop_assert!(same_tables(&replica, index.tables()), "a change was not reported");
            }
            if number % 7 == 0 {
                check(&index, &paths);
            }
        }
        check(&index, &paths);
        while index.rekey(1) {
            check(&index, &paths);
        }
        check(&index, &paths);
        prop_assert_eq!(index.check(), Ok(()));
        let n_entries = index.namespace().n_entries();
        prop_assert_eq!(index.tables().n_entries(), n_entries);
        let rebuilt = Index::build(index.into_namespace()).unwrap();
        prop_assert_eq!(rebuilt.tables().n_entries(), n_entries);
        prop_assert_eq!(rebuilt.check(), Ok(()));
        check(&rebuilt, &paths);
    }
}

/// A directory of more entries than a rename re-keys at once.
fn large_directory(index: &mut Index, parent: InodeId, name: &str) -> InodeId {
    let large = index.add_directory(parent, name).unwrap();
    for i in 0..3000 {
        let directory = index.add_directory(large, format!("d{i}")).unwrap();
        index.add_file(directory, "file", FileType::Regular).unwrap();
    }
    large
}

#[test]
fn a_large_rename_is_answered_before_and_after_its_rekeying() {
    let mut index = Index::build(Namespace::new()).unwrap();
    let large = large_directory(&mut index, 0, "old");
    let id = index.tables().id();
    index.rename(0, "old", 0, "new").unwrap();
    assert!(index.is_rekeying());
    // A new directory in the old place, with the same names below.
    let again = index.add_directory(0, "old").unwrap();
    let twin = index.add_directory(again, "d7").unwrap();
    let paths: Vec<String> =
        ["/old", "/new", "/old/d7", "/new/d7", "/old/d7/file", "/new/d7/file", "/new/d8/../d9/file"]
            .map(str::to_owned)
            .to_vec();
    loop {
        check(&index, &paths);
        let view = index.tables().view();
        let plan = index.plan(&Options::default()).unwrap();
        assert_eq!(resolve::resolve(&view, &plan, b"/old/d7"), Ok(twin));
        assert_eq!(resolve::resolve(&view, &plan, b"/new"), Ok(large));
        if !index.rekey(500) {
            break;
        }
    }
    assert!(!index.is_rekeying());
    assert_eq!(index.tables().id(), id, "two directories had one state, so that all was built anew");
    check(&index, &paths);
}

#[test]
fn links_follow_a_directory_that_moves() {
    let mut index = Index::build(Namespace::new()).unwrap();
    let [from, to] = ["from", "to"].map(|name| index.add_directory(0, name).unwrap());
    let here = index.add_file(from, "b", FileType::Regular).unwrap();
    let moving = index.add_directory(from, "moving").unwrap();
    index.add_symlink(moving, "up", "../b").unwrap();
    index.add_symlink(0, "over", "/to/moving/up").unwrap();
    let resolved = |index: &Index, path: &str| {
        let plan = index.plan(&Options::default()).unwrap();
        resolve::resolve(&index.tables().view(), &plan, path.as_bytes())
    };
    assert_eq!(resolved(&index, "/from/moving/up"), Ok(here));
    index.rename(from, "moving", to, "moving").unwrap();
    assert_eq!(resolved(&index, "/to/moving/up"), Err(LookupError::NotFound));
    assert_eq!(resolved(&index, "/over"), Err(LookupError::NotFound));
    let there = index.add_file(to, "b", FileType::Regular).unwrap();
    assert_eq!(resolved(&index, "/to/moving/up"), Ok(there));
    assert_eq!(resolved(&index, "/over"), Ok(there));
}

#[test]
fn directories_that_swap_places_are_rekeyed() {
    let mut index = Index::build(Namespace::new()).unwrap();
    large_directory(&mut index, 0, "a");
    large_directory(&mut index, 0, "b");
    index.rename(0, "a", 0, "t").unwrap();
    index.rename(0, "b", 0, "a").unwrap();
    index.rename(0, "t", 0, "b").unwrap();
    let paths: Vec<String> = ["/a/d1/file", "/b/d1/file", "/t/d1/file"].map(str::to_owned).to_vec();
    let id = index.tables().id();
    let mut rounds = 0;
    while index.rekey(1000) {
        check(&index, &paths);
        rounds += 1;
        assert!(rounds < 1000, "re-keying makes no progress");
    }
    assert_eq!(index.tables().id(), id, "two directories had one state, so that all was built anew");
    check(&index, &paths);
}

#[test]
fn directories_deeper_than_a_path_are_reached_from_below() {
    let mut index = Index::build(Namespace::new()).unwrap();
    let name = "n".repeat(250);
    let mut directory = 0;
    let mut chain = vec![];
    for _ in 0..40 {
        directory = index.add_directory(directory, &name).unwrap();
        chain.push(directory);
    }
    index.add_file(directory, "end", FileType::Regular).unwrap();
    index.add_symlink(0, "half", [name.as_str(); 15].join("/")).unwrap();
    let paths: Vec<String> = vec![
        format!("{}/end", [name.as_str(); 10].join("/")),
        format!("/half/{}", [name.as_str(); 15].join("/")),
        "../../end".to_owned(),
    ];
    for options in
        [Options::default(), Options::default().start(chain[29]), Options::default().start(chain[39])]
    {
        let plan = index.plan(&options).unwrap();
        for path in &paths {
            assert_eq!(
                resolve::resolve(&index.tables().view(), &plan, path.as_bytes()),
                reference::resolve(index.namespace(), path.as_bytes(), &options)
            );
        }
    }
    let rebuilt = Index::build(index.into_namespace()).unwrap();
    check(&rebuilt, &paths);
}
