//! Parquet files.

use super::arrow::{add_batches, broken, columns_of, guarded};
use super::{TableFormat, finish};
use crate::columns::{Column, TableColumn};
use crate::progress::Meter;
use crate::tree::{Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use warpath_core::Namespace;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1 << 14;

/// The namespace of the Parquet file at `path`; only the columns that are needed are read.
///
/// # Errors
/// When it can't be read, is damaged, has no path column, no row that can be read, or the namespace is full.
pub fn read_parquet(
    path: &Path,
    format: &TableFormat,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    guarded(path, || {
        let file = File::open(path).map_err(SourceError::io(path))?;
        let total = compressed::size(path);
        let mut meter = Meter::new(options.on_progress, total);
        let mut tree = Tree::new(Rules::default()).exclude(options.exclude);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(broken(path))?;
        let columns = columns_of(builder.schema(), path, format)?;
        let (wanted, columns): (Vec<usize>, Vec<TableColumn>) =
            columns.into_iter().enumerate().filter(|(_, column)| column.holds != Column::Skip).unzip();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let batches =
            builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(broken(path))?;
        add_batches(batches, &columns, path, format.percent, &mut tree, &mut meter)?;
        meter.add_bytes(total.unwrap_or(0));
        meter.report();
        finish(tree, path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::arrow::tests::{batch, check};
    use crate::testing::quiet;
    use parquet::arrow::ArrowWriter;

    fn written() -> Vec<u8> {
        let batch = batch();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn rows_of_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), written()).unwrap();
        let (tree, summary) =
            quiet(|options| read_parquet(file.path(), &TableFormat::default(), options)).unwrap();
        check(&tree, &summary);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let bytes = written();
        let file = tempfile::NamedTempFile::new().unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            std::fs::write(file.path(), bytes).unwrap();
            // A flipped bit in a name is no damage that can be seen.
            let _ = quiet(|options| read_parquet(file.path(), &TableFormat::default(), options));
        }
        std::fs::write(file.path(), &bytes[..bytes.len() - 9]).unwrap();
        assert!(quiet(|options| read_parquet(file.path(), &TableFormat::default(), options)).is_err());
    }
}
