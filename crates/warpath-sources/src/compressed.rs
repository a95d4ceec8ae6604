//! Opens a file and decompresses it, told by its first bytes: plain, gzip, zstd, LZ4 frames.

use crate::SourceError;
use crate::progress::Meter;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Bytes that the decompressors read at a time.
const BUFFER: usize = 1 << 18;

/// The content of the file at `path`, decompressed; `-` is the standard input.
pub(crate) fn open(path: &Path, meter: &Meter<'_>) -> Result<Box<dyn Read>, SourceError> {
    decompress(meter.count(raw(path)?)).map_err(SourceError::io(path))
}

/// The bytes of the file at `path` as they are; `-` is the standard input.
pub(crate) fn raw(path: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(Box::new(File::open(path).map_err(SourceError::io(path))?))
}

/// Bytes of the file at `path`, where they are known.
pub(crate) fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
}

/// `reader`, decompressed as its first bytes tell.
pub(crate) fn decompress<'r>(mut reader: impl Read + 'r) -> std::io::Result<Box<dyn Read + 'r>> {
    let mut magic = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = Compression::of(&magic);
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(reader));
    Ok(match kind {
        Compression::None => Box::new(whole),
        // Several members one after the other are one stream, as `gzip -d` reads them.
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Zstd => Box::new(ZstdFrames::new(whole)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(whole)),
    })
}

/// Whether content that begins so is compressed.
pub(crate) fn is_compressed(magic: &[u8]) -> bool {
    Compression::of(magic) != Compression::None
}

/// What a stream is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    Lz4,
}

impl Compression {
    fn of(magic: &[u8]) -> Compression {
        match magic {
            [0x1F, 0x8B, ..] => Compression::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD] => Compression::Zstd,
            [0x04, 0x22, 0x4D, 0x18] => Compression::Lz4,
            _ => Compression::None,
        }
    }
}

/// A zstd stream of any number of frames, skippable ones left out. ruzstd's own reader stops behind the first.
struct ZstdFrames<R: BufRead> {
    source: R,
    decoder: FrameDecoder,
    /// Whether the decoder is inside a frame.
    in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> ZstdFrames<R> {
        ZstdFrames { source, decoder: FrameDecoder::new(), in_frame: false }
    }

    /// Begins the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> std::io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => skip(&mut self.source, u64::from(length))?,
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if !self.in_frame || self.decoder.is_finished() {
                self.in_frame = self.next_frame()?;
                if !self.in_frame {
                    return Ok(0);
                }
            }
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(std::io::Error::other)?;
        }
    }
}

/// Reads `n_bytes` and forgets them.
fn skip(source: &mut impl Read, n_bytes: u64) -> std::io::Result<()> {
    let skipped = std::io::copy(&mut source.take(n_bytes), &mut std::io::sink())?;
    if skipped == n_bytes { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn plain(bytes: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        decompress(bytes).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn every_compression_is_told_by_its_magic() {
        let text = b"usr/bin/a\n".repeat(50_000);
        assert_eq!(plain(&text), text);
        assert_eq!(plain(b""), b"");
        assert_eq!(plain(b"ab"), b"ab");

        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let member = gzip.finish().unwrap();
        assert_eq!(plain(&[member.clone(), member].concat()), [text.clone(), text.clone()].concat());

        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&text).unwrap();
        assert_eq!(plain(&lz4.finish().unwrap()), text);

        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = ruzstd::encoding::compress_to_vec(&text[..], level);
        let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let frames = [&frame[..], &skippable, &frame].concat();
        assert_eq!(plain(&frames), [text.clone(), text].concat());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = b"usr/bin/a\n".repeat(50_000);
        let frame = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        let mut content = Vec::new();
        assert!(decompress(&frame[..frame.len() / 2]).unwrap().read_to_end(&mut content).is_err());
    }
}
