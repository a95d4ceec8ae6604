//! Checking all of a file.

use crate::checksum::checksum;
use crate::format::parse;
use crate::open::map;
use crate::sections::NAMES;
use crate::{FileError, Opened};
use rayon::prelude::*;
use std::path::Path;
use warpath_core::column::SharedBytes;

/// Opens the index file at `path` and checks every checksum and every cross reference: each id, offset and chain in bounds,
/// names good, every key equal to what the names give, links leading where their targets say. In parallel; O(bytes).
///
/// # Errors
/// [`FileError`] with the first thing that is wrong.
pub fn verify(path: &Path) -> Result<Opened, FileError> {
    verify_bytes(map(path)?, path)
}

/// As [`verify`], of bytes in memory that begin at a multiple of 8; `name` stands for them in errors.
///
/// # Errors
/// As [`verify`].
pub fn verify_bytes(bytes: SharedBytes, name: &Path) -> Result<Opened, FileError> {
    check_checksums(name, (*bytes).as_ref())?;
    let opened = crate::open_bytes(bytes, name)?;
    opened.index.check().map_err(|unsound| FileError::corrupt(name, unsound.to_string()))?;
    Ok(opened)
}

/// Checks the checksum of every section, that there are no others than this version knows, and the zeros between them.
fn check_checksums(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let sections = parse(path, bytes)?;
    let wrong = sections.par_iter().find_any(|section| {
        let content = bytes.get(section.range()).unwrap_or_default();
        checksum(content) != section.checksum
    });
    if let Some(section) = wrong {
        return Err(FileError::corrupt(
            path,
            format!("the checksum of section `{}` is wrong", section.name()),
        ));
    }
    let names: Vec<String> = sections.iter().map(crate::Section::name).collect();
    if names != NAMES {
        return Err(FileError::corrupt(path, "its sections are not those of its version"));
    }
    for pair in sections.windows(2) {
        let gap = bytes.get(pair[0].range().end..pair[1].range().start).unwrap_or_default();
        if gap.iter().any(|&byte| byte != 0) {
            let what =
                format!("something lies between sections `{}` and `{}`", pair[0].name(), pair[1].name());
            return Err(FileError::corrupt(path, what));
        }
    }
    Ok(())
}
