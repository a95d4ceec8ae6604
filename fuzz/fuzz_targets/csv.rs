//! CSV tables with and without a header, percent-encoded or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::read;
use warpath_sources::columns::{Column, TableColumns};
use warpath_sources::table::{TableFormat, read_csv_from};

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (header, percent, bytes) = input;
    let named = if header { vec![] } else { vec![(Column::Path, "0".into()), (Column::Size, "1".into())] };
    let columns = TableColumns { named, only_these: false };
    let format = TableFormat { columns, header, percent, ..TableFormat::default() };
    read(|options| read_csv_from(bytes, "fuzz".as_ref(), &format, options));
});
