//! The file system: a tree that changes, and lookups in it.

use crate::executor::Executor;
use crate::future::{BatchLookupFuture, ResolveFuture};
use crate::rekey::Rekeyer;
use crate::router::{Explanation, Router};
use crate::store::{Store, Version};
use crate::{Device, Error};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use warpath_core::batch::PathBuffer;
use warpath_core::index::{Change, ChangeError, Plan};
use warpath_core::namespace::{Removed, Renamed};
use warpath_core::{
    Attributes, FileType, INVALID_INODE, Index, InodeId, Namespace, NamespaceError, Options, Outcome,
    Outcomes, OutcomesMut, PathBatch,
};

/// A tree of names, resolved on a device: which inode does each of these paths name?
///
/// A handle: cloning it is cheap, and all clones are one file system. It is `Send + Sync`; lookups and changes take `&self` and
/// run beside one another. **Each batch sees one version of the tree, whole**: that of the last change that had returned when
/// the call began, or a later one. Lookups take no lock and never wait for a change, however large, with one exception: the first
/// lookup with [`beneath`](Options::beneath) from a directory since the last change waits for the change under way.
///
/// A change is visible to every lookup that begins after it has returned. Changes wait for one another, and at most as long as
/// copying the tables would take (28 bytes an entry) for batches that began two changes ago. The first change makes a second copy of
/// the tables.
///
/// When the last handle is dropped, futures in flight end with [`Error::Closed`].
///
/// # Example
/// ```
/// use warpath::{Device, FileType, GpuFilesystem};
///
/// let device = Device::system_default().unwrap();
/// let fs = GpuFilesystem::new(&device, 1024)?;
/// let src = fs.add_file(0, "src", FileType::Directory)?;
/// let main = fs.add_file(src, "main.rs", FileType::Regular)?;
///
/// let results = fs.lookup_batch(&["/src/main.rs", "/src/../src", "/missing"])?;
/// assert_eq!(results[0], Ok(main));
/// assert_eq!(results[1], Ok(src));
/// assert_eq!(results[2].unwrap_err().to_string(), "no such file or directory");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct GpuFilesystem {
    core: Arc<Core>,
    /// Closes the core when the last handle goes.
    _handle: Arc<Handle>,
}

/// What threads that work for the file system hold.
pub(crate) struct Core {
    pub store: Store,
    pub router: Router,
    pub executor: Executor,
    pub rekeyer: Rekeyer,
    calibrating: AtomicBool,
    /// The core itself, for threads that work for it.
    me: Weak<Core>,
}

struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.executor.close();
    }
}

impl GpuFilesystem {
    /// An empty file system: the root directory, inode 0, alone. There is room for `reserve` inodes at
    /// once, if the system has the memory, and it grows past it.
    ///
    /// # Errors
    /// [`Error::Engine`] when a device of one engine can't be opened, [`Error::Index`] without random bytes for the hash key.
    pub fn new(device: &Device, reserve: usize) -> Result<GpuFilesystem, Error> {
        GpuFilesystem::from_namespace(device, Namespace::with_capacity(reserve))
    }

    /// The file system of a namespace. Builds the index, in parallel: about 100 ns an entry and thread.
    ///
    /// # Errors
    /// As [`GpuFilesystem::new`].
    pub fn from_namespace(device: &Device, namespace: Namespace) -> Result<GpuFilesystem, Error> {
        GpuFilesystem::from_index(device, Index::build(namespace)?)
    }

    /// The file system of an index that has been built, or read from a file. One that is to be changed must be sound
    /// ([`Index::check`]): changing a damaged one may panic, which leaves lookups with the version they have.
    ///
    /// # Errors
    /// [`Error::Engine`] when a device of one engine can't be opened.
    pub fn from_index(device: &Device, index: Index) -> Result<GpuFilesystem, Error> {
        let router = Router::new(device)?;
        let core = Arc::new_cyclic(|me| Core {
            store: Store::new(index),
            router,
            calibrating: AtomicBool::new(false),
            me: Weak::clone(me),
            executor: Executor::default(),
            rekeyer: Rekeyer::default(),
        });
        let handle = Arc::new(Handle { core: Arc::clone(&core) });
        Ok(GpuFilesystem { core, _handle: handle })
    }

    /// Looks up one path. Relative paths begin at the root.
    ///
    /// # Errors
    /// [`Error::Lookup`] with what the kernel would say, or another [`Error`] when the lookup could not run.
    pub fn lookup_path(&self, path: &str) -> Result<InodeId, Error> {
        Ok(self.resolve_path(path.as_bytes(), &Options::default())??)
    }

    /// Looks up many paths at once: an answer for each, in their order. An empty batch has an empty answer, and there is no
    /// largest batch. A bad path is its own answer's error and no other's.
    ///
    /// # Errors
    /// [`Error`] only when the batch could not run at all.
    pub fn lookup_batch(&self, paths: &[&str]) -> Result<Vec<Outcome>, Error> {
        self.lookup_batch_at(warpath_core::ROOT, paths)
    }

    /// As [`lookup_batch`](GpuFilesystem::lookup_batch), with relative paths beginning at the directory `start`.
    ///
    /// # Errors
    /// [`Error::Start`] when `start` is no directory, and as [`lookup_batch`](GpuFilesystem::lookup_batch).
    pub fn lookup_batch_at(&self, start: InodeId, paths: &[&str]) -> Result<Vec<Outcome>, Error> {
        let outcomes = self.resolve(PathBatch::from_strs(paths), &Options::default().start(start))?;
        Ok(outcomes.iter().collect())
    }

    /// Looks up many paths without waiting: copies them, returns at once, and gives the answers when they are there. Several
    /// batches can be in flight; each sees the version that is current when its turn comes.
    ///
    /// # Errors
    /// [`Error::Threads`] when the system gives no thread.
    ///
    /// # Example
    /// ```
    /// # use warpath::{Device, FileType, GpuFilesystem};
    /// # let fs = GpuFilesystem::new(&Device::cpu(), 16)?;
    /// # let id = fs.add_file(0, "a", FileType::Regular)?;
    /// let first = fs.lookup_batch_async(&["/a"])?;
    /// let second = fs.lookup_batch_async(&["/b"])?;
    /// assert_eq!(first.wait()?, [Ok(id)]);
    /// assert!(second.wait()?[0].is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lookup_batch_async(&self, paths: &[&str]) -> Result<BatchLookupFuture, Error> {
        let paths = paths.iter().collect();
        Ok(BatchLookupFuture::new(self.resolve_async(paths, &Options::default())?))
    }

    /// As [`resolve`](GpuFilesystem::resolve), without waiting; see [`lookup_batch_async`](GpuFilesystem::lookup_batch_async).
    ///
    /// # Errors
    /// [`Error::Threads`] when the system gives no thread.
    pub fn resolve_async(&self, paths: PathBuffer, options: &Options) -> Result<ResolveFuture, Error> {
        Executor::submit(&self.core, paths, *options).map(ResolveFuture::new)
    }

    /// Resolves a batch, borrowed as it lies in memory: a column of inodes and one of statuses, in the batch's order.
    ///
    /// Allocates the two columns (5 bytes a path) and nothing else on the CPU. Any number of paths is one call.
    ///
    /// # Errors
    /// [`Error`] only when the batch could not run at all.
    pub fn resolve(&self, batch: PathBatch<'_>, options: &Options) -> Result<Outcomes, Error> {
        let mut outcomes = Outcomes::with_len(batch.len());
        self.resolve_into(batch, options, outcomes.as_mut())?;
        Ok(outcomes)
    }

    /// As [`resolve`](GpuFilesystem::resolve), into columns of the caller's, one element a path. After an error they hold nothing of
    /// use.
    ///
    /// # Errors
    /// [`Error`] only when the batch could not run at all, as when the columns have another length than the batch.
    pub fn resolve_into(
        &self,
        batch: PathBatch<'_>,
        options: &Options,
        out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        self.core.resolve_into(&batch, options, out)
    }

    /// Resolves one path.
    ///
    /// # Errors
    /// [`Error`] only when the lookup could not run at all.
    pub fn resolve_path(&self, path: &[u8], options: &Options) -> Result<Outcome, Error> {
        self.core.resolve_path(path, options)
    }

    /// Adds an inode and its entry. A symbolic link added so has no known target: following it is
    /// [`NotIndexed`](crate::LookupError::NotIndexed); see [`add_symlink`](GpuFilesystem::add_symlink).
    ///
    /// Costs about a microsecond; large lists are faster through [`apply`](GpuFilesystem::apply).
    ///
    /// # Errors
    /// [`NamespaceError`] for a name that is refused or taken and a parent that is none, and nothing has changed.
    pub fn add_file(
        &self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        self.change(|index| index.add_file(parent, name, file_type))
    }

    /// Adds a symbolic link to `target`, which need not exist.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_symlink(
        &self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.change(|index| index.add_symlink(parent, name, target))
    }

    /// Adds another name of an inode that is no directory.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_hard_link(
        &self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        self.change(|index| index.add_hard_link(parent, name, inode))
    }

    /// Removes an entry, as unlink(2) and rmdir(2) do. An inode without a name left is gone, and its id may be given again.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn remove(&self, parent: InodeId, name: impl AsRef<[u8]>) -> Result<Removed, NamespaceError> {
        self.change(|index| index.remove(parent, name))
    }

    /// Renames an entry, as rename(2) does, replacing what rename(2) would. O(1) for a directory of any size.
    ///
    /// What lies below a large directory is re-keyed by a thread in the background, a few thousand entries a version, but each directory
    /// as a whole: other changes wait for a version, about half a microsecond an entry. Until all is done
    /// ([`is_rekeying`](GpuFilesystem::is_rekeying)) lookups walk, which costs a probe a component instead of one a path.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn rename(
        &self,
        from: InodeId,
        name: impl AsRef<[u8]>,
        to: InodeId,
        new_name: impl AsRef<[u8]>,
    ) -> Result<Renamed, NamespaceError> {
        self.change(|index| index.rename(from, name, to, new_name))
    }

    /// Carries out a list of changes as one version: lookups see all of it or nothing.
    ///
    /// # Errors
    /// [`ChangeError`] at the first change that is refused; those before it stand.
    pub fn apply(&self, changes: &[Change]) -> Result<(), ChangeError> {
        self.change(|index| index.apply(changes))
    }

    /// Says whether not every entry of a directory is known: what is missing there is then "not indexed". O(symbolic links).
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn set_partial(&self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        self.change(|index| index.set_partial(directory, partial))
    }

    /// Sets what `stat` tells of an inode.
    ///
    /// # Errors
    /// [`NamespaceError::NoSuchInode`].
    pub fn set_attributes(&self, inode: InodeId, attributes: Attributes) -> Result<(), NamespaceError> {
        self.change(|index| index.set_attributes(inode, attributes))
    }

    /// Looks at the names, children, targets and attributes. Changes wait until `look` returns, lookups don't.
    ///
    /// A change from within `look` never returns. Nor may what takes the same lock, while a change waits for it: another
    /// `with_namespace`, [`is_rekeying`](GpuFilesystem::is_rekeying), [`calibrate`](GpuFilesystem::calibrate), and lookups with
    /// [`beneath`](Options::beneath). Nor may work that rayon's threads share, such as [`Namespace::check`]: they may be waiting in changes.
    pub fn with_namespace<T>(&self, look: impl FnOnce(&Namespace) -> T) -> T {
        self.core.store.with_namespace(look)
    }

    /// Whether a rename is still being re-keyed in the background.
    pub fn is_rekeying(&self) -> bool {
        self.core.store.is_rekeying()
    }

    /// The engines that answer, in words, in the order in which they are tried.
    pub fn engines(&self) -> Vec<String> {
        self.core.router.describe()
    }

    /// Where a batch would go now, and why.
    ///
    /// # Example
    /// ```
    /// # use warpath::{Device, GpuFilesystem, PathBatch};
    /// let fs = GpuFilesystem::new(&Device::system_default().unwrap(), 16)?;
    /// fs.calibrate();
    /// println!("{}", fs.explain(&PathBatch::from_strs(&["/a"; 1000])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, batch: &PathBatch<'_>) -> Explanation {
        self.core.router.explain(batch)
    }

    /// Sends every batch to the engine of this name first, such as `cpu` or `wgpu:radeon`; with `None`, to the best one again.
    ///
    /// # Errors
    /// [`Error::NoSuchEngine`] when the device has none of that name; nothing has changed then.
    pub fn force_engine(&self, name: Option<&str>) -> Result<(), Error> {
        if self.core.router.force(name) {
            return Ok(());
        }
        let name = name.unwrap_or_default().to_owned();
        Err(Error::NoSuchEngine { name, engines: self.engines().join("; ") })
    }

    /// Measures the engines of a device that has several, with paths of the tree: about 50 ms an engine. Happens by itself, in the
    /// background, at the first batch and whenever the tree has become four times as large or as small; until then batches go to the
    /// CPU where it is one of the engines. Does nothing for a device of one engine.
    pub fn calibrate(&self) {
        if self.core.router.is_multiple() {
            self.core.router.calibrate(&self.core.store);
        }
    }

    /// The number of the current version. Grows with every change that lookups can see; attributes are none.
    pub fn version(&self) -> u64 {
        self.core.store.tables().version()
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let (result, rekeying) = self.core.store.change(|index| (change(index), index.is_rekeying()));
        if rekeying {
            Rekeyer::start(&self.core);
        }
        result
    }
}

impl Core {
    #[inline]
    pub fn resolve_into(
        &self,
        batch: &PathBatch<'_>,
        options: &Options,
        out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        if out.inodes.len() != batch.len() || out.statuses.len() != batch.len() {
            return Err(Error::Columns {
                n_paths: batch.len(),
                n_inodes: out.inodes.len(),
                n_statuses: out.statuses.len(),
            });
        }
        let (version, plan) = self.store.plan(options)?;
        self.resolve_in(&version, &plan, batch, out)
    }

    /// Resolves a batch in a version, on the engine that the router chooses. Has the engines measured when it is time for that.
    #[inline]
    pub fn resolve_in(
        &self,
        version: &Version,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), Error> {
        self.router.resolve(&version.tables, plan, batch, out)?;
        if self.router.wants_calibration(version.tables.n_entries()) {
            self.start_calibration();
        }
        Ok(())
    }

    /// Measures the engines in the background.
    #[cold]
    fn start_calibration(&self) {
        if self.calibrating.swap(true, Ordering::AcqRel) {
            return;
        }
        let me = Weak::clone(&self.me);
        let calibrate = move || {
            if let Some(core) = me.upgrade() {
                core.router.calibrate(&core.store);
                core.calibrating.store(false, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("warpath-calibrate".to_owned());
        if thread.spawn(calibrate).is_err() {
            self.calibrating.store(false, Ordering::Release);
        }
    }

    #[inline]
    pub fn resolve_path(&self, path: &[u8], options: &Options) -> Result<Outcome, Error> {
        let (mut inode, mut status) = ([INVALID_INODE], [0]);
        let out = OutcomesMut { inodes: &mut inode, statuses: &mut status };
        self.resolve_into(&PathBatch::from_slices(&[path]), options, out)?;
        Ok(match warpath_core::LookupError::from_code(status[0]) {
            Some(error) => Err(error),
            None => Ok(inode[0]),
        })
    }
}

impl fmt::Debug for GpuFilesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.core.store.tables();
        f.debug_struct("GpuFilesystem")
            .field("version", &tables.version())
            .field("entries", &tables.n_entries())
            .finish_non_exhaustive()
    }
}
