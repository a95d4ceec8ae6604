//! The namespace's refusals, its memory, and its behaviour in the large.

use std::time::{Duration, Instant};
use warpath_core::{Attributes, FileType, InodeId, Namespace, NamespaceError, ROOT};

/// `/d`, `/d/f`, `/d/e`, `/l -> d/f`, and `/h`, a hard link of `/d/f`.
fn small() -> (Namespace, [InodeId; 4]) {
    let mut namespace = Namespace::new();
    let d = namespace.add_directory(ROOT, "d").unwrap();
    let f = namespace.add_file(d, "f", FileType::Regular).unwrap();
    let e = namespace.add_directory(d, "e").unwrap();
    let l = namespace.add_symlink(ROOT, "l", "d/f").unwrap();
    namespace.add_hard_link(ROOT, "h", f).unwrap();
    (namespace, [d, f, e, l])
}

/// Everything that can be seen of a tree.
fn picture(namespace: &Namespace) -> Vec<String> {
    let mut lines: Vec<String> = (0..namespace.entry_bound())
        .filter_map(|id| namespace.entry(id))
        .map(|entry| {
            format!(
                "{:?} {:?} {:?} {:?} {:?}",
                namespace.path_of(entry.parent),
                entry,
                namespace.file_type(entry.inode),
                namespace.target(entry.inode),
                namespace.child(entry.parent, entry.name)
            )
        })
        .collect();
    lines.sort();
    lines.push(format!("{} {}", namespace.n_entries(), namespace.n_inodes()));
    lines
}

#[test]
fn every_refusal_is_typed_and_changes_nothing() {
    use NamespaceError::*;
    let (mut namespace, [d, f, e, l]) = small();
    let before = picture(&namespace);
    let long = "x".repeat(256);
    let nowhere = 999;
    let bad_names = [
        ("", EmptyName),
        (".", DotName),
        ("..", DotName),
        ("a/b", ForbiddenByte),
        ("/", ForbiddenByte),
        ("a\0", ForbiddenByte),
        (&long, NameTooLong { len: 256 }),
    ];
    for (name, error) in bad_names {
        assert_eq!(namespace.add_file(d, name, FileType::Regular), Err(error), "{name:?}");
        assert_eq!(namespace.add_directory(d, name), Err(error));
        assert_eq!(namespace.add_symlink(d, name, "x"), Err(error));
        assert_eq!(namespace.add_hard_link(d, name, f), Err(error));
        assert_eq!(namespace.remove(d, name), Err(error));
        assert_eq!(namespace.rename(d, name, d, "x"), Err(error));
        assert_eq!(namespace.rename(d, "f", d, name), Err(error));
    }
    for (parent, error) in [
        (nowhere, NoSuchInode { inode: nowhere }),
        (u32::MAX, NoSuchInode { inode: u32::MAX }),
        (f, NotADirectory { inode: f }),
        (l, NotADirectory { inode: l }),
    ] {
        assert_eq!(namespace.add_file(parent, "x", FileType::Regular), Err(error));
        assert_eq!(namespace.add_hard_link(parent, "x", f), Err(error));
        assert_eq!(namespace.remove(parent, "x"), Err(error));
        assert_eq!(namespace.rename(parent, "x", d, "y"), Err(error));
        assert_eq!(namespace.rename(d, "f", parent, "y"), Err(error));
        assert_eq!(namespace.set_partial(parent, true), Err(error));
    }
    for target in ["", "a\0b", &"x".repeat(4096)] {
        assert_eq!(namespace.add_symlink(d, "new", target), Err(BadTarget));
    }
    assert_eq!(namespace.add_file(ROOT, "d", FileType::Regular), Err(NameTaken { inode: d }));
    assert_eq!(namespace.add_directory(ROOT, "h"), Err(NameTaken { inode: f }));
    assert_eq!(namespace.add_hard_link(d, "x", e), Err(IsADirectory { inode: e }));
    assert_eq!(namespace.add_hard_link(d, "x", ROOT), Err(IsADirectory { inode: ROOT }));
    assert_eq!(namespace.add_hard_link(d, "x", nowhere), Err(NoSuchInode { inode: nowhere }));
    assert_eq!(namespace.remove(d, "x"), Err(NoSuchEntry));
    assert_eq!(namespace.remove(ROOT, "d"), Err(NotEmpty { inode: d }));
    assert_eq!(namespace.rename(d, "x", d, "y"), Err(NoSuchEntry));
    assert_eq!(namespace.rename(ROOT, "d", d, "d"), Err(IntoItself));
    assert_eq!(namespace.rename(ROOT, "d", e, "d"), Err(IntoItself));
    assert_eq!(namespace.rename(ROOT, "d", ROOT, "h"), Err(NotADirectory { inode: f }));
    assert_eq!(namespace.rename(ROOT, "d", ROOT, "l"), Err(NotADirectory { inode: l }));
    assert_eq!(namespace.rename(d, "f", d, "e"), Err(IsADirectory { inode: e }));
    // As the kernel: what lies below the replaced directory keeps it from being empty, whatever it is.
    assert_eq!(namespace.rename(d, "f", ROOT, "d"), Err(NotEmpty { inode: d }));
    assert_eq!(namespace.rename(d, "e", ROOT, "d"), Err(NotEmpty { inode: d }));
    assert_eq!(namespace.set_attributes(nowhere, Attributes::default()), Err(NoSuchInode { inode: nowhere }));
    assert_eq!(picture(&namespace), before);

    let g = namespace.add_directory(ROOT, "g").unwrap();
    assert_eq!(namespace.rename(ROOT, "g", ROOT, "d"), Err(NotEmpty { inode: d }));
    assert!(!namespace.rename(d, "e", ROOT, "g").unwrap().unchanged);
    assert_eq!((namespace.child(ROOT, b"g"), namespace.file_type(g)), (Some(e), None));
}

#[test]
fn what_rename_leaves_alone() {
    let (mut namespace, [d, f, ..]) = small();
    let before = picture(&namespace);
    for (from, name, to, new_name) in
        [(d, "f", d, "f"), (d, "f", ROOT, "h"), (ROOT, "h", d, "f"), (ROOT, "d", ROOT, "d")]
    {
        let renamed = namespace.rename(from, name, to, new_name).unwrap();
        assert!(renamed.unchanged && renamed.replaced.is_none());
    }
    assert_eq!(picture(&namespace), before);
    // The first entry of a hard-linked file is replaced: the other one becomes the first.
    namespace.add_file(ROOT, "new", FileType::Other).unwrap();
    let replaced = namespace.rename(ROOT, "new", d, "f").unwrap().replaced.unwrap();
    assert_eq!((replaced.inode, replaced.last), (f, false));
    assert_eq!(namespace.path_of(f), Some(b"/h".to_vec()));
}

#[test]
fn nothing_is_found_where_nothing_can_be() {
    let (namespace, [d, f, ..]) = small();
    for name in [&b""[..], b".", b"..", b"/", b"d/f", b"d\0", &[b'x'; 300]] {
        assert_eq!(namespace.child(ROOT, name), None);
    }
    assert_eq!((namespace.child(f, b"f"), namespace.child(77, b"f")), (None, None));
    assert_eq!((namespace.list(f).count(), namespace.n_children(f), namespace.list(77).count()), (0, 0, 0));
    assert_eq!(
        (namespace.entry(0), namespace.entry(usize::MAX), namespace.entry_of(u32::MAX)),
        (None, None, None)
    );
    assert_eq!((namespace.target(f), namespace.target(d), namespace.path_of(77)), (None, None, None));
    assert_eq!(namespace.parent(ROOT), Some(ROOT));
}

fn add_many(namespace: &mut Namespace, parent: InodeId, names: impl Iterator<Item = String>) {
    for name in names {
        namespace.add_file(parent, name, FileType::Regular).unwrap();
    }
}

/// A million entries in one directory take about as long as anywhere: no step is linear in its size.
#[test]
fn a_directory_of_a_million_entries() {
    let start = Instant::now();
    let mut namespace = Namespace::new();
    let n = 1_000_000;
    add_many(&mut namespace, ROOT, (0..n).map(|i| format!("file{i:07}")));
    assert!(namespace.memory() < 40 * n, "{} bytes an entry", namespace.memory() / n);
    for i in 0..n {
        assert!(namespace.child(ROOT, format!("file{i:07}").as_bytes()).is_some());
        assert!(namespace.child(ROOT, format!("none{i:07}").as_bytes()).is_none());
    }
    for i in 0..n / 2 {
        namespace.rename(ROOT, format!("file{i:07}"), ROOT, format!("moved{i:07}")).unwrap();
    }
    for i in (0..n).rev() {
        let name = if i < n / 2 { format!("moved{i:07}") } else { format!("file{i:07}") };
        namespace.remove(ROOT, name).unwrap();
    }
    assert_eq!((namespace.n_entries(), namespace.n_children(ROOT)), (0, 0));
    // Seconds here; hours if any step were linear.
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
}

#[test]
fn coming_and_going_takes_no_more_memory() {
    let mut namespace = Namespace::new();
    let d = namespace.add_directory(ROOT, "d").unwrap();
    let n = 20_000;
    add_many(&mut namespace, d, (0..n).map(|i| format!("{i}")));
    for i in 0..n {
        namespace.add_symlink(ROOT, format!("{i}"), format!("target {i}")).unwrap();
    }
    let (memory, bound) = (namespace.memory(), namespace.inode_bound());
    for i in n..20 * n {
        namespace.remove(d, format!("{}", i - n)).unwrap();
        namespace.add_file(d, format!("{i}"), FileType::Regular).unwrap();
        namespace.remove(ROOT, format!("{}", i - n)).unwrap();
        namespace.add_symlink(ROOT, format!("{i}"), format!("target {i}")).unwrap();
    }
    assert_eq!(namespace.inode_bound(), bound);
    assert!(namespace.memory() < 2 * memory, "{} bytes, {memory} before", namespace.memory());
    for i in 19 * n..20 * n {
        let name = format!("{i}");
        assert!(namespace.child(d, name.as_bytes()).is_some());
        let link = namespace.child(ROOT, name.as_bytes()).unwrap();
        assert_eq!(namespace.target(link), Some(format!("target {i}").as_bytes()));
    }
    // One name that changes for ever.
    for i in 0..200_000 {
        namespace
            .rename(
                ROOT,
                format!("d{}", if i == 0 { String::new() } else { i.to_string() }),
                ROOT,
                format!("d{}", i + 1),
            )
            .unwrap();
    }
    assert!(namespace.memory() < 2 * memory, "{} bytes, {memory} before", namespace.memory());
}

/// An id is used again for its class alone, so that record numbers stay.
#[test]
fn ids_are_used_again_within_their_class() {
    let (mut namespace, [_, _, e, l]) = small();
    let d = namespace.child(ROOT, b"d").unwrap();
    namespace.set_partial(e, true).unwrap();
    namespace.set_attributes(l, Attributes { size: Some(9), ..Attributes::default() }).unwrap();
    assert!(namespace.remove(d, "e").unwrap().last && namespace.remove(ROOT, "l").unwrap().last);
    assert_eq!((namespace.n_partial(), namespace.attributes(l), namespace.target(l)), (0, None, None));
    let bound = namespace.inode_bound();
    assert_eq!(namespace.add_file(d, "x", FileType::Regular), Ok(bound));
    assert_eq!(namespace.add_directory(d, "y"), Ok(e));
    assert_eq!(namespace.add_file(d, "z", FileType::Symlink), Ok(l));
    assert_eq!((namespace.is_partial(e), namespace.target(l)), (false, None));
    assert_eq!(namespace.attributes(l), Some(Attributes::default()));
    assert!(namespace.remove(d, "x").unwrap().last);
    assert_eq!(namespace.add_file(d, "x", FileType::Other), Ok(bound));
    assert_eq!(namespace.file_type(bound), Some(FileType::Other));
}
