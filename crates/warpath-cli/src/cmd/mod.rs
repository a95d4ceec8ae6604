//! The commands beside `lookup`, a file each.

pub mod generate;
pub mod index;
pub mod info;
pub mod ls;
pub mod path_of;
pub mod source;
pub mod stat;
pub mod update;
pub mod verify;

use std::io::Write;
use warpath_core::FileType;

/// What a type is called in output.
pub fn kind_name(file_type: Option<FileType>) -> &'static str {
    match file_type {
        Some(FileType::Regular) => "file",
        Some(FileType::Directory) => "directory",
        Some(FileType::Symlink) => "symlink",
        Some(FileType::Other) => "other",
        None => "-",
    }
}

/// Writes all of `text` to standard output; ends the process as `lookup` does where nobody reads it.
pub fn print(text: &[u8]) {
    crate::pipeline::write_all(text);
}

/// `path` and an end of line, for lists.
pub fn push_line(text: &mut Vec<u8>, path: &[u8], delimiter: u8) {
    text.extend_from_slice(path);
    text.push(delimiter);
}

/// Nanoseconds since 1970 as `find -printf %T@` writes them: seconds with a fraction.
pub fn push_time(text: &mut Vec<u8>, nanoseconds: i64) {
    let (seconds, fraction) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let negative = seconds < 0 && fraction > 0;
    // -1.5 is second -2 and half a second.
    let (whole, fraction) =
        if negative { (seconds + 1, 1_000_000_000 - fraction) } else { (seconds, fraction) };
    let sign = if negative && whole == 0 { "-" } else { "" };
    let _ = write!(text, "{sign}{whole}.{fraction:09}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_as_find_writes_them() {
        for (nanoseconds, expected) in [
            (0, "0.000000000"),
            (1_500_000_000, "1.500000000"),
            (-1_500_000_000, "-1.500000000"),
            (-500_000_000, "-0.500000000"),
            (-2_000_000_000, "-2.000000000"),
        ] {
            let mut text = Vec::new();
            super::push_time(&mut text, nanoseconds);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}
