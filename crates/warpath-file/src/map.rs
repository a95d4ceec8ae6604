//! Mapping a file: the one unsafe call.

#![allow(unsafe_code)]

use memmap2::Mmap;
use std::fs::File;
use std::sync::Arc;
use warpath_core::column::SharedBytes;

/// The content of a file, mapped for reading. O(1); pages come as they are read, and are shared between processes.
///
/// # Errors
/// When the system can't map the file.
pub(crate) fn map(file: &File) -> std::io::Result<SharedBytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Arc::new([0_u8; 0]));
    }
    // SAFETY: the mapping is read-only and lives as long as the `Arc`. Nobody may change the file's bytes meanwhile: warpath itself
    // never does, as it replaces index files by renaming and never writes into one. Somebody else who truncates the file ends this
    // process with SIGBUS at the next page that is gone, and one who writes into it changes what is read; the manual
    // (docs/index-file.md) says so. Every reader treats the bytes as untrusted: indices are bounded, loops end.
    let mapping = unsafe { Mmap::map(file)? };
    Ok(Arc::new(mapping))
}
