//! Lists of paths in every format; the tree that comes out is sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::read;
use warpath_sources::list::{ListFormat, read_list_from};

fuzz_target!(|input: (u8, &[u8])| {
    let (format, bytes) = input;
    let columns = ["inode", "type", "size", "mtime", "target", "path"].map(|name| name.parse().unwrap());
    let columns = ListFormat { terminator: b'\n', separator: b'\t', columns: columns.to_vec() };
    let format = match format % 4 {
        0 => ListFormat::lines(),
        1 => ListFormat::nul(),
        2 => columns,
        _ => ListFormat { terminator: 0, separator: 0, ..columns },
    };
    read(|options| read_list_from(bytes, "fuzz".as_ref(), &format, options));
});
