//! The walk over the tree: which directories wait, and how they are opened.

use super::exclude::Exclude;
use super::filesystem::{MountNames, Trust, WANTED, device};
use super::listing::{Listing, TOP, Token};
use super::queue::Queue;
use super::reader::Reader;
use super::{ScanError, ScanOptions};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statx};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;

/// How directories are opened. No link is followed, and a pipe that has taken the name doesn't block.
const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// Threads also wait for disks, so there are some even where cores are few.
const MIN_THREADS: usize = 4;

/// Once too many directories are open, only every so manieth on the way down is kept open, and the others
/// are opened anew from there. Without this bound the cost of a deep tree would grow with its depth's square.
const MAX_REOPENED: usize = 32;

/// A scan: what all its threads share.
pub struct Walk {
    /// The directories that wait to be read.
    pub queue: Queue<Waiting>,
    /// What is left out.
    pub exclude: Exclude,
    /// Where the numbers beside names can't be believed.
    pub mounts: MountNames,
    /// Whether `stat` is asked of everything.
    pub every_attribute: bool,
    /// The file system to stay on, if the scan is to stay on one.
    pub only_device: Option<u64>,
    /// Number of threads to read with.
    pub n_threads: usize,
    next_token: AtomicU32,
    /// Directories that may still be kept open while their sub-directories wait.
    spare: Arc<AtomicUsize>,
}

/// A directory that waits to be read.
pub struct Waiting {
    /// Names it.
    pub token: Token,
    /// Where it is.
    pub place: Place,
}

/// Where a directory is.
pub enum Place {
    /// The scanned directory itself.
    Top(Arc<Descriptor>),
    /// A sub-directory.
    Below(Arc<Parent>, CString),
}

/// A directory whose sub-directories wait.
pub struct Parent {
    /// Its device.
    pub device: u64,
    /// What can be believed of its file system.
    pub trust: Trust,
    /// Its path below the scanned directory, if that is needed to exclude.
    pub path: Vec<u8>,
    handle: Handle,
}

/// How a directory is reached again.
enum Handle {
    /// It has been kept open.
    Open(Arc<Descriptor>),
    /// Too many are open: it is opened anew, a name at a time, from an ancestor that is.
    Below(Arc<Descriptor>, Vec<CString>),
}

/// An open directory.
pub struct Descriptor {
    /// The descriptor.
    pub fd: OwnedFd,
    /// The count that it was taken from.
    spare: Option<Arc<AtomicUsize>>,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(spare) = &self.spare {
            spare.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Walk {
    /// Opens the directory to be scanned.
    pub fn open(path: &Path, options: &ScanOptions<'_>, exclude: Exclude) -> Result<Walk, ScanError> {
        let fail = |errno: Errno| ScanError::Directory { path: path.to_owned(), error: errno.into() };
        let top = openat(CWD, path, OPEN - OFlags::NOFOLLOW, Mode::empty()).map_err(fail)?;
        let stat = statx(&top, c"", AtFlags::EMPTY_PATH, WANTED).map_err(fail)?;
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let walk = Walk {
            queue: Queue::new(),
            exclude,
            mounts: MountNames::read(),
            every_attribute: options.attributes,
            only_device: (!options.follow_mounts).then(|| device(&stat)),
            n_threads: match options.threads {
                0 => thread::available_parallelism().map_or(1, usize::from).max(MIN_THREADS),
                n => n,
            },
            next_token: AtomicU32::new(TOP + 1),
            // The other half is the process's own, and for one open directory a thread.
            spare: Arc::new(AtomicUsize::new(usize::try_from(limit / 2).unwrap_or(usize::MAX))),
        };
        let top = Place::Top(Arc::new(Descriptor { fd: top, spare: None }));
        walk.queue.push([Waiting { token: TOP, place: top }]);
        Ok(walk)
    }

    /// Reads directories until none is left, or until nobody listens.
    pub fn work(&self, listings: &SyncSender<Listing>) {
        let mut reader = Reader::new(self, listings);
        while let Some(task) = self.queue.pop() {
            if reader.read(&task.item).is_err() {
                self.queue.stop();
            }
        }
    }

    /// Keeps no more than so many directories open.
    #[cfg(test)]
    pub fn limit_descriptors(&self, n_spare: usize) {
        self.spare.store(n_spare, Ordering::Relaxed);
    }

    /// A new directory's token.
    pub fn token(&self) -> Token {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes one of the descriptors that may be kept, if there is one.
    fn keep(&self, fd: OwnedFd) -> Arc<Descriptor> {
        let taken = self.spare.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        Arc::new(Descriptor { fd, spare: taken.is_ok().then(|| self.spare.clone()) })
    }
}

impl Place {
    /// Opens the directory.
    pub fn open(&self, walk: &Walk) -> Result<Arc<Descriptor>, Errno> {
        match self {
            Place::Top(descriptor) => Ok(descriptor.clone()),
            Place::Below(parent, name) => Ok(walk.keep(parent.open_child(name)?)),
        }
    }

    /// The directory, open, as the parent of its sub-directories.
    pub fn parent(&self, open: &Arc<Descriptor>, device: u64, trust: Trust, path: Vec<u8>) -> Arc<Parent> {
        let handle = match self {
            Place::Below(parent, name) if open.spare.is_none() && parent.handle.n_names() < MAX_REOPENED => {
                parent.handle.child(name)
            }
            _ => Handle::Open(open.clone()),
        };
        Arc::new(Parent { device, trust, path, handle })
    }
}

impl Handle {
    /// Directories to open before this one.
    fn n_names(&self) -> usize {
        match self {
            Handle::Open(_) => 0,
            Handle::Below(_, names) => names.len(),
        }
    }

    fn child(&self, name: &CStr) -> Handle {
        match self {
            Handle::Open(ancestor) => Handle::Below(ancestor.clone(), vec![name.to_owned()]),
            Handle::Below(ancestor, names) => {
                let names = names.iter().cloned().chain([name.to_owned()]).collect();
                Handle::Below(ancestor.clone(), names)
            }
        }
    }
}

impl Parent {
    /// Calls `use_it` with the directory's descriptor.
    pub fn with_descriptor<T>(&self, use_it: impl FnOnce(&OwnedFd) -> Result<T, Errno>) -> Result<T, Errno> {
        let (ancestor, names) = match &self.handle {
            Handle::Open(descriptor) => return use_it(&descriptor.fd),
            Handle::Below(ancestor, names) => (ancestor, names),
        };
        let mut reached: Option<OwnedFd> = None;
        for name in names {
            let from = reached.as_ref().unwrap_or(&ancestor.fd);
            reached = Some(openat(from, name, OPEN, Mode::empty())?);
        }
        use_it(reached.as_ref().unwrap_or(&ancestor.fd))
    }

    fn open_child(&self, name: &CStr) -> Result<OwnedFd, Errno> {
        self.with_descriptor(|fd| openat(fd, name, OPEN, Mode::empty()))
    }
}
