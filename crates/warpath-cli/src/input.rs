//! Lists of paths, read in blocks.

use crate::args::LookupArgs;
use crate::tables::{self, PathColumn};
use anyhow::{Context, Result, anyhow, bail};
use memchr::{memchr, memrchr};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A path of more bytes is a sign that this is no list of paths.
const MAX_RECORD: usize = 64 << 20;

/// Rows of a table in a block, at most: they may be empty.
const MAX_ROWS: usize = 1 << 20;

/// How long a path waits for others to make up a block. Short for those who type or pipe `tail -f`; a
/// producer that is merely slower than us still fills blocks.
const PATIENCE: Duration = Duration::from_millis(2);

/// Paths one behind the other.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    pub bounds: Bounds,
}

/// Where the paths of a block end.
#[derive(Debug)]
pub enum Bounds {
    /// At this byte, which belongs to none of them; behind the last one it may lack.
    Delimiter(u8),
    /// Here: they hold any bytes.
    Ends(Vec<usize>),
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds::Delimiter(0)
    }
}

impl Block {
    /// The paths.
    pub fn paths(&self) -> Vec<&[u8]> {
        let mut begin = 0;
        match &self.bounds {
            Bounds::Delimiter(delimiter) => {
                let ends = memchr::memchr_iter(*delimiter, &self.bytes);
                // Few paths are shorter than this.
                let mut paths = Vec::with_capacity(self.bytes.len() / 32 + 1);
                for end in ends {
                    paths.push(&self.bytes[begin..end]);
                    begin = end + 1;
                }
                if begin < self.bytes.len() {
                    paths.push(&self.bytes[begin..]);
                }
                paths
            }
            Bounds::Ends(ends) => {
                let path = |&end| &self.bytes[std::mem::replace(&mut begin, end)..end];
                ends.iter().map(path).collect()
            }
        }
    }
}

/// All lists that were named, one after the other.
pub struct Input {
    /// In reverse order: the next one is the last.
    sources: Vec<Source>,
    /// Time spent reading and waiting for what there is to read.
    pub time: Duration,
}

enum Source {
    /// Paths from the command line, as a block.
    Arguments(Vec<u8>),
    List(List),
    /// A column of a table.
    Table(Box<dyn PathColumn>),
}

/// A file, a pipe or a terminal that is being read.
struct List {
    name: String,
    fd: OwnedFd,
    delimiter: u8,
    /// The begin of a path whose end has not been read yet.
    carry: Vec<u8>,
    at_end: bool,
}

impl Input {
    /// Opens all lists that the arguments name: their paths, then the files, in order.
    pub fn open(args: &LookupArgs) -> Result<Input> {
        let mut sources = Vec::new();
        for path in &args.paths {
            if path == "-" {
                sources.push(Source::List(List::standard_input(args.delimiter())?));
                continue;
            }
            if !matches!(sources.last(), Some(Source::Arguments(_))) {
                sources.push(Source::Arguments(Vec::new()));
            }
            if let Some(Source::Arguments(bytes)) = sources.last_mut() {
                bytes.extend_from_slice(path.as_bytes());
                bytes.push(0);
            }
        }
        for file in &args.file {
            sources.push(Source::List(match file.as_os_str() == "-" {
                true => List::standard_input(args.delimiter())?,
                false => List::open(file, args.delimiter())?,
            }));
        }
        for table in &args.paths_from {
            sources.push(Source::Table(tables::open(table)?));
        }
        if sources.is_empty() {
            sources.push(Source::List(List::standard_input(args.delimiter())?));
        }
        sources.reverse();
        Ok(Input { sources, time: Duration::ZERO })
    }

    /// Fills the block with the next paths, about `n_bytes` of them. False when there are none left, and behind a failure.
    pub fn next(&mut self, block: &mut Block, n_bytes: usize) -> Result<bool> {
        let begin = Instant::now();
        let more = self.fill(block, n_bytes);
        if more.is_err() {
            self.sources.clear();
        }
        self.time += begin.elapsed();
        more
    }

    fn fill(&mut self, block: &mut Block, n_bytes: usize) -> Result<bool> {
        loop {
            match self.sources.last_mut() {
                None => return Ok(false),
                Some(Source::Arguments(bytes)) => {
                    block.bytes = std::mem::take(bytes);
                    // No argument holds a NUL, but any may hold a newline.
                    block.bounds = Bounds::Delimiter(0);
                    self.sources.pop();
                    return Ok(true);
                }
                Some(Source::Table(column)) => {
                    if next_of_table(column.as_mut(), block, n_bytes)? {
                        return Ok(true);
                    }
                    self.sources.pop();
                }
                Some(Source::List(list)) => {
                    if list.next(block, n_bytes)? {
                        return Ok(true);
                    }
                    self.sources.pop();
                }
            }
        }
    }
}

/// Fills the block with the next paths of a table. False when there are none left.
fn next_of_table(column: &mut dyn PathColumn, block: &mut Block, n_bytes: usize) -> Result<bool> {
    block.bytes.clear();
    let mut ends = match std::mem::take(&mut block.bounds) {
        Bounds::Ends(ends) => ends,
        Bounds::Delimiter(_) => Vec::new(),
    };
    ends.clear();
    while block.bytes.len() < n_bytes && ends.len() < MAX_ROWS && column.next(&mut block.bytes)? {
        if block.bytes.len() - ends.last().unwrap_or(&0) > MAX_RECORD {
            let megabytes = MAX_RECORD >> 20;
            bail!("--paths-from: a path of more than {megabytes} MiB: is this a column of paths?");
        }
        ends.push(block.bytes.len());
    }
    let any = !ends.is_empty();
    block.bounds = Bounds::Ends(ends);
    Ok(any)
}

impl List {
    fn open(path: &Path, delimiter: u8) -> Result<List> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        Ok(List { name, fd: file.into(), delimiter, carry: Vec::new(), at_end: false })
    }

    fn standard_input(delimiter: u8) -> Result<List> {
        let name = "standard input".to_owned();
        let fd = rustix::stdio::stdin().try_clone_to_owned().with_context(|| name.clone())?;
        Ok(List { name, fd, delimiter, carry: Vec::new(), at_end: false })
    }

    /// Fills the block with whole paths: as many as fit, or those that came before the input paused.
    fn next(&mut self, block: &mut Block, n_bytes: usize) -> Result<bool> {
        block.bounds = Bounds::Delimiter(self.delimiter);
        let bytes = &mut block.bytes;
        bytes.clear();
        bytes.append(&mut self.carry);
        bytes.reserve(n_bytes.saturating_sub(bytes.len()));
        // Set as soon as the block holds a whole path.
        let mut deadline: Option<Instant> = None;
        while !self.at_end {
            match deadline {
                Some(_) if bytes.len() == bytes.capacity() => break,
                Some(deadline) if !self.is_ready_before(deadline) => break,
                None if bytes.len() > MAX_RECORD => return Err(self.no_list()),
                // No further than that it shows.
                None if bytes.len() == bytes.capacity() => {
                    bytes.reserve_exact(bytes.len().min(MAX_RECORD + 1 - bytes.len()));
                }
                _ => {}
            }
            let before = bytes.len();
            self.read(bytes).with_context(|| self.name.clone())?;
            if deadline.is_none() && memchr(self.delimiter, &bytes[before..]).is_some() {
                deadline = Some(Instant::now() + PATIENCE);
            }
        }
        if !self.at_end {
            let end = memrchr(self.delimiter, bytes).map_or(0, |last| last + 1);
            self.carry.extend_from_slice(&bytes[end..]);
            bytes.truncate(end);
        }
        Ok(!bytes.is_empty())
    }

    fn no_list(&self) -> anyhow::Error {
        let hint = if self.delimiter == 0 { "" } else { ", or do its paths end in NUL (-0)" };
        let megabytes = MAX_RECORD >> 20;
        anyhow!("{}: a path of more than {megabytes} MiB: is this a list of paths{hint}?", self.name)
    }

    /// Appends what one read gives, and notes the end.
    fn read(&mut self, bytes: &mut Vec<u8>) -> Result<(), Errno> {
        loop {
            match rustix::io::read(&self.fd, spare_capacity(bytes)) {
                Ok(n) => {
                    self.at_end = n == 0;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                // Somebody else has made the terminal or pipe non-blocking.
                Err(Errno::AGAIN) => self.wait(None)?,
                Err(errno) => return Err(errno),
            }
        }
    }

    fn is_ready_before(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        // Where polling fails, reading will say why.
        self.poll(Some(&left)).is_ok_and(|n_ready| n_ready > 0)
    }

    /// Waits for input.
    fn wait(&self, timeout: Option<&Timespec>) -> Result<(), Errno> {
        match self.poll(timeout) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn poll(&self, timeout: Option<&Timespec>) -> Result<usize, Errno> {
        poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const BLOCK: usize = 1 << 16;

    fn paths(bytes: &[u8]) -> Vec<Vec<u8>> {
        let block = Block { bytes: bytes.to_vec(), bounds: Bounds::Delimiter(b'\n') };
        block.paths().into_iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn rows_of_a_table_hold_any_bytes() {
        let block = Block { bytes: b"a\0b\nc".to_vec(), bounds: Bounds::Ends(vec![2, 2, 5]) };
        assert_eq!(block.paths(), [&b"a\0"[..], b"", b"b\nc"]);
    }

    #[test]
    fn the_last_path_may_lack_its_delimiter() {
        assert_eq!(paths(b"a\n\nb"), [&b"a"[..], b"", b"b"]);
        assert_eq!(paths(b"a\n\n"), [&b"a"[..], b""]);
        assert_eq!(paths(b"\n"), [b""]);
        assert!(paths(b"").is_empty());
    }

    #[test]
    fn blocks_hold_whole_paths_and_lose_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("list");
        // Lengths around the block's, and an unterminated end.
        let lengths = [0, 1, 7, BLOCK - 9, BLOCK, 3, BLOCK - 1, BLOCK + 1, 3 * BLOCK, 0, 5];
        let paths: Vec<_> = lengths.iter().map(|&length| vec![b'x'; length]).collect();
        std::fs::write(&file, paths.join(&b'\n')).unwrap();
        let mut list = List::open(&file, b'\n').unwrap();
        let (mut block, mut read) = (Block::default(), Vec::new());
        while list.next(&mut block, BLOCK).unwrap() {
            read.extend(block.paths().into_iter().map(<[u8]>::to_vec));
        }
        assert_eq!(read.len(), paths.len());
        assert!(read == paths);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let mut list = List::open("/dev/zero".as_ref(), b'\n').unwrap();
        let error = format!("{:#}", list.next(&mut Block::default(), BLOCK).unwrap_err());
        assert!(error.starts_with("/dev/zero: a path of more than 64 MiB"), "{error}");
    }

    #[test]
    fn the_longest_path_is_the_one_that_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("list");
        for (length, is_read) in [(MAX_RECORD, true), (MAX_RECORD + 1, false)] {
            for end in ["", "\n"] {
                let mut text = vec![b'x'; length];
                text.extend_from_slice(end.as_bytes());
                std::fs::write(&file, text).unwrap();
                let mut block = Block::default();
                let read = List::open(&file, b'\n').unwrap().next(&mut block, BLOCK);
                assert_eq!(read.is_ok(), is_read, "{length} {end:?}");
                assert!(!is_read || block.paths()[0].len() == length);
            }
        }
    }

    /// Paths are handed on while the writer of a pipe pauses.
    #[test]
    fn a_pause_ends_a_block() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (name, carry) = ("pipe".to_owned(), Vec::new());
        let mut list = List { name, fd: reader.into(), delimiter: b'\n', carry, at_end: false };
        let mut block = Block::default();
        writer.write_all(b"a\nb\nc").unwrap();
        assert!(list.next(&mut block, BLOCK).unwrap());
        assert_eq!(block.bytes, b"a\nb\n");
        writer.write_all(b"d\n").unwrap();
        assert!(list.next(&mut block, BLOCK).unwrap());
        assert_eq!(block.bytes, b"cd\n");
        drop(writer);
        assert!(!list.next(&mut block, BLOCK).unwrap());
    }
}
