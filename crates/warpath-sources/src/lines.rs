//! Splits a stream into records that end in one byte.

use std::io::Read;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// The longest record; what is longer is cut off there, so that a file without line ends can't fill the memory.
pub(crate) const LONGEST: usize = 1 << 20;

/// The records of a stream, without the byte that ends them.
pub(crate) struct Lines<R> {
    reader: R,
    terminator: u8,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    at_eof: bool,
}

/// A record, and what stands behind it as far as it is buffered.
pub(crate) struct Line<'b> {
    /// The record.
    pub bytes: &'b [u8],
    /// The beginning of the next records: at least one byte more than this one has, but at the end of the stream.
    pub next: &'b [u8],
    /// Whether the record was longer than [`LONGEST`] and is cut off.
    pub cut: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R, terminator: u8) -> Lines<R> {
        Lines { reader, terminator, buffer: vec![0; 2 * CHUNK], start: 0, end: 0, at_eof: false }
    }

    /// The next record; `None` at the end.
    pub fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.next_of(1)
    }

    /// The next record of `n_parts`, each of which ends in the terminator; `None` at the end. The stream may end within the last
    /// record, which then has fewer of them.
    pub fn next_of(&mut self, n_parts: usize) -> std::io::Result<Option<Line<'_>>> {
        let (mut searched, mut n_left) = (0, n_parts);
        let length = loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(self.terminator, &unread[searched..]) {
                n_left -= 1;
                if n_left == 0 {
                    break searched + length;
                }
                searched += length + 1;
                continue;
            }
            searched = unread.len();
            if searched > LONGEST {
                return self.cut(n_parts).map(Some);
            }
            let ends_a_part = n_left < n_parts && unread.last() == Some(&self.terminator);
            if !self.fill()? {
                break searched - usize::from(ends_a_part);
            }
        };
        if self.start == self.end {
            return Ok(None);
        }
        while self.end - self.start < 2 * length + 2 && length < LONGEST && self.fill()? {}
        let line = self.start;
        self.start = (line + length + 1).min(self.end);
        Ok(Some(Line {
            bytes: &self.buffer[line..line + length],
            next: &self.buffer[self.start..self.end],
            cut: false,
        }))
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self) -> std::io::Result<bool> {
        if self.at_eof {
            return Ok(false);
        }
        if self.buffer.len() - self.end < CHUNK {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() - self.end < CHUNK {
                self.buffer.resize(self.end + CHUNK, 0);
            }
        }
        let n_bytes = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += n_bytes;
        self.at_eof = n_bytes == 0;
        Ok(n_bytes > 0)
    }

    /// A record that is too long: its first bytes; the others are read and forgotten.
    fn cut(&mut self, n_parts: usize) -> std::io::Result<Line<'_>> {
        let head = self.buffer[self.start..self.start + LONGEST].to_vec();
        let mut n_left = n_parts;
        while n_left > 0 {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(self.terminator, unread) {
                self.start += length + 1;
                n_left -= 1;
                continue;
            }
            self.start = self.end;
            if !self.fill()? {
                break;
            }
        }
        // The head is put back in front of what follows, where it can be borrowed from.
        let rest = self.buffer[self.start..self.end].to_vec();
        self.buffer.clear();
        self.buffer.extend_from_slice(&head);
        self.buffer.extend_from_slice(&rest);
        self.start = head.len();
        self.end = self.buffer.len();
        Ok(Line { bytes: &self.buffer[..self.start], next: &self.buffer[self.start..self.end], cut: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &[u8], terminator: u8) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(text, terminator);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(line.bytes.to_vec());
        }
        found
    }

    #[test]
    fn the_last_line_needs_no_end() {
        assert_eq!(split(b"a\nb", b'\n'), [b"a", b"b"]);
        assert_eq!(split(b"a\nb\n", b'\n'), [b"a", b"b"]);
        assert_eq!(split(b"a\n\n", b'\n'), [&b"a"[..], b""]);
        assert_eq!(split(b"", b'\n'), [b""; 0]);
        assert_eq!(split(b"a\0b\0", 0), [b"a", b"b"]);
    }

    #[test]
    fn chunks_do_not_show() {
        let text: Vec<u8> = (0..300_000).flat_map(|i| format!("dir/{i}\n").into_bytes()).collect();
        let found = split(&text, b'\n');
        assert_eq!(found.len(), 300_000);
        assert!(found.iter().enumerate().all(|(i, line)| *line == format!("dir/{i}").into_bytes()));
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let text = [&b"x".repeat(3 * LONGEST)[..], b"\nafter\n", &b"y".repeat(2 * LONGEST)].concat();
        let mut lines = Lines::new(&text[..], b'\n');
        let line = lines.next().unwrap().unwrap();
        assert!(line.cut && line.bytes.len() == LONGEST);
        let line = lines.next().unwrap().unwrap();
        assert!(!line.cut && line.bytes == b"after");
        let line = lines.next().unwrap().unwrap();
        assert!(line.cut && line.bytes == &b"y".repeat(LONGEST)[..]);
        assert!(lines.next().unwrap().is_none());
    }
}
