//! Hard links by the inode numbers of a list.

use crate::columns::Fields;
use crate::tree::{Kind, Tree};
use std::collections::HashMap;
use warpath_core::{FileType, INVALID_INODE, InodeId, Namespace, NamespaceError};

/// Which inode stands for which device and inode number, so that hard links are seen.
///
/// File systems give the files of a directory numbers near one another, and lists name them one after the other: the numbers lie in
/// pages of neighbours, so that few pages are in use at a time. A page holds those of its numbers that have come, and no room for
/// the others, as some file systems' numbers are far apart.
#[derive(Default)]
pub(crate) struct Inodes {
    numbers: HashMap<PageKey, usize, foldhash::fast::RandomState>,
    pages: Vec<Page>,
    /// The inodes of each page, in the order of their numbers. A page that outgrows its room moves to the end, to twice as much.
    ids: Vec<InodeId>,
    /// The page that was last used, and its number.
    last: Option<(PageKey, usize)>,
}

/// The device, and what the inode numbers of a page have in common.
type PageKey = (u64, u64);

/// The inode numbers of a page: one for each bit.
const PAGE: u64 = u64::BITS as u64;

#[derive(Clone, Copy, Default)]
struct Page {
    /// Which of its numbers have come.
    known: u64,
    /// Where its inodes begin. There is room for the next power of two.
    start: usize,
}

impl Page {
    /// Where the inode of a number is or belongs, and whether it is there.
    fn place(self, bit: u32) -> (usize, bool) {
        let before = self.known & ((1 << bit) - 1);
        (self.start + before.count_ones() as usize, self.known >> bit & 1 == 1)
    }
}

impl Inodes {
    /// Adds the record, as a hard link where its number has come before.
    pub fn add(
        &mut self,
        tree: &mut Tree<'_>,
        fields: &Fields<'_>,
        untyped: Kind<'_>,
    ) -> Result<(), NamespaceError> {
        let mut record = fields.record(untyped);
        let shared =
            fields.attributes.ino.filter(|_| fields.links != Some(1) && record.kind != Kind::Directory);
        let Some(ino) = shared else { return tree.add(&record).map(drop) };
        let page = self.page(fields.device, ino);
        if let Some(inode) = self.get(page, ino)
            && is_still(tree.namespace(), inode, ino, record.kind)
        {
            record.kind = Kind::SameInode(inode);
        }
        if let Some(inode) = tree.add(&record)? {
            self.set(page, ino, inode);
        }
        Ok(())
    }

    /// The page of a number, made if need be.
    fn page(&mut self, device: u64, ino: u64) -> usize {
        let key = (device, ino / PAGE);
        if let Some((last, page)) = self.last
            && last == key
        {
            return page;
        }
        let page = *self.numbers.entry(key).or_insert(self.pages.len());
        if page == self.pages.len() {
            self.pages.push(Page::default());
        }
        self.last = Some((key, page));
        page
    }

    fn get(&self, page: usize, ino: u64) -> Option<InodeId> {
        let (place, is_known) = self.pages[page].place((ino % PAGE) as u32);
        is_known.then(|| self.ids[place])
    }

    fn set(&mut self, page: usize, ino: u64, inode: InodeId) {
        let (page, bit) = (&mut self.pages[page], (ino % PAGE) as u32);
        let (place, is_known) = page.place(bit);
        if is_known {
            self.ids[place] = inode;
            return;
        }
        let n = page.known.count_ones() as usize;
        let offset = place - page.start;
        if n == 0 || n.is_power_of_two() {
            let start = self.ids.len();
            self.ids.extend_from_within(page.start..page.start + n);
            self.ids.resize(start + (2 * n).max(1), INVALID_INODE);
            page.start = start;
        }
        let place = page.start + offset;
        self.ids.copy_within(place..page.start + n, place + 1);
        self.ids[place] = inode;
        page.known |= 1 << bit;
    }
}

/// Whether `inode` is still what was put there for inode number `ino`: ids are used again.
fn is_still(namespace: &Namespace, inode: InodeId, ino: u64, kind: Kind<'_>) -> bool {
    let file_type = match kind {
        Kind::Symlink(_) => FileType::Symlink,
        Kind::Other => FileType::Other,
        _ => FileType::Regular,
    };
    namespace.file_type(inode) == Some(file_type)
        && namespace.attributes(inode).is_some_and(|attributes| attributes.ino == Some(ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers near and far, in an order that goes back and forth, and each of them twice.
    #[test]
    fn every_number_keeps_its_inode() {
        let mut inodes = Inodes::default();
        let numbers: Vec<u64> = (0..5000_u64)
            .map(|i| match i % 3 {
                0 => i * 7919 % 2003,
                1 => u64::MAX - i,
                _ => i.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            })
            .collect();
        let mut expected = HashMap::new();
        for (id, &number) in numbers.iter().chain(numbers.iter().rev()).enumerate() {
            let device = number % 2;
            let page = inodes.page(device, number);
            assert_eq!(inodes.get(page, number), expected.get(&number).copied(), "{number}");
            inodes.set(page, number, id as InodeId);
            expected.insert(number, id as InodeId);
        }
        for (&number, &id) in &expected {
            let page = inodes.page(number % 2, number);
            assert_eq!(inodes.get(page, number), Some(id));
            let other = inodes.page(1 - number % 2, number);
            assert_eq!(inodes.get(other, number), None);
        }
    }
}
