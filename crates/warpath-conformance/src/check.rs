//! One question and its answer: how queries are compared, and how a difference is told.

use crate::text::escape;
use crate::tree::{Planted, ROOT_NODE, Tree};
use std::fmt;
use warpath_core::{Options, Outcome};

/// A path and how it is resolved. The start directory is a node of the tree; the one in the options is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The path.
    pub path: Vec<u8>,
    /// The start directory's node.
    pub start: usize,
    /// How it is resolved.
    pub options: Options,
}

impl Query {
    /// The options, with the start directory's inode.
    pub fn options_in(&self, planted: &Planted) -> Options {
        self.options.start(planted.inodes[self.start])
    }

    /// The reference resolver's answer.
    pub fn reference(&self, planted: &Planted) -> Outcome {
        warpath_core::reference::resolve(&planted.namespace, &self.path, &self.options_in(planted))
    }
}

/// Every combination of follow, beneath, no-symlinks and walk-only.
pub fn all_modes() -> impl Iterator<Item = Options> {
    (0..16).map(|bits| Options {
        follow: bits & 1 == 0,
        beneath: bits & 2 != 0,
        no_symlinks: bits & 4 != 0,
        walk_only: bits & 8 != 0,
        ..Options::default()
    })
}

/// Two answers to one query that should be one: a ready case.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The tree.
    pub tree: Tree,
    /// The query.
    pub query: Query,
    /// Who is right, and what it says.
    pub right: (&'static str, String),
    /// Who is wrong, and what it says.
    pub wrong: (String, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tree:    r\"{}\"", self.tree)?;
        writeln!(f, "path:    r\"{}\"", escape(&self.query.path, b""))?;
        writeln!(f, "options: {}", describe(&self.tree, &self.query))?;
        writeln!(f, "{:8} {}", format!("{}:", self.right.0), self.right.1)?;
        write!(f, "{:8} {}", format!("{}:", self.wrong.0), self.wrong.1)
    }
}

/// The options in words, as they are written in the case table.
fn describe(tree: &Tree, query: &Query) -> String {
    let Options { follow, beneath, no_symlinks, walk_only, .. } = query.options;
    let mut words = vec![if follow { "follow" } else { "nofollow" }];
    words.extend(beneath.then_some("beneath"));
    words.extend(no_symlinks.then_some("no_symlinks"));
    words.extend(walk_only.then_some("walk_only"));
    let mut text = words.join(", ");
    if query.start != ROOT_NODE {
        text += &format!(", at r\"{}\"", escape(&tree.path_of(query.start), b""));
    }
    text
}

/// An outcome in words, with the path of what was found.
pub fn outcome_text(outcome: Outcome, planted: &Planted) -> String {
    match outcome {
        Err(error) => error.name().to_owned(),
        Ok(inode) => match planted.namespace.path_of(inode) {
            Some(path) => format!("inode {inode}, r\"{}\"", escape(&path, b"")),
            None => format!("inode {inode}, which does not exist"),
        },
    }
}
