//! Further entries of inodes that have more than one.

use super::arena::NO_TEXT;
use crate::column::Column;
use crate::layout::INVALID_INODE;
use bytemuck::{Pod, Zeroable};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// No hard link.
const NONE: u32 = u32::MAX;

/// An entry beside the inode's first one.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct HardLink {
    pub parent: u32,
    pub name_at: u32,
    /// INVALID_INODE where the place is free.
    pub inode: u32,
    /// The entry's own id where the inode is a symbolic link, else the inode.
    pub alias: u32,
    /// The inode's next hard link; of a free place, the next free one.
    next: u32,
    previous: u32,
}

/// The further entries, each in a place that it keeps; those of one inode are chained.
#[derive(Debug, Clone)]
pub(super) struct HardLinks {
    links: Column<HardLink>,
    /// First hard link of each inode that has some.
    first: HashMap<u32, u32, RandomState>,
    free: u32,
    n_used: usize,
    n_aliases: usize,
}

impl HardLinks {
    pub fn new() -> HardLinks {
        HardLinks { links: Column::new(), first: HashMap::default(), free: NONE, n_used: 0, n_aliases: 0 }
    }

    /// Number of places, used or free.
    pub fn bound(&self) -> usize {
        self.links.len()
    }

    pub fn n_used(&self) -> usize {
        self.n_used
    }

    /// Number of entries that have an id of their own.
    pub fn n_aliases(&self) -> usize {
        self.n_aliases
    }

    /// Whether another one can be added: places have 31 bits.
    pub fn has_room(&self) -> bool {
        self.free != NONE || self.links.len() < 1 << 31
    }

    /// Adds an entry of an inode. There is room: the caller has checked.
    pub fn add(&mut self, parent: u32, name_at: u32, inode: u32, alias: u32) -> u32 {
        let next = self.first.get(&inode).copied().unwrap_or(NONE);
        let link = HardLink { parent, name_at, inode, alias, next, previous: NONE };
        let place = if self.free == NONE {
            self.links.push(link);
            self.links.len() as u32 - 1
        } else {
            let place = self.free;
            self.free = self.links[place as usize].next;
            self.links[place as usize] = link;
            place
        };
        if next != NONE {
            self.links[next as usize].previous = place;
        }
        self.first.insert(inode, place);
        self.n_used += 1;
        self.n_aliases += usize::from(alias != inode);
        place
    }

    pub fn remove(&mut self, place: u32) {
        let HardLink { inode, alias, next, previous, .. } = self.links[place as usize];
        let links = &mut self.links;
        if next != NONE {
            links[next as usize].previous = previous;
        }
        if previous != NONE {
            links[previous as usize].next = next;
        } else if next != NONE {
            self.first.insert(inode, next);
        } else {
            self.first.remove(&inode);
        }
        let nothing = HardLink {
            parent: INVALID_INODE,
            name_at: NO_TEXT,
            inode: INVALID_INODE,
            alias: INVALID_INODE,
            next: self.free,
            previous: NONE,
        };
        links[place as usize] = nothing;
        self.free = place;
        self.n_used -= 1;
        self.n_aliases -= usize::from(alias != inode);
    }

    /// The entry in a place; None where the place is free.
    pub fn get(&self, place: u32) -> Option<HardLink> {
        self.links.get(place as usize).copied().filter(|link| link.inode != INVALID_INODE)
    }

    pub fn set_entry(&mut self, place: u32, parent: u32, name_at: u32) {
        let link = &mut self.links[place as usize];
        (link.parent, link.name_at) = (parent, name_at);
    }

    /// The inode's first hard link beside its first entry.
    pub fn first(&self, inode: u32) -> Option<u32> {
        // Most namespaces have few: ask without hashing.
        if self.first.is_empty() { None } else { self.first.get(&inode).copied() }
    }

    /// The places of the inode's hard links.
    pub fn of(&self, inode: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first(inode), |&place| {
            self.get(place).map(|link| link.next).filter(|&next| next != NONE)
        })
    }

    /// Every reference to a name.
    pub fn names_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.links.iter_mut().map(|link| &mut link.name_at)
    }

    pub fn shrink_to_fit(&mut self) {
        self.links.shrink_to_fit();
        self.first.shrink_to_fit();
    }

    pub fn memory(&self) -> usize {
        self.links.memory() + self.first.allocation_size()
    }
}
