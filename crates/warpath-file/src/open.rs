//! Opening a file, or bytes that hold one.

use crate::format::{Section, parse};
use crate::sections::Content;
use crate::{Facts, FileError};
use std::fs::File;
use std::path::Path;
use warpath_core::Index;
use warpath_core::column::SharedBytes;

/// An index file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The index. Its columns borrow from the mapping, and are copied when they are first changed.
    pub index: Index,
    /// When it was made, from what, where it stands.
    pub facts: Facts,
    /// Its sections.
    pub sections: Vec<Section>,
    /// Bytes of the file.
    pub n_bytes: u64,
}

/// Maps the index file at `path`. O(sections), at any size.
///
/// Checked are the header, the table of contents with its checksum, and that the lengths of the sections fit one another. What
/// the sections hold is not: [`verify`](crate::verify) does that. Lookups in a damaged file may be wrong, but end; before the index is
/// *changed* the file must have been verified, as changing a damaged one may panic.
///
/// # Errors
/// [`FileError`], which tells a file that can't be read, is no index, has another version, is cut off or damaged.
pub fn open(path: &Path) -> Result<Opened, FileError> {
    open_bytes(map(path)?, path)
}

/// As [`open`], of bytes in memory that begin at a multiple of 8; `name` stands for them in errors.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(bytes: SharedBytes, name: &Path) -> Result<Opened, FileError> {
    let slice = (*bytes).as_ref();
    let (sections, n_bytes) = (parse(name, slice)?, slice.len() as u64);
    let content = Content { path: name, bytes, sections: &sections };
    let (index, facts) = (content.index()?, content.facts()?);
    Ok(Opened { index, facts, sections, n_bytes })
}

pub(crate) fn map(path: &Path) -> Result<SharedBytes, FileError> {
    // Asked before it is opened: to open a FIFO waits for a writer.
    if !std::fs::metadata(path).map_err(FileError::io(path, "opening"))?.is_file() {
        return Err(FileError::NotAnIndex { path: path.to_path_buf() });
    }
    let file = File::open(path).map_err(FileError::io(path, "opening"))?;
    crate::map::map(&file).map_err(FileError::io(path, "mapping"))
}
