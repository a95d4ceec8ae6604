//! Arrow IPC, as a file or a stream; and what record batches hold, from wherever they come.

use super::ipc::{CheckedStream, check_file};
use super::{Bad, Rows, TableFormat, finish, resolve};
use crate::columns::{BadField, Column, Fields, TableColumn};
use crate::progress::Meter;
use crate::tree::{Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, LargeBinaryArray, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Schema, TimeUnit};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use warpath_core::Namespace;

/// What an Arrow IPC file begins with; a stream begins otherwise.
const FILE_MAGIC: &[u8; 6] = b"ARROW1";

/// The namespace of the Arrow IPC file or stream at `path` (`-`: standard input, a stream).
///
/// # Errors
/// When it can't be read, is damaged, has no path column, no row that can be read, or the namespace is full.
pub fn read_arrow(
    path: &Path,
    format: &TableFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    guarded(path, || {
        let mut meter = Meter::new(options.on_progress, compressed::size(path));
        let mut tree = Tree::new(Rules::default()).exclude(options.exclude);
        if let Some(mut file) = open_file_format(path)? {
            check_file(&mut file).map_err(broken(path))?;
            let batches =
                FileReader::try_new(BufReader::new(meter.count(file)), None).map_err(broken(path))?;
            let columns = columns_of(&batches.schema(), path, format)?;
            add_batches(batches, &columns, path, format.percent, &mut tree, &mut meter)?;
        } else {
            let stream = CheckedStream::new(compressed::open(path, &meter)?);
            let batches = StreamReader::try_new(stream, None).map_err(broken(path))?;
            let columns = columns_of(&batches.schema(), path, format)?;
            add_batches(batches, &columns, path, format.percent, &mut tree, &mut meter)?;
        }
        meter.report();
        finish(tree, path)
    })
}

fn open_file_format(path: &Path) -> Result<Option<File>, SourceError> {
    if path == Path::new("-") || compressed::size(path).is_none() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(SourceError::io(path))?;
    let mut magic = [0; FILE_MAGIC.len()];
    let is_file_format = file.read_exact(&mut magic).is_ok() && magic == *FILE_MAGIC;
    file.rewind().map_err(SourceError::io(path))?;
    Ok(is_file_format.then_some(file))
}

/// Runs a reader of Arrow or Parquet. Their libraries panic on some damaged files, which is an error here.
pub(super) fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(SourceError::malformed(path, "the file is damaged: its reader failed")))
}

pub(super) fn broken<E: std::error::Error>(path: &Path) -> impl Fn(E) -> SourceError + '_ {
    move |error| SourceError::malformed(path, error.to_string())
}

/// Adds every row of the batches, whose columns hold what `columns` says.
pub(super) fn add_batches(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    columns: &[TableColumn],
    path: &Path,
    percent: bool,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    let mut rows = Rows::new(tree, percent);
    for batch in batches {
        let batch = batch.map_err(broken(path))?;
        let mut values = Vec::new();
        let read = columns.iter().zip(batch.columns()).filter(|(column, _)| column.holds != Column::Skip);
        for (column, array) in read {
            match Values::of(column.holds, array) {
                Ok(read) => values.push((*column, read)),
                Err(_) if !column.is_named && column.holds != Column::Path => {
                    rows.tree.summary_mut().bad_fields += (array.len() - array.null_count()) as u64;
                }
                Err(error) => return Err(broken(path)(error)),
            }
        }
        for row in 0..batch.num_rows() {
            let (mut fields, mut bad) = (Fields::default(), Bad::default());
            for (column, values) in &values {
                bad.note(*column, values.set(row, column.holds, &mut fields));
            }
            rows.add(fields, bad).map_err(SourceError::full(path))?;
            meter.record();
        }
    }
    Ok(())
}

/// What each column of the schema holds.
pub(super) fn columns_of(
    schema: &Schema,
    path: &Path,
    format: &TableFormat,
) -> Result<Vec<TableColumn>, SourceError> {
    let header: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    resolve(path, &format.columns, &header)
}

/// The values of a column, in one of few types.
enum Values {
    Texts(LargeBinaryArray),
    /// As they are in the table, and as they are read: without those that are too small or too large.
    Numbers(ArrayRef, ArrayRef),
    Times(ArrayRef),
    Seconds(ArrayRef),
}

impl Values {
    fn of(column: Column, array: &ArrayRef) -> Result<Values, ArrowError> {
        let cast = |to: &DataType| arrow_cast::cast(array, to);
        let is_time =
            matches!(array.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        Ok(match column {
            Column::Mtime if is_time => {
                Values::Times(cast(&DataType::Timestamp(TimeUnit::Nanosecond, None))?)
            }
            Column::Mtime if array.data_type().is_floating() => Values::Seconds(cast(&DataType::Float64)?),
            Column::Path | Column::Type | Column::Target => Values::texts(array)?,
            _ if array.data_type().is_numeric() => {
                Values::Numbers(ArrayRef::clone(array), cast(&DataType::UInt64)?)
            }
            _ => Values::texts(array)?,
        })
    }

    fn texts(array: &ArrayRef) -> Result<Values, ArrowError> {
        // Dictionaries and views become plain strings first: not every way to bytes is there.
        let is_bytes = matches!(
            array.data_type(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        );
        let strings =
            if is_bytes { ArrayRef::clone(array) } else { arrow_cast::cast(array, &DataType::LargeUtf8)? };
        let bytes = arrow_cast::cast(&strings, &DataType::LargeBinary)?;
        Ok(Values::Texts(bytes.as_binary::<i64>().clone()))
    }

    fn set<'a>(&'a self, row: usize, column: Column, fields: &mut Fields<'a>) -> Result<(), BadField> {
        match self {
            Values::Texts(texts) if texts.is_valid(row) => fields.set(column, texts.value(row)),
            Values::Numbers(_, numbers) if numbers.is_valid(row) => {
                fields.set_number(column, numbers.as_primitive::<UInt64Type>().value(row))
            }
            Values::Numbers(given, _) if given.is_valid(row) => {
                Err(BadField::new(column, array_value_to_string(given, row).unwrap_or_default()))
            }
            Values::Times(times) if times.is_valid(row) => {
                fields.set_mtime(times.as_primitive::<TimestampNanosecondType>().value(row));
                Ok(())
            }
            Values::Seconds(seconds) if seconds.is_valid(row) => {
                // The cast saturates, and gives 0 for what is no number.
                fields.set_mtime((seconds.as_primitive::<Float64Type>().value(row) * 1e9) as i64);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::{paths, quiet};
    use arrow_array::{
        DictionaryArray, Int64Array, StringArray, StringViewArray, TimestampMillisecondArray,
        types::Int32Type,
    };
    use std::sync::Arc;
    use warpath_core::ROOT;

    /// An inventory: markers, a prefix, links, every type of column that is cast.
    pub fn batch() -> RecordBatch {
        let keys: ArrayRef = Arc::new(StringViewArray::from(vec!["data/", "data/x", "a", "a/b", "l"]));
        let kinds: DictionaryArray<Int32Type> =
            vec![None, Some("file"), Some("file"), Some("f"), Some("symlink")].into_iter().collect();
        let targets: ArrayRef = Arc::new(StringArray::from(vec![None, None, None, None, Some("data/x")]));
        let sizes: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(7), None, Some(-1), Some(6)]));
        let times: ArrayRef =
            Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3, 4, 5]).with_timezone("UTC"));
        RecordBatch::try_from_iter_with_nullable([
            ("key", keys, true),
            ("type", Arc::new(kinds) as ArrayRef, true),
            ("target", targets, true),
            ("size", sizes, true),
            ("last_modified", times, true),
        ])
        .unwrap()
    }

    pub fn check(tree: &Namespace, summary: &Summary) {
        assert_eq!(paths(tree), ["/a/", "/a/b", "/data/", "/data/x", "/l -> data/x"]);
        // A size of -1 is none.
        assert_eq!((summary.records, summary.file_and_directory, summary.bad_fields), (5, 1, 1));
        let x = tree.child(tree.child(ROOT, b"data").unwrap(), b"x").unwrap();
        let attributes = tree.attributes(x).unwrap();
        assert_eq!((attributes.size, attributes.mtime), (Some(7), Some(2_000_000)));
    }

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    /// Of a column that is named, which costs the row, and of one that is not.
    #[test]
    fn values_that_cannot_be_read() {
        let lists = arrow_array::ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
        let columns: [(&str, ArrayRef); 3] = [
            ("path", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("mode", Arc::new(lists)),
            ("size", Arc::new(Int64Array::from(vec![-7, 7]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        stream.write(&batch).unwrap();
        let file = written(&stream.into_inner().unwrap());
        let (tree, summary) =
            quiet(|options| read_arrow(file.path(), &TableFormat::default(), options)).unwrap();
        assert_eq!((paths(&tree).len(), summary.refused, summary.bad_fields), (2, 0, 2));
        let mut format = TableFormat::default();
        format.columns.named.push((Column::Size, "size".into()));
        let (tree, summary) = quiet(|options| read_arrow(file.path(), &format, options)).unwrap();
        assert_eq!(paths(&tree), ["/b"]);
        assert_eq!(summary.first_refused.unwrap(), "`a`: column size holds `-7`");
    }

    #[test]
    fn files_and_streams() {
        let batch = batch();
        let mut file = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        file.write(&batch).unwrap();
        let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        stream.write(&batch).unwrap();
        for bytes in [file.into_inner().unwrap(), stream.into_inner().unwrap()] {
            let file = written(&bytes);
            let (tree, summary) =
                quiet(|options| read_arrow(file.path(), &TableFormat::default(), options)).unwrap();
            check(&tree, &summary);
            let cut = written(&bytes[..bytes.len() / 2]);
            let read = quiet(|options| read_arrow(cut.path(), &TableFormat::default(), options));
            assert!(read.is_err());
        }
    }
}
