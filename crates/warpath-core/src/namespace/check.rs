//! Whether the columns of a namespace agree with one another.

use super::arena::NO_TEXT;
use super::change::check_name;
use super::entries::HARD_LINK;
use super::{FileType, Namespace};
use crate::layout::{BLOCK_INODES, INVALID_INODE, MAX_PATH};
use crate::{InodeId, ROOT};
use rayon::prelude::*;
use thiserror::Error;

/// What is wrong with a namespace or an index: two of its parts contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Unsound {
    what: String,
}

impl Unsound {
    pub(crate) fn new(what: impl Into<String>) -> Unsound {
        Unsound { what: what.into() }
    }
}

/// An error unless `sound`.
pub(crate) fn ensure(sound: bool, what: impl FnOnce() -> String) -> Result<(), Unsound> {
    if sound { Ok(()) } else { Err(Unsound::new(what())) }
}

impl Namespace {
    /// Checks every id, offset and chain of the columns, in parallel: each entry has a good name, a directory that lists
    /// it under that name, and a way up to the root; counts are right; what is free is listed as free, once.
    ///
    /// # Errors
    /// [`Unsound`] with the first contradiction found. O(n).
    pub fn check(&self) -> Result<(), Unsound> {
        self.check_classes()?;
        let entries = || {
            let ids = (0..self.entry_bound()).into_par_iter().with_min_len(1 << 12);
            ids.try_for_each(|id| self.check_entry(id))
        };
        let (entries, (depth, (children, others))) = rayon::join(entries, || {
            rayon::join(|| self.check_depth(), || rayon::join(|| self.check_children(), || self.check_few()))
        });
        entries.and(depth).and(children).and(others)
    }

    /// What is rare, or soon checked.
    fn check_few(&self) -> Result<(), Unsound> {
        self.check_free_inodes()?;
        self.check_hard_links()?;
        self.check_targets()
    }

    /// The class bits number directories and links without gaps, and nothing is both.
    fn check_classes(&self) -> Result<(), Unsound> {
        let (mut n_directories, mut n_links) = (0, 0);
        let bound = self.inode_bound();
        for (i, block) in self.blocks().iter().enumerate() {
            let beyond = match bound - (i as u32 * BLOCK_INODES) {
                left if left < BLOCK_INODES => u32::MAX << left,
                _ => 0,
            };
            let sound = (block.dir_base, block.link_base) == (n_directories, n_links)
                && block.dir_bits & block.link_bits == 0
                && (block.dir_bits | block.link_bits) & beyond == 0;
            ensure(sound, || format!("inode block {i} counts directories and links wrong"))?;
            n_directories += block.dir_bits.count_ones();
            n_links += block.link_bits.count_ones();
        }
        ensure(self.is_directory(ROOT) && self.parent(ROOT) == Some(ROOT), || "there is no root".into())
    }

    /// An entry's directory lists it, under its name.
    fn check_entry(&self, id: usize) -> Result<(), Unsound> {
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let bound = self.inode_bound() as usize;
        let child = if id < bound { id as u32 } else { HARD_LINK | (id - bound) as u32 };
        let wrong = |what: &str| Unsound::new(format!("entry {id}: {what}"));
        let number = self.directory_number(entry.parent).map_err(|_| wrong("its parent is no directory"))?;
        check_name(entry.name).map_err(|error| wrong(&error.to_string()))?;
        self.file_type(entry.inode).ok_or_else(|| wrong("its inode does not exist"))?;
        let slot = self.find(number, self.entries.hash.hash(entry.name), entry.name);
        let listed = slot.is_some_and(|slot| self.children.id(slot) == child);
        if listed { Ok(()) } else { Err(wrong("its directory does not list it")) }
    }

    /// Every directory lies below the root.
    fn check_depth(&self) -> Result<(), Unsound> {
        let bound = self.inode_bound() as usize;
        let mut below_root = vec![false; bound];
        below_root[ROOT as usize] = true;
        let mut way: Vec<InodeId> = Vec::new();
        for directory in (0..self.inode_bound()).filter(|&inode| self.is_directory(inode)) {
            let mut at = directory;
            while below_root.get(at as usize) != Some(&true) {
                // A parent beyond the bound is none, and its own parent the root: that it is wrong is found with its entry.
                ensure(way.len() < bound, || format!("directory {directory} does not lie below the root"))?;
                way.push(at);
                at = self.parent(at).unwrap_or(ROOT);
            }
            for inode in way.drain(..) {
                if let Some(known) = below_root.get_mut(inode as usize) {
                    *known = true;
                }
            }
        }
        Ok(())
    }

    /// Directories list as many children as there are entries, in blocks that don't overlap.
    fn check_children(&self) -> Result<(), Unsound> {
        let blocks = self.children.blocks()?;
        let mut n_listed = 0;
        for directory in 0..self.inode_bound() {
            let Some(number) = self.entries.inodes.directory_number(directory) else { continue };
            let listed = self.children.list(number).count();
            let sound = listed == self.children.n_children(number);
            ensure(sound, || format!("directory {directory} counts its children wrong"))?;
            n_listed += listed;
        }
        ensure(n_listed == self.n_entries(), || {
            format!("directories list {n_listed} entries, and there are {}", self.n_entries())
        })?;
        let mut end = 0;
        for range in blocks {
            ensure(range.start >= end, || format!("blocks of children overlap at {}", range.start))?;
            end = range.end;
        }
        Ok(())
    }

    /// Each id is in use, an alias, or on the free list of its class.
    fn check_free_inodes(&self) -> Result<(), Unsound> {
        let inodes = &self.entries.inodes;
        let n_used = (0..inodes.bound()).filter(|&inode| inodes.exists(inode)).count();
        ensure(n_used == inodes.n_used, || {
            format!("{n_used} inodes are in use, and {} are counted", inodes.n_used)
        })?;
        let mut n_free = 0;
        let room = inodes.bound() as usize - n_used - self.n_aliases().min(inodes.bound() as usize - n_used);
        for (class, &first) in inodes.free.iter().enumerate() {
            let mut at = first;
            while at != INVALID_INODE {
                let (block, bit) = (at / BLOCK_INODES, at % BLOCK_INODES);
                let record = inodes.blocks.get(block as usize).copied().unwrap_or_default();
                let its_class = match (record.dir_bits >> bit & 1, record.link_bits >> bit & 1) {
                    (1, _) => 0,
                    (_, 1) => 1,
                    _ => 2,
                };
                let sound = at < inodes.bound() && !inodes.exists(at) && its_class == class && n_free < room;
                ensure(sound, || format!("inode {at} is wrong on the list of free ids"))?;
                n_free += 1;
                at = inodes.name_at(at);
            }
        }
        ensure(n_free == room, || format!("{room} ids are free, and {n_free} are listed"))
    }

    /// The chains of hard links hold each place once.
    fn check_hard_links(&self) -> Result<(), Unsound> {
        let links = &self.entries.hard_links;
        let (mut n_used, mut n_chained, mut aliases) = (0, 0, Vec::new());
        for (place, link) in links.links().iter().enumerate().filter(|(_, link)| link.inode != INVALID_INODE)
        {
            let wrong = || format!("hard link {place} leads astray");
            n_used += 1;
            let file_type = self.file_type(link.inode);
            let is_symlink = file_type == Some(FileType::Symlink);
            ensure(!matches!(file_type, None | Some(FileType::Directory)), wrong)?;
            if is_symlink {
                let record =
                    self.blocks().get((link.alias / BLOCK_INODES) as usize).copied().unwrap_or_default();
                let is_link = record.link_bits >> (link.alias % BLOCK_INODES) & 1 == 1;
                ensure(is_link && !self.entries.inodes.exists(link.alias), wrong)?;
                aliases.push(link.alias);
            } else {
                ensure(link.alias == link.inode, wrong)?;
            }
            let back = |next: u32| {
                links.get(next).is_some_and(|next| next.previous == place as u32 && next.inode == link.inode)
            };
            ensure(link.next == u32::MAX || back(link.next), wrong)?;
            if link.previous == u32::MAX {
                n_chained += links.of(link.inode).count();
            }
        }
        let n_aliases = aliases.len();
        aliases.sort_unstable();
        aliases.dedup();
        let sound = (n_used, n_used, n_aliases) == (links.n_used(), n_chained, links.n_aliases())
            && aliases.len() == n_aliases;
        ensure(sound, || "hard links are counted or chained wrong".into())?;
        let n_places = links.links().len();
        let free = std::iter::successors(Some(links.free()).filter(|&at| at != u32::MAX), |&at| {
            links.links().get(at as usize).map(|link| link.next).filter(|&next| next != u32::MAX)
        });
        let is_free =
            |at: u32| links.links().get(at as usize).is_some_and(|link| link.inode == INVALID_INODE);
        let mut n_free = 0;
        for at in free.take(n_places + 1) {
            ensure(is_free(at), || format!("hard link {at} is wrong on the list of free places"))?;
            n_free += 1;
        }
        ensure(n_free == n_places - n_used, || "free places of hard links are listed wrong".into())
    }

    fn check_targets(&self) -> Result<(), Unsound> {
        for (number, &at) in self.target_at.iter().enumerate().filter(|(_, at)| **at != NO_TEXT) {
            let target = self.targets.get(at);
            let sound = (1..=MAX_PATH as usize).contains(&target.len()) && !target.contains(&0);
            ensure(sound, || format!("link {number} has an impossible target"))?;
        }
        let columns = [self.attributes.ino.len(), self.attributes.size.len(), self.attributes.mtime.len()];
        let narrow = [self.attributes.mode.len(), self.attributes.uid.len(), self.attributes.gid.len()];
        let bound = self.inode_bound() as usize;
        let sound = columns.into_iter().chain(narrow).all(|len| len <= bound);
        ensure(sound, || "there are more attributes than inodes".into())
    }
}
