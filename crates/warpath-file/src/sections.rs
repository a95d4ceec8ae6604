//! Which sections a file has, and how they become an index again.

use crate::format::{Section, name};
use crate::{Facts, FileError};
use std::path::Path;
use warpath_core::column::{Column, SharedBytes, Value};
use warpath_core::index::TableParts;
use warpath_core::namespace::parts::{N_NUMBERS, NamespaceParts, Numbers};
use warpath_core::{Index, Namespace};

/// Words of the section `counts`: entries, probe limit and flags of the tables, then the namespace's numbers.
const N_COUNTS: usize = 3 + N_NUMBERS;

/// The names of all sections, in the order of the file. What is small comes first, so that it shares few pages.
pub(crate) const NAMES: [&str; 24] = [
    "facts", "counts", "key", "slots", "blocks", "dirs", "links", "names", "other", "parents", "nameat",
    "childdir", "childids", "childtag", "hardlink", "targetat", "targets", "ino", "size", "mtime", "mode",
    "uid", "gid", "end",
];

/// The small sections, which are made for the file.
pub(crate) struct Made {
    facts: Vec<u8>,
    counts: Vec<u64>,
}

impl Made {
    pub fn new(index: &Index, facts: &Facts) -> Made {
        let params = index.tables().params();
        let mut counts =
            vec![index.tables().n_entries() as u64, u64::from(params.probe_limit), u64::from(params.flags)];
        counts.extend(index.namespace().view().numbers.to_words());
        Made { facts: facts.to_bytes(), counts }
    }
}

/// Name and bytes of every section, in the order of the file.
pub(crate) fn of<'i>(index: &'i Index, made: &'i Made) -> Vec<([u8; 8], &'i [u8])> {
    use bytemuck::cast_slice as bytes;
    let (tables, names) = (index.tables(), index.namespace().view());
    let contents: [&[u8]; NAMES.len()] = [
        &made.facts,
        bytes(&made.counts),
        bytes(tables.key_words()),
        bytes(tables.slots()),
        bytes(tables.blocks()),
        bytes(tables.dirs()),
        bytes(tables.links()),
        names.names,
        bytes(names.other),
        bytes(names.parents),
        bytes(names.name_at),
        bytes(names.directories),
        bytes(names.child_ids),
        names.child_tags,
        bytes(names.hard_links),
        bytes(names.target_at),
        names.targets,
        bytes(names.ino),
        bytes(names.size),
        bytes(names.mtime),
        bytes(names.mode),
        bytes(names.uid),
        bytes(names.gid),
        b"end",
    ];
    NAMES.iter().zip(contents).map(|(text, content)| (name(text), content)).collect()
}

/// A file's bytes with its sections.
pub(crate) struct Content<'f> {
    pub path: &'f Path,
    pub bytes: SharedBytes,
    pub sections: &'f [Section],
}

impl Content<'_> {
    fn section(&self, text: &str) -> Result<&Section, FileError> {
        let found = self.sections.iter().find(|section| section.name == name(text));
        found.ok_or_else(|| FileError::corrupt(self.path, format!("it has no section `{text}`")))
    }

    fn slice(&self, text: &str) -> Result<&[u8], FileError> {
        let range = self.section(text)?.range();
        Ok((*self.bytes).as_ref().get(range).unwrap_or_default())
    }

    fn column<T: Value>(&self, text: &str) -> Result<Column<T>, FileError> {
        let range = self.section(text)?.range();
        Column::mapped(SharedBytes::clone(&self.bytes), range).ok_or_else(|| {
            FileError::corrupt(self.path, format!("section `{text}` holds no whole number of elements"))
        })
    }

    pub fn facts(&self) -> Result<Facts, FileError> {
        Facts::from_bytes(self.slice("facts")?)
            .ok_or_else(|| FileError::corrupt(self.path, "section `facts` is cut off"))
    }

    /// The index; its columns borrow from the file.
    pub fn index(&self) -> Result<Index, FileError> {
        let wrong = |what: &str| FileError::corrupt(self.path, what);
        let counts: [u64; N_COUNTS] = self.column("counts")?[..]
            .try_into()
            .map_err(|_| wrong("section `counts` has not its length"))?;
        let [n_entries, probe_limit, flags, ref numbers @ ..] = counts;
        let tables = TableParts {
            key: self.column("key")?,
            slots: self.column("slots")?,
            blocks: self.column("blocks")?,
            dirs: self.column("dirs")?,
            links: self.column("links")?,
            n_entries: usize::try_from(n_entries).unwrap_or(usize::MAX),
            probe_limit: u32::try_from(probe_limit).unwrap_or(u32::MAX),
            flags: u32::try_from(flags).unwrap_or(u32::MAX),
        };
        let namespace = NamespaceParts {
            names: self.column("names")?,
            blocks: self.column("blocks")?,
            other: self.column("other")?,
            parents: self.column("parents")?,
            name_at: self.column("nameat")?,
            directories: self.column("childdir")?,
            child_ids: self.column("childids")?,
            child_tags: self.column("childtag")?,
            hard_links: self.column("hardlink")?,
            target_at: self.column("targetat")?,
            targets: self.column("targets")?,
            ino: self.column("ino")?,
            size: self.column("size")?,
            mtime: self.column("mtime")?,
            mode: self.column("mode")?,
            uid: self.column("uid")?,
            gid: self.column("gid")?,
            numbers: Numbers::from_words(numbers),
        };
        let namespace =
            Namespace::from_parts(namespace).ok_or_else(|| wrong("the lengths of its columns don't fit"))?;
        Index::from_parts(namespace, tables).ok_or_else(|| wrong("the lengths of its tables don't fit"))
    }
}
