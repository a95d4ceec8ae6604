//! The bytes of an index file: header, table of contents, sections. Drawn in `docs/index-file.md`.

use crate::FileError;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;
use std::path::Path;
use warpath_layout::LAYOUT_VERSION;
use xxhash_rust::xxh3::xxh3_64;

/// What every index file begins with. The first byte is no text, and the line ends show a transfer that changed them.
pub const MAGIC: [u8; 8] = *b"\x89WARP\r\n\x1A";
/// Version of the file format; raised when an old reader could misread a new file.
pub const VERSION: u32 = 1;
/// Sections begin at multiples of this.
pub const ALIGN: usize = 64;
/// More sections than this no file has.
const MAX_SECTIONS: u32 = 256;

/// The first 64 bytes.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Header {
    pub magic: [u8; 8],
    pub version: u32,
    pub layout_version: u32,
    /// Bytes of the whole file.
    pub file_len: u64,
    /// Sections; their descriptions follow the header.
    pub n_sections: u32,
    pub reserved: [u32; 7],
    /// XXH3-64 of the header before this field, and the table of contents.
    pub toc_checksum: u64,
}

/// The description of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Section {
    /// Its name in ASCII, filled up with NUL.
    pub name: [u8; 8],
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes of it.
    pub length: u64,
    /// Its checksum.
    pub checksum: u64,
}

impl Section {
    /// The name as text.
    pub fn name(&self) -> String {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(self.name.len());
        self.name[..end].escape_ascii().to_string()
    }

    /// Where it lies in the file. Only for sections that [`parse`] has checked.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset as usize..(self.offset + self.length) as usize
    }
}

/// A section's name in its eight bytes.
pub(crate) const fn name(text: &str) -> [u8; 8] {
    let (mut name, bytes, mut i) = ([0; 8], text.as_bytes(), 0);
    while i < bytes.len() {
        name[i] = bytes[i];
        i += 1;
    }
    name
}

/// Where these sections lie, one after the other, behind header and table of contents; without their checksums. And the file's length.
pub(crate) fn lay_out(sections: &[([u8; 8], &[u8])]) -> (Vec<Section>, u64) {
    let mut at = (size_of::<Header>() + sections.len() * size_of::<Section>()) as u64;
    let mut toc = Vec::with_capacity(sections.len());
    for (name, bytes) in sections {
        let (offset, length) = (at.next_multiple_of(ALIGN as u64), bytes.len() as u64);
        toc.push(Section { name: *name, offset, length, checksum: 0 });
        at = offset + length;
    }
    (toc, at)
}

/// Header and table of contents, which is complete.
pub(crate) fn head(toc: &[Section], file_len: u64) -> Vec<u8> {
    let mut header = Header {
        magic: MAGIC,
        version: VERSION,
        layout_version: LAYOUT_VERSION,
        file_len,
        n_sections: toc.len() as u32,
        reserved: [0; 7],
        toc_checksum: 0,
    };
    header.toc_checksum = toc_checksum(&header, toc);
    [bytemuck::bytes_of(&header), bytemuck::cast_slice(toc)].concat()
}

fn toc_checksum(header: &Header, toc: &[Section]) -> u64 {
    let before = &bytemuck::bytes_of(header)[..std::mem::offset_of!(Header, toc_checksum)];
    xxh3_64(&[before, bytemuck::cast_slice(toc)].concat())
}

/// The sections of a file, each aligned, inside the file and behind the one before it. O(sections).
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Section>, FileError> {
    let Some(magic) = bytes.get(..MAGIC.len()).filter(|magic| **magic == MAGIC) else {
        // What is too short for a header is a cut-off index only if it begins as one.
        return if !bytes.is_empty() && MAGIC.starts_with(bytes) {
            Err(truncated(path, size_of::<Header>() as u64, bytes))
        } else {
            Err(FileError::NotAnIndex { path: path.to_path_buf() })
        };
    };
    debug_assert_eq!(magic, MAGIC);
    let Some(header) = bytes.get(..size_of::<Header>()) else {
        return Err(truncated(path, size_of::<Header>() as u64, bytes));
    };
    let header: Header = bytemuck::pod_read_unaligned(header);
    if (header.version, header.layout_version) != (VERSION, LAYOUT_VERSION) || cfg!(target_endian = "big") {
        let format = |version: u32, layout: u32| format!("{version}.{layout}, little-endian");
        return Err(FileError::Incompatible {
            path: path.to_path_buf(),
            found: format(header.version, header.layout_version),
            expected: if cfg!(target_endian = "big") {
                "none on big-endian machines".into()
            } else {
                format(VERSION, LAYOUT_VERSION)
            },
        });
    }
    if header.n_sections > MAX_SECTIONS {
        return Err(FileError::corrupt(path, format!("it claims {} sections", header.n_sections)));
    }
    let toc_end = size_of::<Header>() + header.n_sections as usize * size_of::<Section>();
    let Some(toc) = bytes.get(size_of::<Header>()..toc_end) else {
        return Err(truncated(path, header.file_len.max(toc_end as u64), bytes));
    };
    let toc: Vec<Section> =
        toc.chunks_exact(size_of::<Section>()).map(bytemuck::pod_read_unaligned).collect();
    if toc_checksum(&header, &toc) != header.toc_checksum {
        return Err(FileError::corrupt(path, "the checksum of its table of contents is wrong"));
    }
    let found = bytes.len() as u64;
    if found < header.file_len {
        return Err(truncated(path, header.file_len, bytes));
    }
    if found > header.file_len {
        let more = found - header.file_len;
        return Err(FileError::corrupt(path, format!("{more} bytes follow behind its end")));
    }
    let mut free_from = toc_end as u64;
    for section in &toc {
        let end = section.offset.checked_add(section.length);
        if section.offset < free_from
            || !section.offset.is_multiple_of(ALIGN as u64)
            || end.is_none_or(|end| end > header.file_len)
        {
            let what = format!("section `{}` lies outside the file or over another", section.name());
            return Err(FileError::corrupt(path, what));
        }
        free_from = end.unwrap_or(u64::MAX);
    }
    Ok(toc)
}

fn truncated(path: &Path, expected: u64, bytes: &[u8]) -> FileError {
    FileError::Truncated { path: path.to_path_buf(), expected, found: bytes.len() as u64 }
}
