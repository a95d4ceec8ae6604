//! Entries by child id: an inode's first entry, or, with bit 31 set, a hard link.

use super::arena::Arena;
use super::hard_links::HardLinks;
use super::hash::NameHash;
use super::inodes::Inodes;
use super::{Entry, NamespaceError};
use crate::InodeId;

/// Marks the id of a hard link in child lists.
pub(super) const HARD_LINK: u32 = 1 << 31;

/// Names, and who has them.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    pub hash: NameHash,
    pub names: Arena<1>,
    pub inodes: Inodes,
    pub hard_links: HardLinks,
}

impl Entries {
    /// The inode that a child leads to.
    #[inline]
    pub fn inode(&self, child: u32) -> InodeId {
        if child & HARD_LINK == 0 {
            return child;
        }
        self.hard_links.get(child & !HARD_LINK).map_or(child, |link| link.inode)
    }

    #[inline]
    pub fn name_at(&self, child: u32) -> u32 {
        if child & HARD_LINK == 0 {
            return self.inodes.name_at(child);
        }
        self.hard_links.get(child & !HARD_LINK).map_or(super::arena::NO_TEXT, |link| link.name_at)
    }

    /// The name of a child.
    #[inline]
    pub fn name(&self, child: u32) -> &[u8] {
        self.names.get(self.name_at(child))
    }

    /// The hash of a child's name.
    #[inline]
    pub fn hash_of(&self, child: u32) -> u32 {
        self.hash.hash(self.name(child))
    }

    /// The entry of a child; None where the id is free, and for the root.
    pub fn entry(&self, child: u32) -> Option<Entry<'_>> {
        let (parent, inode, alias) = if child & HARD_LINK == 0 {
            if child == crate::ROOT {
                return None;
            }
            (self.inodes.parent(child)?, child, child)
        } else {
            let link = self.hard_links.get(child & !HARD_LINK)?;
            (link.parent, link.inode, link.alias)
        };
        Some(Entry { parent, name: self.name(child), inode, alias })
    }

    pub fn set_entry(&mut self, child: u32, parent: InodeId, name_at: u32) {
        if child & HARD_LINK == 0 {
            self.inodes.set_entry(child, parent, name_at);
        } else {
            self.hard_links.set_entry(child & !HARD_LINK, parent, name_at);
        }
    }

    /// Stores a name.
    #[inline]
    pub fn insert_name(&mut self, name: &[u8]) -> Result<u32, NamespaceError> {
        self.names.insert(name).ok_or(NamespaceError::Full { what: "8 GiB of names" })
    }

    /// Drops the dead names when they are the greater part.
    pub fn tidy(&mut self) {
        if self.names.wants_compaction() {
            self.names.compact(self.inodes.names_mut().chain(self.hard_links.names_mut()));
        }
    }
}
