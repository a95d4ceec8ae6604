//! What the workers have found, put into a namespace.

use super::listing::{Found, Kind, Listing, Progress, TOP};
use super::walk::Walk;
use super::{ScanError, ScanOptions, ScanSummary, Unreadable, host_path};
use rustix::io::Errno;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use warpath_core::{FileType, INVALID_INODE, InodeId, Namespace, NamespaceError};

/// Listings that may wait for the builder. Most hold a dozen names, none much more than a megabyte.
const WAITING_LISTINGS: usize = 256;

/// Unreadable directories that are told one by one.
const MAX_EXAMPLES: usize = 5;

/// Runs the walk and puts what it finds below `top`.
pub fn build(
    namespace: &mut Namespace,
    top: InodeId,
    walk: &Walk,
    options: &ScanOptions<'_>,
) -> Result<ScanSummary, ScanError> {
    thread::scope(|scope| {
        // Dropped before the scope ends, whatever happens here: then the workers come to their end too.
        let (sender, listings) = sync_channel(WAITING_LISTINGS);
        for i in 0..walk.n_threads {
            let sender = sender.clone();
            let started = thread::Builder::new()
                .name(format!("scan-{i}"))
                .spawn_scoped(scope, move || walk.work(&sender));
            if let Err(error) = started {
                walk.queue.stop();
                return Err(ScanError::Thread(error));
            }
        }
        drop(sender);
        // On the way to it, it was taken for a directory that is not read.
        namespace.set_partial(top, false)?;
        Builder::new(namespace, top).run(listings, options)
    })
}

struct Builder<'n> {
    namespace: &'n mut Namespace,
    /// The inode of each token; `INVALID_INODE` for what is not in the namespace.
    directories: Vec<InodeId>,
    /// Inodes that may have further names, by device and inode number.
    linked: HashMap<u64, HashMap<u64, InodeId, foldhash::fast::RandomState>>,
    summary: ScanSummary,
}

impl<'n> Builder<'n> {
    fn new(namespace: &'n mut Namespace, top: InodeId) -> Builder<'n> {
        let directories = vec![top];
        Builder { namespace, directories, linked: HashMap::new(), summary: ScanSummary::default() }
    }

    fn run(
        mut self,
        listings: Receiver<Listing>,
        options: &ScanOptions<'_>,
    ) -> Result<ScanSummary, ScanError> {
        for listing in listings {
            self.add(&listing)?;
            if let Some(progress) = options.progress {
                progress(self.summary.entries);
            }
        }
        Ok(self.summary)
    }

    fn add(&mut self, listing: &Listing) -> Result<(), NamespaceError> {
        self.summary.vanished += listing.vanished;
        let directory = self.directories.get(listing.directory as usize).copied().unwrap_or(INVALID_INODE);
        if directory == INVALID_INODE {
            return Ok(());
        }
        if let Some(attributes) = listing.attributes {
            self.namespace.set_attributes(directory, attributes)?;
        }
        let mut links = self.linked.remove(&listing.device).unwrap_or_default();
        for found in &listing.entries {
            match self.entry(directory, listing, found, &mut links) {
                Ok(()) => self.summary.entries += 1,
                // The directory changed while it was read, and the name came twice.
                Err(NamespaceError::NameTaken { .. }) => {}
                Err(NamespaceError::NameTooLong { .. }) => {
                    self.summary.refused += 1;
                    self.namespace.set_partial(directory, true)?;
                }
                Err(error) => return Err(error),
            }
        }
        if !links.is_empty() {
            self.linked.insert(listing.device, links);
        }
        self.finish(directory, listing)
    }

    fn entry(
        &mut self,
        directory: InodeId,
        listing: &Listing,
        found: &Found,
        links: &mut HashMap<u64, InodeId, foldhash::fast::RandomState>,
    ) -> Result<(), NamespaceError> {
        let name = listing.text(&found.name);
        let (file_type, target) = match &found.kind {
            Kind::Directory(token) => {
                let inode = self.namespace.add_directory(directory, name)?;
                self.namespace.set_attributes(inode, found.attributes)?;
                self.remember(*token as usize, inode);
                self.summary.directories += 1;
                return Ok(());
            }
            Kind::Symlink(target) => (FileType::Symlink, target.as_ref()),
            Kind::File(file_type) => (*file_type, None),
        };
        match file_type {
            FileType::Symlink => self.summary.symlinks += 1,
            _ => self.summary.files += 1,
        }
        let Some(number) = found.attributes.ino.filter(|_| found.may_be_linked) else {
            return self
                .add_inode(directory, name, file_type, target.map(|at| listing.text(at)), found)
                .map(drop);
        };
        match links.entry(number) {
            // A number can be used again while the scan runs, so the types are compared.
            Entry::Occupied(first) if self.namespace.file_type(*first.get()) == Some(file_type) => {
                self.namespace.add_hard_link(directory, name, *first.get())?;
                self.summary.hard_links += 1;
            }
            first => {
                let target = target.map(|at| listing.text(at));
                first.insert_entry(self.add_inode(directory, name, file_type, target, found)?);
            }
        }
        Ok(())
    }

    fn add_inode(
        &mut self,
        directory: InodeId,
        name: &[u8],
        file_type: FileType,
        target: Option<&[u8]>,
        found: &Found,
    ) -> Result<InodeId, NamespaceError> {
        let inode = match target {
            Some(target) => self.namespace.add_symlink(directory, name, target)?,
            None => self.namespace.add_file(directory, name, file_type)?,
        };
        self.namespace.set_attributes(inode, found.attributes)?;
        Ok(inode)
    }

    fn remember(&mut self, token: usize, inode: InodeId) {
        if self.directories.len() <= token {
            self.directories.resize(token + 1, INVALID_INODE);
        }
        self.directories[token] = inode;
    }

    /// Notes how the directory's reading has ended.
    fn finish(&mut self, directory: InodeId, listing: &Listing) -> Result<(), NamespaceError> {
        let is_top = listing.directory == TOP;
        match listing.progress {
            Progress::More | Progress::Complete => return Ok(()),
            Progress::Excluded => self.summary.excluded += 1,
            Progress::OtherFileSystem => self.summary.other_file_systems += 1,
            Progress::Unreadable(reason) => self.unreadable(directory, reason),
            Progress::Replaced => self.summary.vanished += 1,
            Progress::Vanished => {
                self.summary.vanished += 1;
                if !is_top && self.forget(directory) {
                    return Ok(());
                }
            }
        }
        self.namespace.set_partial(directory, true)
    }

    fn unreadable(&mut self, directory: InodeId, reason: Errno) {
        self.summary.unreadable += 1;
        if self.summary.examples.len() < MAX_EXAMPLES {
            let path = host_path(self.namespace.path_of(directory).unwrap_or_default());
            self.summary.examples.push(Unreadable { path, reason });
        }
    }

    /// Takes a directory away that is gone. False where something was found in it before.
    fn forget(&mut self, directory: InodeId) -> bool {
        let Some((parent, name)) = self.namespace.entry_of(directory).map(|e| (e.parent, e.name.to_vec()))
        else {
            return false;
        };
        if self.namespace.remove(parent, name).is_err() {
            return false;
        }
        self.summary.entries -= 1;
        self.summary.directories -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::exclude::Exclude;
    use super::*;
    use std::path::Path;
    use warpath_core::ROOT;

    fn built(top: &Path, n_spare: usize) -> (Namespace, ScanSummary) {
        let options = ScanOptions { in_root: true, ..ScanOptions::default() };
        let walk = Walk::open(top, &options, Exclude::new(&["**/left/out".to_owned()]).unwrap()).unwrap();
        walk.limit_descriptors(n_spare);
        let mut namespace = Namespace::new();
        let summary = build(&mut namespace, ROOT, &walk, &options).unwrap();
        (namespace, summary)
    }

    /// Directories that could not be kept open are found again from their ancestors.
    #[test]
    fn few_descriptors_find_the_same() {
        let top = tempfile::tempdir().unwrap();
        let mut directory = top.path().to_owned();
        for depth in 0..150 {
            for side in ["a/b/c", "b/left/out", "c"] {
                std::fs::create_dir_all(directory.join(side)).unwrap();
            }
            directory.push(if depth % 2 == 0 { "a" } else { "c" });
        }
        let (expected, summary) = built(top.path(), usize::MAX);
        assert!(summary.entries > 900 && summary.excluded == 150);
        for n_spare in [0, 1, 2, 50] {
            let (namespace, again) = built(top.path(), n_spare);
            assert_eq!(again, summary);
            for inode in 0..expected.inode_bound() {
                let path = expected.path_of(inode).unwrap();
                let same = warpath_core::reference::resolve(&namespace, &path, &Default::default()).unwrap();
                assert_eq!(namespace.attributes(same), expected.attributes(inode));
                assert_eq!(namespace.is_partial(same), expected.is_partial(inode));
            }
        }
    }
}
