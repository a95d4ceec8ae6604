//! What a damaged Arrow IPC file claims, refused before it is believed.
//!
//! `arrow-ipc` 60.1 allocates for each compressed buffer what the file says, and casts make room for as many rows as it says. Where
//! the system has not so much, the process ends, which no caller can catch. So every message is looked at first: no
//! buffer can hold more than its compression makes of its bytes, rows need bytes, and there is memory for all.

use arrow_ipc::{Block, CompressionType, MessageHeader, RecordBatch, root_as_footer, root_as_message};
use arrow_schema::ArrowError;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};

/// What a message may begin with, in front of its length.
const CONTINUATION: [u8; 4] = [0xFF; 4];

/// Each compressed buffer begins with the number of bytes that come out.
const PREFIX: u64 = 8;

/// LZ4 makes of a byte at most 255: each of a match's length says so many more.
const LZ4_RATIO: u64 = 255;

/// Zstandard makes of a block of 4 bytes at most 128 KiB.
const ZSTD_RATIO: u64 = (128 << 10) / 4;

/// So many rows a batch may have whatever it holds: columns of nulls alone take no bytes.
const FREE_ROWS: u64 = 1 << 16;

/// Checks the messages of a file that has a footer, which `FileReader` may then read. What is not even a message is left to it.
///
/// # Errors
/// When the file can't be read, or a message claims what its bytes can't hold, or more than there is memory for.
pub fn check_file(file: &mut (impl Read + Seek)) -> Result<(), ArrowError> {
    let mut end = [0; 10];
    file.seek(SeekFrom::End(-(end.len() as i64)))?;
    file.read_exact(&mut end)?;
    let length = arrow_ipc::reader::read_footer_length(end)?;
    file.seek(SeekFrom::End(-((end.len() + length) as i64)))?;
    let bytes = read_up_to(file, length as u64)?;
    let Ok(footer) = root_as_footer(&bytes) else { return Ok(()) };
    for block in footer.dictionaries().iter().flatten().chain(footer.recordBatches().iter().flatten()) {
        check_block(file, block)?;
    }
    file.rewind()?;
    Ok(())
}

/// As the reader does: the message is parsed from all of the block, and its body begins where the footer says.
fn check_block(file: &mut (impl Read + Seek), block: &Block) -> Result<(), ArrowError> {
    let number = |n: i64| u64::try_from(n).ok();
    let (Some(begin), Some(head), Some(body)) =
        (number(block.offset()), number(block.metaDataLength().into()), number(block.bodyLength()))
    else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(begin))?;
    let length = head.saturating_add(body);
    let bytes = read_up_to(file, length)?;
    if (bytes.len() as u64) < length {
        return Err(damaged("a block does not lie within the file".into()));
    }
    let skipped = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
    let body = bytes.get(head as usize..).unwrap_or_default();
    check_message(bytes.get(skipped..).unwrap_or_default(), body)
}

/// A stream of messages, each checked before its first byte is handed on: for `StreamReader`. Holds one message at a time.
pub struct CheckedStream<R> {
    stream: R,
    message: Vec<u8>,
    /// How much of the message is handed on.
    at: usize,
    /// The rest is handed on as it is: it is no message, or lies behind the last one.
    is_raw: bool,
}

impl<R: Read> CheckedStream<R> {
    /// The messages of `stream`, checked.
    pub fn new(stream: R) -> CheckedStream<R> {
        CheckedStream { stream, message: Vec::new(), at: 0, is_raw: false }
    }

    /// Reads the next message. What is none is left to the reader, which says what is wrong with it.
    fn next(&mut self) -> Result<(), Error> {
        (self.at, self.is_raw) = (0, true);
        self.message = read_up_to(&mut self.stream, 4)?;
        if self.message == CONTINUATION {
            self.message.extend(read_up_to(&mut self.stream, 4)?);
        }
        let begin = self.message.len();
        let Some(length) = self.message.last_chunk::<4>().map(|length| i32::from_le_bytes(*length)) else {
            return Ok(());
        };
        let Some(length) = u64::try_from(length).ok().filter(|&length| length > 0) else { return Ok(()) };
        self.message.extend(read_up_to(&mut self.stream, length)?);
        let Ok(message) = root_as_message(&self.message[begin..]) else { return Ok(()) };
        let Ok(body_length) = u64::try_from(message.bodyLength()) else { return Ok(()) };
        let body = read_up_to(&mut self.stream, body_length)?;
        check_message(&self.message[begin..], &body)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        self.message.extend_from_slice(&body);
        self.is_raw = false;
        Ok(())
    }
}

impl<R: Read> Read for CheckedStream<R> {
    fn read(&mut self, mut buffer: &mut [u8]) -> Result<usize, Error> {
        if self.at == self.message.len() {
            if self.is_raw {
                return self.stream.read(buffer);
            }
            self.next()?;
        }
        let n = buffer.write(&self.message[self.at..])?;
        self.at += n;
        Ok(n)
    }
}

/// As many bytes, or those that there are; takes memory for no others.
fn read_up_to(reader: &mut impl Read, n: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    reader.take(n).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks what a message claims of its body.
fn check_message(metadata: &[u8], body: &[u8]) -> Result<(), ArrowError> {
    let Ok(message) = root_as_message(metadata) else { return Ok(()) };
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
        _ => None,
    };
    let Some(batch) = batch else { return Ok(()) };
    let ratio = ratio(&batch);
    let mut n_bytes = 0_u64;
    for buffer in batch.buffers().iter().flatten() {
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let bytes = range.and_then(|(begin, length)| body.get(begin..)?.get(..length));
        let Some(bytes) = bytes else {
            return Err(damaged("a buffer does not lie within its message".into()));
        };
        let length = bytes.len() as u64;
        let prefix = ratio.and_then(|_| bytes.first_chunk()).map(|prefix| i64::from_le_bytes(*prefix));
        let claimed = prefix.unwrap_or(-1);
        // -1 stands for bytes that are not compressed.
        let held = u64::try_from(claimed).unwrap_or(length);
        let most = length.saturating_sub(PREFIX).saturating_mul(ratio.unwrap_or(1)).max(length);
        if held > most {
            return Err(damaged(format!("a buffer of {length} bytes is said to hold {held}")));
        }
        n_bytes = n_bytes.saturating_add(held);
    }
    let n_rows = u64::try_from(batch.length()).unwrap_or(0);
    if n_rows > FREE_ROWS.max(n_bytes.saturating_mul(8)) {
        return Err(damaged(format!("a batch of {n_bytes} bytes is said to have {n_rows} rows")));
    }
    let room = usize::try_from(n_bytes).map(|n_bytes| Vec::<u8>::new().try_reserve_exact(n_bytes));
    if !matches!(room, Ok(Ok(()))) {
        return Err(ArrowError::MemoryError(format!("a batch takes {n_bytes} bytes of memory")));
    }
    Ok(())
}

/// Bytes that come out of a compressed one, at most; `None` where the batch is not compressed.
fn ratio(batch: &RecordBatch<'_>) -> Option<u64> {
    match batch.compression()?.codec() {
        CompressionType::LZ4_FRAME => Some(LZ4_RATIO),
        CompressionType::ZSTD => Some(ZSTD_RATIO),
        // The reader knows no others.
        _ => None,
    }
}

fn damaged(what: String) -> ArrowError {
    ArrowError::IpcError(format!("the file is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TableFormat;
    use crate::table::arrow::{read_arrow, tests::batch};
    use crate::testing::quiet;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

    /// The batch's bytes, in the file format or as a stream.
    fn written(codec: Option<CompressionType>, is_file: bool) -> Vec<u8> {
        let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
        let (bytes, batch) = (Vec::new(), batch());
        let schema = batch.schema();
        if is_file {
            let mut writer = FileWriter::try_new_with_options(bytes, &schema, options).unwrap();
            writer.write(&batch).unwrap();
            writer.into_inner().unwrap()
        } else {
            let mut writer = StreamWriter::try_new_with_options(bytes, &schema, options).unwrap();
            writer.write(&batch).unwrap();
            writer.into_inner().unwrap()
        }
    }

    fn read(bytes: &[u8]) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let read = quiet(|options| read_arrow(file.path(), &TableFormat::default(), options));
        read.map(drop).map_err(|error| error.to_string())
    }

    /// Found by fuzzing: the length of a compressed buffer was believed, and the process ended.
    #[test]
    fn no_buffer_holds_more_than_its_bytes_can() {
        for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
            for is_file in [true, false] {
                let bytes = written(Some(codec), is_file);
                read(&bytes).unwrap();
                // A prefix of each buffer: a small number in eight bytes, in front of the codec's magic or of plain bytes.
                let mut n_refused = 0;
                for at in (0..bytes.len() - 8).step_by(8) {
                    let mut bytes = bytes.clone();
                    bytes[at..at + 8].copy_from_slice(&(1_u64 << 46).to_le_bytes());
                    let read = read(&bytes);
                    n_refused += usize::from(read.is_err_and(|error| error.contains("is said to hold")));
                }
                assert!(n_refused > 2, "{codec:?} {is_file} {n_refused}");
            }
        }
    }

    #[test]
    fn rows_need_bytes() {
        use arrow_array::{ArrayRef, NullArray};
        let rows = |n| {
            let nulls = std::sync::Arc::new(NullArray::new(n)) as ArrayRef;
            let batch = arrow_array::RecordBatch::try_from_iter([("path", nulls)]).unwrap();
            let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            read(&writer.into_inner().unwrap())
        };
        assert!(rows(1000).unwrap_err().contains("none of its 1000 rows can be read"));
        assert!(rows(1 << 50).unwrap_err().contains("is said to have 1125899906842624 rows"));
    }
}
