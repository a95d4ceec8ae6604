//! Tables with a path column and, as they have them, columns of attributes: inventories of object stores,
//! manifests, listings.
//!
//! Keys of object stores are no paths: a key that ends in `/` stands for a directory, a key that is a prefix of
//! others (`a` beside `a/b`) is both file and directory, and the directory holds. Both are counted.

use crate::columns::{BadField, Fields, NoSuchColumn, TableColumn, TableColumns};
use crate::list::Inodes;
use crate::progress::Meter;
use crate::tree::{Kind, Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use std::io::Read;
use std::path::Path;
use warpath_core::{Namespace, NamespaceError};

#[cfg(feature = "arrow")]
pub mod arrow;
#[cfg(feature = "arrow")]
pub mod ipc;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod quotes;

/// How a table is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFormat {
    /// Which column holds what.
    pub columns: TableColumns,
    /// CSV: the first row names the columns. Without, columns go by their number.
    pub header: bool,
    /// CSV: the byte between two fields. Where it is a tab, quotes are bytes like others.
    pub delimiter: u8,
    /// Paths are percent-encoded, as Amazon's inventories write keys.
    pub percent: bool,
}

impl Default for TableFormat {
    fn default() -> TableFormat {
        TableFormat { columns: TableColumns::default(), header: true, delimiter: b',', percent: false }
    }
}

/// The namespace of the CSV table at `path` (`-`: standard input; plain, gzip, zstd or LZ4).
///
/// # Errors
/// When the file can't be read, has no path column, no row that can be read, or the namespace is full. Rows whose path,
/// or whose value in a column that `format` names, can't be read are counted, and so are other values that can't be.
pub fn read_csv(
    path: &Path,
    format: &TableFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, compressed::size(path));
    let reader = compressed::open(path, &meter)?;
    read(reader, path, format, Tree::new(Rules::default()).exclude(options.exclude), meter)
}

/// As [`read_csv`], from any reader; `name` stands for it in errors.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_from(
    reader: impl Read,
    name: &Path,
    format: &TableFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, None);
    let reader = compressed::decompress(meter.count(reader)).map_err(SourceError::io(name))?;
    read(reader, name, format, Tree::new(Rules::default()).exclude(options.exclude), meter)
}

fn read(
    reader: impl Read,
    name: &Path,
    format: &TableFormat,
    mut tree: Tree<'_>,
    mut meter: Meter<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let csv_error = |error: csv::Error| SourceError::malformed(name, error.to_string());
    let mut rows = quotes::rows(reader, format.delimiter, format.header);
    let header = rows.byte_headers().map_err(csv_error)?;
    let header: Vec<String> = if format.header {
        header.iter().map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned()).collect()
    } else {
        (0..header.len()).map(|number| number.to_string()).collect()
    };
    if header.is_empty() {
        meter.report();
        return tree.finish().map_err(SourceError::full(name));
    }
    let columns = resolve(name, &format.columns, &header)?;
    let mut rows_read = Rows::new(&mut tree, format.percent);
    let mut row = csv::ByteRecord::new();
    while rows.read_byte_record(&mut row).map_err(csv_error)? {
        let (mut fields, mut bad) = (Fields::default(), Bad::default());
        for (column, value) in columns.iter().zip(row.iter()) {
            bad.note(*column, fields.set(column.holds, value));
        }
        rows_read.add(fields, bad).map_err(SourceError::full(name))?;
        meter.record();
    }
    if rows.get_ref().is_open() {
        return Err(SourceError::malformed(name, quotes::OPEN));
    }
    meter.report();
    finish(tree, name)
}

fn resolve(path: &Path, columns: &TableColumns, header: &[String]) -> Result<Vec<TableColumn>, SourceError> {
    columns.resolve(header).map_err(|error: NoSuchColumn| SourceError::malformed(path, error.to_string()))
}

/// What the tree holds; a table of which no row can be read is an error.
fn finish(tree: Tree<'_>, path: &Path) -> Result<(Namespace, Summary), SourceError> {
    let (namespace, summary) = tree.finish().map_err(SourceError::full(path))?;
    match &summary.first_refused {
        Some(first) if summary.refused == summary.records => {
            let reason = format!("none of its {} rows can be read; the first: {first}", summary.records);
            Err(SourceError::malformed(path, reason))
        }
        _ => Ok((namespace, summary)),
    }
}

/// The values of a row that can't be read.
#[derive(Debug, Default)]
struct Bad {
    /// The first in a column that the caller named.
    named: Option<BadField>,
    /// Those in other columns.
    n_others: u64,
}

impl Bad {
    fn note(&mut self, column: TableColumn, read: Result<(), BadField>) {
        match read {
            Ok(()) => {}
            Err(bad) if column.is_named => drop(self.named.get_or_insert(bad)),
            Err(_) => self.n_others += 1,
        }
    }
}

/// Puts the rows of a table into a tree.
struct Rows<'t, 'f> {
    tree: &'t mut Tree<'f>,
    inodes: Inodes,
    percent: bool,
    decoded: Vec<u8>,
}

impl<'t, 'f> Rows<'t, 'f> {
    fn new(tree: &'t mut Tree<'f>, percent: bool) -> Rows<'t, 'f> {
        Rows { tree, inodes: Inodes::default(), percent, decoded: Vec::new() }
    }

    /// Adds a row; `bad` is what can't be read of it.
    fn add(&mut self, fields: Fields<'_>, bad: Bad) -> Result<(), NamespaceError> {
        let summary = self.tree.summary_mut();
        if let Some(bad) = bad.named {
            summary.records += 1;
            summary.refuse(fields.path, &bad);
            return Ok(());
        }
        summary.bad_fields += bad.n_others;
        if !self.percent {
            return self.inodes.add(self.tree, &fields, Kind::File);
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decode_percent(fields.path, &mut decoded);
        let fields = Fields { path: &decoded, ..fields };
        let added = self.inodes.add(self.tree, &fields, Kind::File);
        self.decoded = decoded;
        added
    }
}

/// `%41` is `A`, `+` a blank; a percent sign without two digits stays.
fn decode_percent(text: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (b'%', [high, low, after @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                decoded.push((digit(*high).unwrap_or(0) * 16 + digit(*low).unwrap_or(0)) as u8);
                rest = after;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;
