//! Scans of real trees, compared with what the system says of them.

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use warpath_core::{
    Attributes, FileType, InodeId, LookupError, Namespace, Options, Outcome, ROOT, reference,
};
use warpath_sources::live::{Scan, ScanError, ScanOptions, scan};

fn in_root() -> ScanOptions<'static> {
    ScanOptions { in_root: true, ..ScanOptions::default() }
}

fn stat(namespace: &Namespace, path: impl AsRef<Path>) -> Outcome {
    reference::resolve(namespace, path.as_ref().as_os_str().as_bytes(), &Options::default())
}

fn lstat(namespace: &Namespace, path: impl AsRef<Path>) -> Outcome {
    reference::resolve(namespace, path.as_ref().as_os_str().as_bytes(), &Options::default().no_follow())
}

/// Every path below a directory, read with the standard library.
fn paths_below(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        paths.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            paths_below(&entry.path(), paths);
        }
    }
}

/// A tree with one of everything.
fn tree() -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    let at = |name: &str| top.path().join(name);
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("a/file"), b"12345").unwrap();
    fs::hard_link(at("a/file"), at("a/b/second name")).unwrap();
    symlink("b/c", at("a/to c")).unwrap();
    symlink("missing", at("dangling")).unwrap();
    symlink("self", at("self")).unwrap();
    symlink("x".repeat(4095), at("long target")).unwrap();
    fs::hard_link(at("dangling"), at("a/dangling too")).unwrap();
    fs::write(at(&"n".repeat(255)), b"").unwrap();
    fs::write(top.path().join(std::ffi::OsString::from_vec(b"\xff\xfe\n\t".to_vec())), b"").unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    top
}

/// Every path has the inode and the attributes that `lstat` tells, every link its target.
fn assert_same(namespace: &Namespace, top: &Path, shown_as: &Path, every_attribute: bool) {
    let mut paths = vec![top.to_owned()];
    paths_below(top, &mut paths);
    for path in paths {
        let shown = shown_as.join(path.strip_prefix(top).unwrap());
        let inode = lstat(namespace, &shown).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (known, real) = (namespace.attributes(inode).unwrap(), path.symlink_metadata().unwrap());
        assert_eq!(known.ino, Some(real.ino()), "{}", path.display());
        let kind = match real.file_type() {
            kind if kind.is_dir() => FileType::Directory,
            kind if kind.is_symlink() => FileType::Symlink,
            kind if kind.is_file() => FileType::Regular,
            _ => FileType::Other,
        };
        assert_eq!(namespace.file_type(inode), Some(kind), "{}", path.display());
        let target = fs::read_link(&path).ok().map(|target| target.into_os_string().into_vec());
        assert_eq!(namespace.target(inode).map(<[u8]>::to_vec), target, "{}", path.display());
        if every_attribute {
            assert_eq!(
                (known.size, known.mode),
                (Some(real.size()), Some(real.mode())),
                "{}",
                path.display()
            );
            assert_eq!((known.uid, known.gid), (Some(real.uid()), Some(real.gid())), "{}", path.display());
            let mtime = real.mtime() * 1_000_000_000 + real.mtime_nsec();
            assert_eq!(known.mtime, Some(mtime), "{}", path.display());
        } else {
            assert_eq!(known, Attributes { ino: known.ino, ..Attributes::default() }, "{}", path.display());
        }
    }
}

#[test]
fn a_scan_holds_what_lstat_sees() {
    let top = tree();
    for every_attribute in [false, true] {
        let options = ScanOptions { attributes: every_attribute, ..in_root() };
        let Scan { namespace, root, summary, .. } = scan(top.path(), &options).unwrap();
        assert_eq!(root, ROOT);
        assert_same(&namespace, top.path(), Path::new("/"), every_attribute);
        assert_eq!(summary.entries, 14);
        assert_eq!((summary.directories, summary.symlinks, summary.files), (4, 5, 5));
        assert_eq!((summary.hard_links, summary.unreadable, summary.vanished), (2, 0, 0));
        assert_eq!(namespace.n_entries(), 14);
        assert_eq!(namespace.n_partial(), 0);
        assert_eq!(stat(&namespace, "/a/file"), stat(&namespace, "/a/b/second name"));
        assert_eq!(lstat(&namespace, "/dangling"), lstat(&namespace, "/a/dangling too"));
        assert_eq!(stat(&namespace, "/a/to c"), stat(&namespace, "/a/b/c"));
        assert_eq!(stat(&namespace, "/self"), Err(LookupError::TooManyLinks));
    }
}

#[test]
fn without_in_root_paths_are_the_hosts() {
    let top = tree();
    let real = top.path().canonicalize().unwrap();
    let link = top.path().join("link to a");
    symlink("a", &link).unwrap();
    let mut tree = scan(&link, &ScanOptions::default()).unwrap();
    let a = real.join("a");
    assert_same(&tree.namespace, &a, &a, false);
    assert_eq!(stat(&tree.namespace, &a), Ok(tree.root));
    // The way that was given leads there too.
    assert_eq!(stat(&tree.namespace, &link), Ok(tree.root));
    assert_eq!(stat(&tree.namespace, link.join("b/../../a/file")), stat(&tree.namespace, a.join("file")));
    // Above the scan everything is known by number, and nothing is called missing.
    for directory in real.ancestors() {
        let inode = stat(&tree.namespace, directory).unwrap();
        let ino = tree.namespace.attributes(inode).unwrap().ino;
        assert_eq!(ino, Some(directory.metadata().unwrap().ino()), "{}", directory.display());
        assert!(tree.namespace.is_partial(inode));
    }
    assert_eq!(stat(&tree.namespace, real.join("empty")), Err(LookupError::NotIndexed));
    assert_eq!(stat(&tree.namespace, real.join("no such name")), Err(LookupError::NotIndexed));
    assert_eq!(stat(&tree.namespace, a.join("no such name")), Err(LookupError::NotFound));

    // A start directory outside the scan: `..` leads back in.
    let outside = tree.start(&real.join("empty")).unwrap();
    let from_outside =
        |path: &[u8]| reference::resolve(&tree.namespace, path, &Options::default().start(outside));
    assert_eq!(from_outside(b"../a"), Ok(tree.root));
    assert_eq!(from_outside(b"x"), Err(LookupError::NotIndexed));
    let inside: InodeId = tree.start(&a.join("b/../to c")).unwrap();
    assert_eq!(Ok(inside), stat(&tree.namespace, a.join("b/c")));
    assert!(matches!(tree.start(&a.join("file")), Err(ScanError::Directory { .. })));
    assert!(matches!(tree.start(&a.join("none")), Err(ScanError::Directory { .. })));
}

#[test]
fn in_root_start_directories_are_of_the_namespace() {
    let top = tree();
    let mut tree = scan(top.path(), &in_root()).unwrap();
    let start = tree.start(Path::new("/a/to c")).unwrap();
    assert_eq!(Ok(start), stat(&tree.namespace, "/a/b/c"));
    let error = tree.start(Path::new("a/file")).unwrap_err().to_string();
    assert_eq!(error, "a/file: not a directory");
}

#[test]
fn roots_that_can_not_be_scanned_are_named() {
    let top = tree();
    for (name, reason) in [("none", "No such file"), ("a/file", "Not a directory"), ("self", "Too many")] {
        let path = top.path().join(name);
        for in_root in [false, true] {
            let error = scan(&path, &ScanOptions { in_root, ..ScanOptions::default() }).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("{}: {reason}", path.display())), "{text}");
        }
    }
}

#[test]
fn excluded_directories_are_not_indexed() {
    let top = tree();
    for (glob, n_excluded) in [("b", 1), ("a/b", 1), ("/a/*/", 1), ("file", 0), ("b/c", 0), ("[bc]", 1)] {
        let options = ScanOptions { exclude: vec![glob.into()], ..in_root() };
        let Scan { namespace, summary, .. } = scan(top.path(), &options).unwrap();
        assert_eq!((summary.excluded, namespace.n_partial()), (n_excluded, n_excluded as usize), "{glob}");
        assert!(stat(&namespace, "/a/file").is_ok());
        let b = stat(&namespace, "/a/b").unwrap();
        let ino = top.path().join("a/b").metadata().unwrap().ino();
        assert_eq!(namespace.attributes(b).unwrap().ino, Some(ino), "{glob}");
        if n_excluded == 1 {
            assert_eq!(stat(&namespace, "/a/b/c"), Err(LookupError::NotIndexed), "{glob}");
            assert_eq!(stat(&namespace, "/a/to c"), Err(LookupError::NotIndexed), "{glob}");
            assert_eq!(stat(&namespace, "/a/b/.."), stat(&namespace, "/a"), "{glob}");
        }
    }
}

#[test]
fn other_file_systems_are_left_out_unless_asked_for() {
    let (dev, pts) = (Path::new("/dev"), Path::new("/dev/pts"));
    let devices = [dev, pts].map(|path| path.metadata().map(|metadata| metadata.dev()).ok());
    if devices[0] == devices[1] {
        eprintln!("SKIPPED: /dev/pts is no file system of its own here");
        return;
    }
    let left_out = scan(dev, &in_root()).unwrap();
    assert!(left_out.summary.other_file_systems >= 1);
    let inode = stat(&left_out.namespace, "/pts").unwrap();
    assert_eq!(left_out.namespace.attributes(inode).unwrap().ino, Some(pts.metadata().unwrap().ino()));
    assert_eq!(stat(&left_out.namespace, "/pts/ptmx"), Err(LookupError::NotIndexed));
    let gone_into = scan(dev, &ScanOptions { follow_mounts: true, ..in_root() }).unwrap();
    assert_eq!(gone_into.summary.other_file_systems, 0);
    assert!(stat(&gone_into.namespace, "/pts/ptmx").is_ok());
}

/// Numbers in /proc that come with names differ from those of `stat`, and its links lead elsewhere.
#[test]
fn procfs_is_asked_for_every_entry() {
    let top = Path::new("/proc/self/fd");
    let Scan { namespace, .. } = scan(top, &in_root()).unwrap();
    let links: Vec<_> = namespace.list(ROOT).collect();
    assert!(links.len() >= 3);
    for link in links {
        assert_eq!(namespace.file_type(link.inode), Some(FileType::Symlink));
        assert_eq!(namespace.target(link.inode), None);
    }
}

#[test]
fn large_directories_come_in_parts() {
    let top = tempfile::tempdir().unwrap();
    // More than a megabyte of names, and a sub-directory in every part.
    let n_files = 9_000;
    for i in 0..n_files {
        File::create(top.path().join(format!("{i:0>200}"))).unwrap();
        if i % 1000 == 0 {
            fs::create_dir_all(top.path().join(format!("d{i}/x"))).unwrap();
        }
    }
    let largest = AtomicU64::new(0);
    let progress = |n_entries| largest.store(n_entries, Ordering::Relaxed);
    let Scan { namespace, summary, .. } =
        scan(top.path(), &ScanOptions { progress: Some(&progress), ..in_root() }).unwrap();
    assert_eq!(summary.entries, n_files + 18);
    assert_eq!(largest.into_inner(), n_files + 18);
    assert_same(&namespace, top.path(), Path::new("/"), false);
}

/// Deeper than any path can name, and deeper than descriptors would last if each level kept one.
#[test]
fn depth_has_no_limit() {
    let top = tempfile::tempdir().unwrap();
    let depth = 1000;
    let mut directory = rustix::fs::open(top.path(), OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&directory, "side", Mode::RWXU).unwrap();
        mkdirat(&directory, "directory", Mode::RWXU).unwrap();
        directory = openat(&directory, "directory", OFlags::PATH, Mode::empty()).unwrap();
    }
    let Scan { namespace, summary, .. } = scan(top.path(), &in_root()).unwrap();
    assert_eq!((summary.entries, summary.unreadable), (2 * depth, 0));
    let mut inode = ROOT;
    for _ in 0..depth {
        inode = namespace.child(inode, b"directory").unwrap();
    }
    assert!(!namespace.is_partial(inode));
    assert!(Command::new("rm").arg("-rf").arg(top.path()).status().unwrap().success());
}

/// Everything that can happen to a name happens while scans run.
#[test]
fn a_tree_may_change_during_the_scan() {
    let top = tempfile::tempdir().unwrap();
    let at = |name: String| top.path().join(name);
    for i in 0..200 {
        fs::create_dir_all(at(format!("stays{i}/below"))).unwrap();
        fs::write(at(format!("stays{i}/file")), b"").unwrap();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..3 {
            let (at, done) = (&at, &done);
            scope.spawn(move || {
                for i in 0_u64.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = at(format!("changes{}", i % 17));
                    // Others do the same at the same time, so that any of these may fail.
                    let _ = match (i + worker) % 7 {
                        0 => fs::create_dir_all(name.join("x/y/z")),
                        1 => fs::remove_dir_all(&name),
                        2 => File::create(&name).and_then(|mut file| file.write_all(b"x")),
                        3 => fs::remove_file(&name),
                        4 => symlink("stays0", &name),
                        5 => fs::rename(&name, at(format!("stays{}/moved", i % 200))),
                        _ => fs::remove_dir_all(at(format!("stays{}/moved", i % 200))),
                    };
                }
            });
        }
        for _ in 0..50 {
            let tree = scan(top.path(), &in_root()).unwrap();
            for i in 0..200 {
                assert!(stat(&tree.namespace, format!("/stays{i}/below")).is_ok());
                assert!(stat(&tree.namespace, format!("/stays{i}/file")).is_ok());
            }
            for i in 0..17 {
                // Any answer will do.
                let _ = stat(&tree.namespace, format!("/changes{i}/x/y/z"));
            }
            let counted = tree.summary.directories + tree.summary.symlinks + tree.summary.files;
            assert_eq!(tree.summary.entries, counted);
            assert_eq!(tree.namespace.n_entries() as u64, counted);
        }
        done.store(true, Ordering::Relaxed);
    });
}
