//! A tree on disk, for the kernel to resolve in.

use crate::tree::{NodeKind, ROOT_NODE, Special, Tree};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A directory of one's own to make trees in, in memory where the system has a place for that.
///
/// # Errors
/// When no temporary directory can be made.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    let builder = || tempfile::Builder::new().prefix("warpath-").tempdir_in(shared_memory());
    builder().or_else(|_| tempfile::Builder::new().prefix("warpath-").tempdir())
}

fn shared_memory() -> PathBuf {
    Path::new("/dev/shm").to_path_buf()
}

/// A tree on disk, gone when dropped. Every directory is held open: no path is ever too long.
#[derive(Debug)]
pub struct DiskTree {
    base: OwnedFd,
    name: String,
    names: Vec<(usize, Vec<u8>)>,
    directories: Vec<Option<OwnedFd>>,
    links: Vec<usize>,
    inos: Vec<u64>,
}

impl DiskTree {
    /// Makes the tree as directory `name` of `base`.
    ///
    /// # Errors
    /// What the file system refuses: devices for who is not root, long targets, bytes that it does not take in names.
    pub fn plant(tree: &Tree, base: BorrowedFd<'_>, name: &str) -> Result<DiskTree, Errno> {
        let base = base.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
        rustix::fs::mkdirat(&base, name, Mode::RWXU)?;
        let root = open_directory(base.as_fd(), name.as_bytes())?;
        let mut disk = DiskTree {
            inos: vec![ino_of(root.as_fd(), b"")?],
            base,
            name: name.to_owned(),
            names: vec![(ROOT_NODE, Vec::new())],
            directories: vec![Some(root)],
            links: Vec::new(),
        };
        for id in 1..tree.nodes().len() {
            disk.add(tree, id)?;
        }
        Ok(disk)
    }

    fn add(&mut self, tree: &Tree, id: usize) -> Result<(), Errno> {
        let node = &tree.nodes()[id];
        let parent = self.directory(node.parent).ok_or(Errno::NOTDIR)?;
        let name = node.name.as_slice();
        match &node.kind {
            NodeKind::Directory { .. } => rustix::fs::mkdirat(parent, name, Mode::RWXU)?,
            NodeKind::File => make(parent, name, FileType::RegularFile)?,
            NodeKind::Special(Special::Pipe) => make(parent, name, FileType::Fifo)?,
            NodeKind::Special(Special::Socket) => make(parent, name, FileType::Socket)?,
            NodeKind::Special(Special::Characters) => make(parent, name, FileType::CharacterDevice)?,
            NodeKind::Special(Special::Blocks) => make(parent, name, FileType::BlockDevice)?,
            NodeKind::Symlink(target) => rustix::fs::symlinkat(target.as_slice(), parent, name)?,
            NodeKind::HardLink(of) => {
                let original = &tree.nodes()[*of];
                let above = self.directory(original.parent).ok_or(Errno::NOTDIR)?;
                rustix::fs::linkat(above, original.name.as_slice(), parent, name, AtFlags::empty())?;
            }
        }
        let opened = match node.kind {
            NodeKind::Directory { .. } => Some(open_directory(parent, name)?),
            _ => None,
        };
        let ino = ino_of(parent, name)?;
        if matches!(node.kind, NodeKind::Symlink(_)) {
            self.links.push(id);
        }
        self.directories.push(opened);
        self.names.push((node.parent, node.name.clone()));
        self.inos.push(ino);
        Ok(())
    }

    /// The root directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.directories[ROOT_NODE].as_ref().map_or(self.base.as_fd(), AsFd::as_fd)
    }

    /// A directory of the tree; `None` for what is none.
    pub fn directory(&self, node: usize) -> Option<BorrowedFd<'_>> {
        self.directories.get(node)?.as_ref().map(AsFd::as_fd)
    }

    /// Sets the access time of every link far back, so that following one changes it.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn age_links(&self) -> Result<(), Errno> {
        let long_ago = Timespec { tv_sec: 0, tv_nsec: 0 };
        let as_it_is = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let times = Timestamps { last_access: long_ago, last_modification: as_it_is };
        for &link in &self.links {
            let (parent, name) = &self.names[link];
            if let Some(parent) = self.directory(*parent) {
                rustix::fs::utimensat(parent, name.as_slice(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
        Ok(())
    }

    /// The file system's inode number of each node.
    pub fn inos(&self) -> &[u64] {
        &self.inos
    }
}

impl Drop for DiskTree {
    fn drop(&mut self) {
        // Children come after their parents, so backwards every directory is empty in time. What can't be
        // removed stays in the scratch directory, whose own drop takes it.
        for id in (1..self.names.len()).rev() {
            let (parent, name) = &self.names[id];
            let flags = if self.directories[id].is_some() { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            if let Some(parent) = self.directory(*parent) {
                let _ = rustix::fs::unlinkat(parent, name.as_slice(), flags);
            }
        }
        let _ = rustix::fs::unlinkat(&self.base, self.name.as_str(), AtFlags::REMOVEDIR);
    }
}

fn make(parent: BorrowedFd<'_>, name: &[u8], file_type: FileType) -> Result<(), Errno> {
    rustix::fs::mknodat(parent, name, file_type, Mode::RUSR | Mode::WUSR, 0)
}

/// Opens a directory as a place alone, which needs no right to read it.
fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

fn ino_of(parent: BorrowedFd<'_>, name: &[u8]) -> Result<u64, Errno> {
    Ok(rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?.st_ino)
}
