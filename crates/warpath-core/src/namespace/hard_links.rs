//! Further entries of inodes that have more than one.

use super::arena::NO_TEXT;
use crate::column::Column;
use crate::layout::INVALID_INODE;
use bytemuck::{Pod, Zeroable};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::OnceLock;

/// No hard link.
const NONE: u32 = u32::MAX;

/// An entry beside the inode's first one.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct HardLink {
    pub(super) parent: u32,
    pub(super) name_at: u32,
    /// INVALID_INODE where the place is free.
    pub(super) inode: u32,
    /// The entry's own id where the inode is a symbolic link, else the inode.
    pub(super) alias: u32,
    /// The inode's next hard link; of a free place, the next free one.
    pub(super) next: u32,
    pub(super) previous: u32,
}

type First = HashMap<u32, u32, RandomState>;

/// The further entries, each in a place that it keeps; those of one inode are chained.
#[derive(Debug, Clone)]
pub(super) struct HardLinks {
    links: Column<HardLink>,
    /// First hard link of each inode that has some; made when it is first asked for, so that a file opens at once.
    first: OnceLock<First>,
    free: u32,
    n_used: usize,
    n_aliases: usize,
}

impl HardLinks {
    pub fn new() -> HardLinks {
        HardLinks::from_parts(Column::new(), NONE, 0, 0)
    }

    /// The hard links of a file.
    pub fn from_parts(links: Column<HardLink>, free: u32, n_used: usize, n_aliases: usize) -> HardLinks {
        HardLinks { links, first: OnceLock::new(), free, n_used, n_aliases }
    }

    /// All places.
    pub fn links(&self) -> &[HardLink] {
        &self.links
    }

    /// The first free place.
    pub fn free(&self) -> u32 {
        self.free
    }

    fn firsts(&self) -> &First {
        self.first.get_or_init(|| {
            let places = self.links.iter().zip(0..);
            let heads = places.filter(|(link, _)| link.inode != INVALID_INODE && link.previous == NONE);
            heads.map(|(link, place)| (link.inode, place)).collect()
        })
    }

    fn firsts_mut(&mut self) -> Option<&mut First> {
        self.firsts();
        self.first.get_mut()
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
        let next = self.first(inode).unwrap_or(NONE);
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
        if let Some(first) = self.firsts_mut() {
            first.insert(inode, place);
        }
        self.n_used += 1;
        self.n_aliases += usize::from(alias != inode);
        place
    }

    pub fn remove(&mut self, place: u32) {
        let HardLink { inode, alias, next, previous, .. } = self.links[place as usize];
        self.firsts();
        let links = &mut self.links;
        if next != NONE {
            links[next as usize].previous = previous;
        }
        if previous != NONE {
            links[previous as usize].next = next;
        } else if let Some(first) = self.first.get_mut() {
            if next != NONE {
                first.insert(inode, next);
            } else {
                first.remove(&inode);
            }
        }
        let nothing = HardLink {
            parent: INVALID_INODE,
            name_at: NO_TEXT,
            inode: INVALID_INODE,
            alias: INVALID_INODE,
            next: self.free,
            previous: NONE,
        };
        self.links[place as usize] = nothing;
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
        if self.n_used == 0 { None } else { self.firsts().get(&inode).copied() }
    }

    /// The places of the inode's hard links.
    pub fn of(&self, inode: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first(inode), |&place| {
            self.get(place).map(|link| link.next).filter(|&next| next != NONE)
        })
        // A chain is no longer than there are places, whatever a file says.
        .take(self.links.len())
    }

    /// Every reference to a name.
    pub fn names_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.links.iter_mut().map(|link| &mut link.name_at)
    }

    pub fn shrink_to_fit(&mut self) {
        self.links.shrink_to_fit();
        self.first.get_mut().into_iter().for_each(First::shrink_to_fit);
    }

    pub fn memory(&self) -> usize {
        self.links.memory() + self.first.get().map_or(0, First::allocation_size)
    }
}
