//! The trees that are measured, each with an index and the paths of all its entries.

use anyhow::{Context, Result};
use std::path::Path;
use warpath_core::{Index, InodeId, Namespace};
use warpath_workload::{Listed, Mix, PathSet, Paths, Synthetic, add_links};

/// A tree, its index, and how its paths are drawn.
pub struct Tree {
    /// Short name: the beginning of its figures' keys.
    pub key: String,
    /// For people.
    pub title: String,
    pub index: Index,
    paths: Box<dyn Paths>,
}

impl Tree {
    /// DESIGN 7's tree of `2^k` entries.
    pub fn synthetic(k: u32, seed: u64) -> Result<Tree> {
        let (namespace, tree) = Synthetic::new(k, seed).build();
        let title = format!("synthetic, 2^{k} entries");
        Tree::new(format!("k{k}"), title, namespace, Box::new(tree))
    }

    /// The tree of a list of paths, a path a line.
    pub fn listed(key: &str, title: &str, list: &Path) -> Result<Tree> {
        let (namespace, _, listed) =
            Listed::read(list).with_context(|| format!("reading {}", list.display()))?;
        Tree::new(key.to_owned(), title.to_owned(), namespace, Box::new(listed))
    }

    fn new(key: String, title: String, mut namespace: Namespace, paths: Box<dyn Paths>) -> Result<Tree> {
        add_links(&mut namespace);
        namespace.shrink_to_fit();
        Ok(Tree { key, title, index: Index::build(namespace)?, paths })
    }

    /// Paths with their answers.
    pub fn draw(&self, mix: &Mix, n: usize, seed: u64) -> Result<PathSet> {
        Ok(PathSet::draw(&*self.paths, mix, n, seed)?)
    }

    /// Every path of the tree in `find` order, directories too, for peers to build their tables from.
    pub fn all_paths(&self) -> AllPaths {
        let listed = Listed::of_namespace(self.index.namespace());
        let mut paths = AllPaths::default();
        for i in 0..listed.len() {
            paths.bytes.extend_from_slice(listed.get(i));
            paths.ends.push(paths.bytes.len());
            paths.inodes.push(listed.inode(i));
        }
        paths.bytes.shrink_to_fit();
        paths
    }
}

/// Paths of all entries one behind the other, with their inodes.
#[derive(Default)]
pub struct AllPaths {
    pub bytes: Vec<u8>,
    ends: Vec<usize>,
    pub inodes: Vec<InodeId>,
}

impl AllPaths {
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    pub fn range(&self, i: usize) -> std::ops::Range<usize> {
        (if i == 0 { 0 } else { self.ends[i - 1] })..self.ends[i]
    }

    pub fn get(&self, i: usize) -> &[u8] {
        &self.bytes[self.range(i)]
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], InodeId)> {
        (0..self.len()).map(|i| (self.get(i), self.inodes[i]))
    }
}
