//! The kernel's answer, which is the right one.

use crate::disk::DiskTree;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::thread::UnshareFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use thiserror::Error;
use warpath_core::{LookupError, Options};

/// What the kernel says of a path: the file system's inode number, or the error.
pub type Answer = Result<u64, LookupError>;

/// Why the kernel can't be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KernelError {
    /// It gives an error that no outcome stands for.
    #[error("the kernel says {0}, which is no outcome")]
    Unexpected(Errno),
    /// This thread can't have a root directory of its own.
    #[error("this thread can't change its root directory ({0}): run as root, or with CAP_SYS_CHROOT")]
    NoRoot(Errno),
    /// The start directory is no directory of the tree.
    #[error("the start directory is not in the tree")]
    NoStart,
}

/// The kernel, as this thread asks it.
///
/// | asked for | call |
/// |---|---|
/// | beneath | `openat2(start, path, O_PATH, RESOLVE_BENEATH)` |
/// | from the root | `openat2(root, path, O_PATH, RESOLVE_IN_ROOT)` |
/// | from another start directory | `openat2(start, path, O_PATH)`, the thread being chrooted into the root |
///
/// Then `fstat` of what was opened.
///
/// The kernel walks without locks first, and begins anew with locks where that fails, but goes on counting links: a walk
/// that is begun anew behind its 21st link ends with ELOOP, whatever it would have come to. Beneath, every path that
/// leaves the start directory by `..` is begun anew, if the links on the way were followed lately; in the other modes a
/// mount anywhere on the machine may do it. So an ELOOP is asked for a second time, beneath with the links'
/// access times set back: the first link then makes the kernel take locks where it stands, and nothing is begun anew.
/// (That needs a file system that keeps access times, if only `relatime`. Seen with Linux 6.18.)
///
/// The thread leaves the file system context that it shares with the process's
/// other threads, and stays in the tree until this is dropped.
#[derive(Debug)]
pub struct Kernel {
    real_root: OwnedFd,
    // Root and working directory belong to the thread.
    not_send: std::marker::PhantomData<*const ()>,
}

impl Kernel {
    /// Gives this thread a root directory of its own.
    ///
    /// # Errors
    /// [`KernelError::NoRoot`] where that is not allowed.
    #[allow(unsafe_code)]
    pub fn new() -> Result<Kernel, KernelError> {
        // SAFETY: unsharing CLONE_FS concerns this thread's root, working directory and umask alone; no file
        // descriptor and no memory is unshared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }.map_err(KernelError::NoRoot)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let real_root = rustix::fs::open("/", flags, Mode::empty()).map_err(KernelError::NoRoot)?;
        Ok(Kernel { real_root, not_send: std::marker::PhantomData })
    }

    /// Makes the tree's root this thread's root directory.
    ///
    /// # Errors
    /// [`KernelError::NoRoot`] where that is not allowed.
    pub fn enter<'k>(&'k mut self, tree: &'k DiskTree) -> Result<Inside<'k>, KernelError> {
        chroot(tree.root())?;
        Ok(Inside { kernel: self, tree })
    }
}

/// This thread, in a tree.
#[derive(Debug)]
pub struct Inside<'k> {
    kernel: &'k mut Kernel,
    tree: &'k DiskTree,
}

impl Inside<'_> {
    /// What the kernel says of `path`, from start directory `start`, a node of the tree. [`Options::start`] is not read.
    ///
    /// # Errors
    /// [`KernelError::Unexpected`] for an error that is no outcome, [`KernelError::NoStart`].
    pub fn resolve(&self, start: usize, path: &[u8], options: &Options) -> Result<Answer, KernelError> {
        let directory = self.tree.directory(start).ok_or(KernelError::NoStart)?;
        let mut resolve = match (options.beneath, start == crate::tree::ROOT_NODE) {
            (true, _) => ResolveFlags::BENEATH,
            (false, true) => ResolveFlags::IN_ROOT,
            (false, false) => ResolveFlags::empty(),
        };
        if options.no_symlinks {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let mut flags = OFlags::PATH | OFlags::CLOEXEC;
        if !options.follow {
            flags |= OFlags::NOFOLLOW;
        }
        let ask = || open(directory, path, flags, resolve).and_then(|file| rustix::fs::fstat(&file));
        let mut result = ask();
        if matches!(result, Err(Errno::LOOP)) {
            if options.beneath {
                self.tree.age_links().map_err(KernelError::Unexpected)?;
            }
            result = ask();
        }
        match result {
            Ok(stat) => Ok(Ok(stat.st_ino)),
            Err(errno) => lookup_error(errno).map(Err).ok_or(KernelError::Unexpected(errno)),
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // Only the way back for the tree's removal by path; a failure shows there.
        let _ = chroot(self.kernel.real_root.as_fd());
    }
}

fn open(
    directory: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    loop {
        match rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve) {
            // A rename or mount anywhere on the machine happened during a `..`.
            Err(Errno::AGAIN) => continue,
            result => return result,
        }
    }
}

/// The outcome that an errno stands for.
pub fn lookup_error(errno: Errno) -> Option<LookupError> {
    LookupError::ALL
        .into_iter()
        .find(|error| *error != LookupError::NotIndexed && error.errno() == errno.raw_os_error())
}

fn chroot(directory: BorrowedFd<'_>) -> Result<(), KernelError> {
    rustix::process::fchdir(directory)
        .and_then(|()| rustix::process::chroot(Path::new(".")))
        .map_err(KernelError::NoRoot)
}
