//! A list of paths: lines or NUL-terminated, with or without columns as `find -printf` writes them.
//!
//! ```text
//! find . > list                                                     paths alone, a line each
//! find . -print0 > list                                             paths alone, safe for names that hold line ends
//! find . -printf '%i\t%y\t%s\t%T@\t%l\t%p\n' > list                 columns, separated by tabs; the path last
//! find . -printf '%i\0%y\0%s\0%T@\0%l\0%p\0' > list                 columns, each ended by NUL: safe for every name
//! ```

use crate::columns::{Column, Fields};
use crate::lines::{Line, Lines};
use crate::progress::Meter;
use crate::tree::{Kind, Record, Rules, Tree, has_odd_names, respell, trim};
use crate::{ReadOptions, SourceError, Summary, compressed};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use warpath_core::namespace::ListBuilder;
use warpath_core::{FileType, InodeId, Namespace, NamespaceError};

/// How a list is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFormat {
    /// The byte that ends a record: line feed, or NUL.
    pub terminator: u8,
    /// The byte between two columns. Where it is the terminator, every column ends in it.
    pub separator: u8,
    /// What the columns hold, in order. The last one takes what is left of the record.
    pub columns: Vec<Column>,
}

impl ListFormat {
    /// Paths alone, a line each.
    pub fn lines() -> ListFormat {
        ListFormat { terminator: b'\n', separator: b'\t', columns: vec![Column::Path] }
    }

    /// Paths alone, each ended by NUL.
    pub fn nul() -> ListFormat {
        ListFormat { terminator: 0, ..ListFormat::lines() }
    }
}

/// The namespace of the list in the file at `path` (`-`: standard input), which may be compressed (gzip, zstd, LZ4).
///
/// A list that gives no types does not tell files from directories: a path is a directory where another lies below
/// it or where it ends in `/`, and a file else.
///
/// # Errors
/// When the file can't be read or the namespace is full; what is wrong with single records is counted.
pub fn read_list(
    path: &Path,
    format: &ListFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, compressed::size(path));
    let reader = compressed::open(path, &meter)?;
    let tree = Tree::new(rules(format)).exclude(options.exclude);
    read(reader, path, format, tree, meter)
}

/// As [`read_list`], from any reader; `name` stands for it in errors.
///
/// # Errors
/// As [`read_list`].
pub fn read_list_from(
    reader: impl Read,
    name: &Path,
    format: &ListFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, None);
    let reader = compressed::decompress(meter.count(reader)).map_err(SourceError::io(name))?;
    read(reader, name, format, Tree::new(rules(format)).exclude(options.exclude), meter)
}

fn rules(format: &ListFormat) -> Rules {
    Rules { untyped: !format.columns.contains(&Column::Type), ..Rules::default() }
}

fn read(
    reader: impl Read,
    name: &Path,
    format: &ListFormat,
    mut tree: Tree<'_>,
    mut meter: Meter<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    if format.columns.as_slice() == [Column::Path] && !tree.has_filter() {
        return read_plain_paths(reader, name, format.terminator, meter);
    }
    if format.columns.as_slice() == [Column::Path] {
        read_paths(reader, name, format.terminator, &mut tree, &mut meter)?;
    } else {
        read_columns(reader, name, format, &mut tree, &mut meter)?;
    }
    meter.report();
    tree.finish().map_err(SourceError::full(name))
}

fn read_paths(
    reader: impl Read,
    name: &Path,
    terminator: u8,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    let mut lines = Lines::new(reader, terminator);
    while let Some(line) = lines.next().map_err(SourceError::io(name))? {
        if line.cut {
            refuse(tree, line.bytes, TOO_LONG);
        } else {
            // A directory is made as one at once where what lies in it follows, as `find` and `sort` write it.
            let kind = if is_parent(&line) { Kind::Directory } else { Kind::Unknown };
            let record = Record { path: line.bytes, kind, attributes: None };
            tree.add(&record).map_err(SourceError::full(name))?;
        }
        meter.record();
    }
    Ok(())
}

/// As [`read_paths`], by the namespace's own way for lists, several times as fast.
///
/// A directory whose line comes behind what lies in it counts as made and as a duplicate.
fn read_plain_paths(
    reader: impl Read,
    name: &Path,
    terminator: u8,
    mut meter: Meter<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let mut lines = Lines::new(reader, terminator);
    let (mut builder, mut summary, mut canonical) = (ListBuilder::new(), Summary::default(), Vec::new());
    let mut n_roots = 0;
    while let Some(line) = lines.next().map_err(SourceError::io(name))? {
        meter.record();
        summary.records += 1;
        if line.cut {
            summary.refuse(line.bytes, &TOO_LONG);
            continue;
        }
        let mut path = trim(line.bytes).0;
        if path == b"." {
            path = b"";
        } else if has_odd_names(path) {
            respell(path, &mut summary, &mut canonical);
            path = &canonical;
        }
        let file_type = if is_parent(&line) { FileType::Directory } else { FileType::Regular };
        let is_directory = file_type == FileType::Directory || line.bytes.ends_with(b"/");
        let file_type = if is_directory { FileType::Directory } else { file_type };
        if line.bytes.is_empty() || !path.is_empty() && builder.push(path, file_type).is_none() {
            let reason =
                "there is no path, a name has more than 255 bytes or a NUL, or the namespace is full";
            summary.refuse(line.bytes, &reason);
        } else if path.is_empty() {
            n_roots += 1;
        }
    }
    meter.report();
    let (namespace, list) = builder.finish();
    summary.duplicates = list.n_duplicates;
    let n_named = summary.records - summary.refused - list.n_duplicates - n_roots;
    summary.parents_made = (namespace.n_entries() as u64).saturating_sub(n_named);
    Ok((namespace, summary))
}

/// Why a record is refused that is longer than any path.
const TOO_LONG: &str = "longer than any path";

fn refuse(tree: &mut Tree<'_>, record: &[u8], reason: &str) {
    let summary = tree.summary_mut();
    summary.records += 1;
    summary.refuse(record, &reason);
}

fn is_parent(line: &Line<'_>) -> bool {
    line.next.get(line.bytes.len()) == Some(&b'/') && line.next.starts_with(line.bytes)
}

fn read_columns(
    reader: impl Read,
    name: &Path,
    format: &ListFormat,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    let mut lines = Lines::new(reader, format.terminator);
    let mut inodes = Inodes::default();
    let mut parts = Vec::new();
    loop {
        let complete = if format.separator == format.terminator {
            gather(&mut lines, format.columns.len(), &mut parts).map_err(SourceError::io(name))?
        } else {
            match lines.next().map_err(SourceError::io(name))? {
                Some(line) => {
                    parts.clear();
                    let fields = line.bytes.splitn(format.columns.len(), |&byte| byte == format.separator);
                    parts.extend(fields.map(<[u8]>::to_vec));
                    !line.cut
                }
                None => {
                    parts.clear();
                    false
                }
            }
        };
        if parts.is_empty() {
            return Ok(());
        }
        meter.record();
        let mut fields = Fields::default();
        let read = format.columns.iter().zip(&parts).try_for_each(|(column, part)| fields.set(*column, part));
        match read {
            _ if !complete || parts.len() < format.columns.len() => {
                refuse(
                    tree,
                    &parts.join(&format.separator),
                    "has too few columns, or is longer than any path",
                );
            }
            Err(error) => refuse(tree, &parts.join(&format.separator), &error.to_string()),
            Ok(()) => inodes.add(tree, &fields, Kind::Unknown).map_err(SourceError::full(name))?,
        }
    }
}

/// Reads the columns of a record that each end in the terminator; false where the stream ended within it.
fn gather<R: Read>(
    lines: &mut Lines<R>,
    n_columns: usize,
    parts: &mut Vec<Vec<u8>>,
) -> std::io::Result<bool> {
    parts.clear();
    let mut whole = true;
    while parts.len() < n_columns {
        let Some(line) = lines.next()? else { return Ok(false) };
        whole &= !line.cut;
        parts.push(line.bytes.to_vec());
    }
    Ok(whole)
}

/// Which inode stands for which device and inode number, so that hard links are seen.
#[derive(Default)]
pub(crate) struct Inodes {
    known: HashMap<(u64, u64), InodeId, foldhash::fast::RandomState>,
}

impl Inodes {
    /// Adds the record, as a hard link where its number has come before.
    pub fn add(
        &mut self,
        tree: &mut Tree<'_>,
        fields: &Fields<'_>,
        untyped: Kind<'_>,
    ) -> Result<(), NamespaceError> {
        let mut record = fields.record(untyped);
        let shared =
            fields.attributes.ino.filter(|_| fields.links != Some(1) && record.kind != Kind::Directory);
        let Some(ino) = shared else { return tree.add(&record).map(drop) };
        let key = (fields.device, ino);
        if let Some(&inode) = self.known.get(&key)
            && is_still(tree.namespace(), inode, ino, record.kind)
        {
            record.kind = Kind::SameInode(inode);
        }
        if let Some(inode) = tree.add(&record)? {
            self.known.insert(key, inode);
        }
        Ok(())
    }
}

/// Whether `inode` is still what was put there for inode number `ino`: ids are used again.
fn is_still(namespace: &Namespace, inode: InodeId, ino: u64, kind: Kind<'_>) -> bool {
    let file_type = match kind {
        Kind::Symlink(_) => FileType::Symlink,
        Kind::Other => FileType::Other,
        _ => FileType::Regular,
    };
    namespace.file_type(inode) == Some(file_type)
        && namespace.attributes(inode).is_some_and(|attributes| attributes.ino == Some(ino))
}

#[cfg(test)]
mod tests;
