//! Changes of a namespace refuse and do what the kernel's system calls refuse and do on the same tree.
#![cfg(target_os = "linux")]

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use warpath_conformance::disk::scratch;
use warpath_core::{FileType, InodeId, Namespace, NamespaceError, ROOT};

const TREES: u64 = 40;
const CHANGES: usize = 400;

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const ENOTEMPTY: i32 = 39;

/// What the kernel may say where the namespace says this.
fn errnos(error: NamespaceError) -> &'static [i32] {
    match error {
        NamespaceError::NoSuchEntry => &[ENOENT],
        NamespaceError::NotADirectory { .. } => &[ENOTDIR],
        // link(2) says EPERM of a directory, rename(2) EISDIR.
        NamespaceError::IsADirectory { .. } => &[EISDIR, EPERM],
        NamespaceError::NameTaken { .. } => &[EEXIST],
        NamespaceError::IntoItself => &[EINVAL],
        NamespaceError::NotEmpty { .. } => &[ENOTEMPTY],
        _ => &[],
    }
}

struct Both {
    namespace: Namespace,
    root: PathBuf,
    /// The file system's inode number of each inode, and back.
    inos: HashMap<InodeId, u64>,
    rng: fastrand::Rng,
    told: Vec<String>,
    refused: BTreeSet<i32>,
}

impl Both {
    fn path(&self, parent: InodeId, name: &str) -> PathBuf {
        let directory = self.namespace.path_of(parent).unwrap();
        self.root.join(OsStr::from_bytes(&directory[1..])).join(name)
    }

    fn check<T: std::fmt::Debug>(
        &mut self,
        what: String,
        said: Result<T, NamespaceError>,
        done: std::io::Result<()>,
    ) -> Option<T> {
        self.told.push(what);
        let agree = match (&said, &done) {
            (Ok(_), Ok(())) => true,
            (Err(error), Err(errno)) => errnos(*error).contains(&errno.raw_os_error().unwrap()),
            _ => false,
        };
        assert!(agree, "the namespace says {said:?}, the kernel {done:?}, after\n{}", self.told.join("\n"));
        self.refused.extend(done.err().and_then(|errno| errno.raw_os_error()));
        said.ok()
    }

    /// A directory mostly, now and then what is none.
    fn parent(&mut self) -> InodeId {
        let inodes: Vec<InodeId> = self.inos.keys().copied().collect();
        let mut inodes: Vec<InodeId> =
            inodes.into_iter().filter(|&i| self.namespace.file_type(i).is_some()).collect();
        inodes.sort_unstable();
        for _ in 0..6 {
            let inode = inodes[self.rng.usize(..inodes.len())];
            let is_link = self.namespace.file_type(inode) == Some(FileType::Symlink);
            // A path through a link goes on where it leads; a namespace is told of inodes.
            if self.namespace.is_directory(inode) || (self.rng.u8(..20) == 0 && !is_link) {
                return inode;
            }
        }
        ROOT
    }

    fn name(&mut self) -> &'static str {
        ["a", "b", "c", "d", "e"][self.rng.usize(..5)]
    }

    fn note(&mut self, inode: Option<InodeId>, path: &Path) {
        if let Some(inode) = inode {
            self.inos.insert(inode, path.symlink_metadata().unwrap().ino());
        }
    }

    fn change(&mut self) {
        let (parent, name) = (self.parent(), self.name());
        let (to, new_name) = (self.parent(), self.name());
        let (path, new_path) = (self.path(parent, name), self.path(to, new_name));
        match self.rng.u8(..10) {
            0..=1 => {
                let said = self.namespace.add_directory(parent, name);
                let made = self.check(format!("mkdir {path:?}"), said, std::fs::create_dir(&path));
                self.note(made, &path);
            }
            2 => {
                let said = self.namespace.add_file(parent, name, FileType::Regular);
                let made = self.check(
                    format!("create {path:?}"),
                    said,
                    std::fs::File::create_new(&path).map(|_| ()),
                );
                self.note(made, &path);
            }
            3 => {
                let said = self.namespace.add_symlink(parent, name, "a/b");
                let made =
                    self.check(format!("symlink {path:?}"), said, std::os::unix::fs::symlink("a/b", &path));
                self.note(made, &path);
            }
            4 => {
                if let Some(inode) = self.namespace.child(parent, name.as_bytes()) {
                    let said = self.namespace.add_hard_link(to, new_name, inode);
                    self.check(
                        format!("link {path:?} {new_path:?}"),
                        said,
                        std::fs::hard_link(&path, &new_path),
                    );
                }
            }
            5 => {
                let inode = self.namespace.child(parent, name.as_bytes());
                let is_directory = inode.is_some_and(|inode| self.namespace.is_directory(inode));
                let said = self.namespace.remove(parent, name);
                let done =
                    if is_directory { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) };
                let removed = self.check(format!("remove {path:?}"), said, done);
                if let Some(removed) = removed.filter(|removed| removed.last) {
                    self.inos.remove(&removed.inode);
                }
            }
            _ => {
                let said = self.namespace.rename(parent, name, to, new_name);
                let done = std::fs::rename(&path, &new_path);
                let renamed = self.check(format!("rename {path:?} {new_path:?}"), said, done);
                if let Some(replaced) = renamed.and_then(|renamed| renamed.replaced).filter(|gone| gone.last)
                {
                    self.inos.remove(&replaced.inode);
                }
            }
        }
    }

    /// Both hold the same entries.
    fn compare(&self) {
        let mut n_entries = 0;
        let mut todo = vec![(ROOT, self.root.clone())];
        while let Some((directory, path)) = todo.pop() {
            for entry in std::fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                n_entries += 1;
                let inode = self.namespace.child(directory, entry.file_name().as_bytes());
                let inode = inode.unwrap_or_else(|| {
                    panic!("{:?} is missing, after\n{}", entry.path(), self.told.join("\n"))
                });
                assert_eq!(
                    self.inos[&inode],
                    entry.ino(),
                    "{:?}, after\n{}",
                    entry.path(),
                    self.told.join("\n")
                );
                if entry.file_type().unwrap().is_dir() {
                    todo.push((inode, entry.path()));
                }
            }
        }
        assert_eq!(self.namespace.n_entries(), n_entries, "after\n{}", self.told.join("\n"));
    }
}

#[test]
fn changes_are_the_kernels() {
    let scratch = scratch().unwrap();
    let mut refused = BTreeSet::new();
    for tree in 0..TREES {
        let root = scratch.path().join(tree.to_string());
        std::fs::create_dir(&root).unwrap();
        let ino = root.metadata().unwrap().ino();
        let rng = fastrand::Rng::with_seed(tree);
        let mut both = Both {
            namespace: Namespace::new(),
            root,
            inos: HashMap::from([(ROOT, ino)]),
            rng,
            told: Vec::new(),
            refused: BTreeSet::new(),
        };
        for _ in 0..CHANGES {
            both.change();
        }
        both.compare();
        refused.append(&mut both.refused);
    }
    // Every reason turned up.
    assert_eq!(refused, BTreeSet::from([EPERM, ENOENT, EEXIST, ENOTDIR, EISDIR, EINVAL, ENOTEMPTY]));
}
