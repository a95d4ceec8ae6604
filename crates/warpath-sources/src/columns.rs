//! What columns of lists and tables mean.

use crate::tree::{Kind, Record};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use warpath_core::Attributes;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The path (`find -printf %p` or `%P`).
    Path,
    /// The type: a letter as `%y` gives it (f, d, l, p, s, b, c), or `file`, `directory`, `symlink`, `other`.
    Type,
    /// Size in bytes (`%s`).
    Size,
    /// Last modification: seconds since 1970 with or without a fraction (`%T@`), or RFC 3339 in UTC.
    Mtime,
    /// Inode number (`%i`): files of one number become one inode, as hard links are.
    Inode,
    /// Device number (`%D`), which belongs to the inode number.
    Device,
    /// Number of hard links (`%n`): where it is 1, no other is looked for.
    Links,
    /// Target of a symbolic link (`%l`).
    Target,
    /// Permission bits, octal (`%m`).
    Mode,
    /// Owner (`%U`).
    Uid,
    /// Group (`%G`).
    Gid,
    /// Something that is not read.
    Skip,
}

/// A name that is no column's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no column: use path, type, size, mtime, inode, device, links, target, mode, uid, gid, or skip for one that is not to be read"
)]
pub struct UnknownColumn(String);

impl fmt::Display for Column {
    /// The name that [`Column::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Column::Path => "path",
            Column::Type => "type",
            Column::Size => "size",
            Column::Mtime => "mtime",
            Column::Inode => "inode",
            Column::Device => "device",
            Column::Links => "links",
            Column::Target => "target",
            Column::Mode => "mode",
            Column::Uid => "uid",
            Column::Gid => "gid",
            Column::Skip => "skip",
        })
    }
}

impl FromStr for Column {
    type Err = UnknownColumn;

    fn from_str(name: &str) -> Result<Column, UnknownColumn> {
        Ok(match name {
            "path" => Column::Path,
            "type" | "kind" => Column::Type,
            "size" => Column::Size,
            "mtime" => Column::Mtime,
            "inode" | "ino" => Column::Inode,
            "device" => Column::Device,
            "links" => Column::Links,
            "target" => Column::Target,
            "mode" => Column::Mode,
            "uid" => Column::Uid,
            "gid" => Column::Gid,
            "skip" | "" => Column::Skip,
            _ => return Err(UnknownColumn(name.to_owned())),
        })
    }
}

/// Names under which tables in the wild hold a column, in lower case without `_`, `-` and blanks; the first that
/// a table has is taken.
const ALIASES: [(Column, &[&str]); 11] = [
    (Column::Path, &["path", "key", "filepath", "fullpath", "filename", "file", "name"]),
    (Column::Type, &["type", "kind", "filetype"]),
    (Column::Size, &["size", "length", "bytes", "contentlength"]),
    (
        Column::Mtime,
        &["mtime", "lastmodifieddate", "lastmodified", "modified", "modificationtime", "updated"],
    ),
    (Column::Inode, &["ino", "inode"]),
    (Column::Device, &["dev", "device"]),
    (Column::Links, &["nlink", "links"]),
    (Column::Target, &["target", "linktarget", "symlink"]),
    (Column::Mode, &["mode", "permissions"]),
    (Column::Uid, &["uid"]),
    (Column::Gid, &["gid"]),
];

/// Which column of a table holds what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableColumns {
    /// Columns by what they hold and their name in the table, or their number from 0 where the table names none.
    /// What is not said here is found by its usual names, unless `only_these`.
    pub named: Vec<(Column, String)>,
    /// Whether columns that are not named stay unread.
    pub only_these: bool,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableColumn {
    /// What it holds.
    pub holds: Column,
    /// Whether the caller says so. Else its name does, and a value that can't be read is left out without its row.
    pub is_named: bool,
}

/// A table without the column that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no column `{wanted}`; there are: {there_are}{advice}")]
pub struct NoSuchColumn {
    wanted: String,
    there_are: String,
    advice: &'static str,
}

impl TableColumns {
    /// For each column of a table, by its name, what it holds.
    ///
    /// # Errors
    /// When a named column, or any for the path, is missing.
    pub fn resolve(&self, header: &[String]) -> Result<Vec<TableColumn>, NoSuchColumn> {
        let missing = |wanted: &str, advice| NoSuchColumn {
            wanted: wanted.to_owned(),
            there_are: header.join(", "),
            advice,
        };
        let mut columns = vec![TableColumn { holds: Column::Skip, is_named: false }; header.len()];
        for (column, name) in &self.named {
            let number = header.iter().position(|other| other == name).or_else(|| name.parse().ok());
            let slot = number.and_then(|number| columns.get_mut(number)).ok_or_else(|| missing(name, ""))?;
            *slot = TableColumn { holds: *column, is_named: true };
        }
        for (column, aliases) in ALIASES {
            let wanted = column == Column::Path || !self.only_these;
            if wanted && !self.named.iter().any(|(named, _)| *named == column) {
                let found = aliases.iter().find_map(|alias| {
                    header
                        .iter()
                        .position(|name| simplified(name) == *alias)
                        .filter(|&i| columns[i].holds == Column::Skip && !columns[i].is_named)
                });
                if let Some(i) = found {
                    columns[i].holds = column;
                }
            }
        }
        if columns.iter().any(|found| found.holds == Column::Path) {
            Ok(columns)
        } else {
            Err(missing("path", "; name it as path=COLUMN"))
        }
    }
}

fn simplified(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// A field that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {column} holds `{value}`")]
pub(crate) struct BadField {
    column: Column,
    value: String,
}

impl BadField {
    #[cfg(feature = "arrow")]
    pub fn new(column: Column, value: String) -> BadField {
        BadField { column, value }
    }
}

/// The type that a record gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Type {
    #[default]
    Unknown,
    File,
    Directory,
    Symlink,
    Other,
}

/// The fields of a record, gathered one by one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields<'a> {
    pub path: &'a [u8],
    pub kind: Type,
    pub target: Option<&'a [u8]>,
    pub attributes: Attributes,
    pub device: u64,
    pub links: Option<u64>,
    pub has_attributes: bool,
}

impl<'a> Fields<'a> {
    /// Takes the text of a column; an empty one says nothing.
    pub fn set(&mut self, column: Column, value: &'a [u8]) -> Result<(), BadField> {
        if value.is_empty() {
            return Ok(());
        }
        let bad = || BadField { column, value: value.escape_ascii().to_string() };
        match column {
            Column::Skip => {}
            Column::Path => self.path = value,
            Column::Target => self.target = Some(value),
            Column::Type => self.kind = parse_type(value).ok_or_else(bad)?,
            Column::Mtime => self.set_mtime(parse_time(value).ok_or_else(bad)?),
            Column::Mode => self.set_number(column, parse_number(value, 8).ok_or_else(bad)?)?,
            _ => self.set_number(column, parse_number(value, 10).ok_or_else(bad)?)?,
        }
        Ok(())
    }

    /// Takes the number of a column.
    pub fn set_number(&mut self, column: Column, value: u64) -> Result<(), BadField> {
        let small = || u32::try_from(value).map_err(|_| BadField { column, value: value.to_string() });
        match column {
            Column::Size => self.attributes.size = Some(value),
            Column::Inode => self.attributes.ino = Some(value).filter(|&ino| ino != 0),
            Column::Mode => self.attributes.mode = Some(small()?),
            Column::Uid => self.attributes.uid = Some(small()?),
            Column::Gid => self.attributes.gid = Some(small()?),
            Column::Device => self.device = value,
            Column::Links => self.links = Some(value),
            Column::Mtime => self.set_mtime(i64::try_from(value).unwrap_or(i64::MAX).saturating_mul(SECOND)),
            Column::Path | Column::Type | Column::Target | Column::Skip => {}
        }
        self.has_attributes = true;
        Ok(())
    }

    /// Takes a time in nanoseconds since 1970.
    pub fn set_mtime(&mut self, nanoseconds: i64) {
        self.attributes.mtime = Some(nanoseconds);
        self.has_attributes = true;
    }

    /// The record; `untyped` is what one is whose type is not told.
    pub fn record(&self, untyped: Kind<'a>) -> Record<'a> {
        let kind = match self.kind {
            Type::Unknown if self.target.is_some() => Kind::Symlink(self.target),
            Type::Unknown => untyped,
            Type::File => Kind::File,
            Type::Directory => Kind::Directory,
            Type::Symlink => Kind::Symlink(self.target),
            Type::Other => Kind::Other,
        };
        Record { path: self.path, kind, attributes: self.has_attributes.then_some(self.attributes) }
    }
}

fn parse_type(value: &[u8]) -> Option<Type> {
    Some(match value {
        b"f" | b"file" | b"regular" | b"regular file" | b"regular empty file" | b"-" => Type::File,
        b"d" | b"dir" | b"directory" => Type::Directory,
        b"l" | b"link" | b"symlink" | b"symbolic link" => Type::Symlink,
        b"p" | b"s" | b"b" | b"c" | b"D" | b"other" => Type::Other,
        b"?" | b"U" | b"unknown" => Type::Unknown,
        _ => return None,
    })
}

fn parse_number(value: &[u8], radix: u32) -> Option<u64> {
    let plain = if radix == 10 { digits(value) } else { None };
    plain.or_else(|| u64::from_str_radix(str::from_utf8(value).ok()?, radix).ok())
}

/// A number of decimal digits alone, so few that it can't be too large: what nearly all numbers are.
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value.iter().try_fold(0, |sum, &byte| byte.is_ascii_digit().then(|| 10 * sum + u64::from(byte - b'0')))
}

/// Nanoseconds a second.
const SECOND: i64 = 1_000_000_000;

/// Nanoseconds since 1970: of seconds with a fraction, or of an RFC 3339 time in UTC.
pub(crate) fn parse_time(value: &[u8]) -> Option<i64> {
    let text = str::from_utf8(value).ok()?;
    if text.len() > 4 && text.as_bytes()[4] == b'-' && text.as_bytes()[0].is_ascii_digit() {
        return parse_date(text);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    // %T@ gives ten digits; nanoseconds take nine.
    let (kept, cut) = fraction.as_bytes().split_at(fraction.len().min(9));
    let nanoseconds = if kept.is_empty() { 0 } else { digits(kept)? };
    if !cut.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanoseconds = nanoseconds as i64 * 10_i64.pow(9 - kept.len() as u32);
    let seconds: i64 = whole.parse().ok()?;
    let nanoseconds = if whole.starts_with('-') { -nanoseconds } else { nanoseconds };
    Some(seconds.saturating_mul(SECOND).saturating_add(nanoseconds))
}

fn parse_date(text: &str) -> Option<i64> {
    let text = text.strip_suffix("+00:00").unwrap_or(text);
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    let nanoseconds = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
    Some(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_find_and_stores_write_them() {
        assert_eq!(parse_time(b"1700000000.1234567890"), Some(1_700_000_000_123_456_789));
        assert_eq!(parse_time(b"-1.5"), Some(-1_500_000_000));
        assert_eq!(parse_time(b"12"), Some(12_000_000_000));
        assert_eq!(parse_time(b"1970-01-01T00:00:01.250Z"), Some(1_250_000_000));
        assert_eq!(parse_time(b"1970-01-02 00:00:00+00:00"), Some(86_400_000_000_000));
        assert_eq!(parse_time(b"9999999999999"), Some(i64::MAX));
        for bad in [&b"yesterday"[..], b"1.x", b"1970-13-01T00:00:00Z", b"1.", b""] {
            assert_eq!(parse_time(bad), if bad == b"1." { Some(SECOND) } else { None }, "{bad:?}");
        }
    }

    #[test]
    fn columns_are_found_by_name_alias_and_number() {
        let header = ["Bucket", "Key", "Size", "LastModifiedDate"].map(String::from);
        let found = |columns: &TableColumns| -> Vec<Column> {
            columns.resolve(&header).unwrap().iter().map(|found| found.holds).collect()
        };
        let columns = TableColumns::default();
        assert_eq!(found(&columns), [Column::Skip, Column::Path, Column::Size, Column::Mtime]);
        let columns = TableColumns { named: vec![(Column::Path, "0".into())], only_these: true };
        assert_eq!(found(&columns)[..2], [Column::Path, Column::Skip]);
        let columns = TableColumns { named: vec![(Column::Skip, "Size".into())], only_these: false };
        assert_eq!(found(&columns), [Column::Skip, Column::Path, Column::Skip, Column::Mtime]);
        let columns = TableColumns { named: vec![(Column::Path, "url".into())], only_these: false };
        let error = columns.resolve(&header).unwrap_err().to_string();
        assert_eq!(error, "there is no column `url`; there are: Bucket, Key, Size, LastModifiedDate");
        let error = TableColumns::default().resolve(&["a".into()]).unwrap_err().to_string();
        assert_eq!(error, "there is no column `path`; there are: a; name it as path=COLUMN");
    }

    #[test]
    fn columns_are_told_by_the_names_that_are_read() {
        for (column, _) in ALIASES.into_iter().chain([(Column::Skip, &[][..])]) {
            assert_eq!(column.to_string().parse(), Ok(column));
        }
        let error = Fields::default().set(Column::Inode, b"7x").unwrap_err().to_string();
        assert_eq!(error, "column inode holds `7x`");
    }
}
