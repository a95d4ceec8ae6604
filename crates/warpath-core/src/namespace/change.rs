//! Adding, removing, renaming. Everything that can fail comes before anything that changes.

use super::arena::NO_TEXT;
use super::entries::HARD_LINK;
use super::{FileType, Namespace, NamespaceError, Removed, Renamed};
use crate::{InodeId, ROOT, layout};

/// Where an entry can be put: a directory's number, and the hash of a name that is not taken there.
pub(super) struct Place {
    parent: InodeId,
    number: u32,
    hash: u32,
}

impl Namespace {
    /// Adds a file of any type. `FileType::Symlink` makes a link whose target is not known: to follow it is NotIndexed.
    ///
    /// # Errors
    /// For the name: [`EmptyName`](NamespaceError::EmptyName), [`DotName`](NamespaceError::DotName),
    /// [`ForbiddenByte`](NamespaceError::ForbiddenByte), [`NameTooLong`](NamespaceError::NameTooLong).
    /// For the parent: [`NoSuchInode`](NamespaceError::NoSuchInode),
    /// [`NotADirectory`](NamespaceError::NotADirectory). [`NameTaken`](NamespaceError::NameTaken), and
    /// [`Full`](NamespaceError::Full) past 2^31 inodes or 8 GiB of names. Nothing changes on an error.
    pub fn add_file(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        let place = self.place(parent, name.as_ref())?;
        self.add_at(place, name.as_ref(), file_type)
    }

    /// Adds an empty directory.
    ///
    /// # Errors
    /// As [`Namespace::add_file`].
    pub fn add_directory(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        self.add_file(parent, name, FileType::Directory)
    }

    /// Adds a symbolic link. The target has 1 to 4095 bytes and no NUL; whether it leads anywhere is not asked.
    ///
    /// # Errors
    /// As [`Namespace::add_file`], and [`BadTarget`](NamespaceError::BadTarget).
    pub fn add_symlink(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        let target = target.as_ref();
        let place = self.place(parent, name.as_ref())?;
        if !(1..=layout::MAX_PATH as usize).contains(&target.len()) || target.contains(&0) {
            return Err(NamespaceError::BadTarget);
        }
        let at = self.targets.insert(target).ok_or(NamespaceError::Full { what: "8 GiB of targets" })?;
        match self.add_at(place, name.as_ref(), FileType::Symlink) {
            Ok(link) => {
                self.set_target(link, at);
                Ok(link)
            }
            Err(error) => {
                self.targets.free(at);
                Err(error)
            }
        }
    }

    /// Adds another name of an inode that is no directory. Where it is a symbolic link, the entry gets an id of
    /// its own ([`Entry::alias`](super::Entry::alias)).
    ///
    /// # Errors
    /// As [`Namespace::add_file`]; [`NoSuchInode`](NamespaceError::NoSuchInode) also for `inode`, and
    /// [`IsADirectory`](NamespaceError::IsADirectory) when it is one.
    pub fn add_hard_link(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        let place = self.place(parent, name.as_ref())?;
        let file_type = self.file_type(inode).ok_or(NamespaceError::NoSuchInode { inode })?;
        if file_type == FileType::Directory {
            return Err(NamespaceError::IsADirectory { inode });
        }
        let is_link = file_type == FileType::Symlink;
        if !self.entries.hard_links.has_room() || is_link && !self.entries.inodes.has_room(file_type) {
            return Err(NamespaceError::Full { what: "2^31 inodes, 2^31 hard links" });
        }
        self.reserve(place.number)?;
        let name_at = self.entries.insert_name(name.as_ref())?;
        let alias = if is_link { self.entries.inodes.add_alias() } else { inode };
        let link = self.entries.hard_links.add(parent, name_at, inode, alias);
        self.children.insert(place.number, place.hash, HARD_LINK | link);
        Ok(())
    }

    /// Removes an entry, and the inode with its last one. A directory must be empty.
    ///
    /// # Errors
    /// For the name and the parent as [`Namespace::add_file`]; [`NoSuchEntry`](NamespaceError::NoSuchEntry),
    /// [`NotEmpty`](NamespaceError::NotEmpty). Nothing changes on an error.
    pub fn remove(&mut self, parent: InodeId, name: impl AsRef<[u8]>) -> Result<Removed, NamespaceError> {
        let name = name.as_ref();
        check_name(name)?;
        let number = self.directory_number(parent)?;
        let slot =
            self.find(number, self.entries.hash.hash(name), name).ok_or(NamespaceError::NoSuchEntry)?;
        let child = self.children.id(slot);
        let inode = self.entries.inode(child);
        if self.n_children(inode) > 0 {
            return Err(NamespaceError::NotEmpty { inode });
        }
        self.entries.names.free(self.entries.name_at(child));
        self.children.remove(number, slot);
        let removed = self.drop_entry(child);
        self.tidy(number);
        Ok(removed)
    }

    /// Renames an entry as rename(2) does: it replaces a file by what is no directory, and an empty directory
    /// by a directory. O(1), of a directory too: what lies below moves along.
    ///
    /// # Errors
    /// In this order: for the names and directories as [`Namespace::add_file`];
    /// [`NoSuchEntry`](NamespaceError::NoSuchEntry); [`IntoItself`](NamespaceError::IntoItself) where `to` is
    /// the renamed directory or lies in it; and for what has the new name already:
    /// [`NotEmpty`](NamespaceError::NotEmpty) where the renamed entry lies below it,
    /// [`NotADirectory`](NamespaceError::NotADirectory) where a directory would replace it and it is none,
    /// [`IsADirectory`](NamespaceError::IsADirectory) where it is one and something else would replace it,
    /// [`NotEmpty`](NamespaceError::NotEmpty). Nothing changes on an error.
    pub fn rename(
        &mut self,
        from: InodeId,
        name: impl AsRef<[u8]>,
        to: InodeId,
        new_name: impl AsRef<[u8]>,
    ) -> Result<Renamed, NamespaceError> {
        let (name, new_name) = (name.as_ref(), new_name.as_ref());
        check_name(name)?;
        check_name(new_name)?;
        let (number, new_number) = (self.directory_number(from)?, self.directory_number(to)?);
        let (hash, new_hash) = (self.entries.hash.hash(name), self.entries.hash.hash(new_name));
        let slot = self.find(number, hash, name).ok_or(NamespaceError::NoSuchEntry)?;
        let child = self.children.id(slot);
        let inode = self.entries.inode(child);
        let is_directory = self.is_directory(inode);
        if is_directory && self.is_within(to, inode) {
            return Err(NamespaceError::IntoItself);
        }
        let file_type = self.file_type(inode).unwrap_or(FileType::Regular);
        let mut renamed = Renamed { inode, file_type, replaced: None, unchanged: false };

        if let Some(new_slot) = self.find(new_number, new_hash, new_name) {
            let target = self.children.id(new_slot);
            let target_inode = self.entries.inode(target);
            if target_inode == inode {
                return Ok(Renamed { unchanged: true, ..renamed });
            }
            self.check_replace(from, is_directory, target_inode)?;
            // The replaced entry's name stays and becomes the renamed one's.
            let name_at = self.entries.name_at(target);
            renamed.replaced = Some(self.drop_entry(target));
            self.children.set_id(new_slot, child);
            self.take_out(number, slot, child, to, name_at);
        } else {
            self.reserve(new_number)?;
            let name_at = self.entries.insert_name(new_name)?;
            // Making room may have moved the slots.
            if let Some(slot) = self.children.find(number, hash, |id| id == child) {
                self.take_out(number, slot, child, to, name_at);
            }
            self.children.insert(new_number, new_hash, child);
        }
        self.tidy(number);
        Ok(renamed)
    }

    /// Whether an entry of directory `from` may replace the inode `target`.
    fn check_replace(
        &self,
        from: InodeId,
        is_directory: bool,
        target: InodeId,
    ) -> Result<(), NamespaceError> {
        let target_is_directory = self.is_directory(target);
        if target_is_directory && self.is_within(from, target) {
            return Err(NamespaceError::NotEmpty { inode: target });
        }
        match (is_directory, target_is_directory) {
            (true, false) => Err(NamespaceError::NotADirectory { inode: target }),
            (false, true) => Err(NamespaceError::IsADirectory { inode: target }),
            _ if self.n_children(target) > 0 => Err(NamespaceError::NotEmpty { inode: target }),
            _ => Ok(()),
        }
    }

    /// Takes the renamed child out of its old slot and gives it its new directory and name.
    fn take_out(&mut self, number: u32, slot: usize, child: u32, to: InodeId, name_at: u32) {
        self.entries.names.free(self.entries.name_at(child));
        self.entries.set_entry(child, to, name_at);
        self.children.remove(number, slot);
    }

    /// Whether a directory is `ancestor` or lies below it. O(depth).
    fn is_within(&self, directory: InodeId, ancestor: InodeId) -> bool {
        let ancestors =
            std::iter::successors(Some(directory), |&at| if at == ROOT { None } else { self.parent(at) });
        // No chain is longer than there are directories, whatever a file says.
        ancestors.take(self.entries.inodes.n_directories as usize + 1).any(|at| at == ancestor)
    }

    /// Number of an inode that must be a directory.
    pub(super) fn directory_number(&self, inode: InodeId) -> Result<u32, NamespaceError> {
        match self.entries.inodes.directory_number(inode) {
            Some(number) => Ok(number),
            None if self.entries.inodes.exists(inode) => Err(NamespaceError::NotADirectory { inode }),
            None => Err(NamespaceError::NoSuchInode { inode }),
        }
    }

    /// Checks that `name` is good, `parent` a directory, and the name not taken in it.
    fn place(&self, parent: InodeId, name: &[u8]) -> Result<Place, NamespaceError> {
        check_name(name)?;
        self.place_checked(parent, name)
    }

    /// As [`Namespace::place`], of a name that was checked.
    #[inline]
    pub(super) fn place_checked(&self, parent: InodeId, name: &[u8]) -> Result<Place, NamespaceError> {
        let number = self.directory_number(parent)?;
        let hash = self.entries.hash.hash(name);
        match self.find(number, hash, name) {
            Some(slot) => {
                Err(NamespaceError::NameTaken { inode: self.entries.inode(self.children.id(slot)) })
            }
            None => Ok(Place { parent, number, hash }),
        }
    }

    /// Adds an inode and its first entry.
    #[inline]
    pub(super) fn add_at(
        &mut self,
        place: Place,
        name: &[u8],
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        self.reserve(place.number)?;
        let inode = self.append(place.parent, name, file_type)?;
        self.children.insert(place.number, place.hash, inode);
        Ok(inode)
    }

    /// Adds an inode that its directory's children do not list yet.
    #[inline]
    pub(super) fn append(
        &mut self,
        parent: InodeId,
        name: &[u8],
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        if !self.entries.inodes.has_room(file_type) {
            return Err(NamespaceError::Full { what: "2^31 inodes" });
        }
        let name_at = self.entries.insert_name(name)?;
        Ok(self.new_inode(file_type, parent, name_at))
    }

    #[inline]
    fn new_inode(&mut self, file_type: FileType, parent: InodeId, name_at: u32) -> InodeId {
        let inode = self.entries.inodes.add(file_type, parent, name_at);
        match file_type {
            FileType::Directory => {
                if let Some(number) = self.entries.inodes.directory_number(inode) {
                    self.children.add_directory(number);
                }
            }
            FileType::Symlink => self.set_target(inode, NO_TEXT),
            FileType::Regular | FileType::Other => {}
        }
        inode
    }

    /// Puts an empty directory in the place of an inode that has one entry and is none.
    pub(super) fn replace_by_directory(&mut self, old: InodeId) -> Result<InodeId, NamespaceError> {
        let inode = old;
        let entry = self.entry_of(old).ok_or(NamespaceError::NoSuchInode { inode })?;
        if !self.entries.inodes.has_room(FileType::Directory) {
            return Err(NamespaceError::Full { what: "2^31 inodes" });
        }
        let (parent, hash, name_at) =
            (entry.parent, self.entries.hash.hash(entry.name), self.entries.name_at(old));
        let number = self.directory_number(parent)?;
        let directory = self.new_inode(FileType::Directory, parent, name_at);
        if let Some(slot) = self.children.find(number, hash, |id| id == old) {
            self.children.set_id(slot, directory);
        }
        self.release(old);
        Ok(directory)
    }

    /// Makes room for another entry in directory `number`.
    #[inline]
    fn reserve(&mut self, number: u32) -> Result<(), NamespaceError> {
        let entries = &self.entries;
        if self.children.reserve(number, |child| entries.hash_of(child)) {
            Ok(())
        } else {
            Err(NamespaceError::Full { what: "2^32 places for entries" })
        }
    }

    fn set_target(&mut self, link: InodeId, at: u32) {
        let Some(number) = self.entries.inodes.link_number(link) else { return };
        if number as usize >= self.target_at.len() {
            self.target_at.resize(number as usize + 1, NO_TEXT);
        }
        self.target_at[number as usize] = at;
    }

    /// Forgets an entry that is, or will be, gone from its directory's block; the inode too if it was the
    /// last. The entry's name is the caller's to free.
    fn drop_entry(&mut self, child: u32) -> Removed {
        let inode = self.entries.inode(child);
        let file_type = self.file_type(inode).unwrap_or(FileType::Regular);
        let mut removed = Removed { inode, file_type, last: false, alias: inode };
        if child & HARD_LINK != 0 {
            removed.alias = self.drop_hard_link(child & !HARD_LINK);
        } else if let Some(place) = self.entries.hard_links.first(inode) {
            self.promote(inode, place);
        } else {
            removed.last = true;
            self.release(inode);
        }
        removed
    }

    /// Forgets a hard link and gives the alias that it had.
    fn drop_hard_link(&mut self, place: u32) -> InodeId {
        let Some(link) = self.entries.hard_links.get(place) else { return crate::INVALID_INODE };
        if link.alias != link.inode {
            self.entries.inodes.remove_alias(link.alias);
        }
        self.entries.hard_links.remove(place);
        link.alias
    }

    /// Makes a hard link the inode's first entry.
    fn promote(&mut self, inode: InodeId, place: u32) {
        let child = HARD_LINK | place;
        let Some(entry) = self.entries.entry(child) else { return };
        let (parent, hash) = (entry.parent, self.entries.hash.hash(entry.name));
        let name_at = self.entries.name_at(child);
        let number = self.entries.inodes.directory_number(parent);
        if let Some(slot) = number.and_then(|number| self.children.find(number, hash, |id| id == child)) {
            self.children.set_id(slot, inode);
        }
        self.drop_hard_link(place);
        self.entries.inodes.set_entry(inode, parent, name_at);
    }

    /// Frees an inode that has no entry.
    fn release(&mut self, inode: InodeId) {
        if let Some(number) = self.entries.inodes.directory_number(inode) {
            self.children.remove_directory(number);
        }
        if let Some(number) = self.entries.inodes.link_number(inode) {
            let at = &mut self.target_at[number as usize];
            self.targets.free(std::mem::replace(at, NO_TEXT));
        }
        self.attributes.set(inode, Default::default());
        self.entries.inodes.remove(inode);
    }

    /// After something was taken out of directory `number`: shrinks its block when little of it is used, and
    /// drops dead bytes of names and targets when they are the greater part.
    fn tidy(&mut self, number: u32) {
        let entries = &self.entries;
        self.children.tidy(number, |child| entries.hash_of(child));
        self.entries.tidy();
        if self.targets.wants_compaction() {
            self.targets.compact(self.target_at.iter_mut());
        }
    }
}

/// Whether a directory entry can have this name.
///
/// # Errors
/// Why it can't: it is empty, `.` or `..`, too long, or holds a slash or a NUL.
#[inline]
pub fn check_name(name: &[u8]) -> Result<(), NamespaceError> {
    match name {
        b"" => Err(NamespaceError::EmptyName),
        b"." | b".." => Err(NamespaceError::DotName),
        _ if name.len() > layout::MAX_NAME as usize => Err(NamespaceError::NameTooLong { len: name.len() }),
        _ if name.iter().any(|&byte| byte == b'/' || byte == 0) => Err(NamespaceError::ForbiddenByte),
        _ => Ok(()),
    }
}
