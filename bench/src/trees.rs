//! The trees that are measured, each with an index and the paths of all its entries.

use crate::arguments::DebianList;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use warpath_core::{Index, InodeId, Namespace};
use warpath_sources::live::ScanOptions;
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
    /// The synthetic tree of `2^k` entries.
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

    /// The tree of a scanned directory, under the host's paths and with the host's inode numbers.
    pub fn scanned(key: &str, root: &Path) -> Result<Tree> {
        let scan = warpath_sources::live::scan(root, &ScanOptions::default())?;
        let paths = Listed::of_namespace(&scan.namespace);
        let title = format!("{} of this machine", root.display());
        Ok(Tree { key: key.to_owned(), title, index: Index::build(scan.namespace)?, paths: Box::new(paths) })
    }

    fn new(key: String, title: String, mut namespace: Namespace, paths: Box<dyn Paths>) -> Result<Tree> {
        add_links(&mut namespace);
        namespace.shrink_to_fit();
        Ok(Tree { key, title, index: Index::build(namespace)?, paths })
    }

    /// Paths with their answers.
    pub fn draw(&self, mix: &Mix, n: usize, seed: u64) -> Result<PathSet> {
        let set = PathSet::draw(&*self.paths, mix, n, seed)?;
        let namespace = self.index.namespace();
        // Around a live tree nothing is known: some of what is missing is UNINDEXED there.
        let is_partial = namespace.n_partial() > 0 && mix.missing > 0.0;
        Ok(if is_partial { set.answered_by_reference(namespace) } else { set })
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

/// A tree by its name on the command line, and where its data lie.
#[derive(Debug, Clone, clap::Args)]
pub struct Choice {
    /// kN (synthetic, 2^N entries), debian, usr (a scan of --root) or history (a repository's).
    #[arg(long, default_value = "k20")]
    tree: String,
    #[command(flatten)]
    debian: DebianList,
    /// What bench/data/git-history.sh wrote: NAME-tree.txt are the paths of the newest commit, NAME-history.txt those that commits
    /// name, in their order.
    #[arg(long, default_value = "bench/data/git")]
    history: PathBuf,
    /// The directory that is scanned for `usr`.
    #[arg(long, default_value = "/usr")]
    root: PathBuf,
}

impl Choice {
    /// The tree, and `n` paths to ask for: drawn at random, but in their own order and number for a history.
    pub fn load(&self, n: usize) -> Result<(Tree, PathSet)> {
        let tree = match &*self.tree {
            "debian" => Tree::listed("debian", "every path of Debian's main", self.debian.file()?)?,
            "usr" => Tree::scanned("usr", &self.root)?,
            "history" => return self.load_history(),
            name => {
                let k = name.strip_prefix('k').and_then(|k| k.parse().ok());
                let k = k.with_context(|| format!("--tree {name}: there are kN, debian, usr and history"))?;
                Tree::synthetic(k, 42)?
            }
        };
        let set = tree.draw(&Mix::default(), n, 1)?;
        Ok((tree, set))
    }

    fn load_history(&self) -> Result<(Tree, PathSet)> {
        let file = |part: &str| PathBuf::from(format!("{}-{part}.txt", self.history.display()));
        let (list, mentions) = (file("tree"), file("history"));
        ensure!(list.exists(), "{}: missing; bench/data/git-history.sh makes it", list.display());
        let tree = Tree::listed("history", "the newest commit of a git history", &list)?;
        let lines = std::fs::read(&mentions).with_context(|| format!("reading {}", mentions.display()))?;
        let set = PathSet::from_lines(&lines, tree.index.namespace())?;
        Ok((tree, set))
    }

    /// Short name, for a record's.
    pub fn name(&self) -> &str {
        &self.tree
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
