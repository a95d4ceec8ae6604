//! Inode ids: their classes, their free lists, and the columns of each inode.

use super::FileType;
use super::arena::NO_TEXT;
use crate::column::Column;
use crate::layout::{BLOCK_INODES, INVALID_INODE, InodeBlock};
use crate::{InodeId, ROOT};

/// The highest inode id: child lists mark hard links with bit 31.
const MAX_INODE: u32 = 0x7FFF_FFFF;

/// What decides whether an inode has a directory record, a link record or none. An id never changes its
/// class, so the numbers of the records never change either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Directory = 0,
    Symlink = 1,
    File = 2,
}

fn class_of(file_type: FileType) -> Class {
    match file_type {
        FileType::Directory => Class::Directory,
        FileType::Symlink => Class::Symlink,
        FileType::Regular | FileType::Other => Class::File,
    }
}

/// All inodes, used and free.
#[derive(Debug, Clone)]
pub(super) struct Inodes {
    pub(super) blocks: Column<InodeBlock>,
    /// A bit an inode: a file that is not regular.
    pub(super) other: Column<u32>,
    /// Directory of the first entry; INVALID_INODE for an id that is free or an alias.
    pub(super) parent: Column<u32>,
    /// Name of the first entry; for an id that is free, the next free one of its class.
    pub(super) name_at: Column<u32>,
    /// First free id of each class.
    pub(super) free: [u32; 3],
    pub(super) n_used: usize,
    pub(super) n_directories: u32,
    pub(super) n_links: u32,
}

impl Inodes {
    /// The root alone.
    pub fn with_capacity(n: usize) -> Inodes {
        let mut inodes = Inodes {
            blocks: Column::with_capacity(n / 32 + 1),
            other: Column::with_capacity(n / 32 + 1),
            parent: Column::with_capacity(n),
            name_at: Column::with_capacity(n),
            free: [INVALID_INODE; 3],
            n_used: 0,
            n_directories: 0,
            n_links: 0,
        };
        inodes.add(FileType::Directory, ROOT, NO_TEXT);
        inodes
    }

    /// Whether another inode of this type can be added.
    pub fn has_room(&self, file_type: FileType) -> bool {
        self.free[class_of(file_type) as usize] != INVALID_INODE || self.bound() <= MAX_INODE
    }

    /// Adds an inode. There is room: the caller has checked.
    #[inline]
    pub fn add(&mut self, file_type: FileType, parent: InodeId, name_at: u32) -> InodeId {
        self.n_used += 1;
        let inode = self.take(class_of(file_type), parent, name_at);
        let bit = 1 << (inode % BLOCK_INODES);
        let other = &mut self.other[(inode / BLOCK_INODES) as usize];
        *other = if file_type == FileType::Other { *other | bit } else { *other & !bit };
        inode
    }

    /// Takes an id of the class of links that is no inode. There is room: the caller has checked.
    pub fn add_alias(&mut self) -> InodeId {
        self.take(Class::Symlink, INVALID_INODE, NO_TEXT)
    }

    /// Frees an id of [`Inodes::add_alias`].
    pub fn remove_alias(&mut self, alias: InodeId) {
        self.give_back(Class::Symlink, alias);
    }

    #[inline]
    fn take(&mut self, class: Class, parent: InodeId, name_at: u32) -> InodeId {
        let inode = self.free[class as usize];
        if inode == INVALID_INODE {
            return self.append(class, parent, name_at);
        }
        self.free[class as usize] = self.name_at[inode as usize];
        self.set_entry(inode, parent, name_at);
        inode
    }

    fn give_back(&mut self, class: Class, inode: InodeId) {
        let next = std::mem::replace(&mut self.free[class as usize], inode);
        self.set_entry(inode, INVALID_INODE, next);
    }

    #[inline]
    fn append(&mut self, class: Class, parent: InodeId, name_at: u32) -> InodeId {
        let inode = self.bound();
        self.parent.push(parent);
        self.name_at.push(name_at);
        if inode.is_multiple_of(BLOCK_INODES) {
            let (dir_base, link_base) = (self.n_directories, self.n_links);
            self.blocks.push(InodeBlock { dir_base, dir_bits: 0, link_base, link_bits: 0 });
            self.other.push(0);
        }
        let bit = 1 << (inode % BLOCK_INODES);
        let block = &mut self.blocks[(inode / BLOCK_INODES) as usize];
        match class {
            Class::Directory => {
                block.dir_bits |= bit;
                self.n_directories += 1;
            }
            Class::Symlink => {
                block.link_bits |= bit;
                self.n_links += 1;
            }
            Class::File => {}
        }
        inode
    }

    /// Frees an id for the next inode of its class.
    pub fn remove(&mut self, inode: InodeId) {
        let Some(file_type) = self.file_type(inode) else { return };
        self.give_back(class_of(file_type), inode);
        self.n_used -= 1;
    }

    /// Sets directory and name of the first entry.
    pub fn set_entry(&mut self, inode: InodeId, parent: InodeId, name_at: u32) {
        self.parent[inode as usize] = parent;
        self.name_at[inode as usize] = name_at;
    }

    pub fn exists(&self, inode: InodeId) -> bool {
        self.parent(inode).is_some()
    }

    /// Directory of the first entry; None for an id that is not in use.
    #[inline]
    pub fn parent(&self, inode: InodeId) -> Option<InodeId> {
        self.parent.get(inode as usize).copied().filter(|&parent| parent != INVALID_INODE)
    }

    /// Name of the first entry. The inode exists.
    #[inline]
    pub fn name_at(&self, inode: InodeId) -> u32 {
        self.name_at.get(inode as usize).copied().unwrap_or(NO_TEXT)
    }

    /// Every reference to a name.
    pub fn names_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        let used = self.parent.iter().map(|&parent| parent != INVALID_INODE);
        self.name_at.iter_mut().zip(used).filter(|(_, used)| *used).map(|(at, _)| at)
    }

    pub fn file_type(&self, inode: InodeId) -> Option<FileType> {
        self.parent(inode)?;
        let (block, bit) = (inode / BLOCK_INODES, inode % BLOCK_INODES);
        let record = self.blocks.get(block as usize)?;
        Some(if record.dir_bits >> bit & 1 == 1 {
            FileType::Directory
        } else if record.link_bits >> bit & 1 == 1 {
            FileType::Symlink
        } else if self.other.get(block as usize).is_some_and(|bits| bits >> bit & 1 == 1) {
            FileType::Other
        } else {
            FileType::Regular
        })
    }

    /// Number of a directory among the directories; None for what is no directory or does not exist.
    #[inline]
    pub fn directory_number(&self, inode: InodeId) -> Option<u32> {
        self.parent(inode)?;
        self.blocks.get((inode / BLOCK_INODES) as usize)?.dir_index(inode % BLOCK_INODES)
    }

    /// Number of a link among the links; None for what is no link or does not exist.
    pub fn link_number(&self, inode: InodeId) -> Option<u32> {
        self.parent(inode)?;
        self.blocks.get((inode / BLOCK_INODES) as usize)?.link_index(inode % BLOCK_INODES)
    }

    pub fn blocks(&self) -> &[InodeBlock] {
        &self.blocks
    }

    pub fn n_used(&self) -> usize {
        self.n_used
    }

    pub fn bound(&self) -> u32 {
        self.parent.len() as u32
    }

    pub fn shrink_to_fit(&mut self) {
        self.blocks.shrink_to_fit();
        self.other.shrink_to_fit();
        self.parent.shrink_to_fit();
        self.name_at.shrink_to_fit();
    }

    pub fn memory(&self) -> usize {
        self.blocks.memory() + self.other.memory() + self.parent.memory() + self.name_at.memory()
    }
}
