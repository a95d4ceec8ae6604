//! The tree that is measured with.

use super::BenchArgs;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use warpath_core::{Index, Namespace};
use warpath_sources::live::{ScanOptions, scan};
use warpath_workload::{Listed, Mix, PathSet, Paths, Synthetic, add_links};

/// Synthetic trees are the same everywhere.
const SEED: u64 = 42;

pub struct Tree {
    pub title: String,
    pub index: Index,
    pub paths: Box<dyn Paths>,
    /// Number of links that paths can be led through; `None` in people's own trees.
    pub links: Option<usize>,
}

impl Tree {
    pub fn of(args: &BenchArgs) -> Result<Tree> {
        match (&args.index, &args.root) {
            (Some(file), _) => {
                let opened = warpath_file::open(file)?;
                Tree::own(file.display().to_string(), opened.index)
            }
            (None, Some(root)) => Tree::own(root.display().to_string(), Index::build(scanned(root)?)?),
            (None, None) => Tree::synthetic(args.k),
        }
    }

    /// Paths with their answers.
    pub fn draw(&self, mix: &Mix, n: usize) -> Result<PathSet> {
        let set = PathSet::draw(&*self.paths, mix, n, SEED)?;
        let namespace = self.index.namespace();
        Ok(if namespace.n_partial() > 0 { set.answered_by_reference(namespace) } else { set })
    }

    fn own(name: String, index: Index) -> Result<Tree> {
        let paths = Listed::of_namespace(index.namespace());
        ensure!(!paths.is_empty(), "{name}: an empty tree can't be measured");
        let title = format!("{name}, {} entries", index.namespace().n_entries());
        Ok(Tree { title, index, paths: Box::new(paths), links: None })
    }

    pub fn synthetic(k: u32) -> Result<Tree> {
        let (mut namespace, paths) = Synthetic::new(k, SEED).build();
        let links = Some(add_links(&mut namespace));
        let title = format!("synthetic tree of 2^{k} entries");
        Ok(Tree { title, index: Index::build(namespace)?, paths: Box::new(paths), links })
    }
}

fn scanned(root: &Path) -> Result<Namespace> {
    let options = ScanOptions { in_root: true, ..ScanOptions::default() };
    Ok(scan(root, &options).context("--root")?.namespace)
}
