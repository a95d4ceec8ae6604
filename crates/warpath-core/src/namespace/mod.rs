//! The tree: names, children, link targets and attributes.
//!
//! A namespace knows nothing of hashes or engines; it is what an index is built from, and what the
//! [reference resolver](crate::reference) reads.

mod error;

pub use error::NamespaceError;

use crate::InodeId;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FileType {
    /// A regular file.
    Regular = crate::layout::KIND_FILE as u8,
    /// A directory.
    Directory = crate::layout::KIND_DIRECTORY as u8,
    /// A symbolic link.
    Symlink = crate::layout::KIND_SYMLINK as u8,
    /// A device, a socket, a pipe.
    Other = crate::layout::KIND_OTHER as u8,
}

impl FileType {
    /// The layout's KIND_ code.
    pub const fn kind(self) -> u32 {
        self as u32
    }

    /// The type of a KIND_ code; only the two lowest bits are read.
    pub const fn from_kind(kind: u32) -> FileType {
        match kind & crate::layout::KIND_MASK {
            crate::layout::KIND_FILE => FileType::Regular,
            crate::layout::KIND_DIRECTORY => FileType::Directory,
            crate::layout::KIND_SYMLINK => FileType::Symlink,
            _ => FileType::Other,
        }
    }
}

/// What `stat` tells of an inode. All zero where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The file system's own inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last modification, in nanoseconds since 1970.
    pub mtime: i64,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// An entry: a name in a directory that leads to an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The directory that holds the name.
    pub parent: InodeId,
    /// The name's bytes.
    pub name: &'a [u8],
    /// What it leads to.
    pub inode: InodeId,
    /// The id that stands for this very entry: `inode`, except for a further hard link of a symbolic link, which has an
    /// id of its own (of the class of links, from [`Namespace::add_hard_link`] on), because what a relative target leads to
    /// depends on the directory.
    pub alias: InodeId,
}

/// What [`Namespace::remove`] took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// The inode that the entry led to.
    pub inode: InodeId,
    /// What it was.
    pub file_type: FileType,
    /// Whether that was its last entry, so that the inode is gone and its id may be used again.
    pub last: bool,
    /// The entry's [`Entry::alias`], free again when it isn't `inode` or when `last`. When the first entry of a symbolic
    /// link is removed and another takes its place, that one's alias becomes `inode` (its slot must be written anew).
    pub alias: InodeId,
}

/// What [`Namespace::rename`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamed {
    /// The inode that has moved.
    pub inode: InodeId,
    /// What it is.
    pub file_type: FileType,
    /// The entry that was replaced at the target, if there was one.
    pub replaced: Option<Removed>,
    /// Old and new name are the same entry, or two hard links of one inode: rename(2) then does nothing.
    pub unchanged: bool,
}

/// The tree.
#[derive(Debug, Clone, Default)]
pub struct Namespace {}

#[allow(unused_variables, clippy::unimplemented, missing_docs)]
impl Namespace {
    /// A namespace that holds the root directory alone.
    pub fn new() -> Namespace {
        unimplemented!()
    }

    /// As [`Namespace::new`], with room for `n_inodes`; it grows past it.
    pub fn with_capacity(n_inodes: usize) -> Namespace {
        unimplemented!()
    }

    /// Adds a file of any type. `FileType::Symlink` makes a link whose target is not known: to follow it is NotIndexed.
    pub fn add_file(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        file_type: FileType,
    ) -> Result<InodeId, NamespaceError> {
        unimplemented!()
    }
    pub fn add_directory(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        unimplemented!()
    }
    /// target: 1..=4095 bytes, no NUL.
    pub fn add_symlink(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<InodeId, NamespaceError> {
        unimplemented!()
    }
    /// Another name of an inode that is no directory.
    pub fn add_hard_link(
        &mut self,
        parent: InodeId,
        name: impl AsRef<[u8]>,
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        unimplemented!()
    }
    pub fn remove(&mut self, parent: InodeId, name: impl AsRef<[u8]>) -> Result<Removed, NamespaceError> {
        unimplemented!()
    }
    /// rename(2), replacing what the target names where rename(2) would.
    pub fn rename(
        &mut self,
        from: InodeId,
        name: impl AsRef<[u8]>,
        to: InodeId,
        new_name: impl AsRef<[u8]>,
    ) -> Result<Renamed, NamespaceError> {
        unimplemented!()
    }
    /// What `name` in directory `parent` leads to.
    pub fn child(&self, parent: InodeId, name: &[u8]) -> Option<InodeId> {
        unimplemented!()
    }
    /// Entries of a directory, in no particular order; empty for what is no directory.
    pub fn list(&self, directory: InodeId) -> impl Iterator<Item = Entry<'_>> + '_ {
        std::iter::empty()
    }
    /// Number of entries of a directory.
    pub fn n_children(&self, directory: InodeId) -> usize {
        unimplemented!()
    }
    /// The directory that holds the inode's (first) entry; the root's is itself. None for what does not exist.
    pub fn parent(&self, inode: InodeId) -> Option<InodeId> {
        unimplemented!()
    }
    /// The inode's (first) entry; None for the root and for what does not exist.
    pub fn entry_of(&self, inode: InodeId) -> Option<Entry<'_>> {
        unimplemented!()
    }
    /// Every entry of the inode: one, or more where it is hard-linked.
    pub fn entries_of(&self, inode: InodeId) -> impl Iterator<Item = Entry<'_>> + '_ {
        std::iter::empty()
    }
    /// Absolute path of the inode's first entry, `/` for the root.
    pub fn path_of(&self, inode: InodeId) -> Option<Vec<u8>> {
        unimplemented!()
    }
    pub fn file_type(&self, inode: InodeId) -> Option<FileType> {
        unimplemented!()
    }
    pub fn is_directory(&self, inode: InodeId) -> bool {
        unimplemented!()
    }
    /// Target of a symbolic link; None where it is not known or the inode is no link.
    pub fn target(&self, link: InodeId) -> Option<&[u8]> {
        unimplemented!()
    }
    /// Whether not every entry of the directory is known: what is missing there is NotIndexed.
    pub fn is_partial(&self, directory: InodeId) -> bool {
        unimplemented!()
    }
    pub fn set_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        unimplemented!()
    }
    /// Number of directories that are partial.
    pub fn n_partial(&self) -> usize {
        unimplemented!()
    }
    pub fn attributes(&self, inode: InodeId) -> Option<Attributes> {
        unimplemented!()
    }
    pub fn set_attributes(&mut self, inode: InodeId, attributes: Attributes) -> Result<(), NamespaceError> {
        unimplemented!()
    }
    /// Number of entries, the root's not counted.
    pub fn n_entries(&self) -> usize {
        unimplemented!()
    }
    /// Number of inodes, the root counted.
    pub fn n_inodes(&self) -> usize {
        unimplemented!()
    }
    /// Every inode id is below this.
    pub fn inode_bound(&self) -> u32 {
        unimplemented!()
    }
    /// Entry ids are below this; for splitting work over threads. Some ids hold no entry.
    pub fn entry_bound(&self) -> usize {
        unimplemented!()
    }
    /// The entry of an id, in O(1).
    pub fn entry(&self, id: usize) -> Option<Entry<'_>> {
        unimplemented!()
    }
    /// Which inodes are directories and links: one block for 32 inodes. An id never changes its class.
    pub fn blocks(&self) -> &[crate::layout::InodeBlock] {
        unimplemented!()
    }
    /// Bytes of memory that the namespace holds (names, children, columns).
    pub fn memory(&self) -> usize {
        unimplemented!()
    }
}
