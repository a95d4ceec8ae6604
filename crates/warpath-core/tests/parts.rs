//! Columns as a file holds them: they make the same index again; and damaged ones are found by the check, and at worst give
//! wrong answers: reading them never panics, hangs or leaves the bounds.

use proptest::prelude::*;
use warpath_core::index::TableParts;
use warpath_core::namespace::parts::NamespaceParts;
use warpath_core::{Attributes, FileType, Index, Namespace, Options, ROOT, reference, resolve};

/// Every kind of entry: directories small and large, links of every sort, hard links, of links too, and free ids.
fn index() -> Index {
    let mut tree = Namespace::new();
    let usr = tree.add_directory(ROOT, "usr").unwrap();
    let lib = tree.add_directory(usr, "lib").unwrap();
    for i in 0..100 {
        let file = tree.add_file(lib, format!("lib{i}.so"), FileType::Regular).unwrap();
        tree.set_attributes(file, Attributes { ino: Some(i), size: Some(2 * i), ..Attributes::default() })
            .unwrap();
    }
    let inside = tree.add_directory(lib, "inside").unwrap();
    let link = tree.add_symlink(ROOT, "lib", "usr/lib").unwrap();
    tree.add_symlink(ROOT, "loop", "loop").unwrap();
    tree.add_symlink(inside, "up", "../../lib/./lib3.so").unwrap();
    tree.add_hard_link(inside, "another", link).unwrap();
    tree.add_hard_link(inside, "third", link).unwrap();
    let file = tree.add_file(inside, "file", FileType::Regular).unwrap();
    for i in 0..5 {
        tree.add_hard_link(usr, format!("hard{i}"), file).unwrap();
    }
    tree.add_file(ROOT, "null", FileType::Other).unwrap();
    for name in ["lib7.so", "lib8.so"] {
        tree.remove(lib, name).unwrap();
    }
    tree.remove(usr, "hard3").unwrap();
    tree.remove(inside, "third").unwrap();
    let seen = tree.add_directory(usr, "seen").unwrap();
    tree.set_partial(seen, true).unwrap();
    Index::build(tree).unwrap()
}

const PATHS: [&[u8]; 12] = [
    b"/",
    b"lib/lib1.so",
    b"/usr/lib/lib99.so",
    b"usr/lib/inside/up",
    b"loop",
    b"usr/hard1/",
    b"usr/../null",
    b"usr/seen/x",
    b"usr/lib/inside/another/lib2.so",
    b"none",
    b"usr/lib/inside/../../../lib/inside/file",
    b"usr/lib/lib7.so",
];

fn parts(index: &Index) -> (NamespaceParts, TableParts) {
    (index.namespace().view().to_parts(), index.tables().to_parts())
}

fn all_options() -> impl Iterator<Item = Options> {
    (0..8).map(|bits| Options {
        follow: bits & 1 == 0,
        beneath: bits & 2 != 0,
        no_symlinks: bits & 4 != 0,
        ..Options::default()
    })
}

/// Whether tables and names give the same answers.
fn agree(index: &Index) -> bool {
    all_options().all(|options| {
        let Ok(plan) = index.plan(&options) else { return false };
        PATHS.iter().all(|path| {
            resolve::resolve(&index.tables().view(), &plan, path)
                == reference::resolve(index.namespace(), path, &options)
        })
    })
}

#[test]
fn parts_make_the_same_index() {
    let index = index();
    let (namespace, tables) = parts(&index);
    let mut again = Index::from_parts(Namespace::from_parts(namespace).unwrap(), tables).unwrap();
    assert_eq!(again.check(), Ok(()));
    assert!(agree(&again));
    // And it can go on from there.
    let usr = again.namespace().child(ROOT, b"usr").unwrap();
    let file = again.namespace().child(usr, b"hard1").unwrap();
    assert_eq!(again.namespace().entries_of(file).count(), 5);
    again.add_hard_link(ROOT, "more", file).unwrap();
    again.remove(usr, "hard1").unwrap();
    again.rename(ROOT, "usr", ROOT, "moved").unwrap();
    while again.rekey(10) {}
    assert_eq!(again.check(), Ok(()));
    assert!(agree(&again));
}

/// The bytes of a column by its number.
fn column<'p>(namespace: &'p mut NamespaceParts, tables: &'p mut TableParts, number: usize) -> &'p mut [u8] {
    use bytemuck::cast_slice_mut as bytes;
    match number {
        0 => &mut namespace.names,
        1 => bytes(&mut namespace.blocks),
        2 => bytes(&mut namespace.other),
        3 => bytes(&mut namespace.parents),
        4 => bytes(&mut namespace.name_at),
        5 => bytes(&mut namespace.directories),
        6 => bytes(&mut namespace.child_ids),
        7 => &mut namespace.child_tags,
        8 => bytes(&mut namespace.hard_links),
        9 => bytes(&mut namespace.target_at),
        10 => &mut namespace.targets,
        11 => bytes(&mut namespace.ino),
        12 => bytes(&mut tables.slots),
        13 => bytes(&mut tables.blocks),
        14 => bytes(&mut tables.dirs),
        15 => bytes(&mut tables.links),
        _ => bytes(&mut tables.key),
    }
}

/// Reads everything that can be read.
fn read_all(index: &Index) {
    let namespace = index.namespace();
    for id in 0..namespace.entry_bound() {
        let Some(entry) = namespace.entry(id) else { continue };
        let _ = namespace.path_of(entry.inode);
        let _ = namespace.entries_of(entry.inode).count();
        let _ = namespace.list(entry.inode).map(|entry| entry.name.len()).sum::<usize>();
        let _ = namespace.child(entry.parent, entry.name);
        let _ = namespace.target(entry.inode);
        let _ = namespace.attributes(entry.inode);
        let _ = (namespace.n_children(entry.inode), namespace.is_partial(entry.inode));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn damage_is_survived_and_found(
        damages in prop::collection::vec((0..17usize, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        thread_local! { static PARTS: (NamespaceParts, TableParts) = parts(&index()); }
        let (mut namespace, mut tables) = PARTS.with(Clone::clone);
        for (number, at, value, flip) in damages {
            let bytes = column(&mut namespace, &mut tables, number);
            if !bytes.is_empty() {
                let byte = &mut bytes[at.index(bytes.len())];
                *byte = if flip { *byte ^ 1 << (value % 8) } else { value };
            }
        }
        let Some(namespace) = Namespace::from_parts(namespace) else { return Ok(()) };
        let Some(index) = Index::from_parts(namespace, tables) else { return Ok(()) };
        read_all(&index);
        let agree = agree(&index);
        if index.check().is_ok() {
            prop_assert!(agree, "the check finds nothing, and answers differ");
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused(number in 0..17usize) {
        let (mut namespace, tables) = parts(&index());
        match number {
            1 => namespace.blocks.vec().truncate(1),
            2 => namespace.other.vec().truncate(1),
            3 => namespace.parents.vec().truncate(7),
            4 => namespace.name_at.vec().truncate(7),
            5 => namespace.directories.vec().truncate(2),
            6 => namespace.child_ids.vec().truncate(8),
            7 => namespace.child_tags.vec().truncate(8),
            9 => namespace.target_at.vec().extend([0; 64]),
            _ => namespace.numbers.n_inodes = u64::MAX,
        }
        prop_assert!(Namespace::from_parts(namespace).is_none());
        drop(tables);
    }
}
