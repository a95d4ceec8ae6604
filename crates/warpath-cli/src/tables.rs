//! Columns of tables as lists of paths.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use warpath_sources::table::quotes::{self, Quotes};

/// The paths of a column, row after row.
pub trait PathColumn: Send {
    /// Appends the next path, which may hold any bytes and is empty where its row has none. False behind the last.
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool>;
}

/// The paths of `FILE:COLUMN`, told by the file's extension.
pub fn open(argument: &str) -> Result<Box<dyn PathColumn>> {
    let (file, column) = argument.rsplit_once(':').context("--paths-from: write it as FILE:COLUMN")?;
    let path = Path::new(file);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => csv(path, column, b','),
        Some("tsv") => csv(path, column, b'\t'),
        #[cfg(feature = "tables")]
        Some("parquet") => arrow::open(path, column, true),
        #[cfg(feature = "tables")]
        Some("arrow" | "ipc" | "feather" | "arrows") => arrow::open(path, column, false),
        #[cfg(not(feature = "tables"))]
        Some("parquet" | "arrow" | "ipc" | "feather" | "arrows") => {
            bail!(
                "{file}: this warpath was built without Arrow and Parquet: build it with `--features tables`"
            )
        }
        _ => bail!("{file}: a table is told by its extension: .csv, .tsv, .parquet, .arrow"),
    }
}

fn csv(path: &Path, column: &str, delimiter: u8) -> Result<Box<dyn PathColumn>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    let mut rows = quotes::rows(file, delimiter, true);
    let header = rows.byte_headers().with_context(|| name.clone())?;
    let number = header
        .iter()
        .position(|field| field == column.as_bytes())
        .with_context(|| format!("{name}: no column `{column}`"))?;
    Ok(Box::new(Csv { rows, row: csv::ByteRecord::new(), number, name }))
}

struct Csv {
    rows: csv::Reader<Quotes<File>>,
    row: csv::ByteRecord,
    number: usize,
    name: String,
}

impl PathColumn for Csv {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        let more = self.rows.read_byte_record(&mut self.row).with_context(|| self.name.clone())?;
        if !more && self.rows.get_ref().is_open() {
            bail!("{}: {}", self.name, quotes::OPEN);
        }
        if more {
            bytes.extend_from_slice(self.row.get(self.number).unwrap_or_default());
        }
        Ok(more)
    }
}

#[cfg(feature = "tables")]
mod arrow {
    use super::{Context, Path, PathColumn, Result, bail};
    use arrow_array::cast::AsArray;
    use arrow_array::{Array, ArrayRef, LargeBinaryArray, RecordBatch};
    use arrow_schema::{ArrowError, DataType, Schema};
    use std::fs::File;
    use std::io::{BufReader, Read, Seek};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use warpath_sources::table::ipc::{CheckedStream, check_file};

    /// Their libraries panic on some damaged files, which is an error here.
    fn guarded<T>(name: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| bail!("{name}: the file is damaged: its reader failed"))
    }

    pub fn open(path: &Path, column: &str, is_parquet: bool) -> Result<Box<dyn PathColumn>> {
        let read = if is_parquet { parquet } else { ipc };
        guarded(&path.display().to_string(), || read(path, column))
    }

    fn parquet(path: &Path, column: &str) -> Result<Box<dyn PathColumn>> {
        use parquet::arrow::arrow_reader::ArrowReaderMetadata;
        use warpath_sources::table::parquet::reader_of;
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default()).with_context(|| name.clone())?;
        let number = number(metadata.schema(), column, &name)?;
        let reader = reader_of(file, metadata, [number]).with_context(|| name.clone())?;
        Ok(paths(reader.build()?, 0, name))
    }

    fn ipc(path: &Path, column: &str) -> Result<Box<dyn PathColumn>> {
        let name = path.display().to_string();
        let mut file = File::open(path).with_context(|| name.clone())?;
        let mut magic = [0; 6];
        let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
        file.rewind().with_context(|| name.clone())?;
        if is_file {
            check_file(&mut file).with_context(|| name.clone())?;
            let file = BufReader::new(file);
            let batches = arrow_ipc::reader::FileReader::try_new(file, None).with_context(|| name.clone())?;
            let number = number(&batches.schema(), column, &name)?;
            return Ok(paths(batches, number, name));
        }
        let stream = CheckedStream::new(BufReader::new(file));
        let batches = arrow_ipc::reader::StreamReader::try_new(stream, None).with_context(|| name.clone())?;
        let number = number(&batches.schema(), column, &name)?;
        Ok(paths(batches, number, name))
    }

    fn number(schema: &Schema, column: &str, name: &str) -> Result<usize> {
        schema.index_of(column).ok().with_context(|| format!("{name}: no column `{column}`"))
    }

    fn paths(
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
        number: usize,
        name: String,
    ) -> Box<dyn PathColumn> {
        let none = LargeBinaryArray::new_null(0);
        Box::new(Batches { batches: Box::new(batches), number, name, texts: none, row: 0 })
    }

    /// The column of some record batches.
    struct Batches {
        batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
        number: usize,
        name: String,
        /// Of the batch that is being read.
        texts: LargeBinaryArray,
        row: usize,
    }

    impl PathColumn for Batches {
        fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
            while self.row == self.texts.len() {
                let next = guarded(&self.name, || Ok(self.batches.next()))?;
                let Some(batch) = next else { return Ok(false) };
                let texts = batch.and_then(|batch| texts(batch.column(self.number)));
                self.texts = texts.with_context(|| self.name.clone())?;
                self.row = 0;
            }
            if self.texts.is_valid(self.row) {
                bytes.extend_from_slice(self.texts.value(self.row));
            }
            self.row += 1;
            Ok(true)
        }
    }

    /// A column as bytes.
    fn texts(array: &ArrayRef) -> Result<LargeBinaryArray, ArrowError> {
        let is_bytes =
            matches!(array.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
        let strings = if is_bytes { array.clone() } else { arrow_cast::cast(array, &DataType::LargeUtf8)? };
        let bytes = arrow_cast::cast(&strings, &DataType::LargeBinary)?;
        Ok(bytes.as_binary::<i64>().clone())
    }
}
