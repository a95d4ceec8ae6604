//! The reference resolver, case by case. Every case of the tables, but for NotIndexed, was compared with the kernel
//! (openat2 with O_PATH, RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, in a chroot of the same tree).

use warpath_core::reference::resolve;
use warpath_core::{FileType, InodeId, LookupError, Namespace, Options, ROOT};

/// Builds a tree from lines: `dir/`, `file`, `link -> target`, `link -> ?` (unknown), `dir/ partial`.
fn tree(lines: &[&str]) -> Namespace {
    let mut namespace = Namespace::new();
    for line in lines {
        let (path, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (parent, name) = path.trim_end_matches('/').rsplit_once('/').unwrap();
        let parent =
            parent.split('/').skip(1).fold(ROOT, |at, name| namespace.child(at, name.as_bytes()).unwrap());
        match rest.strip_prefix("-> ") {
            Some("?") => namespace.add_file(parent, name, FileType::Symlink).unwrap(),
            Some(target) => namespace.add_symlink(parent, name, target).unwrap(),
            None if path.ends_with('/') => namespace.add_directory(parent, name).unwrap(),
            None => namespace.add_file(parent, name, FileType::Regular).unwrap(),
        };
        if rest == "partial" {
            let inode = namespace.child(parent, name.as_bytes()).unwrap();
            namespace.set_partial(inode, true).unwrap();
        }
    }
    namespace
}

fn at(namespace: &Namespace, path: &str) -> InodeId {
    path.split('/').skip(1).fold(ROOT, |at, name| namespace.child(at, name.as_bytes()).unwrap())
}

/// What a path leads to, as a path, or the errno's name.
fn answer(namespace: &Namespace, path: &[u8], options: &Options) -> String {
    match resolve(namespace, path, options) {
        Ok(inode) => String::from_utf8(namespace.path_of(inode).unwrap()).unwrap(),
        Err(error) => error.name().to_owned(),
    }
}

fn check(namespace: &Namespace, options: Options, cases: &[(&str, &str)]) {
    for (path, expected) in cases {
        assert_eq!(answer(namespace, path.as_bytes(), &options), *expected, "{path:?} {options:?}");
    }
}

const TREE: &[&str] = &[
    "/d/",
    "/d/f",
    "/d/e/",
    "/d/e/g",
    "/f",
    "/to_d -> d",
    "/to_d_slash -> d/",
    "/to_f -> f",
    "/to_f_slash -> f/",
    "/to_root -> /",
    "/to_slashes -> ///",
    "/to_abs -> /d/e",
    "/to_nothing -> nothing",
    "/to_nothing_below -> nothing/below",
    "/to_dot -> .",
    "/to_f_dot -> f/.",
    "/loop -> loop",
    "/ping -> pong",
    "/pong -> /ping",
    "/d/up -> ..",
    "/d/up_up -> ../../../../f",
    "/d/e/back -> ../f",
    "/d/e/chain -> /to_d/e/back",
    "/to_link -> to_f",
    "/to_link_slash -> to_d/",
    "/to_link_to_f_slash -> to_f/",
];

#[test]
fn following() {
    let namespace = tree(TREE);
    check(
        &namespace,
        Options::default(),
        &[
            ("/", "/"),
            ("///", "/"),
            (".", "/"),
            ("./.", "/"),
            ("..", "/"),
            ("/../..", "/"),
            ("/d", "/d"),
            ("d", "/d"),
            ("/d/", "/d"),
            ("//d//f", "/d/f"),
            ("/d/./e/../f", "/d/f"),
            ("/d/e/..", "/d"),
            ("/d/e/../", "/d"),
            ("/d/../../../f", "/f"),
            ("", "ENOENT"),
            ("/nothing", "ENOENT"),
            ("/nothing/", "ENOENT"),
            ("/nothing/..", "ENOENT"),
            ("/nothing/x", "ENOENT"),
            ("/f/", "ENOTDIR"),
            ("/f/.", "ENOTDIR"),
            ("/f/..", "ENOTDIR"),
            ("/f/x", "ENOTDIR"),
            ("/f//x/..", "ENOTDIR"),
            ("/to_d", "/d"),
            ("/to_d/", "/d"),
            ("/to_d/f", "/d/f"),
            ("/to_d/..", "/"),
            ("/to_d_slash", "/d"),
            ("/to_d_slash/f", "/d/f"),
            ("/to_f", "/f"),
            ("/to_f/", "ENOTDIR"),
            ("/to_f/.", "ENOTDIR"),
            ("/to_f_slash", "ENOTDIR"),
            ("/to_f_slash/x", "ENOTDIR"),
            ("/to_f_dot", "ENOTDIR"),
            ("/to_root", "/"),
            ("/to_root/d", "/d"),
            ("/to_slashes", "/"),
            ("/to_slashes/f/", "ENOTDIR"),
            ("/to_abs/g", "/d/e/g"),
            ("/to_abs/../f", "/d/f"),
            ("/to_nothing", "ENOENT"),
            ("/to_nothing/x", "ENOENT"),
            ("/to_nothing_below", "ENOENT"),
            ("/to_dot/to_dot/f", "/f"),
            ("/loop", "ELOOP"),
            ("/loop/x", "ELOOP"),
            ("/ping", "ELOOP"),
            ("/d/up/f", "/f"),
            ("/d/up_up", "/f"),
            ("/d/e/back", "/d/f"),
            ("/d/e/chain", "/d/f"),
            ("/d/e/chain/", "ENOTDIR"),
            ("/to_link", "/f"),
            ("/to_link_slash", "/d"),
            ("/to_link_to_f_slash", "ENOTDIR"),
        ],
    );
}

#[test]
fn not_following() {
    let namespace = tree(TREE);
    check(
        &namespace,
        Options::default().no_follow(),
        &[
            ("/to_d", "/to_d"),
            ("/to_d/", "/d"),
            ("/to_d/.", "/d"),
            ("/to_d/f", "/d/f"),
            ("/to_f", "/to_f"),
            ("/to_f/", "ENOTDIR"),
            ("/to_f_slash", "/to_f_slash"),
            ("/to_link/", "ENOTDIR"),
            ("/to_link_slash", "/to_link_slash"),
            ("/to_link_slash/", "/d"),
            ("/to_link_slash/up", "/d/up"),
            ("/loop", "/loop"),
            ("/loop/", "ELOOP"),
            ("/to_nothing", "/to_nothing"),
            ("/to_nothing/", "ENOENT"),
            ("/d/up/loop", "/loop"),
        ],
    );
}

#[test]
fn no_symlinks() {
    let namespace = tree(TREE);
    check(
        &namespace,
        Options::default().no_symlinks(),
        &[
            ("/to_d", "ELOOP"),
            ("/to_d/f", "ELOOP"),
            ("/to_nothing", "ELOOP"),
            ("/d/e/g", "/d/e/g"),
            ("/nothing/to_d", "ENOENT"),
        ],
    );
    check(
        &namespace,
        Options::default().no_symlinks().no_follow(),
        &[("/to_d", "/to_d"), ("/to_d/", "ELOOP"), ("/to_d/f", "ELOOP")],
    );
}

#[test]
fn start_directories() {
    let namespace = tree(TREE);
    let start = Options::default().start(at(&namespace, "/d/e"));
    check(
        &namespace,
        start,
        &[
            ("g", "/d/e/g"),
            (".", "/d/e"),
            ("..", "/d"),
            ("../..", "/"),
            ("../../..", "/"),
            ("/f", "/f"),
            ("back", "/d/f"),
            ("chain", "/d/f"),
            ("f", "ENOENT"),
        ],
    );
    check(&namespace, Options::default().start(at(&namespace, "/f")), &[("x", "ENOTDIR"), (".", "ENOTDIR")]);
}

#[test]
fn beneath() {
    let namespace = tree(TREE);
    check(
        &namespace,
        Options::default().start(at(&namespace, "/d")).beneath(),
        &[
            ("f", "/d/f"),
            (".", "/d"),
            ("e/..", "/d"),
            ("e/../f", "/d/f"),
            ("e/back", "/d/f"),
            ("..", "EXDEV"),
            ("../d", "EXDEV"),
            ("e/../..", "EXDEV"),
            ("/", "EXDEV"),
            ("/d/f", "EXDEV"),
            ("/nothing", "EXDEV"),
            ("up", "EXDEV"),
            ("up_up", "EXDEV"),
            ("e/chain", "EXDEV"),
            ("nothing/..", "ENOENT"),
            ("f/..", "ENOTDIR"),
            ("", "ENOENT"),
        ],
    );
    check(
        &namespace,
        Options::default().start(at(&namespace, "/d")).beneath().no_follow(),
        &[("up", "/d/up"), ("up/", "EXDEV"), ("e/chain", "/d/e/chain")],
    );
    // The root is as good a start as any: `..` stays nowhere.
    check(
        &namespace,
        Options::default().beneath(),
        &[("..", "EXDEV"), ("d/..", "/"), ("to_abs", "EXDEV"), ("to_d", "/d"), ("d/up_up", "EXDEV")],
    );
    let no_symlinks = Options::default().beneath().no_symlinks();
    check(&namespace, no_symlinks, &[("to_abs", "ELOOP"), ("to_root/x", "ELOOP")]);
}

#[test]
fn forty_links_and_no_more() {
    let mut namespace = tree(&["/d/", "/d/f"]);
    namespace.add_symlink(ROOT, "l0", "d").unwrap();
    for i in 1..=40 {
        namespace.add_symlink(ROOT, format!("l{i}"), format!("l{}", i - 1)).unwrap();
    }
    // l39 leads over 40 links, l40 over 41.
    check(
        &namespace,
        Options::default(),
        &[
            ("/l39", "/d"),
            ("/l39/f", "/d/f"),
            ("/l40", "ELOOP"),
            ("/l40/f", "ELOOP"),
            ("/l38/../l0/f", "/d/f"),
        ],
    );
    check(&namespace, Options::default(), &[("/l38/../l1/f", "ELOOP"), ("/l39/../l0", "ELOOP")]);
    check(
        &namespace,
        Options::default().no_follow(),
        &[
            ("/l38/../l1/", "ELOOP"),
            ("/l39/../l0", "/l0"),
            ("/l40", "/l40"),
            ("/l39/", "/d"),
            ("/l40/", "ELOOP"),
        ],
    );
    // The 41st is not read, so it does not matter that it leads nowhere.
    namespace.add_symlink(ROOT, "nowhere", "nothing").unwrap();
    check(&namespace, Options::default(), &[("/l38/../nowhere", "ENOENT"), ("/l39/../nowhere", "ELOOP")]);
}

#[test]
fn lengths_and_odd_bytes() {
    let mut namespace = tree(&["/d/", "/f"]);
    let name = vec![0xFF; 255];
    let odd = namespace.add_file(ROOT, &name, FileType::Regular).unwrap();
    let options = Options::default();
    let of = |path: &[u8]| resolve(&namespace, path, &options);
    let long = |before: &[u8], n: usize, behind: &[u8]| [before, &vec![b'x'; n], behind].concat();

    assert_eq!(of(&[b"/", &name[..]].concat()), Ok(odd));
    assert_eq!(of(&long(b"/", 255, b"")), Err(LookupError::NotFound));
    assert_eq!(of(&long(b"/", 256, b"")), Err(LookupError::NameTooLong));
    // Only once it is reached.
    assert_eq!(of(&long(b"/nothing/", 256, b"")), Err(LookupError::NotFound));
    assert_eq!(of(&long(b"/f/", 256, b"")), Err(LookupError::NotADirectory));
    assert_eq!(of(&long(b"/d/", 256, b"/..")), Err(LookupError::NameTooLong));

    let slashes = |n: usize| vec![b'/'; n];
    assert_eq!(of(&[slashes(4094), b"d".to_vec()].concat()), Ok(namespace.child(ROOT, b"d").unwrap()));
    assert_eq!(of(&[slashes(4095), b"d".to_vec()].concat()), Err(LookupError::NameTooLong));
    assert_eq!(of(b"/f\0"), Err(LookupError::Invalid));
    assert_eq!(of(b"\0"), Err(LookupError::Invalid));
    assert_eq!(of(&[slashes(5000), vec![0]].concat()), Err(LookupError::Invalid));

    // A path that targets make longer than a path may be.
    let mut namespace = tree(&["/d/", "/d/f"]);
    let target = "./".repeat(2047);
    namespace.add_symlink(ROOT, "long", &target).unwrap();
    check(&namespace, Options::default(), &[("/long/long/long/d/f", "/d/f"), ("/long", "/")]);
    let path = format!("/long/{}/d/f", "/".repeat(4000));
    check(&namespace, Options::default(), &[(&path, "/d/f")]);
}

#[test]
fn what_the_index_does_not_cover() {
    let namespace =
        tree(&["/p/ partial", "/p/f", "/p/d/", "/d/", "/l -> ?", "/d/into -> ../p/x", "/d/into_f -> ../p/f"]);
    check(
        &namespace,
        Options::default(),
        &[
            ("/p", "/p"),
            ("/p/f", "/p/f"),
            ("/p/x", "UNINDEXED"),
            ("/p/x/y", "UNINDEXED"),
            ("/p/d/x", "ENOENT"),
            ("/p/f/x", "ENOTDIR"),
            ("/p/..", "/"),
            ("/l", "UNINDEXED"),
            ("/l/x", "UNINDEXED"),
            ("/d/into", "UNINDEXED"),
            ("/d/into_f", "/p/f"),
        ],
    );
    let long = format!("/p/{}", "x".repeat(256));
    check(&namespace, Options::default(), &[(&long, "ENAMETOOLONG")]);
    check(&namespace, Options::default().no_follow(), &[("/l", "/l"), ("/l/", "UNINDEXED")]);
    check(&namespace, Options::default().no_symlinks(), &[("/l", "ELOOP")]);
}

/// A hard link of a symbolic link leads on from the directory that it was reached in.
#[test]
fn hard_links_of_symbolic_links() {
    let mut namespace = tree(&["/a/", "/a/f", "/b/", "/b/f", "/a/l -> f"]);
    let (b, link) = (at(&namespace, "/b"), at(&namespace, "/a/l"));
    namespace.add_hard_link(b, "m", link).unwrap();
    check(&namespace, Options::default(), &[("/a/l", "/a/f"), ("/b/m", "/b/f")]);
    assert_eq!(resolve(&namespace, b"/b/m", &Options::default().no_follow()), Ok(link));
}
