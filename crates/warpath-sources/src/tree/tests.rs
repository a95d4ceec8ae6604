use super::*;
use crate::testing::paths;

fn record<'a>(path: &'a str, kind: Kind<'a>) -> Record<'a> {
    Record { path: path.as_bytes(), kind, attributes: None }
}

fn tree(rules: Rules, records: &[(&str, Kind<'_>)]) -> (Namespace, Summary) {
    let mut tree = Tree::new(rules);
    for (path, kind) in records {
        tree.add(&record(path, *kind)).unwrap();
    }
    tree.finish().unwrap()
}

const ARCHIVE: Rules = Rules { follow_links: true, untyped: false };
const UNTYPED: Rules = Rules { follow_links: false, untyped: true };
const LINK: Kind<'static> = Kind::Symlink(Some(b"usr/lib"));

#[test]
fn parents_are_made_and_counted_once() {
    let (namespace, summary) = tree(
        Rules::default(),
        &[("a/b/c", Kind::File), ("a/b/d", Kind::File), ("a/e", Kind::File), ("a", Kind::Directory)],
    );
    assert_eq!(paths(&namespace), ["/a/", "/a/b/", "/a/b/c", "/a/b/d", "/a/e"]);
    assert_eq!((summary.records, summary.parents_made, summary.duplicates), (4, 1, 0));
}

#[test]
fn any_order_gives_the_same_tree() {
    let records = [
        ("x/a", Kind::File),
        ("x/b/c", Kind::File),
        ("y", Kind::File),
        ("x/b", Kind::Directory),
        ("x", Kind::Directory),
    ];
    let expected = paths(&tree(Rules::default(), &records).0);
    for rotation in 0..records.len() {
        let mut records = records;
        records.rotate_left(rotation);
        assert_eq!(paths(&tree(Rules::default(), &records).0), expected);
        records.reverse();
        assert_eq!(paths(&tree(Rules::default(), &records).0), expected);
    }
}

#[test]
fn neighbours_that_share_letters_but_no_directory() {
    let (namespace, _) = tree(
        Rules::default(),
        &[
            ("ab/c/d", Kind::File),
            ("ab/cc", Kind::File),
            ("abc", Kind::File),
            ("ab/c", Kind::Directory),
            ("a/c/d", Kind::File),
            ("ab/c/e", Kind::File),
        ],
    );
    assert_eq!(
        paths(&namespace),
        ["/a/", "/a/c/", "/a/c/d", "/ab/", "/ab/c/", "/ab/c/d", "/ab/c/e", "/ab/cc", "/abc"]
    );
}

#[test]
fn a_file_with_something_below_becomes_a_directory() {
    let records = [("a", Kind::File), ("a/b", Kind::File)];
    let (namespace, summary) = tree(Rules::default(), &records);
    assert_eq!(paths(&namespace), ["/a/", "/a/b"]);
    assert_eq!(summary.file_and_directory, 1);

    let (namespace, summary) = tree(Rules::default(), &[records[1], records[0]]);
    assert_eq!(paths(&namespace), ["/a/", "/a/b"]);
    assert_eq!(summary.file_and_directory, 1);

    let (_, summary) = tree(UNTYPED, &[("a", Kind::Unknown), ("a/b", Kind::Unknown), ("a", Kind::Unknown)]);
    assert_eq!((summary.file_and_directory, summary.duplicates, summary.parents_made), (0, 1, 0));
}

#[test]
fn spellings_are_worked_out_on_the_text() {
    let (namespace, summary) = tree(
        Rules::default(),
        &[
            ("./a//b", Kind::File),
            ("/a/./c", Kind::File),
            ("a/../../../d", Kind::File),
            ("e/..", Kind::Directory),
            ("f/", Kind::File),
            ("/", Kind::Directory),
            (".", Kind::Directory),
        ],
    );
    assert_eq!(paths(&namespace), ["/a/", "/a/b", "/a/c", "/d", "/f/"]);
    assert_eq!((summary.respelled, summary.outside), (4, 1));
}

#[test]
fn what_is_no_path_is_refused() {
    let long = "n".repeat(256);
    let (namespace, summary) = tree(
        Rules::default(),
        &[("", Kind::File), ("a\0b", Kind::File), (&long, Kind::File), ("ok", Kind::File)],
    );
    assert_eq!(paths(&namespace), ["/ok"]);
    assert_eq!((summary.records, summary.refused), (4, 3));
    assert_eq!(summary.first_refused.as_deref(), Some("``: there is no path"));
}

#[test]
fn the_last_record_of_a_path_holds() {
    let (namespace, summary) = tree(
        Rules::default(),
        &[("l", Kind::File), ("l", Kind::Symlink(Some(b"x"))), ("l", Kind::Symlink(Some(b"y")))],
    );
    assert_eq!(paths(&namespace), ["/l -> y"]);
    assert_eq!(summary.duplicates, 2);
    let bad = tree(Rules::default(), &[("l", Kind::Symlink(Some(b""))), ("l/x", Kind::File)]);
    assert_eq!(
        (paths(&bad.0), bad.1.bad_targets, bad.1.file_and_directory),
        (vec!["/l/".into(), "/l/x".into()], 1, 1)
    );
}

#[test]
fn archives_go_through_links_inside_the_root() {
    let (namespace, summary) = tree(
        ARCHIVE,
        &[
            ("usr/lib", Kind::Directory),
            ("lib", LINK),
            ("lib/x", Kind::File),
            ("lib/y", Kind::File),
            ("up", Kind::Symlink(Some(b"../../../usr"))),
            ("up/z", Kind::File),
        ],
    );
    assert_eq!(
        paths(&namespace),
        [
            "/lib -> usr/lib",
            "/up -> ../../../usr",
            "/usr/",
            "/usr/lib/",
            "/usr/lib/x",
            "/usr/lib/y",
            "/usr/z"
        ]
    );
    assert_eq!((summary.through_links, summary.file_and_directory), (3, 0));

    // A link to nothing, and one in a circle: the directory holds.
    let (namespace, summary) = tree(
        ARCHIVE,
        &[
            ("lib", LINK),
            ("lib/x", Kind::File),
            ("loop", Kind::Symlink(Some(b"loop"))),
            ("loop/x", Kind::File),
        ],
    );
    assert_eq!(paths(&namespace), ["/lib/", "/lib/x", "/loop/", "/loop/x"]);
    assert_eq!(summary.file_and_directory, 2);
}

#[test]
fn hard_links_may_come_before_their_target() {
    let (namespace, summary) = tree(
        ARCHIVE,
        &[
            ("b", Kind::HardLink(b"./a")),
            ("a", Kind::File),
            ("c", Kind::HardLink(b"/a")),
            ("d", Kind::HardLink(b"none")),
            ("e", Kind::HardLink(b"e")),
            ("dir", Kind::Directory),
            ("f", Kind::HardLink(b"dir")),
        ],
    );
    assert_eq!(paths(&namespace), ["/a", "/b", "/c", "/d", "/dir/", "/e", "/f"]);
    let inode = |name: &[u8]| namespace.child(ROOT, name).unwrap();
    assert_eq!((inode(b"a"), inode(b"a")), (inode(b"b"), inode(b"c")));
    assert_ne!(inode(b"a"), inode(b"d"));
    assert_eq!(summary.broken_hard_links, 3);
}

#[test]
fn excluded_directories_stay_and_are_partial() {
    let exclude = |path: &[u8]| path.ends_with(b"cache");
    let mut tree = Tree::new(Rules::default()).exclude(Some(&exclude));
    for (path, kind) in [
        ("a/cache/x", Kind::File),
        ("a/cache/y/z", Kind::File),
        ("a/b", Kind::File),
        ("cache", Kind::Directory),
        ("a/b.cache", Kind::File),
    ] {
        tree.add(&record(path, kind)).unwrap();
    }
    let (namespace, summary) = tree.finish().unwrap();
    assert_eq!(paths(&namespace), ["/a/", "/a/b", "/a/b.cache", "/a/cache/", "/cache/"]);
    assert_eq!((summary.excluded, namespace.n_partial()), (2, 2));
    let options = Options::default();
    assert_eq!(
        reference::resolve(&namespace, b"a/cache/x", &options),
        Err(warpath_core::LookupError::NotIndexed)
    );
    assert_eq!(reference::resolve(&namespace, b"a/x", &options), Err(warpath_core::LookupError::NotFound));
}

#[test]
fn layers_replace_join_and_white_out() {
    let mut tree = Tree::new(ARCHIVE);
    let mut layer = |records: &[(&str, Kind<'_>)]| {
        tree.begin_layer().unwrap();
        for (path, kind) in records {
            match path.strip_prefix("-") {
                Some("opaque") => tree.white_out_children(b"opaque").unwrap(),
                Some(path) => tree.white_out(path.as_bytes()).unwrap(),
                None => drop(tree.add(&record(path, *kind)).unwrap()),
            }
        }
    };
    layer(&[
        ("joined/low", Kind::File),
        ("gone/x/y", Kind::File),
        ("dir/x", Kind::File),
        ("file", Kind::File),
        ("opaque/low", Kind::File),
        ("opaque/sub/low", Kind::File),
        ("opaque/sub/deep/low", Kind::File),
        ("kept", Kind::File),
        ("redone/low", Kind::File),
    ]);
    layer(&[
        ("joined", Kind::Directory),
        ("joined/up", Kind::File),
        ("-gone", Kind::File),
        ("dir", Kind::File),
        ("file/x", Kind::File),
        ("opaque/up", Kind::File),
        ("opaque/sub/up", Kind::File),
        ("-opaque", Kind::File),
        ("-none", Kind::File),
        ("-no/such", Kind::File),
        // A whiteout removes what lower layers hold, not what its own layer puts there.
        ("kept", Kind::File),
        ("-kept", Kind::File),
        ("redone/up", Kind::File),
        ("-redone", Kind::File),
    ]);
    let (namespace, summary) = tree.finish().unwrap();
    assert_eq!(
        paths(&namespace),
        [
            "/dir",
            "/file/",
            "/file/x",
            "/joined/",
            "/joined/low",
            "/joined/up",
            "/kept",
            "/opaque/",
            "/opaque/sub/",
            "/opaque/sub/up",
            "/opaque/up",
            "/redone/",
            "/redone/up"
        ]
    );
    assert_eq!((summary.replaced, summary.whited_out), (3, 5));
    assert_eq!((summary.duplicates, summary.file_and_directory), (0, 0));
}

/// The name is of the layer that links it, the inode is not: its other names are still what lower layers hold.
#[test]
fn whiteouts_of_what_the_same_layer_links() {
    let mut tree = Tree::new(ARCHIVE);
    let add = |tree: &mut Tree<'_>, path, kind| tree.add(&record(path, kind)).unwrap();
    tree.begin_layer().unwrap();
    for path in ["a", "d/low", "e/low", "same"] {
        add(&mut tree, path, Kind::File);
    }
    add(&mut tree, "same2", Kind::HardLink(b"same"));
    tree.begin_layer().unwrap();
    add(&mut tree, "b", Kind::HardLink(b"a"));
    tree.white_out(b"a").unwrap();
    add(&mut tree, "d/new", Kind::HardLink(b"d/low"));
    tree.white_out_children(b"d").unwrap();
    // What a layer links stays, also where it was so before.
    add(&mut tree, "e/new", Kind::HardLink(b"e/low"));
    add(&mut tree, "same2", Kind::HardLink(b"same"));
    for path in ["b", "e/new", "same2"] {
        tree.white_out(path.as_bytes()).unwrap();
    }
    assert_eq!(
        paths(tree.namespace()),
        ["/b", "/d/", "/d/new", "/e/", "/e/low", "/e/new", "/same", "/same2"]
    );
    assert_eq!(tree.summary_mut().whited_out, 2);
    tree.begin_layer().unwrap();
    tree.white_out(b"b").unwrap();
    assert_eq!(paths(&tree.finish().unwrap().0)[0], "/d/");
}

#[test]
fn refused_records_leave_no_parents_behind() {
    let long = format!("new/{}", "n".repeat(256));
    let behind = format!("new/{}/x", "n".repeat(256));
    let refused = [&*long, &behind, "new/a\0b", "kept/new/a\0b"].map(|path| (path, Kind::File));
    let (namespace, summary) = tree(Rules::default(), &[&[("kept/x", Kind::File)], &refused[..]].concat());
    assert_eq!(paths(&namespace), ["/kept/", "/kept/x"]);
    assert_eq!((summary.records, summary.refused, summary.parents_made), (5, 4, 1));
}
