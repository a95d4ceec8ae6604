//! Databases of plocate (`/var/lib/plocate/plocate.db`), versions 0 and 1.
//!
//! ```text
//!  header      magic "\0plocate", version, number of blocks, where their offsets and the dictionary lie
//!  offsets     64 bits a block, and one for the end
//!  blocks      zstd, with or without the dictionary: some tens of paths, a NUL between two
//! ```
//!
//! The trigram index beside them is not needed. Paths are absolute; their types are not told, so what holds others is
//! a directory and all else a file.

use crate::progress::Meter;
use crate::tree::{Kind, Record, Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use ruzstd::decoding::{Dictionary, FrameDecoder};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use warpath_core::Namespace;

const MAGIC: &[u8; 8] = b"\0plocate";
/// Bytes of the header that both versions have, and of what version 1 adds and is read here.
const HEADER: usize = 56;
/// Blocks hold some tens of paths: more than this, packed or not, is no block.
const LARGEST_BLOCK: u64 = 64 << 20;
/// The largest dictionary that is read.
const LARGEST_DICTIONARY: u64 = 16 << 20;

/// The namespace of the database at `path`.
///
/// # Errors
/// When it can't be read, is no plocate database of version 0 or 1, is damaged, or the namespace is full.
pub fn read_plocate(path: &Path, options: ReadOptions<'_>) -> Result<(Namespace, Summary), SourceError> {
    let file = File::open(path).map_err(SourceError::io(path))?;
    let database = Database { file, path };
    let mut meter = Meter::new(options.on_progress, compressed::size(path));
    let mut tree = Tree::new(Rules { untyped: true, ..Rules::default() }).exclude(options.exclude);
    database.read(&mut tree, &mut meter)?;
    meter.report();
    tree.finish().map_err(SourceError::full(path))
}

struct Database<'p> {
    file: File,
    path: &'p Path,
}

impl Database<'_> {
    fn read(&self, tree: &mut Tree<'_>, meter: &mut Meter<'_>) -> Result<(), SourceError> {
        let header = self.bytes(0, HEADER as u64)?;
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        if !header.starts_with(MAGIC) {
            return Err(self.malformed("this is no plocate database"));
        }
        let version = u32_at(8);
        if version > 1 {
            let reason = format!("version {version} of plocate's databases is not read, only 0 and 1");
            return Err(self.malformed(reason));
        }
        let (n_blocks, offsets_at) = (u64::from(u32_at(20)), u64_at(32));
        let mut decoder = FrameDecoder::new();
        if version == 1 && u32_at(44) > 0 {
            self.add_dictionary(&mut decoder, u64_at(48), u64::from(u32_at(44)))?;
        }
        let end_of_offsets =
            n_blocks.checked_add(1).and_then(|n| n.checked_mul(8)).and_then(|n| n.checked_add(offsets_at));
        let length = self.file.metadata().map_err(SourceError::io(self.path))?.len();
        if end_of_offsets.is_none_or(|end| end > length) {
            return Err(self.malformed("it is cut off: the offsets of its blocks lie behind its end"));
        }
        let mut names = Vec::new();
        for number in 0..n_blocks {
            let pair = self.bytes(offsets_at + 8 * number, 16)?;
            let offset = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| pair[at + i]));
            let (start, end) = (offset(0), offset(8));
            let length = end.checked_sub(start).filter(|&length| length <= LARGEST_BLOCK);
            let length = length.ok_or_else(|| self.malformed(format!("block {number} has no length")))?;
            let block = self.bytes(start, length)?;
            meter.add_bytes(length);
            self.unpack(&mut decoder, &block, &mut names, number)?;
            for path in names.split(|&byte| byte == 0).filter(|path| !path.is_empty()) {
                let record = Record { path, kind: Kind::Unknown, attributes: None };
                tree.add(&record).map_err(SourceError::full(self.path))?;
                meter.record();
            }
        }
        Ok(())
    }

    fn add_dictionary(&self, decoder: &mut FrameDecoder, at: u64, length: u64) -> Result<(), SourceError> {
        if length > LARGEST_DICTIONARY {
            return Err(self.malformed("its dictionary is too large"));
        }
        let dictionary = Dictionary::decode_dict(&self.bytes(at, length)?);
        let added = dictionary
            .map_err(|error| error.to_string())
            .and_then(|dictionary| decoder.add_dict(dictionary).map_err(|error| error.to_string()));
        added.map_err(|error| self.malformed(format!("its dictionary can't be read: {error}")))
    }

    fn unpack(
        &self,
        decoder: &mut FrameDecoder,
        block: &[u8],
        names: &mut Vec<u8>,
        number: u64,
    ) -> Result<(), SourceError> {
        names.clear();
        let wrong = |error: String| self.malformed(format!("block {number} can't be unpacked: {error}"));
        let frame = ruzstd::decoding::StreamingDecoder::new_with_decoder(block, decoder);
        let frame = frame.map_err(|error| wrong(error.to_string()))?;
        frame.take(LARGEST_BLOCK).read_to_end(names).map_err(|error| wrong(error.to_string()))?;
        Ok(())
    }

    fn bytes(&self, at: u64, length: u64) -> Result<Vec<u8>, SourceError> {
        let length = usize::try_from(length).map_err(|_| self.malformed("a part is larger than memory"))?;
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, at) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.malformed("it is cut off, or no plocate database"))
            }
            Err(error) => Err(SourceError::io(self.path)(error)),
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> SourceError {
        SourceError::malformed(self.path, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{paths, quiet};

    /// A database of version 1 without a dictionary, a block a list.
    fn database(blocks: &[&[u8]]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let packed: Vec<Vec<u8>> =
            blocks.iter().map(|block| ruzstd::encoding::compress_to_vec(*block, level)).collect();
        let mut bytes = vec![0; 112];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = 1;
        bytes[20..24].copy_from_slice(&(blocks.len() as u32).to_le_bytes());
        let mut offsets = vec![bytes.len() as u64];
        for block in packed {
            bytes.extend(block);
            offsets.push(bytes.len() as u64);
        }
        let at = bytes.len() as u64;
        bytes[32..40].copy_from_slice(&at.to_le_bytes());
        bytes.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Namespace, Summary), SourceError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        quiet(|options| read_plocate(file.path(), options))
    }

    #[test]
    fn paths_of_all_blocks() {
        let bytes = database(&[b"/etc\0/etc/passwd\0/usr/bin/a\0", b"/usr\0/usr/bin\0/usr/bin/b"]);
        let (tree, summary) = read(&bytes).unwrap();
        assert_eq!(paths(&tree), ["/etc/", "/etc/passwd", "/usr/", "/usr/bin/", "/usr/bin/a", "/usr/bin/b"]);
        assert_eq!((summary.records, summary.conflicts()), (6, vec![]));
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let bytes = database(&[b"/etc\0/etc/passwd\0", b"/usr\0/usr/bin/a"]);
        assert!(read(b"").is_err());
        assert!(read(&[1; 200]).unwrap_err().to_string().contains("no plocate database"));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x41;
            let _ = read(&flipped);
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert!(read(&newer).unwrap_err().to_string().contains("version 2"));
    }
}
