use super::*;
use crate::columns::Column;
use crate::testing::{paths, quiet};
use warpath_core::ROOT;

fn namespace(text: &str, format: &TableFormat) -> (Namespace, Summary) {
    quiet(|options| read_csv_from(text.as_bytes(), Path::new("table.csv"), format, options)).unwrap()
}

#[test]
fn an_inventory_with_markers_and_prefixes() {
    let text = "Bucket,Key,Size,LastModifiedDate\nb,data/,0,2024-01-02T03:04:05.000Z\nb,data/x,7,2024-01-02T03:04:05.000Z\nb,logs,3,\nb,logs/1,4,\n\"b\",\"a,\"\"b\"\"\",1,\n";
    let (tree, summary) = namespace(text, &TableFormat::default());
    assert_eq!(paths(&tree), ["/a,\"b\"", "/data/", "/data/x", "/logs/", "/logs/1"]);
    assert_eq!((summary.records, summary.file_and_directory, summary.parents_made), (5, 1, 0));
    let x = tree.child(tree.child(ROOT, b"data").unwrap(), b"x").unwrap();
    let attributes = tree.attributes(x).unwrap();
    assert_eq!((attributes.size, attributes.mtime), (Some(7), Some(1_704_164_645_000_000_000)));
}

#[test]
fn no_header_percent_signs_and_other_delimiters() {
    let columns = TableColumns {
        named: vec![(Column::Path, "1".into()), (Column::Size, "2".into())],
        only_these: true,
    };
    let format = TableFormat { columns, header: false, delimiter: b';', percent: true };
    let (tree, _) = namespace("b;a%2Fb+c;12\nb;100%;1\n", &format);
    assert_eq!(paths(&tree), ["/100%", "/a/", "/a/b c"]);
}

fn naming(what: Column, column: &str) -> TableFormat {
    let columns = TableColumns { named: vec![(what, column.into())], only_these: false };
    TableFormat { columns, ..TableFormat::default() }
}

#[test]
fn quotes_are_closed_and_tabs_have_none() {
    let read = |options: ReadOptions<'_>| {
        read_csv_from(&b"path\na\n\"b\nc\n"[..], Path::new("t.csv"), &TableFormat::default(), options)
    };
    let error = quiet(read).unwrap_err().to_string();
    assert!(error.starts_with("t.csv: a quote is open at the end"), "{error}");
    let format = TableFormat { delimiter: b'\t', ..TableFormat::default() };
    let (tree, _) = namespace("size\tpath\n1\t\"a\n2\tb\"\n", &format);
    assert_eq!(paths(&tree), ["/\"a", "/b\""]);
}

#[test]
fn rows_that_cannot_be_read_are_counted() {
    let text = "path,size\na,1\nb,many\n\"\",3\nc\n";
    let (tree, summary) = namespace(text, &naming(Column::Size, "size"));
    assert_eq!(paths(&tree), ["/a", "/c"]);
    assert_eq!((summary.records, summary.refused, summary.bad_fields), (4, 2, 0));
    assert_eq!(summary.first_refused.unwrap(), "`b`: column size holds `many`");

    let error = quiet(|options| {
        read_csv_from(
            &b"path,size\na,x\nb,y\n"[..],
            Path::new("t.csv"),
            &naming(Column::Size, "size"),
            options,
        )
    });
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "t.csv: none of its 2 rows can be read; the first: `a`: column size holds `x`");
}

/// That a column is named as one that is read says little of what is in it.
#[test]
fn values_of_columns_that_nobody_named_cost_no_row() {
    let text = "type,key,size,mtime\nimage/png,a,12.0,7\ntext/plain,b,3,never\n";
    let (tree, summary) = namespace(text, &TableFormat::default());
    assert_eq!(paths(&tree), ["/a", "/b"]);
    assert_eq!((summary.refused, summary.bad_fields), (0, 4));
    let attributes = |name: &[u8]| tree.attributes(tree.child(ROOT, name).unwrap()).unwrap();
    assert_eq!((attributes(b"a").size, attributes(b"a").mtime), (None, Some(7_000_000_000)));
    assert_eq!((attributes(b"b").size, attributes(b"b").mtime), (Some(3), None));

    let (_, summary) = namespace(text, &naming(Column::Skip, "type"));
    assert_eq!(summary.bad_fields, 2);
}

#[test]
fn a_table_without_a_path_column_is_an_error() {
    let read = |options: ReadOptions<'_>| {
        read_csv_from(&b"a,b\n1,2\n"[..], Path::new("t.csv"), &TableFormat::default(), options)
    };
    let error = quiet(read).unwrap_err().to_string();
    assert_eq!(error, "t.csv: there is no column `path`; there are: a, b; name it as path=COLUMN");
    assert!(namespace("", &TableFormat::default()).0.n_entries() == 0);
}
