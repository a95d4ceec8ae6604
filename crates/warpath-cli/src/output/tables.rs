//! Answers as tables for other programs: Arrow IPC streams and Parquet files.
//!
//! | column | type |
//! |---|---|
//! | status | string |
//! | ino, size | unsigned, 64 bits |
//! | id | unsigned, 32 bits |
//! | kind | string |
//! | mtime | nanoseconds since 1970, UTC |
//! | target, path | bytes; strings with `--utf8` |
//!
//! All but status and path are null where nothing is known.

use super::{Answer, Column, Format, Sink, Written, status_name};
use crate::cmd::kind_name;
use anyhow::Result;
use arrow_array::{
    ArrayRef, BinaryArray, RecordBatch, RecordBatchOptions, StringArray, TimestampNanosecondArray,
    UInt32Array, UInt64Array,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::Arc;

/// Rows of a group of a Parquet file, and bytes of them: they lie in memory until the group is written.
const GROUP_ROWS: usize = 1 << 20;
const GROUP_BYTES: usize = 128 << 20;

/// Bytes of the strings of a column in a record batch, about: their offsets have 32 bits, and a short path may name a link with
/// a long target.
const BATCH_BYTES: usize = 64 << 20;

/// The longest status, which is longer than any kind.
const MAX_STATUS: usize = 12;

/// A stream, a batch a block or several.
pub(super) fn arrow(format: &Format) -> Result<Box<dyn Sink>> {
    Ok(Box::new(StreamWriter::try_new(StandardOutput, &schema(format))?))
}

/// A file, which is whole only at its end.
pub(super) fn parquet(format: &Format) -> Result<Box<dyn Sink>> {
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("warpath {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    // Hardly any value comes twice.
    for column in [Column::Path, Column::Target, Column::Ino, Column::Id] {
        properties = properties.set_column_dictionary_enabled(column.name().into(), false);
    }
    Ok(Box::new(ArrowWriter::try_new(StandardOutput, schema(format), Some(properties.build()))?))
}

/// Standard output, past the standard library's line buffer; the process ends where it can't be written.
struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        crate::pipeline::write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for StreamWriter<StandardOutput> {
    fn put(&mut self, written: &mut Written) -> Result<()> {
        Ok(written.rows.drain(..).try_for_each(|rows| self.write(&rows))?)
    }

    fn end(mut self: Box<Self>) -> Result<()> {
        Ok(self.finish()?)
    }
}

impl Sink for ArrowWriter<StandardOutput> {
    fn put(&mut self, written: &mut Written) -> Result<()> {
        Ok(written.rows.drain(..).try_for_each(|rows| self.write(&rows))?)
    }

    fn end(self: Box<Self>) -> Result<()> {
        self.close()?;
        Ok(())
    }
}

fn schema(format: &Format) -> SchemaRef {
    let bytes = if format.utf8 { DataType::Utf8 } else { DataType::Binary };
    let fields = format.columns.iter().map(|column| {
        let kind = match column {
            Column::Status | Column::Kind => DataType::Utf8,
            Column::Ino | Column::Size => DataType::UInt64,
            Column::Id => DataType::UInt32,
            Column::Mtime => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Column::Target | Column::Path => bytes.clone(),
        };
        Field::new(column.name(), kind, !matches!(column, Column::Status | Column::Path))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The answers of a block.
pub(super) fn rows<'a>(
    format: &Format,
    answers: impl Iterator<Item = Answer<'a>>,
) -> Result<Vec<RecordBatch>, ArrowError> {
    let answers: Vec<Answer<'a>> = answers.collect();
    let schema = schema(format);
    let batch = |answers: &[Answer<'a>]| {
        let columns = format.columns.iter().map(|column| array(*column, format.utf8, answers)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(answers.len()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    };
    let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (i, answer) in answers.iter().enumerate() {
        let longest = longest(format, answer);
        if i > begin && bytes + longest > BATCH_BYTES {
            batches.push(batch(&answers[begin..i])?);
            (begin, bytes) = (i, 0);
        }
        bytes += longest;
    }
    batches.push(batch(&answers[begin..])?);
    Ok(batches)
}

/// Bytes of the longest string of an answer, at most.
fn longest(format: &Format, answer: &Answer<'_>) -> usize {
    let has = |column| format.columns.contains(&column);
    let target = if has(Column::Target) { answer.target().map_or(0, <[u8]>::len) } else { 0 };
    let path = if has(Column::Path) { answer.path.len() } else { 0 };
    // A byte that is no UTF-8 becomes three.
    let growth = if format.utf8 { 3 } else { 1 };
    MAX_STATUS.max(growth * path.max(target))
}

fn array(column: Column, utf8: bool, answers: &[Answer<'_>]) -> ArrayRef {
    let each = answers.iter();
    match column {
        Column::Status => {
            Arc::new(StringArray::from_iter_values(each.map(|answer| status_name(answer.status))))
        }
        Column::Ino => Arc::new(each.map(Answer::ino).collect::<UInt64Array>()),
        Column::Id => Arc::new(each.map(Answer::id).collect::<UInt32Array>()),
        Column::Kind => {
            let kind = |answer: &Answer<'_>| answer.kind().map(|kind| kind_name(Some(kind)));
            Arc::new(each.map(kind).collect::<StringArray>())
        }
        Column::Size => Arc::new(each.map(Answer::size).collect::<UInt64Array>()),
        Column::Mtime => {
            let times = each.map(Answer::mtime);
            Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
        }
        Column::Target => bytes(utf8, each.map(Answer::target)),
        Column::Path => bytes(utf8, each.map(|answer| Some(answer.path))),
    }
}

/// As strings, what is no UTF-8 becomes U+FFFD.
fn bytes<'a>(utf8: bool, values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
    if utf8 {
        Arc::new(values.map(|value| value.map(String::from_utf8_lossy)).collect::<StringArray>())
    } else {
        Arc::new(values.collect::<BinaryArray>())
    }
}
