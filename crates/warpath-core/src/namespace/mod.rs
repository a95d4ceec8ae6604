//! The tree: names, children, link targets and attributes.
//!
//! A namespace knows nothing of keys or engines; it is what an index is built from, and what the
//! [reference resolver](crate::reference) reads.
//!
//! Everything lies in flat columns of plain values, so that an index file can hold them as they are:
//!
//! | columns | by | what |
//! |---|---|---|
//! | `inodes` | inode | class bits, directory and name of the first entry |
//! | `hard_links` | place | further entries: directory, name, inode |
//! | `children` | directory number | a block of child ids and tags, found by the name's hash |
//! | `names`, `targets` | offset | bytes with their length |
//! | `attributes` | inode | nothing until something is set |
//!
//! A child id is an inode (its first entry), or, with bit 31 set, the place of a hard link.

mod arena;
mod attributes;
mod change;
pub(crate) mod check;
mod children;
mod entries;
mod error;
mod hard_links;
mod hash;
mod inodes;
mod list;
pub mod parts;

pub use change::check_name;
pub use check::Unsound;
pub use error::NamespaceError;
pub use list::{ListBuilder, ListSummary};

use crate::{InodeId, ROOT, layout};
use arena::{Arena, NO_TEXT};
use attributes::AttributeColumns;
use children::Children;
use entries::{Entries, HARD_LINK};
use hard_links::HardLinks;
use hash::NameHash;
use inodes::Inodes;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FileType {
    /// A regular file.
    Regular = layout::KIND_FILE as u8,
    /// A directory.
    Directory = layout::KIND_DIRECTORY as u8,
    /// A symbolic link.
    Symlink = layout::KIND_SYMLINK as u8,
    /// A device, a socket, a pipe.
    Other = layout::KIND_OTHER as u8,
}

impl FileType {
    /// The layout's KIND_ code.
    pub const fn kind(self) -> u32 {
        self as u32
    }

    /// The type of a KIND_ code; only the two lowest bits are read.
    pub const fn from_kind(kind: u32) -> FileType {
        match kind & layout::KIND_MASK {
            layout::KIND_FILE => FileType::Regular,
            layout::KIND_DIRECTORY => FileType::Directory,
            layout::KIND_SYMLINK => FileType::Symlink,
            _ => FileType::Other,
        }
    }
}

/// What `stat` tells of an inode, each where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The file system's own inode number; never 0.
    pub ino: Option<u64>,
    /// Size in bytes, below 2^64 - 1.
    pub size: Option<u64>,
    /// Last modification, in nanoseconds since 1970, above -2^63.
    pub mtime: Option<i64>,
    /// Type and permission bits.
    pub mode: Option<u32>,
    /// Owner, below 2^32 - 1.
    pub uid: Option<u32>,
    /// Group, below 2^32 - 1.
    pub gid: Option<u32>,
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
///
/// Memory is about 36 bytes an entry for names of 19 bytes, attributes not counted. Every operation on one
/// entry takes O(1) amortised time, however large the directory is and however its names were chosen: the
/// hash of names has a random key. Ids of removed inodes are used again, for inodes of the same class
/// (directory, symbolic link, other).
#[derive(Debug, Clone)]
pub struct Namespace {
    entries: Entries,
    children: Children,
    /// Target of each link, by link number.
    target_at: crate::column::Column<u32>,
    targets: Arena<2>,
    attributes: AttributeColumns,
}

impl Default for Namespace {
    fn default() -> Namespace {
        Namespace::new()
    }
}

impl Namespace {
    /// A namespace that holds the root directory alone.
    pub fn new() -> Namespace {
        Namespace::with_capacity(0)
    }

    /// As [`Namespace::new`], with room for `n_inodes`, as far as the system has the memory; it grows past it.
    pub fn with_capacity(n_inodes: usize) -> Namespace {
        let mut children = Children::with_capacity(n_inodes);
        children.add_directory(0);
        Namespace {
            entries: Entries {
                hash: NameHash::random(),
                names: Arena::with_capacity(0),
                inodes: Inodes::with_capacity(n_inodes),
                hard_links: HardLinks::new(),
            },
            children,
            target_at: Default::default(),
            targets: Arena::with_capacity(0),
            attributes: AttributeColumns::default(),
        }
    }

    /// What `name` in directory `parent` leads to; None where there is no such entry, or no such directory.
    /// O(1).
    pub fn child(&self, parent: InodeId, name: &[u8]) -> Option<InodeId> {
        let number = self.entries.inodes.directory_number(parent)?;
        let slot = self.find(number, self.entries.hash.hash(name), name)?;
        Some(self.entries.inode(self.children.id(slot)))
    }

    /// As [`Namespace::child`], the whole entry.
    pub fn child_entry(&self, parent: InodeId, name: &[u8]) -> Option<Entry<'_>> {
        let number = self.entries.inodes.directory_number(parent)?;
        let slot = self.find(number, self.entries.hash.hash(name), name)?;
        self.entries.entry(self.children.id(slot))
    }

    /// The slot of a name in directory `number`.
    #[inline]
    fn find(&self, number: u32, hash: u32, name: &[u8]) -> Option<usize> {
        self.children.find(number, hash, |child| self.entries.name(child) == name)
    }

    /// Entries of a directory, in no particular order; empty for what is no directory. O(entries).
    pub fn list(&self, directory: InodeId) -> impl Iterator<Item = Entry<'_>> + '_ {
        let number = self.entries.inodes.directory_number(directory);
        let children = number.into_iter().flat_map(|number| self.children.list(number));
        children.filter_map(|child| self.entries.entry(child))
    }

    /// Number of entries of a directory; 0 for what is no directory.
    pub fn n_children(&self, directory: InodeId) -> usize {
        let number = self.entries.inodes.directory_number(directory);
        number.map_or(0, |number| self.children.n_children(number))
    }

    /// The directory that holds the inode's (first) entry; the root's is itself. None for what does not exist.
    pub fn parent(&self, inode: InodeId) -> Option<InodeId> {
        self.entries.inodes.parent(inode)
    }

    /// The inode's (first) entry; None for the root and for what does not exist.
    pub fn entry_of(&self, inode: InodeId) -> Option<Entry<'_>> {
        if inode & HARD_LINK == 0 { self.entries.entry(inode) } else { None }
    }

    /// Every entry of the inode: one, or more where it is hard-linked; none for the root and for what does
    /// not exist.
    pub fn entries_of(&self, inode: InodeId) -> impl Iterator<Item = Entry<'_>> + '_ {
        let further =
            self.entries.hard_links.of(inode).filter_map(|place| self.entries.entry(HARD_LINK | place));
        self.entry_of(inode).into_iter().chain(further)
    }

    /// Absolute path of the inode's first entry, `/` for the root; None for what does not exist. O(length).
    pub fn path_of(&self, inode: InodeId) -> Option<Vec<u8>> {
        self.parent(inode)?;
        let ancestors = std::iter::successors(self.entry_of(inode), |entry| self.entry_of(entry.parent));
        // No path has more directories than there are, whatever a file says.
        let limit = self.entries.inodes.n_directories as usize + 1;
        let names: Vec<&[u8]> = ancestors.map(|entry| entry.name).take(limit).collect();
        if names.is_empty() {
            return Some(b"/".to_vec());
        }
        let mut path = Vec::with_capacity(names.iter().map(|name| 1 + name.len()).sum());
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        Some(path)
    }

    /// What the inode is; None for what does not exist.
    pub fn file_type(&self, inode: InodeId) -> Option<FileType> {
        self.entries.inodes.file_type(inode)
    }

    /// Whether the inode exists and is a directory.
    pub fn is_directory(&self, inode: InodeId) -> bool {
        self.entries.inodes.directory_number(inode).is_some()
    }

    /// Target of a symbolic link; None where it is not known or the inode is no link.
    pub fn target(&self, link: InodeId) -> Option<&[u8]> {
        let number = self.entries.inodes.link_number(link)?;
        let at = self.target_at.get(number as usize).copied().filter(|&at| at != NO_TEXT)?;
        Some(self.targets.get(at))
    }

    /// Whether not every entry of the directory is known: what is missing there is NotIndexed.
    pub fn is_partial(&self, directory: InodeId) -> bool {
        let number = self.entries.inodes.directory_number(directory);
        number.is_some_and(|number| self.children.is_partial(number))
    }

    /// Says whether every entry of the directory is known, as it is from the start.
    ///
    /// # Errors
    /// [`NoSuchInode`](NamespaceError::NoSuchInode), [`NotADirectory`](NamespaceError::NotADirectory).
    pub fn set_partial(&mut self, directory: InodeId, partial: bool) -> Result<(), NamespaceError> {
        let number = self.directory_number(directory)?;
        self.children.set_partial(number, partial);
        Ok(())
    }

    /// Number of directories that are partial.
    pub fn n_partial(&self) -> usize {
        self.children.n_partial()
    }

    /// Attributes of an inode, as far as they were set; None for what does not exist.
    pub fn attributes(&self, inode: InodeId) -> Option<Attributes> {
        self.parent(inode)?;
        Some(self.attributes.get(inode))
    }

    /// Sets the attributes of an inode; what is `None` is unknown from now on, and so is a value that [`Attributes`] rules
    /// out. The columns take memory from the first known value on: 8 bytes an inode each for `ino`, `size` and `mtime`, 4
    /// each for `mode`, `uid` and `gid`.
    ///
    /// # Errors
    /// [`NoSuchInode`](NamespaceError::NoSuchInode).
    pub fn set_attributes(&mut self, inode: InodeId, attributes: Attributes) -> Result<(), NamespaceError> {
        self.parent(inode).ok_or(NamespaceError::NoSuchInode { inode })?;
        self.attributes.set(inode, attributes);
        Ok(())
    }

    /// Number of entries, the root's not counted.
    pub fn n_entries(&self) -> usize {
        self.entries.inodes.n_used().saturating_sub(1) + self.entries.hard_links.n_used()
    }

    /// Number of inodes, the root counted.
    pub fn n_inodes(&self) -> usize {
        self.entries.inodes.n_used()
    }

    /// Number of entries whose [`Entry::alias`] is not their inode: further hard links of symbolic links.
    pub fn n_aliases(&self) -> usize {
        self.entries.hard_links.n_aliases()
    }

    /// Every inode id, and every alias, is below this.
    pub fn inode_bound(&self) -> u32 {
        self.entries.inodes.bound()
    }

    /// Entry ids are below this; for splitting work over threads. Some ids hold no entry.
    pub fn entry_bound(&self) -> usize {
        self.inode_bound() as usize + self.entries.hard_links.bound()
    }

    /// The entry of an id, in O(1): ids below [`inode_bound`](Namespace::inode_bound) hold the first entry of
    /// that inode, the others hold hard links. None for the root, for ids that are free, and past the bound.
    pub fn entry(&self, id: usize) -> Option<Entry<'_>> {
        let bound = self.inode_bound() as usize;
        if id < bound {
            return self.entries.entry(id as u32);
        }
        let place = u32::try_from(id - bound).ok().filter(|place| place & HARD_LINK == 0)?;
        self.entries.entry(HARD_LINK | place)
    }

    /// Which inodes are directories and links: one block for 32 inodes. An id never changes its class, and
    /// an id that is free keeps its bits until it is used again.
    pub fn blocks(&self) -> &[layout::InodeBlock] {
        self.entries.inodes.blocks()
    }

    /// Bytes of memory that the namespace holds (names, children, columns).
    pub fn memory(&self) -> usize {
        self.entries.names.memory()
            + self.entries.inodes.memory()
            + self.entries.hard_links.memory()
            + self.children.memory()
            + self.target_at.memory()
            + self.targets.memory()
            + self.attributes.memory()
    }

    /// Gives back the room that growth has left: O(n), and worth it once a tree is complete. Ids stay.
    pub fn shrink_to_fit(&mut self) {
        self.rebuild_children();
        let Namespace { entries, children, target_at, targets, attributes } = self;
        children.shrink_to_fit();
        entries.names.shrink_to_fit();
        entries.inodes.shrink_to_fit();
        entries.hard_links.shrink_to_fit();
        target_at.shrink_to_fit();
        targets.shrink_to_fit();
        attributes.shrink_to_fit();
    }

    /// Makes the children of all directories anew from what the columns say of each entry.
    fn rebuild_children(&mut self) {
        let entries = &self.entries;
        let first =
            (0..entries.inodes.bound()).filter(|&inode| inode != ROOT && entries.inodes.exists(inode));
        let further = (0..entries.hard_links.bound() as u32)
            .filter(|&place| entries.hard_links.get(place).is_some())
            .map(|place| HARD_LINK | place);
        let mut last = (ROOT, 0);
        let numbered = first.chain(further).filter_map(move |child| {
            let parent = entries.entry(child)?.parent;
            // Neighbours often share their directory.
            if last.0 != parent {
                last = (parent, entries.inodes.directory_number(parent)?);
            }
            Some((last.1, child))
        });
        self.children.rebuild_all(numbered, |child| entries.hash_of(child));
    }
}
