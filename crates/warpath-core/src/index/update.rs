//! One change at a time, each a version: what the caller may ask for.

use super::Index;
use super::dependencies;
use super::entries::Placed;
use super::links::Dependency;
use crate::InodeId;
use crate::layout::{self, DirRecord};
use crate::namespace::{Attributes, FileType, Namespace, NamespaceError, Removed, Renamed};

/// A change to the tree, for [`Index::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new entry and inode.
    Add {
        /// Directory that gets the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
        /// What it is.
        file_type: FileType,
        /// For a symbolic link, its target where that is known.
        target: Option<Vec<u8>>,
        /// What `stat` tells of it.
        attributes: Attributes,
    },
    /// Another name of an inode.
    HardLink {
        /// Directory that gets the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
        /// What it leads to.
        inode: InodeId,
    },
    /// An entry less.
    Remove {
        /// Directory that loses the entry.
        parent: InodeId,
        /// Its name.
        name: Vec<u8>,
    },
    /// An entry moved.
    Rename {
        /// Directory that loses the entry.
        from: InodeId,
        /// Its name there.
        name: Vec<u8>,
        /// Directory that gets it.
        to: InodeId,
        /// Its new name.
        new_name: Vec<u8>,
    },
    /// Other attributes.
    Attributes {
        /// Of this inode.
        inode: InodeId,
        /// What `stat` tells now.
        attributes: Attributes,
    },
    /// Whether not every entry of a directory is known.
    Partial {
        /// The directory.
        directory: InodeId,
        /// Whether what is missing there is "not indexed".
        partial: bool,
    },
}

/// A change of a list that was refused; those before it were carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("change {position}: {error}")]
pub struct ChangeError {
    /// Which change of the list.
    pub position: usize,
    /// Why.
    pub error: NamespaceError,
}

impl Index {
    /// Adds an inode and its entry; see [`Namespace::add_file`]. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_file(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        self.committed(|index| {
            let inode = index.namespace.add_file(parent, name.as_ref(), file_type)?;
            index.entry_added(parent, name.as_ref());
            Ok(inode)
        })
    }

    /// Adds an empty directory. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_directory(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.add_file(parent, name, FileType::Directory)
    }

    /// Adds a symbolic link. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_symlink(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.committed(|index| {
            let inode = index.namespace.add_symlink(parent, name.as_ref(), target.as_ref())?;
            index.entry_added(parent, name.as_ref());
            Ok(inode)
        })
    }

    /// Adds another name of an inode that is no directory. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn add_hard_link(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        self.committed(|index| {
            index.namespace.add_hard_link(parent, name.as_ref(), inode)?;
            index.entry_added(parent, name.as_ref());
            Ok(())
        })
    }

    /// Removes an entry, as unlink(2) and rmdir(2) do. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn remove(&mut self, parent: InodeId, name: impl AsRef<[u8]>) -> Result<Removed, NamespaceError> {
        self.committed(|index| index.remove_entry(parent, name.as_ref()))
    }

    /// Renames an entry, as rename(2) does, replacing what rename(2) would. O(1) for a directory of any size: what has to be
    /// re-keyed below it and is not small is left to [`Index::rekey`]. One version.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn rename(
        &mut self,
        from: InodeId,
        name: impl AsRef<[u8]>,
        to: InodeId,
        new_name: impl AsRef<[u8]>,
    ) -> Result<Renamed, NamespaceError> {
        self.committed(|index| index.rename_entry(from, name.as_ref(), to, new_name.as_ref()))
    }

    /// Says whether not every entry of a directory is known. One version; resolves every link anew.
    ///
    /// # Errors
    /// [`NamespaceError`], and nothing has changed.
    pub fn set_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        self.committed(|index| index.set_directory_partial(directory, partial))
    }

    /// Sets what `stat` tells of an inode. No new version: engines don't read it.
    ///
    /// # Errors
    /// [`NamespaceError::NoSuchInode`].
    pub fn set_attributes(&mut self, inode: InodeId, attributes: Attributes) -> Result<(), NamespaceError> {
        self.namespace.set_attributes(inode, attributes)
    }

    /// Carries out a list of changes as one version, in order.
    ///
    /// # Errors
    /// [`ChangeError`] at the first change that is refused; those before it stand.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ChangeError> {
        let result = changes.iter().enumerate().try_for_each(|(position, change)| {
            self.apply_one(change).map_err(|error| ChangeError { position, error })
        });
        self.commit();
        result
    }

    fn committed<T>(
        &mut self,
        change: impl FnOnce(&mut Index) -> Result<T, NamespaceError>,
    ) -> Result<T, NamespaceError> {
        let result = change(self)?;
        self.commit();
        Ok(result)
    }

    /// Makes the changes since the last version the next one.
    pub(super) fn commit(&mut self) {
        let flags = [
            (!self.stale.is_empty(), layout::TABLE_STRICT),
            (self.namespace.n_partial() > 0, layout::TABLE_HAS_PARTIAL),
            (self.namespace.n_aliases() > 0, layout::TABLE_HAS_ALIASES),
        ];
        self.tables.set_flags(flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag));
        self.tables.commit();
    }

    fn apply_one(&mut self, change: &Change) -> Result<(), NamespaceError> {
        match change {
            Change::Add { parent, name, file_type, target, attributes } => {
                let inode = match target {
                    Some(target) if *file_type == FileType::Symlink => {
                        self.namespace.add_symlink(*parent, name, target)?
                    }
                    _ => self.namespace.add_file(*parent, name, *file_type)?,
                };
                self.entry_added(*parent, name);
                self.namespace.set_attributes(inode, *attributes)
            }
            Change::HardLink { parent, name, inode } => {
                self.namespace.add_hard_link(*parent, name, *inode)?;
                self.entry_added(*parent, name);
                Ok(())
            }
            Change::Remove { parent, name } => self.remove_entry(*parent, name).map(|_| ()),
            Change::Rename { from, name, to, new_name } => {
                self.rename_entry(*from, name, *to, new_name).map(|_| ())
            }
            Change::Attributes { inode, attributes } => self.namespace.set_attributes(*inode, *attributes),
            Change::Partial { directory, partial } => self.set_directory_partial(*directory, *partial),
        }
    }

    fn remove_entry(&mut self, parent: InodeId, name: &[u8]) -> Result<Removed, NamespaceError> {
        let entry = self.namespace.child_entry(parent, name).map(|entry| Placed::of(&entry));
        let before = entry.as_ref().map_or(vec![], |entry| self.aliased_entries(entry.inode));
        let removed = self.namespace.remove(parent, name)?;
        let mut new_links = vec![];
        if let Some(entry) = entry {
            new_links = self.entry_removed(&entry, &removed, &before);
        }
        self.refresh_links(&[dependencies::entry(parent, name)], new_links);
        Ok(removed)
    }

    fn rename_entry(
        &mut self,
        from: InodeId,
        name: &[u8],
        to: InodeId,
        new_name: &[u8],
    ) -> Result<Renamed, NamespaceError> {
        let placed = |namespace: &Namespace, parent, name: &[u8]| {
            namespace.child_entry(parent, name).map(|entry| Placed::of(&entry))
        };
        let moved = placed(&self.namespace, from, name);
        let target = placed(&self.namespace, to, new_name);
        let moved_before = moved.as_ref().map_or(vec![], |moved| self.aliased_entries(moved.inode));
        let target_before = target.as_ref().map_or(vec![], |target| self.aliased_entries(target.inode));
        let renamed = self.namespace.rename(from, name, to, new_name)?;
        let (false, Some(moved)) = (renamed.unchanged, moved) else { return Ok(renamed) };
        let mut new_links = vec![];
        if let (Some(target), Some(replaced)) = (target, &renamed.replaced) {
            new_links.extend(self.entry_removed(&target, replaced, &target_before));
        }
        self.displace(&moved);
        let changed = [dependencies::entry(from, name), dependencies::entry(to, new_name)];
        let mut changed = changed.to_vec();
        match renamed.file_type {
            FileType::Symlink => {
                let others: Vec<Placed> =
                    moved_before.iter().filter(|other| **other != moved).cloned().collect();
                new_links.extend(self.links_moved(&others, moved.alias, moved.inode));
            }
            FileType::Directory => {
                changed.push(Dependency::Parent(moved.inode));
                self.directory_moved(moved.inode, to, new_name);
            }
            _ => self.place(&Placed { parent: to, name: new_name.to_vec(), ..moved }),
        }
        self.refresh_links(&changed, new_links);
        Ok(renamed)
    }

    fn set_directory_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        self.namespace.set_partial(directory, partial)?;
        if let Some(&record) = self.dir(directory) {
            let flags = if partial { layout::DIR_PARTIAL } else { 0 };
            self.set_dir(directory, DirRecord { flags, ..record });
        }
        self.resolve_all_links();
        Ok(())
    }
}
