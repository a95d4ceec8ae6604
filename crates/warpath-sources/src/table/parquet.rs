//! Parquet files.

use super::arrow::{add_batches, broken, columns_of, guarded};
use super::{TableFormat, finish};
use crate::columns::{Column, TableColumn};
use crate::progress::Meter;
use crate::tree::{Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
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
        let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(broken(path))?;
        let columns = columns_of(metadata.schema(), path, format)?;
        let (wanted, columns): (Vec<usize>, Vec<TableColumn>) =
            columns.into_iter().enumerate().filter(|(_, column)| column.holds != Column::Skip).unzip();
        let reader = reader_of(file, metadata, wanted).map_err(broken(path))?;
        let batches = reader.with_batch_size(BATCH_ROWS).build().map_err(broken(path))?;
        add_batches(batches, &columns, path, format.percent, &mut tree, &mut meter)?;
        meter.add_bytes(total.unwrap_or(0));
        meter.report();
        finish(tree, path)
    })
}

/// A reader of some of a file's columns, by their numbers in its schema, that reserves no more memory than the file can need.
///
/// # Errors
/// When a dictionary claims more values than its bytes can hold, or its page can't be read.
pub fn reader_of(
    file: File,
    metadata: ArrowReaderMetadata,
    columns: impl IntoIterator<Item = usize>,
) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns);
    check_dictionaries(&file, metadata.metadata(), &mask)?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(mask))
}

/// Refuses dictionaries that claim more values than their bytes can hold: the reader reserves room for all of them at once, and where the
/// system has none the process ends. Reads the first page of each column chunk in the mask, where that is a dictionary.
fn check_dictionaries(
    file: &File,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
) -> Result<(), ParquetError> {
    let file = Arc::new(file.try_clone()?);
    for group in metadata.row_groups() {
        let n_rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let wanted = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        for (_, chunk) in wanted {
            let mut pages = SerializedPageReader::new(Arc::clone(&file), chunk, n_rows, None)?;
            if !pages.peek_next_page()?.is_some_and(|page| page.is_dict) {
                continue;
            }
            if let Some(Page::DictionaryPage { buf, num_values, .. }) = pages.get_next_page()?
                && num_values as usize > buf.len()
            {
                let n_bytes = buf.len();
                return Err(ParquetError::General(format!(
                    "a dictionary of {n_bytes} bytes claims to hold {num_values} values"
                )));
            }
        }
    }
    Ok(())
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

    /// What the fuzz target found: 3.2 GB were reserved for it.
    #[test]
    fn a_dictionary_holds_no_more_values_than_bytes() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/known/parquet-dictionary-count");
        let error = quiet(|options| read_parquet(Path::new(file), &TableFormat::default(), options));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("claims to hold"), "{error}");
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
