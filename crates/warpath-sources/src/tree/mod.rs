//! Puts records, in whatever order they come, into a namespace, by one set of rules for conflicts.
//!
//! | what comes | what is done | counted as |
//! |---|---|---|
//! | a path whose directories no record names | they are made | `parents_made` |
//! | the same path again | the last record holds | `duplicates` |
//! | a path that is a file here and a directory there | the directory holds | `file_and_directory` |
//! | `.`, `..` or `//` in a path | worked out on the text; `..` stays below the root | `respelled`, `outside` |
//! | a path below a symbolic link | archives: put where the link leads to, inside the root; else the link becomes a directory | `through_links`, `file_and_directory` |
//! | a hard link to nothing, or to a directory | becomes a regular file | `broken_hard_links` |
//! | a name over 255 bytes, a NUL | the record is left out | `refused` |

mod layers;
mod spelling;

use crate::Summary;
use layers::Layers;
pub(crate) use spelling::{has_odd_names, respell, trim};
use warpath_core::namespace::check_name;
use warpath_core::{Attributes, FileType, InodeId, Namespace, NamespaceError, Options, ROOT, reference};

/// What a record says that its path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Nothing: a file, unless other records lie below it.
    Unknown,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, and its target where that is known.
    Symlink(Option<&'a [u8]>),
    /// A device, a socket, a pipe.
    Other,
    /// Another name of what this path names.
    HardLink(&'a [u8]),
    /// Another name of this inode.
    SameInode(InodeId),
}

/// A path, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The path; it may begin with `/` or `./`, and a slash at its end says that it is a directory.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
    /// Its attributes, where they are known.
    pub attributes: Option<Attributes>,
}

/// What differs between kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Records below a symbolic link are put where it leads to, as extracting an archive would.
    pub follow_links: bool,
    /// Records of no kind are of a source that does not tell files from directories: that such a path turns out
    /// to be a directory is no conflict.
    pub untyped: bool,
}

/// Says whether what lies in the directory at a path (canonical, no slash in front) is left out. The directory
/// itself stays, marked as not wholly indexed, as a scan of a live tree leaves it.
pub type Exclude<'f> = &'f dyn Fn(&[u8]) -> bool;

/// A namespace in the making.
pub struct Tree<'f> {
    namespace: Namespace,
    summary: Summary,
    rules: Rules,
    exclude: Option<Exclude<'f>>,
    /// The canonical path of the directory that the last record went to, and the directories on the way with the
    /// length of their paths: neighbours in a list share most of it.
    directory: Vec<u8>,
    stack: Vec<(usize, InodeId)>,
    /// Canonical spelling of a path that is not spelled so.
    respelled: Vec<u8>,
    /// Inodes that no record names.
    implied: Bits,
    layers: Layers,
    hard_links: Vec<LateLink>,
}

/// A hard link whose target has not come yet.
struct LateLink {
    path: Vec<u8>,
    target: Vec<u8>,
    attributes: Option<Attributes>,
}

/// Where a path belongs.
enum Place<'p> {
    /// It is the root.
    Root,
    /// A name in a directory.
    In(InodeId, &'p [u8]),
    /// It is not spelled canonically.
    Respell,
    /// A filter leaves it out.
    Excluded,
}

impl<'f> Tree<'f> {
    /// An empty tree.
    pub fn new(rules: Rules) -> Tree<'f> {
        Tree {
            namespace: Namespace::new(),
            summary: Summary::default(),
            rules,
            exclude: None,
            directory: Vec::new(),
            stack: Vec::new(),
            respelled: Vec::new(),
            implied: Bits::default(),
            layers: Layers::default(),
            hard_links: Vec::new(),
        }
    }

    /// Leaves out all below the directories that `exclude` tells.
    pub fn exclude(mut self, exclude: Option<Exclude<'f>>) -> Tree<'f> {
        self.exclude = exclude;
        self
    }

    /// Whether directories are left out.
    pub(crate) fn has_filter(&self) -> bool {
        self.exclude.is_some()
    }

    /// What has been counted so far; sources add their own findings.
    pub fn summary_mut(&mut self) -> &mut Summary {
        &mut self.summary
    }

    /// The tree so far.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Puts a record into the tree and returns its inode; `None` where the record was refused, excluded or put off.
    /// O(components that differ from the last record's).
    ///
    /// # Errors
    /// Only when the namespace is full; what is wrong with the record itself is counted.
    pub fn add(&mut self, record: &Record<'_>) -> Result<Option<InodeId>, NamespaceError> {
        self.summary.records += 1;
        self.place_record(record)
    }

    /// The namespace and what was counted. Hard links whose target never came become files.
    ///
    /// # Errors
    /// Only when the namespace is full.
    pub fn finish(mut self) -> Result<(Namespace, Summary), NamespaceError> {
        self.place_late_links()?;
        Ok((self.namespace, self.summary))
    }

    fn place_record(&mut self, record: &Record<'_>) -> Result<Option<InodeId>, NamespaceError> {
        if record.path.is_empty() {
            self.summary.refuse(b"", &"there is no path");
            return Ok(None);
        }
        let (path, slash) = trim(record.path);
        let mut record = Record { path, ..*record };
        if slash && matches!(record.kind, Kind::Unknown | Kind::File) {
            record.kind = Kind::Directory;
        }
        let placed = match self.locate(path) {
            Ok(Place::Respell) => {
                let mut respelled = std::mem::take(&mut self.respelled);
                respell(path, &mut self.summary, &mut respelled);
                let record = Record { path: &respelled, ..record };
                let placed = self.locate(&respelled).and_then(|place| self.put(place, &record));
                self.respelled = respelled;
                placed
            }
            Ok(place) => self.put(place, &record),
            Err(error) => Err(error),
        };
        match placed {
            Err(error @ NamespaceError::Full { .. }) => Err(error),
            Err(error) => {
                self.summary.refuse(record.path, &error);
                Ok(None)
            }
            Ok(inode) => Ok(inode),
        }
    }

    fn put(&mut self, place: Place<'_>, record: &Record<'_>) -> Result<Option<InodeId>, NamespaceError> {
        match place {
            Place::In(parent, name) => self.put_entry(parent, name, record),
            Place::Root if record.path.is_empty() || record.path == b"." => {
                self.describe(ROOT, record.attributes)?;
                Ok(Some(ROOT))
            }
            Place::Root | Place::Respell | Place::Excluded => Ok(None),
        }
    }

    /// Finds the directory that `path` belongs to, and makes what is missing on the way.
    fn locate<'p>(&mut self, path: &'p [u8]) -> Result<Place<'p>, NamespaceError> {
        if path.is_empty() || path == b"." {
            return Ok(Place::Root);
        }
        let shared = self.shared(path);
        while self.stack.last().is_some_and(|&(end, _)| end > shared || path.get(end) != Some(&b'/')) {
            self.stack.pop();
        }
        let (mut start, mut parent) = self.stack.last().map_or((0, ROOT), |&(end, inode)| (end + 1, inode));
        self.directory.truncate(start.saturating_sub(1));
        // Seen before anything is made: `a/../b` makes no `a`.
        if has_odd_names(&path[start..]) {
            return Ok(Place::Respell);
        }
        // Likewise, where there is something to make or to enter: a record that is refused leaves no parents behind.
        if path[start..].contains(&b'/') {
            path[start..].split(|&byte| byte == b'/').try_for_each(check_name)?;
        }
        let mut cached = true;
        loop {
            let rest = &path[start..];
            let length = memchr::memchr(b'/', rest);
            let name = &rest[..length.unwrap_or(rest.len())];
            let Some(length) = length else { return Ok(Place::In(parent, name)) };
            let (inode, through_link) = self.enter(parent, name)?;
            // What lies behind a link is not kept: its records are to be counted, and links may be replaced.
            cached &= !through_link;
            start += length + 1;
            parent = inode;
            if self.excludes(&path[..start - 1]) {
                self.summary.excluded += 1;
                self.namespace.set_partial(inode, true)?;
                return Ok(Place::Excluded);
            }
            if cached {
                self.directory.clear();
                self.directory.extend_from_slice(&path[..start - 1]);
                self.stack.push((start - 1, inode));
            }
        }
    }

    fn excludes(&self, path: &[u8]) -> bool {
        self.exclude.is_some_and(|exclude| exclude(path))
    }

    /// Bytes that `path` shares with the directory of the record before.
    fn shared(&self, path: &[u8]) -> usize {
        if path.starts_with(&self.directory) {
            return self.directory.len();
        }
        path.iter().zip(&self.directory).take_while(|(a, b)| a == b).count()
    }

    /// The directory `name` in `parent`, made where there is none; and whether a link led to it.
    fn enter(&mut self, parent: InodeId, name: &[u8]) -> Result<(InodeId, bool), NamespaceError> {
        let inode = match self.namespace.add_directory(parent, name) {
            Ok(inode) => {
                self.summary.parents_made += 1;
                self.note(inode, true);
                return Ok((inode, false));
            }
            Err(NamespaceError::NameTaken { inode }) => inode,
            Err(error) => return Err(error),
        };
        match self.namespace.file_type(inode) {
            Some(FileType::Directory) => {
                self.layers.touch(inode);
                return Ok((inode, false));
            }
            Some(FileType::Symlink) if self.rules.follow_links => {
                let options = Options::default().start(parent);
                if let Ok(target) = reference::resolve(&self.namespace, name, &options)
                    && self.namespace.is_directory(target)
                {
                    self.summary.through_links += 1;
                    self.layers.touch(target);
                    return Ok((target, true));
                }
            }
            _ => {}
        }
        Ok((self.turn_into_directory(parent, name, inode)?, false))
    }

    /// A file that turns out to be a directory becomes one.
    fn turn_into_directory(
        &mut self,
        parent: InodeId,
        name: &[u8],
        inode: InodeId,
    ) -> Result<InodeId, NamespaceError> {
        if self.layers.is_lower(parent, name, inode) {
            self.summary.replaced += 1;
        } else if !(self.rules.untyped && self.namespace.file_type(inode) == Some(FileType::Regular)) {
            self.summary.file_and_directory += 1;
        }
        let attributes = self.namespace.attributes(inode).filter(|_| self.rules.untyped);
        self.namespace.remove(parent, name)?;
        let directory = self.namespace.add_directory(parent, name)?;
        self.note(directory, false);
        self.describe(directory, attributes)?;
        Ok(directory)
    }

    fn put_entry(
        &mut self,
        parent: InodeId,
        name: &[u8],
        record: &Record<'_>,
    ) -> Result<Option<InodeId>, NamespaceError> {
        let mut kind = record.kind;
        if let Kind::HardLink(target) = kind {
            match self.link_target(target) {
                Some(inode) => kind = Kind::SameInode(inode),
                None => {
                    self.put_off(record, target);
                    return Ok(None);
                }
            }
        }
        let inode = match self.create(parent, name, kind) {
            Err(NamespaceError::NameTaken { inode }) => self.settle(parent, name, inode, kind)?,
            created => created?,
        };
        self.describe(inode, record.attributes)?;
        if kind == Kind::Directory && self.excludes(record.path) && self.namespace.is_directory(inode) {
            self.namespace.set_partial(inode, true)?;
        }
        Ok(Some(inode))
    }

    /// Adds an entry that is not there yet.
    fn create(&mut self, parent: InodeId, name: &[u8], kind: Kind<'_>) -> Result<InodeId, NamespaceError> {
        let inode = match kind {
            Kind::Unknown | Kind::File | Kind::HardLink(_) => {
                self.namespace.add_file(parent, name, FileType::Regular)?
            }
            Kind::Directory => self.namespace.add_directory(parent, name)?,
            Kind::Other => self.namespace.add_file(parent, name, FileType::Other)?,
            Kind::Symlink(None) => self.namespace.add_file(parent, name, FileType::Symlink)?,
            Kind::Symlink(Some(target)) => match self.namespace.add_symlink(parent, name, target) {
                Err(NamespaceError::BadTarget) => {
                    let link = self.namespace.add_file(parent, name, FileType::Symlink)?;
                    self.summary.bad_targets += 1;
                    link
                }
                added => added?,
            },
            Kind::SameInode(inode) => {
                self.namespace.add_hard_link(parent, name, inode)?;
                self.layers.link(parent, name, inode);
                return Ok(inode);
            }
        };
        self.note(inode, false);
        Ok(inode)
    }

    /// Decides between an entry that is there and a record of the same path.
    fn settle(
        &mut self,
        parent: InodeId,
        name: &[u8],
        old: InodeId,
        kind: Kind<'_>,
    ) -> Result<InodeId, NamespaceError> {
        let lower = self.layers.is_lower(parent, name, old);
        let count = if lower { &mut self.summary.replaced } else { &mut self.summary.duplicates };
        if self.namespace.is_directory(old) {
            if matches!(kind, Kind::Directory | Kind::Unknown) {
                if self.implied.clear(old) {
                    self.summary.parents_made -= 1;
                } else if !lower {
                    *count += 1;
                }
                self.layers.touch(old);
                return Ok(old);
            }
            if !lower {
                self.summary.file_and_directory += 1;
                return Ok(old);
            }
            *count += 1;
            self.remove_subtree(parent, name, old)?;
            return self.create(parent, name, kind);
        }
        match kind {
            Kind::Directory => self.turn_into_directory(parent, name, old),
            Kind::Unknown => {
                *count += 1;
                Ok(old)
            }
            Kind::SameInode(inode) if inode == old => {
                *count += 1;
                self.layers.link(parent, name, inode);
                Ok(old)
            }
            _ => {
                *count += 1;
                self.namespace.remove(parent, name)?;
                self.create(parent, name, kind)
            }
        }
    }

    fn describe(&mut self, inode: InodeId, attributes: Option<Attributes>) -> Result<(), NamespaceError> {
        attributes.map_or(Ok(()), |attributes| self.namespace.set_attributes(inode, attributes))
    }

    /// Remembers that a record named the inode, or that none did.
    fn note(&mut self, inode: InodeId, implied: bool) {
        if implied {
            self.implied.set(inode);
        } else {
            self.implied.clear(inode);
        }
        self.layers.touch(inode);
    }

    /// What a hard link leads to: anything but a directory.
    fn link_target(&self, target: &[u8]) -> Option<InodeId> {
        let (path, _) = trim(target);
        let inode = reference::resolve(&self.namespace, path, &Options::default().no_follow()).ok()?;
        (!self.namespace.is_directory(inode)).then_some(inode)
    }

    fn put_off(&mut self, record: &Record<'_>, target: &[u8]) {
        self.hard_links.push(LateLink {
            path: record.path.to_vec(),
            target: target.to_vec(),
            attributes: record.attributes,
        });
    }

    /// Places the hard links whose target came behind them.
    fn place_late_links(&mut self) -> Result<(), NamespaceError> {
        for link in std::mem::take(&mut self.hard_links) {
            let kind = match self.link_target(&link.target) {
                Some(inode) => Kind::SameInode(inode),
                None => {
                    self.summary.broken_hard_links += 1;
                    Kind::File
                }
            };
            self.place_record(&Record { path: &link.path, kind, attributes: link.attributes })?;
        }
        Ok(())
    }
}

/// A set of inodes, one bit each.
#[derive(Debug, Default)]
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn set(&mut self, inode: InodeId) {
        let word = inode as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (inode % 64);
    }

    /// Takes the inode out; whether it was in.
    fn clear(&mut self, inode: InodeId) -> bool {
        let Some(word) = self.words.get_mut(inode as usize / 64) else { return false };
        let was_set = *word >> (inode % 64) & 1 == 1;
        *word &= !(1 << (inode % 64));
        was_set
    }
}

#[cfg(test)]
mod tests;
