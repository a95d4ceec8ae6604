//! A synthetic tree: `2^k` entries, 16 children a directory, names of 4 to 20 bytes.

use crate::paths::Paths;
use crate::random;
use rayon::prelude::*;
use warpath_core::namespace::ListBuilder;
use warpath_core::{FileType, INVALID_INODE, InodeId, Namespace};

/// The shortest name, and by how many lengths the longest is longer.
const SHORTEST_NAME: u64 = 4;
const N_LENGTHS: u64 = 17;

/// Letters of names: five random bits each.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";

/// Subtrees that are written out at a time, before they are added.
const SUBTREES_AT_ONCE: usize = 32;

/// A tree of `2^k` entries: every directory has 16 children (or another power of two), all levels but the last are full. Names have 4 to 20
/// bytes, and follow from the seed.
///
/// Entries are numbered by levels, so that the children of entry `i` are `16 (i + 1)` and the 15 behind it, and the
/// root's are 0 to 15. A path is made from these numbers when it is asked for; nothing but an inode an entry is stored.
#[derive(Debug, Clone)]
pub struct Synthetic {
    n_entries: usize,
    fanout: usize,
    seed: u64,
    /// By entry; empty until the tree is built.
    inodes: Vec<InodeId>,
}

impl Synthetic {
    /// The tree of `2^k` entries, `k` from 4 to 30, with 16 children a directory.
    pub fn new(k: u32, seed: u64) -> Synthetic {
        let n_entries = 1 << k.clamp(4, 30);
        Synthetic { n_entries, fanout: 16, seed, inodes: Vec::new() }
    }

    /// The same with `2^bits` children a directory, `bits` from 1 to 4: deeper trees.
    pub fn fanout_bits(self, bits: u32) -> Synthetic {
        Synthetic { fanout: 1 << bits.clamp(1, 4), ..self }
    }

    /// Builds the tree. Text is made in parallel, entries are added one after another: 0.2 to 0.4 us an entry.
    pub fn build(mut self) -> (Namespace, Synthetic) {
        let mut inodes = vec![INVALID_INODE; self.n_entries];
        let mut builder = ListBuilder::with_capacity(self.n_entries);
        let mut add = |text: &Text| {
            for (path, &entry) in text.paths().zip(&text.entries) {
                inodes[entry] = builder.push(path, self.file_type(entry)).unwrap_or(INVALID_INODE);
            }
        };
        for top in 0..self.fanout {
            let mut path = Vec::new();
            self.path(top, &mut path);
            let mut alone = Text::default();
            alone.push(&path, top);
            add(&alone);
            let roots: Vec<usize> = self.children(top).collect();
            for roots in roots.chunks(SUBTREES_AT_ONCE) {
                let texts: Vec<Text> = roots.par_iter().map(|&root| self.subtree(root)).collect();
                texts.iter().for_each(&mut add);
            }
        }
        self.inodes = inodes;
        (builder.finish().0, self)
    }

    /// Number of entries.
    pub fn n_entries(&self) -> usize {
        self.n_entries
    }

    fn n_directories(&self) -> usize {
        self.n_entries / self.fanout - 1
    }

    fn file_type(&self, entry: usize) -> FileType {
        if self.is_directory(entry) { FileType::Directory } else { FileType::Regular }
    }

    fn children(&self, entry: usize) -> std::ops::Range<usize> {
        let first = (entry + 1) * self.fanout;
        first.min(self.n_entries)..(first + self.fanout).min(self.n_entries)
    }

    fn parent(&self, entry: usize) -> Option<usize> {
        (entry / self.fanout).checked_sub(1)
    }

    /// Appends the entry's name. Its first letter is the entry's place among its siblings: names differ, and sort as numbered.
    fn push_name(&self, entry: usize, path: &mut Vec<u8>) {
        let word = random::at(self.seed, 2 * entry as u64);
        let length = SHORTEST_NAME + random::below(word, N_LENGTHS);
        path.push(LETTERS[entry % self.fanout]);
        let (mut bits, mut left) = (random::at(self.seed, 2 * entry as u64 + 1), 12);
        for _ in 1..length {
            if left == 0 {
                (bits, left) = (word, 12);
            }
            path.push(LETTERS[(bits & 31) as usize]);
            (bits, left) = (bits >> 5, left - 1);
        }
    }

    /// The paths of an entry and of all below it, parents first, as `find` writes them.
    fn subtree(&self, root: usize) -> Text {
        let mut text = Text::default();
        let mut path = Vec::new();
        if let Some(parent) = self.parent(root) {
            self.path(parent, &mut path);
        }
        let mut open = vec![(root, path.len())];
        while let Some((entry, parent_end)) = open.pop() {
            path.truncate(parent_end);
            path.push(b'/');
            self.push_name(entry, &mut path);
            text.push(&path, entry);
            open.extend(self.children(entry).rev().map(|child| (child, path.len())));
        }
        text
    }
}

impl Paths for Synthetic {
    /// A leaf, all with the same probability.
    fn draw(&self, random: u64) -> usize {
        let first = self.n_directories();
        first + random::below(random, (self.n_entries - first) as u64) as usize
    }

    fn draw_at_depth(&self, depth: u32, random: u64) -> Option<usize> {
        let mut level = 0..self.fanout;
        for _ in 1..depth {
            level = (level.start + 1) * self.fanout..(level.end * self.fanout + self.fanout);
        }
        let level = level.start..level.end.min(self.n_entries);
        (depth > 0 && !level.is_empty())
            .then(|| level.start + random::below(random, level.len() as u64) as usize)
    }

    fn following(&self, entry: usize) -> usize {
        if self.is_directory(entry) {
            return self.children(entry).start;
        }
        let mut entry = entry;
        while entry % self.fanout == self.fanout - 1 {
            match self.parent(entry) {
                Some(parent) => entry = parent,
                None => return 0,
            }
        }
        entry + 1
    }

    fn path(&self, entry: usize, path: &mut Vec<u8>) {
        let mut chain = [0; usize::BITS as usize];
        let mut depth = 0;
        let mut next = Some(entry);
        while let Some(entry) = next {
            chain[depth] = entry;
            depth += 1;
            next = self.parent(entry);
        }
        for &entry in chain[..depth].iter().rev() {
            path.push(b'/');
            self.push_name(entry, path);
        }
    }

    fn inode(&self, entry: usize) -> InodeId {
        self.inodes.get(entry).copied().unwrap_or(INVALID_INODE)
    }

    fn is_directory(&self, entry: usize) -> bool {
        entry < self.n_directories()
    }
}

/// Paths of a subtree with their entries.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    entries: Vec<usize>,
}

impl Text {
    fn push(&mut self, path: &[u8], entry: usize) {
        self.bytes.extend_from_slice(path);
        self.ends.push(self.bytes.len());
        self.entries.push(entry);
    }

    fn paths(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}
