//! The case table: trees, paths, options and what must come of them.
//!
//! The cases cover the situations that public suites of path resolution cover; `docs/conformance.md` says which
//! case stands for which situation. Every case is confirmed by the kernel (`tests/kernel.rs`), but for those on
//! trees of which not everything is known, which no disk can hold.

mod beneath;
mod dots;
mod edges;
mod errors;
mod in_root;
mod realpath;

use crate::check::Query;
use crate::text::{escape, unescape};
use crate::tree::{Planted, Tree};
use warpath_core::{LookupError, Options, Outcome};

/// A tree, and what must come of paths in it.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name, the first part of its cases' names.
    pub name: &'static str,
    /// The tree.
    pub tree: Tree,
    /// The cases.
    pub cases: Vec<Case>,
}

/// A path, and what must come of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, the second part of `group/name`.
    pub name: String,
    /// The path.
    pub path: Vec<u8>,
    /// The start directory, as a plain path.
    pub start: String,
    /// How it is resolved; the start directory in it is not read.
    pub options: Options,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The entry with this plain path.
    Found(String),
    /// This error.
    Fails(LookupError),
}

/// Every case.
///
/// # Errors
/// What is wrong with the text of which tree or path.
pub fn groups() -> Result<Vec<Group>, String> {
    let drafts = [
        in_root::drafts(),
        beneath::drafts(),
        dots::drafts(),
        errors::drafts(),
        realpath::drafts(),
        edges::drafts(),
    ];
    drafts.into_iter().flatten().map(Draft::read).collect()
}

impl Group {
    /// The case's query.
    ///
    /// # Errors
    /// When its start directory is not in the tree.
    pub fn query(&self, case: &Case) -> Result<Query, String> {
        let start = unescape(&case.start)?;
        let start = self.tree.find(&start).ok_or_else(|| {
            format!("{}/{}: the start directory {} is not in the tree", self.name, case.name, case.start)
        })?;
        Ok(Query { path: case.path.clone(), start, options: case.options })
    }

    /// What must come of the case in the planted tree.
    ///
    /// # Errors
    /// When the expected entry is not in the tree.
    pub fn expected(&self, case: &Case, planted: &Planted) -> Result<Outcome, String> {
        match &case.expected {
            Expected::Fails(error) => Ok(Err(*error)),
            Expected::Found(path) => {
                let node = self.tree.find(&unescape(path)?).ok_or_else(|| {
                    format!("{}/{}: the entry {path} is not in the tree", self.name, case.name)
                })?;
                Ok(Ok(planted.inodes[node]))
            }
        }
    }
}

impl std::fmt::Display for Case {
    /// The case as it stands in the table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = escape(&self.path, b"");
        match &self.expected {
            Expected::Found(found) => write!(f, "ok({:?}, r\"{path}\", r\"{found}\")", self.name)?,
            Expected::Fails(error) => write!(f, "fails({:?}, r\"{path}\", {error:?})", self.name)?,
        }
        let Options { follow, beneath, no_symlinks, .. } = self.options;
        let marks = [(!follow, ".nofollow()"), (beneath, ".beneath()"), (no_symlinks, ".no_symlinks()")];
        for (_, mark) in marks.iter().filter(|(set, _)| *set) {
            write!(f, "{mark}")?;
        }
        if !self.start.is_empty() {
            write!(f, ".at(r\"{}\")", self.start)?;
        }
        Ok(())
    }
}

/// A group as it is written in the table.
struct Draft {
    name: &'static str,
    tree: String,
    cases: Vec<DraftCase>,
}

/// A case as it is written in the table.
struct DraftCase {
    name: String,
    path: String,
    start: String,
    options: Options,
    expected: Expected,
}

fn draft(name: &'static str, tree: impl Into<String>, cases: Vec<DraftCase>) -> Draft {
    Draft { name, tree: tree.into(), cases }
}

fn ok(name: impl Into<String>, path: impl Into<String>, found: impl Into<String>) -> DraftCase {
    case(name.into(), path.into(), Expected::Found(found.into()))
}

fn fails(name: impl Into<String>, path: impl Into<String>, error: LookupError) -> DraftCase {
    case(name.into(), path.into(), Expected::Fails(error))
}

fn case(name: String, path: String, expected: Expected) -> DraftCase {
    DraftCase { name, path, start: String::new(), options: Options::default(), expected }
}

impl DraftCase {
    fn nofollow(self) -> DraftCase {
        DraftCase { options: self.options.no_follow(), ..self }
    }

    fn beneath(self) -> DraftCase {
        DraftCase { options: self.options.beneath(), ..self }
    }

    fn no_symlinks(self) -> DraftCase {
        DraftCase { options: self.options.no_symlinks(), ..self }
    }

    fn at(self, start: impl Into<String>) -> DraftCase {
        DraftCase { start: start.into(), ..self }
    }
}

impl Draft {
    fn read(self) -> Result<Group, String> {
        let tree = Tree::parse(&self.tree).map_err(|why| format!("group {}: {why}", self.name))?;
        let cases = self.cases.into_iter().map(|case| {
            let path =
                unescape(&case.path).map_err(|why| format!("case {}/{}: {why}", self.name, case.name))?;
            Ok(Case {
                name: case.name,
                path,
                start: case.start,
                options: case.options,
                expected: case.expected,
            })
        });
        Ok(Group { name: self.name, cases: cases.collect::<Result<_, String>>()?, tree })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_can_be_read_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for group in groups().unwrap() {
            let planted = group.tree.plant().unwrap();
            for case in &group.cases {
                assert!(
                    names.insert(format!("{}/{}", group.name, case.name)),
                    "{}/{}",
                    group.name,
                    case.name
                );
                group.query(case).unwrap();
                let _ = group.expected(case, &planted).unwrap();
            }
        }
        assert!(names.len() > 300, "{}", names.len());
    }
}
