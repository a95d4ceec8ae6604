//! Building a namespace from a list of paths.

use super::{FileType, Namespace, NamespaceError};
use crate::{InodeId, ROOT, layout};
use std::ops::Range;

/// Builds a [`Namespace`] from paths, one after another, making the directories on the way.
///
/// Lists in which the paths of a directory stand together (sorted, or in `find`'s order) are fast: the
/// directories of the previous path are kept, and only what differs from it is looked up. Any other order
/// gives the same tree.
#[derive(Debug, Clone, Default)]
pub struct ListBuilder {
    namespace: Namespace,
    /// The previous path.
    previous: Vec<u8>,
    /// Directories of the previous path: where each one's name ends in it, and its inode.
    stack: Vec<(usize, InodeId)>,
    /// The new components of the path in hand.
    components: Vec<Range<usize>>,
    summary: ListSummary,
}

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

impl ListBuilder {
    /// A builder of an empty tree.
    pub fn new() -> ListBuilder {
        ListBuilder::default()
    }

    /// As [`ListBuilder::new`], with room for `n_paths`.
    pub fn with_capacity(n_paths: usize) -> ListBuilder {
        ListBuilder { namespace: Namespace::with_capacity(n_paths), ..ListBuilder::default() }
    }

    /// Adds a path, with every directory on the way that is missing.
    ///
    /// A relative path begins at the root. Empty components and `.` are skipped; a slash at the end makes a
    /// directory, whatever `file_type` says. Gives the path's inode, also when it was there before; `None`
    /// when the path is refused, and counted in the summary. An inode given for a file is no longer valid
    /// once a later path uses the file as a directory.
    pub fn push(&mut self, path: &[u8], file_type: FileType) -> Option<InodeId> {
        self.summary.n_paths += 1;
        let added = self.split(path).and_then(|()| self.add(path, file_type).ok());
        if added.is_none() {
            self.summary.n_refused += 1;
        }
        added
    }

    /// The namespace so far: for links, attributes and the like.
    pub fn namespace_mut(&mut self) -> &mut Namespace {
        // Whatever is changed there may end what the stack remembers.
        self.previous.clear();
        self.stack.clear();
        &mut self.namespace
    }

    /// The tree in as little memory as it needs, and what the list held. O(n).
    pub fn finish(mut self) -> (Namespace, ListSummary) {
        self.namespace.shrink_to_fit();
        (self.namespace, self.summary)
    }

    /// Cuts the stack to the directories that the path shares with the previous one, and finds its other
    /// components. `None` where one is refused.
    fn split(&mut self, path: &[u8]) -> Option<()> {
        let common = common_prefix(&self.previous, path);
        while self
            .stack
            .last()
            .is_some_and(|&(end, _)| end > common || path.get(end).is_some_and(|&byte| byte != b'/'))
        {
            self.stack.pop();
        }
        self.components.clear();
        let mut at = self.stack.last().map_or(0, |&(end, _)| end);
        // What the stack does not hold of the path is forgotten until it is added.
        self.previous.truncate(at);
        while at < path.len() {
            let length = path[at..].iter().position(|&byte| byte == b'/' || byte == 0);
            let end = length.map_or(path.len(), |length| at + length);
            if path.get(end) == Some(&0) || end - at > layout::MAX_NAME as usize {
                return None;
            }
            match &path[at..end] {
                b"" | b"." => {}
                b".." => return None,
                _ => self.components.push(at..end),
            }
            at = end + 1;
        }
        Some(())
    }

    /// Adds the components found by [`ListBuilder::split`].
    fn add(&mut self, path: &[u8], file_type: FileType) -> Result<InodeId, NamespaceError> {
        let mut inode = self.stack.last().map_or(ROOT, |&(_, inode)| inode);
        let Some(last) = self.components.pop() else {
            self.summary.n_duplicates += 1;
            // The path ends as a directory of the stack does.
            let ends_as_one = self.stack.last().is_some_and(|&(end, _)| end == path.len());
            self.summary.n_conflicts += u64::from(ends_as_one && file_type != FileType::Directory);
            return Ok(inode);
        };
        for i in 0..self.components.len() {
            let component = self.components[i].clone();
            (inode, _) = self.directory(inode, &path[component.clone()])?;
            self.remember(path, component.end, inode);
        }
        let name = &path[last.clone()];
        let existed;
        if file_type == FileType::Directory || last.end < path.len() {
            (inode, existed) = self.directory(inode, name)?;
            self.remember(path, last.end, inode);
        } else {
            (inode, existed) = match self.namespace.place_checked(inode, name) {
                Ok(place) => (self.namespace.add_at(place, name, file_type)?, false),
                Err(NamespaceError::NameTaken { inode }) => (inode, true),
                Err(error) => return Err(error),
            };
            if existed && self.namespace.is_directory(inode) {
                self.summary.n_conflicts += 1;
            }
        }
        self.summary.n_duplicates += u64::from(existed);
        Ok(inode)
    }

    /// The directory of this name, made if need be, and whether it was there.
    fn directory(&mut self, parent: InodeId, name: &[u8]) -> Result<(InodeId, bool), NamespaceError> {
        let place = match self.namespace.place_checked(parent, name) {
            Ok(place) => place,
            Err(NamespaceError::NameTaken { inode }) if self.namespace.is_directory(inode) => {
                return Ok((inode, true));
            }
            Err(NamespaceError::NameTaken { .. }) => {
                self.summary.n_conflicts += 1;
                self.namespace.remove(parent, name)?;
                self.namespace.place_checked(parent, name)?
            }
            Err(error) => return Err(error),
        };
        Ok((self.namespace.add_at(place, name, FileType::Directory)?, false))
    }

    fn remember(&mut self, path: &[u8], end: usize, inode: InodeId) {
        self.previous.extend_from_slice(&path[self.previous.len()..end]);
        self.stack.push((end, inode));
    }
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
