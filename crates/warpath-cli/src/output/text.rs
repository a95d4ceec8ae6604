//! Answers as text, a line a path: columns between tabs, or JSON objects.

use super::{Answer, Column, DEFAULT_COLUMNS, Format, Sink, Written, status_name};
use crate::cmd::{kind_name, push_time};
use anyhow::Result;
use std::io::Write;

/// `\tINO\t`, at its longest, and the longest status.
const MAX_FIELDS: usize = 22 + 16;

/// Writes lines as they come.
pub(super) struct Lines;

impl Sink for Lines {
    fn put(&mut self, written: &mut Written) -> Result<()> {
        crate::pipeline::write_all(&written.text);
        written.text.clear();
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Columns between tabs.
pub(super) fn lines<'a>(format: &Format, answers: impl Iterator<Item = Answer<'a>>, text: &mut Vec<u8>) {
    if format.columns == DEFAULT_COLUMNS {
        answers.for_each(|answer| default_line(format.delimiter, &answer, text));
    } else {
        answers.for_each(|answer| line(format, &answer, text));
    }
}

/// JSON objects.
pub(super) fn objects<'a>(format: &Format, answers: impl Iterator<Item = Answer<'a>>, text: &mut Vec<u8>) {
    answers.for_each(|answer| object(format, &answer, text));
}

fn default_line(delimiter: u8, answer: &Answer<'_>, text: &mut Vec<u8>) {
    text.reserve(answer.path.len() + MAX_FIELDS);
    text.extend_from_slice(status_name(answer.status).as_bytes());
    text.push(b'\t');
    push_number(text, answer.ino());
    text.push(b'\t');
    text.extend_from_slice(answer.path);
    text.push(delimiter);
}

fn line(format: &Format, answer: &Answer<'_>, text: &mut Vec<u8>) {
    for (i, column) in format.columns.iter().enumerate() {
        if i > 0 {
            text.push(b'\t');
        }
        match column {
            Column::Path => text.extend_from_slice(answer.path),
            Column::Target => text.extend_from_slice(answer.target().unwrap_or(b"-")),
            _ => push_plain(answer, *column, text),
        }
    }
    text.push(format.delimiter);
}

fn object(format: &Format, answer: &Answer<'_>, text: &mut Vec<u8>) {
    for (i, column) in format.columns.iter().enumerate() {
        text.push(if i == 0 { b'{' } else { b',' });
        // Writing to a vector does not fail.
        let _ = write!(text, "\"{}\":", column.name());
        let begin = text.len();
        match column {
            Column::Path => push_json(text, answer.path),
            Column::Target => match answer.target() {
                Some(target) => push_json(text, target),
                None => text.extend_from_slice(b"null"),
            },
            Column::Status | Column::Kind => {
                text.push(b'"');
                push_plain(answer, *column, text);
                text.push(b'"');
            }
            _ => push_plain(answer, *column, text),
        }
        if matches!(&text[begin..], b"-" | b"\"-\"") {
            text.truncate(begin);
            text.extend_from_slice(b"null");
        }
    }
    text.extend_from_slice(b"}\n");
}
/// A column without bytes of paths.
fn push_plain(answer: &Answer<'_>, column: Column, text: &mut Vec<u8>) {
    match column {
        Column::Status => text.extend_from_slice(status_name(answer.status).as_bytes()),
        Column::Ino => push_number(text, answer.ino()),
        Column::Id => push_number(text, answer.id().map(u64::from)),
        Column::Kind => text.extend_from_slice(kind_name(answer.kind()).as_bytes()),
        Column::Size => push_number(text, answer.size()),
        Column::Mtime => match answer.mtime() {
            Some(mtime) => push_time(text, mtime),
            None => text.push(b'-'),
        },
        Column::Path | Column::Target => {}
    }
}

fn push_number(text: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => text.push(b'-'),
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
