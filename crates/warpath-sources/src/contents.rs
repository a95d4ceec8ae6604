//! Debian's Contents indexes: which package holds which file.
//!
//! A line is a path without the slash in front, blanks, and the packages. Older ones begin with a text for
//! people, which ends in a line `FILE LOCATION`.

use crate::lines::Lines;
use crate::progress::Meter;
use crate::tree::{Kind, Record, Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use std::io::Read;
use std::path::Path;
use warpath_core::Namespace;

/// The namespace of all packages of the Contents index at `path` (plain, gzip, zstd or an LZ4 frame).
///
/// # Errors
/// When the file can't be read, holds no line of that form at all, or the namespace is full.
pub fn read_contents(path: &Path, options: ReadOptions<'_>) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, compressed::size(path));
    let reader = compressed::open(path, &meter)?;
    read(reader, path, Tree::new(Rules::default()).exclude(options.exclude), meter)
}

/// As [`read_contents`], from any reader; `name` stands for it in errors.
///
/// # Errors
/// As [`read_contents`].
pub fn read_contents_from(
    reader: impl Read,
    name: &Path,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let meter = Meter::new(options.on_progress, None);
    let reader = compressed::decompress(meter.count(reader)).map_err(SourceError::io(name))?;
    read(reader, name, Tree::new(Rules::default()).exclude(options.exclude), meter)
}

fn read(
    reader: impl Read,
    name: &Path,
    mut tree: Tree<'_>,
    mut meter: Meter<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let mut lines = Lines::new(reader, b'\n');
    let mut in_preamble = None;
    while let Some(line) = lines.next().map_err(SourceError::io(name))? {
        if *in_preamble.get_or_insert_with(|| has_preamble(line.bytes, line.next)) {
            in_preamble = Some(!is_header(line.bytes));
            continue;
        }
        meter.record();
        match path_of(line.bytes) {
            Some(path) if !line.cut => {
                let record = Record { path, kind: Kind::File, attributes: None };
                tree.add(&record).map_err(SourceError::full(name))?;
            }
            _ => {
                let summary = tree.summary_mut();
                summary.records += 1;
                summary.refuse(line.bytes, &"no path with packages behind it");
            }
        }
    }
    meter.report();
    let summary = tree.summary_mut();
    if summary.refused > 0 && summary.refused == summary.records {
        let reason = "this is no Contents index: no line holds a path and packages";
        return Err(SourceError::malformed(name, reason));
    }
    tree.finish().map_err(SourceError::full(name))
}

/// The path of a line: all before the last run of blanks.
fn path_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end();
    let blank = memchr::memrchr2(b' ', b'\t', line)?;
    let path = line[..blank].trim_ascii_end();
    (!path.is_empty()).then_some(path)
}

fn is_header(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next() == Some(b"FILE") && words.next() == Some(b"LOCATION") && words.next().is_none()
}

/// Whether a header stands among the first lines.
fn has_preamble(first: &[u8], next: &[u8]) -> bool {
    std::iter::once(first).chain(next[..next.len().min(1 << 16)].split(|&byte| byte == b'\n')).any(is_header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{paths, quiet};

    fn namespace(text: &str) -> (Namespace, Summary) {
        quiet(|options| read_contents_from(text.as_bytes(), Path::new("Contents"), options)).unwrap()
    }

    #[test]
    fn paths_with_blanks_and_several_packages() {
        let (tree, summary) =
            namespace("usr/bin/a b\t\tutils/a,admin/b\nusr/share/ä  x/y\nbin/c    admin/c\n");
        assert_eq!(
            paths(&tree),
            ["/bin/", "/bin/c", "/usr/", "/usr/bin/", "/usr/bin/a b", "/usr/share/", "/usr/share/ä"]
        );
        assert_eq!((summary.records, summary.parents_made, summary.refused), (3, 4, 0));
    }

    #[test]
    fn a_preamble_is_left_out() {
        let (tree, summary) =
            namespace("This file maps each file\nto its package.\n\nFILE   LOCATION\nbin/c    admin/c\n");
        assert_eq!(paths(&tree), ["/bin/", "/bin/c"]);
        assert_eq!(summary.records, 1);
    }

    #[test]
    fn a_file_that_is_also_a_directory_is_a_directory() {
        let (tree, summary) = namespace("usr/doc x/a\nusr/doc/b x/b\n");
        assert_eq!(paths(&tree), ["/usr/", "/usr/doc/", "/usr/doc/b"]);
        assert_eq!(summary.file_and_directory, 1);
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let text = "one\ntwo\n".as_bytes();
        let error = quiet(|options| read_contents_from(text, Path::new("Contents"), options)).unwrap_err();
        assert!(error.to_string().contains("no Contents index"), "{error}");
    }
}
