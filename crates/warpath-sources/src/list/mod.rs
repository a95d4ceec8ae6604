//! A list of paths: lines or NUL-terminated, with or without columns as `find -printf` writes them.
//!
//! ```text
//! find . > list                                                     paths alone, a line each
//! find . -print0 > list                                             paths alone, safe for names that hold line ends
//! find . -printf '%i\t%y\t%s\t%T@\t%l\t%p\n' > list                 columns, separated by tabs; the path last
//! find . -printf '%i\0%y\0%s\0%T@\0%l\0%p\0' > list                 columns, each ended by NUL: safe for every name
//! ```

use crate::columns::Column;
use crate::lines::{Line, Lines};
use crate::progress::Meter;
use crate::tree::{Kind, Record, Rules, Tree, has_odd_names, respell, trim};
use crate::{ReadOptions, SourceError, Summary, compressed};
use std::io::Read;
use std::path::Path;
use warpath_core::namespace::ListBuilder;
use warpath_core::{FileType, Namespace};

mod inodes;
mod records;

pub(crate) use inodes::Inodes;

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
    let raw = meter.count(compressed::raw(path)?);
    read(raw, path, format, Tree::new(rules(format)).exclude(options.exclude), meter)
}

/// As [`read_list`], from any reader, which another thread may read; `name` stands for it in errors.
///
/// # Errors
/// As [`read_list`].
pub fn read_list_from(
    reader: impl Read + Send,
    name: &Path,
    format: &ListFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, None);
    let raw = meter.count(reader);
    read(raw, name, format, Tree::new(rules(format)).exclude(options.exclude), meter)
}

fn rules(format: &ListFormat) -> Rules {
    Rules { untyped: !format.columns.contains(&Column::Type), ..Rules::default() }
}

fn read(
    raw: impl Read + Send,
    name: &Path,
    format: &ListFormat,
    mut tree: Tree<'_>,
    mut meter: Meter<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    if format.columns.as_slice() != [Column::Path] {
        records::read(raw, name, format, &mut tree, &mut meter)?;
    } else {
        let reader = compressed::decompress(raw).map_err(SourceError::io(name))?;
        if !tree.has_filter() {
            return read_plain_paths(reader, name, format.terminator, meter);
        }
        read_paths(reader, name, format.terminator, &mut tree, &mut meter)?;
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

#[cfg(test)]
mod tests;
