//! What the workers send to the builder.

use rustix::io::Errno;
use std::ops::Range;
use warpath_core::{Attributes, FileType};

/// Names a directory from the moment that its name is read until the builder gives it an inode.
pub type Token = u32;

/// The scanned directory's token.
pub const TOP: Token = 0;

/// What was found in a directory, or in a part of one: large ones come in several listings.
///
/// A directory's parent's listing, which tells its name, is always sent before its own.
#[derive(Debug)]
pub struct Listing {
    /// Which directory.
    pub directory: Token,
    /// The device of the directory.
    pub device: u64,
    /// What `stat` says of the directory itself, if that could be asked.
    pub attributes: Option<Attributes>,
    /// How far the directory has been read.
    pub progress: Progress,
    /// The names and link targets of `entries`.
    pub bytes: Vec<u8>,
    /// The entries.
    pub entries: Vec<Found>,
    /// Names that were gone when they were looked at.
    pub vanished: u64,
}

/// How far a directory has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More listings will come.
    More,
    /// To its end.
    Complete,
    /// It could not be read, or not to its end.
    Unreadable(Errno),
    /// Left out because of a glob.
    Excluded,
    /// Left out because it is on another file system.
    OtherFileSystem,
    /// It is gone.
    Vanished,
    /// Something else has taken its name.
    Replaced,
}

/// An entry of a directory.
#[derive(Debug)]
pub struct Found {
    /// Where its name is in [`Listing::bytes`].
    pub name: Range<u32>,
    /// What it is.
    pub kind: Kind,
    /// Its inode number, and whatever else was asked.
    pub attributes: Attributes,
    /// It may have further names on the listing's device.
    pub may_be_linked: bool,
}

/// What an entry is.
#[derive(Debug)]
pub enum Kind {
    /// A directory; a listing of it will follow.
    Directory(Token),
    /// A symbolic link, and where its target is in [`Listing::bytes`], if it could be read.
    Symlink(Option<Range<u32>>),
    /// Something else.
    File(FileType),
}

impl Listing {
    /// A listing of nothing so far.
    pub fn new(directory: Token, device: u64, attributes: Option<Attributes>) -> Listing {
        let (bytes, entries) = (Vec::new(), Vec::new());
        Listing { directory, device, attributes, progress: Progress::More, bytes, entries, vanished: 0 }
    }

    /// Stores a name or a target, and says where.
    pub fn store(&mut self, bytes: &[u8]) -> Range<u32> {
        let begin = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        begin..self.bytes.len() as u32
    }

    /// The bytes of a name or a target.
    pub fn text(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}
