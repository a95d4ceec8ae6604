//! Building a namespace from a list of paths.

use super::{FileType, Namespace, NamespaceError};
use crate::{InodeId, ROOT, layout};
use std::ops::Range;

/// Builds a [`Namespace`] from paths, one after another, making the directories on the way.
///
/// The directories of the previous path are kept, so that only what differs from it is looked up: lists in
/// which the paths of a directory stand together (as `find` writes them) are fast. While the paths come in
/// ascending order of their bytes nothing is looked up at all, as then nothing can have been there before, and the
/// children of all directories are made in one go at the end. Any other order gives the same tree.
#[derive(Debug, Clone)]
pub struct ListBuilder {
    namespace: Namespace,
    /// The previous path, trimmed.
    previous: Vec<u8>,
    /// The root, and the directories of the previous path.
    levels: Vec<Level>,
    /// Whether all paths came in ascending order, so that no directory's children are listed yet.
    sorted: bool,
    /// Where `sorted`: at each level, the entries whose names are prefixes of the last one's there. Only
    /// these can come again: `a`, then `a-b`, then `a/c`.
    prefixes: Vec<InodeId>,
    /// The new components of the path in hand.
    components: Vec<Range<usize>>,
    summary: ListSummary,
}

/// A directory of the previous path.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Where its name ends in the path.
    end: usize,
    inode: InodeId,
    /// Its part of the prefixes begins here.
    first_prefix: usize,
}

const TOP: Level = Level { end: 0, inode: ROOT, first_prefix: 0 };

/// What a list held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListSummary {
    /// Paths pushed.
    pub n_paths: u64,
    /// Paths that were there already, and changed nothing.
    pub n_duplicates: u64,
    /// Entries named as a file by one path and used as a directory by another: they are directories.
    pub n_conflicts: u64,
    /// Paths left out: with a `..`, a NUL, a component of more than 255 bytes, or past the namespace's limits.
    pub n_refused: u64,
}

impl Default for ListBuilder {
    fn default() -> ListBuilder {
        ListBuilder::new()
    }
}

impl ListBuilder {
    /// A builder of an empty tree.
    pub fn new() -> ListBuilder {
        ListBuilder::with_capacity(0)
    }

    /// As [`ListBuilder::new`], with room for `n_paths`.
    pub fn with_capacity(n_paths: usize) -> ListBuilder {
        ListBuilder {
            namespace: Namespace::with_capacity(n_paths),
            previous: Vec::new(),
            levels: vec![TOP],
            sorted: true,
            prefixes: Vec::new(),
            components: Vec::new(),
            summary: ListSummary::default(),
        }
    }

    /// Adds a path, with every directory on the way that is missing.
    ///
    /// A relative path begins at the root. Empty components and `.` are skipped; a slash at the end makes a
    /// directory, whatever `file_type` says. Gives the path's inode, also when it was there before; `None`
    /// when the path is refused, and counted in the summary. An inode given for a file is no longer valid
    /// once a later path uses the file as a directory.
    pub fn push(&mut self, path: &[u8], file_type: FileType) -> Option<InodeId> {
        self.summary.n_paths += 1;
        let text = trim(path);
        let file_type = if path.ends_with(b"/") { FileType::Directory } else { file_type };
        let added = self.split(text).and_then(|()| self.add(text, file_type).ok());
        if added.is_none() {
            self.summary.n_refused += 1;
        }
        added
    }

    /// The tree in as little memory as it needs, and what the list held. O(n).
    pub fn finish(mut self) -> (Namespace, ListSummary) {
        self.namespace.shrink_to_fit();
        (self.namespace, self.summary)
    }

    /// Ends the fast way of sorted lists: from here on every name is looked up.
    #[cold]
    fn list_children(&mut self) {
        if self.sorted {
            self.sorted = false;
            self.namespace.rebuild_children();
        }
    }

    /// Cuts the levels to the directories that the path shares with the previous one, and finds its other
    /// components. `None` where one is refused.
    fn split(&mut self, text: &[u8]) -> Option<()> {
        let common = common_prefix(&self.previous, text);
        if self.sorted && text.get(common) <= self.previous.get(common) {
            self.list_children();
        }
        while let [_, .., last] = self.levels[..]
            && (last.end > common || text.get(last.end).is_some_and(|&byte| byte != b'/'))
        {
            self.prefixes.truncate(last.first_prefix);
            self.levels.pop();
        }
        self.previous.truncate(common);
        self.previous.extend_from_slice(&text[common..]);
        self.components.clear();
        let mut at = self.top().end;
        at += usize::from(at > 0);
        while at < text.len() {
            let length = text[at..].iter().position(|&byte| byte == b'/' || byte == 0);
            let end = length.map_or(text.len(), |length| at + length);
            if text.get(end) == Some(&0) || end - at > layout::MAX_NAME as usize {
                return None;
            }
            match &text[at..end] {
                // The order of such paths is not the order of their names.
                b"" | b"." => self.list_children(),
                b".." => return None,
                _ => self.components.push(at..end),
            }
            at = end + 1;
        }
        Some(())
    }

    fn top(&self) -> Level {
        self.levels.last().copied().unwrap_or(TOP)
    }

    /// Adds the components found by [`ListBuilder::split`].
    fn add(&mut self, text: &[u8], file_type: FileType) -> Result<InodeId, NamespaceError> {
        let Some(last) = self.components.pop() else {
            self.summary.n_duplicates += 1;
            let top = self.top();
            let is_conflict = top.inode != ROOT && top.end == text.len() && file_type != FileType::Directory;
            self.summary.n_conflicts += u64::from(is_conflict);
            return Ok(top.inode);
        };
        for i in 0..self.components.len() {
            let component = self.components[i].clone();
            self.enter(text, component)?;
        }
        // Behind the last component there can only be slashes and dots.
        let (inode, existed) = if file_type == FileType::Directory || last.end < text.len() {
            self.enter(text, last)?
        } else {
            let (inode, existed) = self.find_or_add(&text[last], file_type)?;
            self.summary.n_conflicts += u64::from(existed && self.namespace.is_directory(inode));
            (inode, existed)
        };
        self.summary.n_duplicates += u64::from(existed);
        Ok(inode)
    }

    /// Goes down into the directory of this name, made if need be. Whether it was there.
    fn enter(&mut self, text: &[u8], name: Range<usize>) -> Result<(InodeId, bool), NamespaceError> {
        let end = name.end;
        let (mut inode, mut existed) = self.find_or_add(&text[name], FileType::Directory)?;
        if existed && !self.namespace.is_directory(inode) {
            self.summary.n_conflicts += 1;
            let directory = self.namespace.replace_by_directory(inode)?;
            if let Some(prefix) = self.prefixes.last_mut().filter(|prefix| **prefix == inode) {
                *prefix = directory;
            }
            (inode, existed) = (directory, false);
        }
        self.levels.push(Level { end, inode, first_prefix: self.prefixes.len() });
        Ok((inode, existed))
    }

    /// The inode of this name in the directory at the top, and whether it was there.
    fn find_or_add(&mut self, name: &[u8], file_type: FileType) -> Result<(InodeId, bool), NamespaceError> {
        let directory = self.top().inode;
        if self.sorted {
            if let Some(inode) = self.find_prefix(name) {
                return Ok((inode, true));
            }
            let inode = self.namespace.append(directory, name, file_type)?;
            self.prefixes.push(inode);
            return Ok((inode, false));
        }
        match self.namespace.place_checked(directory, name) {
            Ok(place) => Ok((self.namespace.add_at(place, name, file_type)?, false)),
            Err(NamespaceError::NameTaken { inode }) => Ok((inode, true)),
            Err(error) => Err(error),
        }
    }

    /// Cuts the top's prefixes to those of `name`; gives the one that is `name`.
    fn find_prefix(&mut self, name: &[u8]) -> Option<InodeId> {
        while let [.., last] = self.prefixes[self.top().first_prefix..] {
            let prefix = self.namespace.entries.name(last);
            if name.starts_with(prefix) {
                return (name.len() == prefix.len()).then_some(last);
            }
            self.prefixes.pop();
        }
        None
    }
}

/// The path without slashes and `./` in front, and without slashes at the end.
fn trim(path: &[u8]) -> &[u8] {
    let mut text = path;
    while let Some(rest) = text.strip_prefix(b"/").or_else(|| text.strip_prefix(b"./")) {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b"/") {
        text = rest;
    }
    text
}

/// Length of the common prefix.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let mut at = 0;
    for (x, y) in a_words.iter().zip(b_words) {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return at + (differing.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(namespace: &Namespace) -> Vec<String> {
        let mut paths: Vec<String> = (0..namespace.entry_bound())
            .filter_map(|id| namespace.entry(id))
            .map(|entry| {
                let slash = if namespace.is_directory(entry.inode) { "/" } else { "" };
                let path = namespace.path_of(entry.inode).unwrap();
                format!("{}{slash}", String::from_utf8_lossy(&path))
            })
            .collect();
        paths.sort();
        paths
    }

    fn build(list: &[&str]) -> (Vec<String>, ListSummary) {
        let mut builder = ListBuilder::new();
        for path in list {
            if let Some(inode) = builder.push(path.as_bytes(), FileType::Regular) {
                assert!(builder.namespace.parent(inode).is_some(), "{path}");
            }
        }
        let (namespace, summary) = builder.finish();
        (paths(&namespace), summary)
    }

    #[test]
    fn directories_on_the_way_are_made() {
        let (paths, summary) =
            build(&["/a/b/c", "/a/b/cd", "/a/bc", "/a/b/c2/x", "d", "./e/./f", "//e//g//"]);
        assert_eq!(
            paths,
            [
                "/a/",
                "/a/b/",
                "/a/b/c",
                "/a/b/c2/",
                "/a/b/c2/x",
                "/a/b/cd",
                "/a/bc",
                "/d",
                "/e/",
                "/e/f",
                "/e/g/"
            ]
        );
        assert_eq!(summary, ListSummary { n_paths: 7, ..ListSummary::default() });
    }

    #[test]
    fn a_file_that_is_a_parent_becomes_a_directory() {
        let (paths, summary) = build(&["/a", "/a/b", "/a/b/", "/a", "/a/b/c", "/a/b/c", "/", "/x/y", "/x"]);
        assert_eq!(paths, ["/a/", "/a/b/", "/a/b/c", "/x/", "/x/y"]);
        let expected = ListSummary { n_paths: 9, n_duplicates: 4, n_conflicts: 4, n_refused: 0 };
        assert_eq!(summary, expected);
    }

    #[test]
    fn bad_paths_are_counted_and_leave_nothing() {
        let long = format!("/new/{}", "x".repeat(256));
        let (paths, summary) = build(&["/a/b", "/a/../c", "/new/\0", &long, "/new2/..", "/a/c"]);
        assert_eq!(paths, ["/a/", "/a/b", "/a/c"]);
        assert_eq!((summary.n_refused, summary.n_paths), (4, 6));
    }
}
