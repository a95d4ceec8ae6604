//! Arrow columns in and out.

use crate::{Error, GpuFilesystem};
use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, UInt8Array, UInt32Array};
use arrow_buffer::NullBuffer;
use warpath_core::{Options, Outcomes, OutcomesMut, PathBatch};

/// Values of a view column that are gathered at a time: a table of 1 MiB, whatever the column's length.
const VIEWS_AT_A_TIME: usize = 1 << 16;

/// The answers for a column of paths.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrowOutcomes {
    /// The inodes; null where the path is null or names none.
    pub inodes: UInt32Array,
    /// The statuses: 0 when found, else a [`LookupError::code`](crate::LookupError::code); null where the path is null.
    pub statuses: UInt8Array,
}

impl GpuFilesystem {
    /// Resolves a column of paths: `StringArray`, `LargeStringArray`, `BinaryArray`, `LargeBinaryArray`, or a view of either.
    ///
    /// The paths are not copied: offsets and bytes are used as they lie. Views lie in pieces, so a table of slices is made for 65,536 of
    /// them at a time. The answers are the engine's own two columns, plus a bit a path where one is null.
    ///
    /// # Errors
    /// [`Error::Column`] for a column of another type, and as [`resolve`](GpuFilesystem::resolve).
    ///
    /// # Example
    /// ```
    /// use arrow_array::{Array, StringArray};
    /// use warpath::{Device, FileType, GpuFilesystem, Options};
    ///
    /// let fs = GpuFilesystem::new(&Device::cpu(), 16)?;
    /// let id = fs.add_file(0, "a", FileType::Regular)?;
    /// let paths = StringArray::from(vec![Some("/a"), None, Some("/missing")]);
    /// let answers = fs.resolve_arrow(&paths, &Options::default())?;
    /// assert_eq!(answers.inodes.iter().collect::<Vec<_>>(), [Some(id), None, None]);
    /// assert_eq!(answers.statuses.iter().collect::<Vec<_>>(), [Some(0), None, Some(1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve_arrow(&self, paths: &dyn Array, options: &Options) -> Result<ArrowOutcomes, Error> {
        let outcomes = match flat_batch(paths)? {
            Some(batch) => self.resolve(batch, options)?,
            None => self.resolve_views(paths, options)?,
        };
        Ok(ArrowOutcomes::new(outcomes, paths.nulls()))
    }

    fn resolve_views<'a>(&self, paths: &'a dyn Array, options: &Options) -> Result<Outcomes, Error> {
        let mut outcomes = Outcomes::with_len(paths.len());
        let views: Box<dyn Fn(usize) -> &'a [u8] + 'a> = if let Some(strings) = paths.as_string_view_opt() {
            Box::new(|i| strings.value(i).as_bytes())
        } else if let Some(bytes) = paths.as_binary_view_opt() {
            Box::new(|i| bytes.value(i))
        } else {
            return Err(not_paths(paths));
        };
        let mut out = outcomes.as_mut();
        let mut slices = Vec::with_capacity(paths.len().min(VIEWS_AT_A_TIME));
        let mut first = 0;
        while first < paths.len() {
            let end = (first + VIEWS_AT_A_TIME).min(paths.len());
            slices.clear();
            slices.extend((first..end).map(&views));
            let (piece, rest): (OutcomesMut<'_>, _) = out.split_at(end - first);
            self.resolve_into(PathBatch::from_slices(&slices), options, piece)?;
            (out, first) = (rest, end);
        }
        Ok(outcomes)
    }
}

/// A column of offsets and bytes as a batch; `None` for another type.
fn flat_batch(paths: &dyn Array) -> Result<Option<PathBatch<'_>>, Error> {
    let small = |offsets, bytes| PathBatch::new(bytes, bytemuck::cast_slice::<i32, u32>(offsets));
    let large = |offsets, bytes| PathBatch::new64(bytes, bytemuck::cast_slice::<i64, u64>(offsets));
    let batch = if let Some(array) = paths.as_string_opt::<i32>() {
        small(array.value_offsets(), array.value_data())
    } else if let Some(array) = paths.as_binary_opt::<i32>() {
        small(array.value_offsets(), array.value_data())
    } else if let Some(array) = paths.as_string_opt::<i64>() {
        large(array.value_offsets(), array.value_data())
    } else if let Some(array) = paths.as_binary_opt::<i64>() {
        large(array.value_offsets(), array.value_data())
    } else {
        return Ok(None);
    };
    // Arrow's own constructors have checked the offsets; unsafe ones may not have.
    batch.map(Some).map_err(|error| Error::Column { data_type: format!("{}: {error}", paths.data_type()) })
}

fn not_paths(paths: &dyn Array) -> Error {
    Error::Column { data_type: paths.data_type().to_string() }
}

impl ArrowOutcomes {
    /// Outcomes as Arrow columns, without copying them. `nulls` are those of the paths.
    pub fn new(outcomes: Outcomes, nulls: Option<&NullBuffer>) -> ArrowOutcomes {
        let found = found(outcomes.statuses());
        let nulls_of_inodes = NullBuffer::union(found.as_ref(), nulls);
        let (inodes, statuses) = outcomes.into_columns();
        ArrowOutcomes {
            inodes: UInt32Array::new(inodes.into(), nulls_of_inodes),
            statuses: UInt8Array::new(statuses.into(), nulls.cloned()),
        }
    }
}

/// Which paths were found; `None` when all were.
fn found(statuses: &[u8]) -> Option<NullBuffer> {
    if statuses.iter().all(|status| *status == 0) {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(statuses.len());
    statuses.iter().for_each(|status| bits.append(*status == 0));
    Some(NullBuffer::new(bits.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, FileType};
    use arrow_array::{
        BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
    };

    const PATHS: [Option<&str>; 6] =
        [Some("/a"), None, Some("/missing"), Some("/a/x"), Some("/a long name of a file"), Some("")];

    fn file_system() -> GpuFilesystem {
        let fs = GpuFilesystem::new(&Device::cpu(), 4).unwrap();
        fs.add_file(0, "a", FileType::Regular).unwrap();
        fs.add_file(0, "a long name of a file", FileType::Regular).unwrap();
        fs
    }

    #[test]
    fn every_type_of_column_has_the_same_answers() {
        let fs = file_system();
        let bytes = PATHS.map(|path| path.map(str::as_bytes));
        let columns: [Box<dyn Array>; 6] = [
            Box::new(StringArray::from_iter(PATHS)),
            Box::new(LargeStringArray::from_iter(PATHS)),
            Box::new(BinaryArray::from_iter(bytes)),
            Box::new(LargeBinaryArray::from_iter(bytes)),
            Box::new(StringViewArray::from_iter(PATHS)),
            Box::new(BinaryViewArray::from_iter(bytes)),
        ];
        for column in columns {
            let answers = fs.resolve_arrow(&*column, &Options::default()).unwrap();
            let inodes: Vec<_> = answers.inodes.iter().collect();
            let statuses: Vec<_> = answers.statuses.iter().collect();
            assert_eq!(inodes, [Some(1), None, None, None, Some(2), None], "{}", column.data_type());
            assert_eq!(statuses, [Some(0), None, Some(1), Some(2), Some(0), Some(1)]);
            let part = column.slice(3, 2);
            let answers = fs.resolve_arrow(&*part, &Options::default()).unwrap();
            assert_eq!(answers.inodes.iter().collect::<Vec<_>>(), [None, Some(2)]);
        }
    }

    #[test]
    fn answers_are_the_engine_s_columns() {
        let outcomes =
            file_system().resolve(PathBatch::from_strs(&["/a"; 100]), &Options::default()).unwrap();
        let lies_at = outcomes.inodes().as_ptr();
        let answers = ArrowOutcomes::new(outcomes, None);
        assert_eq!(answers.inodes.values().as_ptr(), lies_at);
        assert_eq!((answers.inodes.nulls(), answers.statuses.nulls()), (None, None));
    }

    #[test]
    fn long_columns_of_views_go_in_pieces() {
        let column = StringViewArray::from_iter_values((0..VIEWS_AT_A_TIME + 10).map(|_| "/a"));
        let answers = file_system().resolve_arrow(&column, &Options::default()).unwrap();
        assert!(answers.inodes.iter().all(|inode| inode == Some(1)));
        assert_eq!(answers.inodes.len(), VIEWS_AT_A_TIME + 10);
    }

    #[test]
    fn a_column_of_something_else_is_refused() {
        let refused = file_system().resolve_arrow(&UInt32Array::from(vec![1]), &Options::default());
        assert_eq!(refused, Err(Error::Column { data_type: "UInt32".to_owned() }));
    }
}
