//! Trees from lists of paths, and the paths of any tree.

use crate::paths::{MAX_GROWTH, MISSING, Paths};
use crate::random;
use rayon::prelude::*;
use std::path::Path;
use warpath_core::layout::MAX_PATH;
use warpath_core::namespace::{ListBuilder, ListSummary};
use warpath_core::{FileType, INVALID_INODE, InodeId, Namespace, ROOT};

/// Longer ones, or what is drawn from them, nobody can ask for: they are too long at any place.
const LONGEST: usize = MAX_PATH as usize - MAX_GROWTH;

/// Paths in the order of their list, with what they lead to.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    inodes: Vec<InodeId>,
    /// Whether the inode is a directory.
    directories: Vec<bool>,
    /// Paths by their number of components.
    by_depth: Vec<Vec<u32>>,
}

impl Listed {
    /// The tree of a list in memory, a path a line, and the list. Every path is a file unless others lead below it.
    ///
    /// Paths that a tree can't hold are left out and counted in the summary; those that are too long to ask for are only in the tree.
    pub fn from_lines(lines: &[u8]) -> (Namespace, ListSummary, Listed) {
        let mut builder = ListBuilder::new();
        let mut listed = Listed::default();
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let missing = line.windows(2).any(|pair| pair == [b'/', MISSING]);
            if !missing && builder.push(line, FileType::Regular).is_some() && line.len() <= LONGEST {
                listed.push_path(line);
            }
        }
        let (namespace, summary) = builder.finish();
        listed.finish(&namespace);
        (namespace, summary, listed)
    }

    /// As [`Listed::from_lines`], from a file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(list: &Path) -> std::io::Result<(Namespace, ListSummary, Listed)> {
        Ok(Listed::from_lines(&std::fs::read(list)?))
    }

    /// All paths of a tree, parents first, as `find` writes them; the root's is left out, and so are links and what is too long to ask for.
    pub fn of_namespace(namespace: &Namespace) -> Listed {
        let mut listed = Listed::default();
        let mut path = Vec::new();
        let mut open: Vec<(InodeId, Vec<u8>, usize)> = vec![(ROOT, Vec::new(), 0)];
        while let Some((inode, name, parent_end)) = open.pop() {
            path.truncate(parent_end);
            if inode != ROOT {
                path.push(b'/');
                path.extend_from_slice(&name);
                if path.len() > LONGEST {
                    continue;
                }
                listed.push_path(&path);
            }
            for entry in namespace.list(inode) {
                if namespace.file_type(entry.inode) != Some(FileType::Symlink) && entry.name[0] != MISSING {
                    open.push((entry.inode, entry.name.to_vec(), path.len()));
                }
            }
        }
        listed.finish(namespace);
        listed
    }

    fn push_path(&mut self, path: &[u8]) {
        self.bytes.extend_from_slice(path);
        self.ends.push(self.bytes.len());
    }

    /// Looks every path up, name by name.
    fn finish(&mut self, namespace: &Namespace) {
        self.inodes = (0..self.len()).into_par_iter().map(|i| walk(namespace, self.get(i))).collect();
        self.directories = self.inodes.par_iter().map(|&inode| namespace.is_directory(inode)).collect();
        for i in 0..self.len() {
            let depth = memchr::memchr_iter(b'/', self.get(i)).count();
            if self.by_depth.len() <= depth {
                self.by_depth.resize(depth + 1, Vec::new());
            }
            self.by_depth[depth].push(i as u32);
        }
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Path `i` of the list.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Listed::len).
    pub fn get(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// The paths in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }
}

/// What a canonical path leads to, by the names of the tree alone.
fn walk(namespace: &Namespace, path: &[u8]) -> InodeId {
    path.split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .try_fold(ROOT, |directory, name| namespace.child(directory, name))
        .unwrap_or(INVALID_INODE)
}

impl Paths for Listed {
    fn draw(&self, random: u64) -> usize {
        random::below(random, self.len() as u64) as usize
    }

    fn draw_at_depth(&self, depth: u32, random: u64) -> Option<usize> {
        let paths = self.by_depth.get(depth as usize).filter(|paths| !paths.is_empty())?;
        Some(paths[random::below(random, paths.len() as u64) as usize] as usize)
    }

    fn following(&self, path: usize) -> usize {
        if path + 1 < self.len() { path + 1 } else { 0 }
    }

    fn path(&self, path: usize, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.get(path));
    }

    fn inode(&self, path: usize) -> InodeId {
        self.inodes[path]
    }

    fn is_directory(&self, path: usize) -> bool {
        self.directories[path]
    }
}
