//! Opens a file and decompresses it, told by its first bytes: plain, gzip, zstd, LZ4 frames.

use crate::SourceError;
use crate::progress::Meter;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;
use thiserror::Error;

/// Bytes that the decompressors read at a time.
const BUFFER: usize = 1 << 18;

/// The content of the file at `path`, decompressed; `-` is the standard input.
pub(crate) fn open(path: &Path, meter: &Meter<'_>) -> Result<Box<dyn Read>, SourceError> {
    decompress(meter.count(raw(path)?)).map_err(SourceError::io(path))
}

/// The bytes of the file at `path` as they are; `-` is the standard input.
pub(crate) fn raw(path: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).map_err(SourceError::io(path))?))
}

/// Bytes of the file at `path`, where they are known.
pub(crate) fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
}

/// `reader`, decompressed as its first bytes tell.
///
/// # Errors
/// When reading fails, or the content is of a kind that is told but not read.
pub(crate) fn decompress<'r>(reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut source = Source::new(reader);
    let skipped = source.skip_frames()?;
    Ok(match Compression::of(source.peek()?)? {
        // Several members one after the other are one stream, as `gzip -d` reads them.
        Compression::Gzip if !skipped => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Compression::Zstd => Box::new(ZstdFrames::new(source)),
        Compression::Lz4 => Box::new(Lz4Frames { decoder: Some(Lz4Decoder::new(Whole(source))) }),
        Compression::None if !skipped || source.peek()?.is_empty() => Box::new(source),
        _ => return Err(invalid("behind a skippable frame there is neither zstd nor LZ4")),
    })
}

/// Whether content that begins so is compressed, be it in a way that is not read. Takes up to [`MAGIC`] bytes.
pub(crate) fn is_compressed(magic: &[u8]) -> bool {
    is_skippable(magic) || !matches!(Compression::of(magic), Ok(Compression::None))
}

/// Bytes that tell what a stream is: the longest are bzip2's.
pub(crate) const MAGIC: usize = 10;

/// What a stream is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    Lz4,
}

/// What is told by its first bytes, and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum NotRead {
    #[error("{0} is not read: decompress it first")]
    Compression(&'static str),
    #[error("this is an index already: name what it was made from")]
    Index,
}

impl Compression {
    fn of(magic: &[u8]) -> io::Result<Compression> {
        let not_read = match magic {
            [0x1F, 0x8B, ..] => return Ok(Compression::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => return Ok(Compression::Zstd),
            [0x04, 0x22, 0x4D, 0x18, ..] => return Ok(Compression::Lz4),
            [0x02, 0x21, 0x4C, 0x18, ..] => NotRead::Compression("LZ4's legacy format"),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => NotRead::Compression("xz"),
            // `BZh` alone may begin a path. A block's first bytes are those of pi, the end's those of its root.
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, b'r', b'E', b'8', b'P', 0x90, ..] => {
                NotRead::Compression("bzip2")
            }
            [0x89, b'W', b'A', b'R', b'P', b'\r', b'\n', 0x1A, ..] => NotRead::Index,
            _ => return Ok(Compression::None),
        };
        Err(io::Error::new(ErrorKind::Unsupported, not_read))
    }
}

/// Whether a frame begins so that zstd and LZ4 leave out. pzstd writes them.
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

/// A buffered stream whose next bytes can be looked at.
struct Source<R> {
    ahead: Cursor<Vec<u8>>,
    rest: BufReader<R>,
}

impl<R: Read> Source<R> {
    fn new(reader: R) -> Source<R> {
        Source { ahead: Cursor::default(), rest: BufReader::with_capacity(BUFFER, reader) }
    }

    /// The next [`MAGIC`] bytes, fewer only at the end.
    fn peek(&mut self) -> io::Result<&[u8]> {
        let mut ahead = self.ahead.fill_buf()?.to_vec();
        let missing = MAGIC.saturating_sub(ahead.len());
        self.rest.by_ref().take(missing as u64).read_to_end(&mut ahead)?;
        self.ahead = Cursor::new(ahead);
        self.ahead.fill_buf()
    }

    /// Skips the frames that come next and hold nothing; whether there were any.
    fn skip_frames(&mut self) -> io::Result<bool> {
        let mut skipped = false;
        loop {
            let magic = self.peek()?;
            if !is_skippable(magic) {
                return Ok(skipped);
            }
            let length: [u8; 4] =
                magic.get(4..8).and_then(|length| length.try_into().ok()).ok_or(ErrorKind::UnexpectedEof)?;
            skip(self, 8 + u64::from(u32::from_le_bytes(length)))?;
            skipped = true;
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.ahead.read(buffer)? {
            0 => self.rest.read(buffer),
            n_bytes => Ok(n_bytes),
        }
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let ahead = self.ahead.fill_buf()?;
        if ahead.is_empty() { self.rest.fill_buf() } else { Ok(ahead) }
    }

    fn consume(&mut self, n_bytes: usize) {
        if self.ahead.position() < self.ahead.get_ref().len() as u64 {
            self.ahead.consume(n_bytes);
        } else {
            self.rest.consume(n_bytes);
        }
    }
}

/// An LZ4 stream of any number of frames, skippable ones left out. lz4_flex's own reader ends with each frame.
struct Lz4Frames<R: Read> {
    /// One for each frame, as lz4_flex's fits the size of the first one's blocks. `None` at the end.
    decoder: Option<Lz4Decoder<Whole<R>>>,
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let n_bytes = decoder.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() {
                return Ok(n_bytes);
            }
            let source = &mut decoder.get_mut().0;
            source.skip_frames()?;
            let magic = source.peek()?;
            let is_end = magic.is_empty();
            if !is_end && Compression::of(magic)? != Compression::Lz4 {
                return Err(invalid("behind an LZ4 frame there is something else"));
            }
            let frame = self.decoder.take().filter(|_| !is_end);
            self.decoder = frame.map(|decoder| Lz4Decoder::new(decoder.into_inner()));
        }
        Ok(0)
    }
}

/// A stream that must not end where it is read: lz4_flex takes an end within a frame for the frame's.
struct Whole<R>(Source<R>);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(invalid("an LZ4 frame is cut off")),
            n_bytes => Ok(n_bytes),
        }
    }
}

/// A zstd stream of any number of frames, skippable ones left out. ruzstd's own reader stops behind the first.
struct ZstdFrames<R> {
    source: Source<R>,
    decoder: FrameDecoder,
    /// Whether the decoder is inside a frame.
    in_frame: bool,
}

impl<R: Read> ZstdFrames<R> {
    fn new(source: Source<R>) -> ZstdFrames<R> {
        ZstdFrames { source, decoder: FrameDecoder::new(), in_frame: false }
    }

    /// Begins the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        self.source.skip_frames()?;
        if self.source.peek()?.is_empty() {
            return Ok(false);
        }
        self.decoder.init(&mut self.source).map_err(io::Error::other)?;
        Ok(true)
    }

    /// Compares the checksum of the frame that has been read, which ruzstd leaves to its callers.
    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(promised) if self.in_frame && self.decoder.get_calculated_checksum() != Some(promised) => {
                Err(invalid("the zstd data is damaged: it has another checksum than promised"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if !self.in_frame || self.decoder.is_finished() {
                self.check()?;
                self.in_frame = self.next_frame()?;
                if !self.in_frame {
                    return Ok(0);
                }
            }
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(io::Error::other)?;
        }
    }
}

/// Reads `n_bytes` and forgets them.
fn skip(source: &mut impl Read, n_bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut source.take(n_bytes), &mut io::sink())?;
    if skipped == n_bytes { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A frame that holds nothing.
    const SKIPPABLE: &[u8] = b"\x5A\x2A\x4D\x18\x03\0\0\0xyz";

    fn all(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        // A pipe may give a byte alone.
        let (first, rest) = bytes.split_at(bytes.len().min(1));
        decompress(first.chain(rest))?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn plain(bytes: &[u8]) -> Vec<u8> {
        all(bytes).unwrap()
    }

    fn lz4(text: &[u8]) -> Vec<u8> {
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(text).unwrap();
        lz4.finish().unwrap()
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

        assert_eq!(plain(&lz4(&text)), text);

        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = ruzstd::encoding::compress_to_vec(&text[..], level);
        assert_eq!(plain(&frame), text);
    }

    #[test]
    fn frames_are_one_stream_and_skippable_ones_nothing() {
        let text = b"usr/bin/a\n".repeat(50_000);
        let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        for frame in [zstd, lz4(&text)] {
            let frames = [&frame[..], SKIPPABLE, SKIPPABLE, &frame, SKIPPABLE].concat();
            assert_eq!(plain(&frames), text.repeat(2));
            // As pzstd writes it.
            assert_eq!(plain(&[SKIPPABLE, &frame, &frame].concat()), text.repeat(2));
        }
        assert_eq!(plain(&[lz4(b""), lz4(&text), lz4(b""), lz4(b"b")].concat()), [&text[..], b"b"].concat());
        assert_eq!(plain(SKIPPABLE), b"");
        for wrong in
            [&[SKIPPABLE, b"usr\n"].concat()[..], &SKIPPABLE[..9], &[&lz4(b"a")[..], b"usr\n"].concat()]
        {
            assert!(all(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_told_and_not_read_is_an_error() {
        let xz = b"\xFD7zXZ\0\0\x04\xE6\xD6";
        for (bytes, name) in [
            (&xz[..], "xz is not read: decompress it first"),
            (b"BZh91AY&SY\x01", "bzip2 is not read: decompress it first"),
            (b"BZh9\x17rE8P\x90\0\0\0\0", "bzip2 is not read: decompress it first"),
            (&[2, 0x21, 0x4C, 0x18, 0], "LZ4's legacy format is not read: decompress it first"),
            (b"\x89WARP\r\n\x1A\x01", "this is an index already: name what it was made from"),
        ] {
            let error = all(bytes).unwrap_err();
            assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Unsupported, name));
            assert!(is_compressed(bytes));
        }
        assert_eq!(plain(b"BZhang/photos\n"), b"BZhang/photos\n");
    }

    #[test]
    fn checksums_of_zstd_frames_are_compared() {
        let text = b"usr/bin/a\n".repeat(50_000);
        let level = ruzstd::encoding::CompressionLevel::Uncompressed;
        let mut frames = ruzstd::encoding::compress_to_vec(&text[..], level).repeat(2);
        assert_eq!(plain(&frames), text.repeat(2));
        let middle = frames.len() / 4;
        frames[middle] ^= 1;
        let error = all(&frames).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("checksum"), "{error}");
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = b"usr/bin/a\n".repeat(50_000);
        let frame = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert!(all(&frame[..frame.len() / 2]).is_err());
        let frame = lz4(b"usr/bin/a\nusr/bin/b\n");
        for end in 11..frame.len() {
            assert!(all(&frame[..end]).is_err(), "{end}");
            assert!(all(&[&frame[..], &frame[..end]].concat()).is_err(), "{end}");
        }
    }
}
