//! Columns of tables as lists of paths.

use anyhow::{Context, Result, bail};
use std::path::Path;

/// The paths of a column, row after row.
pub type Paths = Box<dyn Iterator<Item = Result<Vec<u8>>>>;

/// The paths of `FILE:COLUMN`, told by the file's extension.
pub fn open(argument: &str) -> Result<Paths> {
    let (file, column) = argument.rsplit_once(':').context("--paths-from: write it as FILE:COLUMN")?;
    let path = Path::new(file);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => csv(path, column, b','),
        Some("tsv") => csv(path, column, b'\t'),
        #[cfg(feature = "tables")]
        Some("parquet") => arrow::parquet(path, column),
        #[cfg(feature = "tables")]
        Some("arrow" | "ipc" | "feather" | "arrows") => arrow::ipc(path, column),
        #[cfg(not(feature = "tables"))]
        Some("parquet" | "arrow" | "ipc" | "feather" | "arrows") => {
            bail!(
                "{file}: this warpath was built without Arrow and Parquet: build it with `--features tables`"
            )
        }
        _ => bail!("{file}: a table is told by its extension: .csv, .tsv, .parquet, .arrow"),
    }
}

fn csv(path: &Path, column: &str, delimiter: u8) -> Result<Paths> {
    let name = path.display().to_string();
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_path(path)
        .with_context(|| name.clone())?;
    let header = rows.byte_headers().with_context(|| name.clone())?;
    let number = header
        .iter()
        .position(|field| field == column.as_bytes())
        .with_context(|| format!("{name}: no column `{column}`"))?;
    Ok(Box::new(rows.into_byte_records().map(move |row| {
        let row = row.with_context(|| name.clone())?;
        Ok(row.get(number).unwrap_or_default().to_vec())
    })))
}

#[cfg(feature = "tables")]
mod arrow {
    use super::{Context, Path, Paths, Result};
    use arrow_array::cast::AsArray;
    use arrow_array::{Array, RecordBatch};
    use arrow_schema::{ArrowError, DataType, Schema};
    use std::fs::File;
    use std::io::{BufReader, Read, Seek};

    pub fn parquet(path: &Path, column: &str) -> Result<Paths> {
        use parquet::arrow::ProjectionMask;
        use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).with_context(|| name.clone())?;
        let number = number(builder.schema(), column, &name)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), [number]);
        Ok(paths(builder.with_projection(mask).build()?, 0, name))
    }

    pub fn ipc(path: &Path, column: &str) -> Result<Paths> {
        let name = path.display().to_string();
        let mut file = File::open(path).with_context(|| name.clone())?;
        let mut magic = [0; 6];
        let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
        file.rewind().with_context(|| name.clone())?;
        let file = BufReader::new(file);
        if is_file {
            let batches = arrow_ipc::reader::FileReader::try_new(file, None).with_context(|| name.clone())?;
            let number = number(&batches.schema(), column, &name)?;
            return Ok(paths(batches, number, name));
        }
        let batches = arrow_ipc::reader::StreamReader::try_new(file, None).with_context(|| name.clone())?;
        let number = number(&batches.schema(), column, &name)?;
        Ok(paths(batches, number, name))
    }

    fn number(schema: &Schema, column: &str, name: &str) -> Result<usize> {
        schema.index_of(column).ok().with_context(|| format!("{name}: no column `{column}`"))
    }

    fn paths(
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static,
        number: usize,
        name: String,
    ) -> Paths {
        Box::new(batches.flat_map(move |batch| match batch.and_then(|batch| texts(&batch, number)) {
            Ok(texts) => texts.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error).with_context(|| name.clone())],
        }))
    }

    /// A column's texts; empty where there is none.
    fn texts(batch: &RecordBatch, number: usize) -> Result<Vec<Vec<u8>>, ArrowError> {
        let array = batch.column(number);
        let is_bytes =
            matches!(array.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
        let strings = if is_bytes { array.clone() } else { arrow_cast::cast(array, &DataType::LargeUtf8)? };
        let bytes = arrow_cast::cast(&strings, &DataType::LargeBinary)?;
        let bytes = bytes.as_binary::<i64>();
        Ok((0..bytes.len())
            .map(|row| if bytes.is_valid(row) { bytes.value(row).to_vec() } else { Vec::new() })
            .collect())
    }
}
