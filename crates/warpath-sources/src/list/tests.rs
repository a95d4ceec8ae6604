use super::*;
use crate::testing::{paths, quiet};
use warpath_core::ROOT;

fn namespace(text: &[u8], format: &ListFormat) -> (Namespace, Summary) {
    quiet(|options| read_list_from(text, Path::new("list"), format, options)).unwrap()
}

#[test]
fn lines_as_find_writes_them() {
    let (tree, summary) = namespace(b".\n./a\n./a/b\n./a.c\n./d\n./e\n./e/f g\n", &ListFormat::lines());
    assert_eq!(paths(&tree), ["/a.c", "/a/", "/a/b", "/d", "/e/", "/e/f g"]);
    assert_eq!(summary.conflicts(), []);
}

#[test]
fn nul_keeps_line_ends_in_names() {
    let (tree, _) = namespace(b"a\nb\0c/\0", &ListFormat::nul());
    assert_eq!(paths(&tree), ["/a\nb", "/c/"]);
}

#[test]
fn a_directory_whose_line_is_not_before_its_entries() {
    let (tree, summary) = namespace(b"/a\n/a.b\n/a/c\n", &ListFormat::lines());
    assert_eq!(paths(&tree), ["/a.b", "/a/", "/a/c"]);
    assert_eq!(summary.conflicts(), []);
}

fn find_columns(separator: u8, terminator: u8) -> ListFormat {
    let columns = ["inode", "type", "size", "mtime", "target", "path"].map(|name| name.parse().unwrap());
    ListFormat { terminator, separator, columns: columns.to_vec() }
}

#[test]
fn columns_of_find_printf_give_links_targets_and_attributes() {
    let text = b"7\td\t4096\t1.5\t\t./d\n8\tf\t12\t2.0000000010\t\t./d/a\n8\tf\t12\t2.0000000010\t\t./d/b\tc\n9\tl\t1\t3\ta\t./l\n10\tp\t0\t3\t\t./p\n";
    for (text, format) in [
        (text.to_vec(), find_columns(b'\t', b'\n')),
        (text.iter().map(|&b| if b == b'\n' { 0 } else { b }).collect(), find_columns(b'\t', 0)),
        (
            // Every column ends in NUL; the tab within the name stays.
            String::from_utf8(text.to_vec())
                .unwrap()
                .replace("b\tc", "b?c")
                .replace(['\t', '\n'], "\0")
                .replace('?', "\t")
                .into_bytes(),
            find_columns(0, 0),
        ),
    ] {
        let (tree, summary) = namespace(&text, &format);
        assert_eq!(paths(&tree), ["/d/", "/d/a", "/d/b\tc", "/l -> a", "/p"]);
        assert_eq!(summary.conflicts(), []);
        let d = tree.child(ROOT, b"d").unwrap();
        let a = tree.child(d, b"a").unwrap();
        assert_eq!(tree.child(d, b"b\tc"), Some(a));
        let attributes = tree.attributes(a).unwrap();
        assert_eq!(
            (attributes.ino, attributes.size, attributes.mtime),
            (Some(8), Some(12), Some(2_000_000_001))
        );
        assert_eq!(tree.file_type(tree.child(ROOT, b"p").unwrap()), Some(FileType::Other));
    }
}

#[test]
fn inode_numbers_of_two_devices_are_two_files() {
    let columns = ["device", "inode", "links", "path"].map(|name| name.parse().unwrap()).to_vec();
    let format = ListFormat { columns, ..ListFormat::lines() };
    let (tree, _) = namespace(b"1\t5\t2\ta\n1\t5\t2\tb\n2\t5\t2\tc\n1\t6\t1\td\n1\t6\t1\te\n", &format);
    let inode = |name: &[u8]| tree.child(ROOT, name).unwrap();
    assert_eq!(inode(b"a"), inode(b"b"));
    assert_ne!(inode(b"a"), inode(b"c"));
    assert_ne!(inode(b"d"), inode(b"e"));
}

#[test]
fn records_that_cannot_be_read_are_counted() {
    let (tree, summary) = namespace(
        b"1\tf\t2\n8\tz\t1\t1\t\tbad\n8\tf\tx\t1\t\tbad\n8\tf\t1\t1\t\tgood\n",
        &find_columns(b'\t', b'\n'),
    );
    assert_eq!(paths(&tree), ["/good"]);
    assert_eq!((summary.records, summary.refused), (4, 3));
    assert!(summary.first_refused.unwrap().contains("too few columns"));
}

/// Several batches, with long and cut-off records among them.
#[test]
fn a_long_list_with_columns_keeps_its_order() {
    let mut text = Vec::new();
    for i in 0..10_000 {
        text.extend(format!("{}\td{}/f{i}\n", 2 * (i / 2) + 1, i % 7).into_bytes());
        if i % 1000 == 500 {
            text.extend([&b"1\t"[..], &b"x".repeat(3 << 20), b"\n"].concat());
        }
    }
    let columns = ["inode", "path"].map(|name| name.parse().unwrap()).to_vec();
    for separator in [b'\t', b'\n'] {
        let text: Vec<u8> = text.iter().map(|&b| if b == b'\t' { separator } else { b }).collect();
        let format = ListFormat { columns: columns.clone(), separator, ..ListFormat::lines() };
        let (tree, summary) = namespace(&text, &format);
        assert_eq!((summary.records, summary.refused), (10_010, 10));
        assert_eq!((tree.n_entries(), tree.n_inodes()), (10_007, 5008));
        let inode = |path: &str| {
            let directory = tree.child(ROOT, &path.as_bytes()[..2]).unwrap();
            tree.child(directory, &path.as_bytes()[3..]).unwrap()
        };
        // The first one of a directory is made before the others.
        assert!(inode("d0/f0") < inode("d0/f7") && inode("d0/f7") < inode("d1/f9997"));
        assert_eq!(inode("d2/f9998"), inode("d3/f9999"));
    }
}

#[test]
fn a_record_of_nul_columns_may_lack_its_last_end() {
    let columns = ["path", "target"].map(|name| name.parse().unwrap()).to_vec();
    let format = ListFormat { terminator: 0, separator: 0, columns };
    for (text, n_links, n_refused) in [
        (&b"l\0a\0m\0b\0"[..], 2, 0),
        (b"l\0a\0m\0b", 2, 0),
        (b"l\0a\0m\0", 1, 1),
        (b"l\0a\0m", 1, 1),
        (b"l\0a\0", 1, 0),
    ] {
        let (tree, summary) = namespace(text, &format);
        assert_eq!((tree.n_entries(), summary.refused), (n_links, n_refused), "{}", text.escape_ascii());
    }
}

#[test]
fn progress_counts_records_and_bytes() {
    let text: Vec<u8> = (0..200_000).flat_map(|i| format!("d{}/f{i}\n", i % 7).into_bytes()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let mut seen = Vec::new();
    let mut on_progress = |progress: &crate::Progress| seen.push(*progress);
    let options = ReadOptions { exclude: None, on_progress: &mut on_progress };
    let (tree, _) = read_list(file.path(), &ListFormat::lines(), options).unwrap();
    assert_eq!(tree.n_entries(), 200_007);
    let last = seen.last().unwrap();
    assert_eq!(
        (last.records, last.bytes, last.total_bytes),
        (200_000, text.len() as u64, Some(text.len() as u64))
    );
    assert!(seen.len() > 2);
}

#[test]
fn a_missing_file_is_named() {
    let error = quiet(|options| read_list(Path::new("/no/such"), &ListFormat::lines(), options)).unwrap_err();
    assert!(error.to_string().starts_with("reading /no/such:"), "{error}");
}
