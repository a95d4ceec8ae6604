//! Answers as tables, and paths from tables.

use crate::{tree, warpath};
use std::fs;

/// Paths of every outcome, one of them no UTF-8 and one with a NUL, as rows of a CSV table.
#[cfg(feature = "tables")]
const ROWS: &[u8] = b"name,n\nd/f,1\nl,2\nnone,3\n\"a,\xFF\",4\nx\0y,5\n,6\nd,7\nhard/x,8\n";

#[test]
fn a_row_of_a_table_holds_any_bytes() {
    let (_folder, top) = tree();
    assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
    fs::write(top.join("x.tsv"), b"n\tpath\n1\tg\n2\tx\0y\n3\t\n4\td\n").unwrap();
    let args = ["lookup", "--index", "t.warp", "--paths-from", "x.tsv:path", "--columns", "status,path"];
    let (code, text, _) = warpath(&top, &args);
    assert_eq!((code, text.as_str()), (1, "OK\tg\nEINVAL\tx\0y\nENOENT\t\nOK\td\n"));
}

#[test]
fn quotes_are_bytes_in_tsv_and_closed_in_csv() {
    let (_folder, top) = tree();
    assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
    let lookup = |table: &str| {
        warpath(&top, &["lookup", "--index", "t.warp", "--paths-from", table, "--columns", "status,path"])
    };
    fs::write(top.join("x.tsv"), "n\tpath\n1\t\"g\n2\tg\n3\t\"d\"\n").unwrap();
    let expected = "ENOENT\t\"g\nOK\tg\nENOENT\t\"d\"\n";
    assert_eq!(lookup("x.tsv:path"), (1, expected.to_owned(), String::new()));
    // A blank line is no row.
    fs::write(top.join("x.csv"), "path\n\"g\"\n\n\"\"\nd\"\n").unwrap();
    assert_eq!(lookup("x.csv:path").1, "OK\tg\nENOENT\t\nENOENT\td\"\n");
    fs::write(top.join("x.csv"), "path\n\"g\nd\n").unwrap();
    let (code, text, err) = lookup("x.csv:path");
    assert_eq!((code, text.as_str()), (2, ""));
    assert!(err.starts_with("warpath: x.csv: a quote is open at the end"), "{err}");
}

#[test]
fn columns_are_not_written_twice() {
    let (_folder, top) = tree();
    assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
    let args = ["lookup", "--index", "t.warp", "--format", "jsonl", "--columns", "path,ino,path", "g"];
    let (code, text, err) = warpath(&top, &args);
    assert_eq!((code, text.as_str(), err.as_str()), (2, "", "warpath: --columns: path is there twice\n"));

    // A list holds no inode numbers: id stands in for them unless it is asked for as well.
    fs::write(top.join("list"), "a\n").unwrap();
    assert_eq!(warpath(&top, &["index", "--from-list", "list", "-o", "l.warp"]).0, 0);
    let lookup = |columns| {
        warpath(&top, &["lookup", "--index", "l.warp", "--format", "jsonl", "--columns", columns, "a"]).1
    };
    assert_eq!(lookup("ino,path"), "{\"id\":1,\"path\":\"a\"}\n");
    assert_eq!(lookup("ino,id"), "{\"ino\":null,\"id\":1}\n");
}

#[cfg(not(feature = "tables"))]
#[test]
fn a_build_without_tables_says_how_to_build_one() {
    let (_folder, top) = tree();
    assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
    for args in [
        &["lookup", "--index", "t.warp", "--format", "arrow", "g"][..],
        &["lookup", "--index", "t.warp", "--format", "parquet", "g"],
        &["lookup", "--index", "t.warp", "--paths-from", "x.parquet:path"],
        &["lookup", "--index", "t.warp", "--paths-from", "x.arrow:path"],
        &["index", "--from-parquet", "x.parquet", "-o", "x.warp"],
    ] {
        let (code, out, err) = warpath(&top, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains("`--features tables`") && err.lines().count() == 1, "{args:?}: {err}");
    }
}

#[cfg(feature = "tables")]
mod built {
    use super::{ROWS, fs, tree, warpath};
    use arrow_array::cast::AsArray;
    use arrow_array::types::{TimestampNanosecondType, UInt32Type, UInt64Type};
    use arrow_array::{Array, RecordBatch};
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// Runs `warpath lookup --index t.warp` and gives what it writes, and its exit code.
    fn lookup(top: &Path, args: &[&str]) -> (i32, Vec<u8>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warpath"));
        command.args(["lookup", "--index", "t.warp"]).args(args).current_dir(top).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
        (output.status.code().unwrap(), output.stdout)
    }

    fn stream(bytes: &[u8]) -> Vec<RecordBatch> {
        arrow_ipc::reader::StreamReader::try_new(bytes, None).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn parquet(bytes: &[u8]) -> Vec<RecordBatch> {
        use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.reopen().unwrap()).unwrap();
        builder.build().unwrap().collect::<Result<_, _>>().unwrap()
    }

    const COLUMNS: &str = "status,ino,id,kind,size,mtime,target,path";

    /// Rows as `--format text` writes them.
    fn text(batches: &[RecordBatch]) -> Vec<u8> {
        let mut text = Vec::new();
        for batch in batches {
            let column = |name: &str| batch.column_by_name(name).unwrap();
            for row in 0..batch.num_rows() {
                let field = |name: &str, value: &dyn Fn() -> Vec<u8>| {
                    if column(name).is_null(row) { b"-".to_vec() } else { value() }
                };
                let number = |name| {
                    move || column(name).as_primitive::<UInt64Type>().value(row).to_string().into_bytes()
                };
                let string = |name| move || column(name).as_string::<i32>().value(row).as_bytes().to_vec();
                let bytes = |name| move || column(name).as_binary::<i32>().value(row).to_vec();
                let time = || {
                    let time = column("mtime").as_primitive::<TimestampNanosecondType>().value(row);
                    format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000).into_bytes()
                };
                let id = || column("id").as_primitive::<UInt32Type>().value(row).to_string().into_bytes();
                let fields = [
                    field("status", &string("status")),
                    field("ino", &number("ino")),
                    field("id", &id),
                    field("kind", &string("kind")),
                    field("size", &number("size")),
                    field("mtime", &time),
                    field("target", &bytes("target")),
                    field("path", &bytes("path")),
                ];
                text.extend(fields.join(&b'\t'));
                text.push(b'\n');
            }
        }
        text
    }

    #[test]
    fn tables_hold_what_text_holds() {
        let (_folder, top) = tree();
        assert_eq!(warpath(&top, &["index", "t", "--in-root", "--attributes", "-o", "t.warp"]).0, 0);
        fs::write(top.join("x.csv"), ROWS).unwrap();
        let args = ["--no-follow", "--columns", COLUMNS, "--paths-from", "x.csv:name"];
        let (code, expected) = lookup(&top, &args);
        assert_eq!((code, expected.iter().filter(|&&byte| byte == b'\n').count()), (1, 8));

        let (code, arrow) = lookup(&top, &[&args[..], &["--format", "arrow"]].concat());
        assert_eq!((code, text(&stream(&arrow))), (1, expected.clone()));
        let (code, file) = lookup(&top, &[&args[..], &["--format", "parquet"]].concat());
        assert_eq!((code, text(&parquet(&file))), (1, expected.clone()));

        // What was written is read again, as tables of paths.
        fs::write(top.join("y.arrow"), arrow).unwrap();
        fs::write(top.join("y.parquet"), file).unwrap();
        for table in ["y.arrow:path", "y.parquet:path"] {
            let args = ["--no-follow", "--columns", COLUMNS, "--paths-from", table];
            assert_eq!(lookup(&top, &args), (1, expected.clone()), "{table}");
        }
        let (_, found) = lookup(&top, &[&args[..], &["--format", "arrow", "--only", "found"]].concat());
        assert_eq!(stream(&found).iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    }

    #[test]
    fn no_paths_are_an_empty_table() {
        let (_folder, top) = tree();
        assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
        let (code, arrow) = lookup(&top, &["--format", "arrow"]);
        assert_eq!((code, stream(&arrow).len()), (0, 0));
        let (code, file) = lookup(&top, &["--format", "parquet"]);
        assert_eq!((code, parquet(&file).len()), (0, 0));
    }

    #[test]
    fn strings_are_written_where_asked_for() {
        let (_folder, top) = tree();
        assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
        fs::write(top.join("x.csv"), ROWS).unwrap();
        let args = ["--utf8", "--columns", "path", "--paths-from", "x.csv:name", "--format", "arrow"];
        let (_, arrow) = lookup(&top, &args);
        let batches = stream(&arrow);
        let paths: Vec<_> = batches[0].column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(paths, ["d/f", "l", "none", "a,\u{FFFD}", "x\0y", "", "d", "hard/x"]);
    }

    /// More rows than a batch holds, in the order of the paths; a table that is cut off is an error, and its output is
    /// not ended as if it were whole.
    #[test]
    fn many_rows_and_a_cut_off_table() {
        let (_folder, top) = tree();
        assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
        let names: Vec<String> = (0..200_000).map(|i| format!("none/{i}")).collect();
        fs::write(top.join("list"), names.join("\n")).unwrap();
        let (_, file) = lookup(&top, &["--format", "parquet", "--columns", "path", "-f", "list"]);
        let rows = |batches: &[RecordBatch]| -> Vec<String> {
            let texts = |batch: &RecordBatch| -> Vec<String> {
                let paths = batch.column(0).as_binary::<i32>();
                paths.iter().flatten().map(|path| String::from_utf8(path.to_vec()).unwrap()).collect()
            };
            batches.iter().flat_map(texts).collect()
        };
        assert!(rows(&parquet(&file)) == names);
        fs::write(top.join("x.parquet"), &file).unwrap();
        let args = ["--format", "arrow", "--columns", "path", "--paths-from", "x.parquet:path"];
        let (_, arrow) = lookup(&top, &args);
        let batches = stream(&arrow);
        assert!(batches.len() > 1 && rows(&batches) == names);

        fs::write(top.join("cut.arrow"), &arrow[..arrow.len() / 2]).unwrap();
        let args = ["lookup", "--index", "t.warp", "--format", "parquet", "--paths-from", "cut.arrow:path"];
        let output =
            Command::new(env!("CARGO_BIN_EXE_warpath")).args(args).current_dir(&top).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().starts_with("warpath: cut.arrow: "));
        // The magic alone, which is also what a whole file ends in.
        assert!(output.stdout == b"PAR1" || !output.stdout.ends_with(b"PAR1"));
    }

    /// Short paths of links with long targets: the strings of a batch have 32-bit offsets.
    #[test]
    fn batches_end_before_their_strings_are_too_long() {
        let (_folder, top) = tree();
        let target = "t".repeat(4095);
        std::os::unix::fs::symlink(&target, top.join("t/L")).unwrap();
        assert_eq!(warpath(&top, &["index", "t", "--in-root", "-o", "t.warp"]).0, 0);
        const N: usize = 20_000;
        fs::write(top.join("x.csv"), "name\n".to_owned() + &"L\n".repeat(N)).unwrap();
        let args = ["--no-follow", "--columns", "target", "--paths-from", "x.csv:name"];
        let check = |batches: &[RecordBatch]| {
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), N);
            for batch in batches {
                let targets = batch.column(0).as_binary::<i32>();
                assert!(targets.values().len() <= 64 << 20);
                assert!(targets.iter().all(|value| value == Some(target.as_bytes())));
            }
        };
        let (_, arrow) = lookup(&top, &[&args[..], &["--format", "arrow"]].concat());
        let batches = stream(&arrow);
        assert_eq!(batches.len(), 2);
        check(&batches);
        let (_, file) = lookup(&top, &[&args[..], &["--format", "parquet"]].concat());
        check(&parquet(&file));
    }
}
