//! What is written of each path, and how: text, JSON, or tables for other programs.

use crate::args::Only;
use anyhow::{Result, bail};
use clap::ValueEnum;
use warpath_core::{FileType, InodeId, LookupError, Namespace};

#[cfg(feature = "tables")]
mod tables;
mod text;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Columns between tabs, paths byte for byte
    Text,
    /// A JSON object a line; bytes that are no UTF-8 as `\\udcXX`, as Python's surrogateescape reads them
    Jsonl,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
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
    pub name: FormatName,
    pub only: Option<Only>,
    /// What ends a line of text.
    pub delimiter: u8,
    /// In tables paths are strings and not bytes.
    #[cfg_attr(not(feature = "tables"), expect(dead_code, reason = "this build writes no tables"))]
    pub utf8: bool,
}

/// Answers by status code: 0 is "found".
pub type Counts = [u64; LookupError::ALL.len() + 1];

/// What the answers of a block have become.
#[derive(Default)]
pub struct Written {
    pub text: Vec<u8>,
    #[cfg(feature = "tables")]
    rows: Vec<arrow_array::RecordBatch>,
}

/// Takes what blocks have become, in their order, and writes it to standard output.
pub trait Sink: Send {
    fn put(&mut self, written: &mut Written) -> Result<()>;
    /// Writes what belongs at the end.
    fn end(self: Box<Self>) -> Result<()>;
}

impl Format {
    /// Whether this is a table for programs.
    pub fn is_table(&self) -> bool {
        matches!(self.name, FormatName::Arrow | FormatName::Parquet)
    }

    /// Where blocks go that were written so.
    pub fn sink(&self) -> Result<Box<dyn Sink>> {
        if self.name != FormatName::Text
            && let Some(twice) = self.twice()
        {
            bail!("--columns: {} is there twice", twice.name());
        }
        match self.name {
            FormatName::Text | FormatName::Jsonl => Ok(Box::new(text::Lines)),
            #[cfg(feature = "tables")]
            FormatName::Arrow => tables::arrow(self),
            #[cfg(feature = "tables")]
            FormatName::Parquet => tables::parquet(self),
            #[cfg(not(feature = "tables"))]
            FormatName::Arrow | FormatName::Parquet => {
                bail!(
                    "--format: this warpath was built without Arrow and Parquet: build it with `--features tables`"
                )
            }
        }
    }

    fn twice(&self) -> Option<Column> {
        let columns = &self.columns;
        (0..columns.len()).find(|&i| columns[..i].contains(&columns[i])).map(|i| columns[i])
    }

    /// Makes of the answers what the sink takes, and counts them.
    pub fn write<'a>(
        &self,
        answers: impl Iterator<Item = Answer<'a>>,
        written: &mut Written,
    ) -> Result<Counts> {
        let mut counts = Counts::default();
        let printed = answers.filter(|answer| self.takes(answer.status, &mut counts));
        match self.name {
            FormatName::Text => text::lines(self, printed, &mut written.text),
            FormatName::Jsonl => text::objects(self, printed, &mut written.text),
            #[cfg(feature = "tables")]
            FormatName::Arrow | FormatName::Parquet => written.rows = tables::rows(self, printed)?,
            // The sink has refused these before.
            #[cfg(not(feature = "tables"))]
            FormatName::Arrow | FormatName::Parquet => {}
        }
        Ok(counts)
    }

    /// Counts an answer, and says whether it is to be printed.
    fn takes(&self, status: u8, counts: &mut Counts) -> bool {
        if let Some(count) = counts.get_mut(usize::from(status)) {
            *count += 1;
        }
        self.only.is_none_or(|only| (status == 0) == (only == Only::Found))
    }
}

impl<'a> Answer<'a> {
    /// The namespace, where the path was found.
    fn found(&self) -> Option<&'a Namespace> {
        self.known.filter(|_| self.status == 0).map(|known| known.namespace)
    }

    /// The file system's inode number; `None` where the index holds none.
    fn ino(&self) -> Option<u64> {
        let known = self.known.filter(|_| self.status == 0)?;
        known.numbers.get(self.inode as usize).copied().filter(|&ino| ino != 0)
    }

    /// warpath's number of the inode.
    fn id(&self) -> Option<InodeId> {
        self.found().map(|_| self.inode)
    }

    fn kind(&self) -> Option<FileType> {
        self.found()?.file_type(self.inode)
    }

    fn size(&self) -> Option<u64> {
        self.found()?.attributes(self.inode)?.size
    }

    /// In nanoseconds since 1970.
    fn mtime(&self) -> Option<i64> {
        self.found()?.attributes(self.inode)?.mtime
    }

    /// Where a link leads that is itself the answer.
    fn target(&self) -> Option<&'a [u8]> {
        self.found()?.target(self.inode)
    }
}

impl Column {
    /// Its name in output.
    fn name(self) -> &'static str {
        match self {
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
}

/// `OK`, or the errno's name.
pub fn status_name(status: u8) -> &'static str {
    LookupError::from_code(status).map_or("OK", LookupError::name)
}
