//! CSV tables row by row, and quotes in them that nobody closed.

use std::io::{Read, Result};

/// What is wrong with a table that ends while a quote is open.
pub const OPEN: &str = "a quote is open at the end: close it, or the rows behind it are one field";

/// A CSV table on its way to its parser, which takes what follows an open quote as one long field and says nothing.
#[derive(Debug)]
pub struct Quotes<R> {
    inner: R,
    delimiter: u8,
    is_open: bool,
    /// Whether the last quote closed a field.
    has_closed: bool,
    /// The last byte of what was read.
    last: u8,
}

impl<R> Quotes<R> {
    fn new(inner: R, delimiter: u8) -> Quotes<R> {
        Quotes { inner, delimiter, is_open: false, has_closed: false, last: b'\n' }
    }

    /// Whether the last quote so far was never closed.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// A quote opens at a field's begin, and again right behind the one that closed it.
    fn watch(&mut self, bytes: &[u8]) {
        for at in memchr::memchr_iter(b'"', bytes) {
            let before = if at == 0 { self.last } else { bytes[at - 1] };
            let begins = before == self.delimiter || matches!(before, b'\n' | b'\r');
            let doubled = before == b'"' && self.has_closed;
            (self.is_open, self.has_closed) = (!self.is_open && (begins || doubled), self.is_open);
        }
        self.last = *bytes.last().unwrap_or(&self.last);
    }
}

/// The rows of a CSV table, of as many fields as each has. Behind the last one [`Quotes::is_open`] says whether a quote has swallowed others.
pub fn rows<R: Read>(table: R, delimiter: u8, has_header: bool) -> csv::Reader<Quotes<R>> {
    csv::ReaderBuilder::new()
        .has_headers(has_header)
        .delimiter(delimiter)
        .quoting(has_quotes(delimiter))
        .flexible(true)
        .from_reader(Quotes::new(table, delimiter))
}

/// Whether fields of a table with this delimiter can stand in quotes: TSV has none, and a quote is a byte like others there.
fn has_quotes(delimiter: u8) -> bool {
    delimiter != b'\t'
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.inner.read(buffer)?;
        if has_quotes(self.delimiter) {
            self.watch(&buffer[..n]);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser's own view: a line behind an open quote is no row.
    fn swallows(text: &str) -> bool {
        let text = format!("{text}\n\"end\"\n");
        let mut rows =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        !rows.byte_records().last().unwrap().unwrap().iter().eq([b"end"])
    }

    #[test]
    fn a_quote_is_open_where_the_parser_takes_it_so() {
        // Every text of up to seven of these.
        let letters = ['"', ',', '\n', 'a'];
        for n in 0..8 {
            for number in 0..letters.len().pow(n) {
                let text: String =
                    (0..n).map(|i| letters[number / letters.len().pow(i) % letters.len()]).collect();
                for split in 0..=text.len() {
                    let (mut quotes, mut read) = (Quotes::new(text.as_bytes(), b','), Vec::new());
                    quotes.by_ref().take(split as u64).read_to_end(&mut read).unwrap();
                    quotes.read_to_end(&mut read).unwrap();
                    assert_eq!(quotes.is_open(), swallows(&text), "{text:?} {split}");
                }
            }
        }
        assert!(!Quotes::new(&b""[..], b',').is_open());
    }
}
