//! Answers as text, a line a path: columns between tabs, or JSON objects.

use crate::args::Only;
use crate::cmd::{kind_name, push_time};
use clap::ValueEnum;
use std::io::Write;
use warpath_core::{InodeId, LookupError, Namespace};

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Columns between tabs, paths byte for byte
    Text,
    /// A JSON object a line; bytes that are no UTF-8 as `\\udcXX`, as Python's surrogateescape reads them
    Jsonl,
}

/// What is written of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// OK, or the errno's name
    Status,
    /// The file system's inode number
    Ino,
    /// warpath's number of the inode
    Id,
    /// file, directory, symlink or other
    Kind,
    /// Bytes
    Size,
    /// Last modification, seconds since 1970
    Mtime,
    /// Where a symbolic link leads
    Target,
    /// The path, as it was asked for
    Path,
}

/// What is written unless columns are named.
pub const DEFAULT_COLUMNS: [Column; 3] = [Column::Status, Column::Ino, Column::Path];

/// An answer: the path that was asked for, and what came out.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub path: &'a [u8],
    pub inode: InodeId,
    pub status: u8,
    /// What knows the inode; `None` where no index covers the path.
    pub known: Option<Known<'a>>,
}

/// What is known of inodes.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub namespace: &'a Namespace,
    /// The file system's number of each inode, at hand for every line.
    pub numbers: &'a [u64],
}

impl<'a> Known<'a> {
    /// All that a namespace knows.
    pub fn of(namespace: &'a Namespace) -> Known<'a> {
        Known { namespace, numbers: namespace.view().ino }
    }
}

/// How answers are printed.
pub struct Format {
    pub columns: Vec<Column>,
    pub jsonl: bool,
    pub only: Option<Only>,
    /// What ends a line of text.
    pub delimiter: u8,
}

/// Answers by status code: 0 is "found".
pub type Counts = [u64; LookupError::ALL.len() + 1];

/// `\tINO\t`, at its longest.
const MAX_NUMBER: usize = 22;

impl Format {
    /// Counts an answer, and says whether it is to be printed.
    fn takes(&self, status: u8, counts: &mut Counts) -> bool {
        if let Some(count) = counts.get_mut(usize::from(status)) {
            *count += 1;
        }
        self.only.is_none_or(|only| (status == 0) == (only == Only::Found))
    }

    /// Writes the answers, and counts them.
    pub fn write<'a>(&self, answers: impl Iterator<Item = Answer<'a>>, text: &mut Vec<u8>) -> Counts {
        let mut counts = Counts::default();
        let is_default = !self.jsonl && self.columns == DEFAULT_COLUMNS;
        for answer in answers {
            if !self.takes(answer.status, &mut counts) {
                continue;
            }
            match (is_default, self.jsonl) {
                (true, _) => self.default_line(&answer, text),
                (_, false) => self.line(&answer, text),
                (_, true) => self.object(&answer, text),
            }
        }
        counts
    }

    fn default_line(&self, answer: &Answer<'_>, text: &mut Vec<u8>) {
        text.reserve(answer.path.len() + MAX_NUMBER + 16);
        text.extend_from_slice(status_name(answer.status).as_bytes());
        text.push(b'\t');
        push_number(text, answer.ino());
        text.push(b'\t');
        text.extend_from_slice(answer.path);
        text.push(self.delimiter);
    }

    fn line(&self, answer: &Answer<'_>, text: &mut Vec<u8>) {
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                text.push(b'\t');
            }
            match column {
                Column::Path => text.extend_from_slice(answer.path),
                Column::Target => text.extend_from_slice(answer.target().unwrap_or(b"-")),
                _ => answer.push_plain(*column, text),
            }
        }
        text.push(self.delimiter);
    }

    fn object(&self, answer: &Answer<'_>, text: &mut Vec<u8>) {
        for (i, column) in self.columns.iter().enumerate() {
            text.push(if i == 0 { b'{' } else { b',' });
            // Writing to a vector does not fail.
            let _ = write!(text, "\"{}\":", name(*column));
            let begin = text.len();
            match column {
                Column::Path => push_json(text, answer.path),
                Column::Target => match answer.target() {
                    Some(target) => push_json(text, target),
                    None => text.extend_from_slice(b"null"),
                },
                Column::Status | Column::Kind => {
                    text.push(b'"');
                    answer.push_plain(*column, text);
                    text.push(b'"');
                }
                _ => answer.push_plain(*column, text),
            }
            if matches!(&text[begin..], b"-" | b"\"-\"") {
                text.truncate(begin);
                text.extend_from_slice(b"null");
            }
        }
        text.extend_from_slice(b"}\n");
    }
}

impl Answer<'_> {
    /// The namespace, where the path was found.
    fn found(&self) -> Option<&Namespace> {
        self.known.filter(|_| self.status == 0).map(|known| known.namespace)
    }

    /// The file system's inode number.
    fn ino(&self) -> Option<u64> {
        let known = self.known.filter(|_| self.status == 0)?;
        Some(known.numbers.get(self.inode as usize).copied().unwrap_or(0))
    }

    /// Where a link leads that is itself the answer.
    fn target(&self) -> Option<&[u8]> {
        self.found()?.target(self.inode)
    }

    /// A column without bytes of paths.
    fn push_plain(&self, column: Column, text: &mut Vec<u8>) {
        let attributes = || self.found().and_then(|namespace| namespace.attributes(self.inode));
        match column {
            Column::Status => text.extend_from_slice(status_name(self.status).as_bytes()),
            Column::Ino => push_number(text, self.ino()),
            Column::Id => push_number(text, self.found().map(|_| u64::from(self.inode))),
            Column::Kind => {
                let file_type = self.found().and_then(|namespace| namespace.file_type(self.inode));
                text.extend_from_slice(kind_name(file_type).as_bytes());
            }
            Column::Size => push_number(text, attributes().map(|attributes| attributes.size)),
            Column::Mtime => match attributes() {
                Some(attributes) => push_time(text, attributes.mtime),
                None => text.push(b'-'),
            },
            Column::Path | Column::Target => {}
        }
    }
}

fn push_number(text: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => text.push(b'-'),
    }
}

/// A column's name in output.
fn name(column: Column) -> &'static str {
    match column {
        Column::Status => "status",
        Column::Ino => "ino",
        Column::Id => "id",
        Column::Kind => "kind",
        Column::Size => "size",
        Column::Mtime => "mtime",
        Column::Target => "target",
        Column::Path => "path",
    }
}

/// Bytes as a JSON string; what is no UTF-8 as lone surrogates, a byte each.
fn push_json(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
                0..=0x1F | 0x7F => drop(write!(text, "\\u{byte:04x}")),
                _ => text.push(byte),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\udc{byte:02x}");
        }
    }
    text.push(b'"');
}

/// `OK`, or the errno's name.
pub fn status_name(status: u8) -> &'static str {
    LookupError::from_code(status).map_or("OK", LookupError::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_hold_every_byte() {
        let mut text = Vec::new();
        push_json(&mut text, b"a\"\\\n\xC3\xA4\xFF\xC3");
        assert_eq!(text, "\"a\\\"\\\\\\u000a\u{e4}\\udcff\\udcc3\"".as_bytes());
    }
}
