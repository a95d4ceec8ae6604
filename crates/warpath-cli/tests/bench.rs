//! `warpath bench` runs, checks its answers and writes its reports.

use std::path::Path;
use std::process::{Command, Output};

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_warpath"))
        .args(["bench", "--engine", "cpu", "--max-batch", "100", "--seconds", "0"])
        .args(["--csv", "b.csv", "--json", "b.json", "--html", "b.html"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_synthetic_tree_is_measured_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--k", "10"]);
    let table = String::from_utf8(output.stdout).unwrap();
    for row in [
        "half missing",
        "find order",
        "a tenth through links",
        "100 single calls",
        "fastest from batches of 1 on: cpu",
    ] {
        assert!(table.contains(row), "{row} is missing:\n{table}");
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let csv = read("b.csv");
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().count() > 10 && csv.lines().all(|line| line.split(',').count() >= columns), "{csv}");
    let json = read("b.json");
    assert!(
        json.starts_with("{\"tree\":\"synthetic tree of 2^10 entries\"") && json.ends_with("}\n"),
        "{json}"
    );
    let html = read("b.html");
    assert_eq!(html.matches("<figure>").count(), 3);
    assert!(html.contains("prefers-color-scheme:dark") && html.contains("@media print"));
    // Self-contained: nothing is loaded.
    for outside in ["http:", "https:", "src=", "<script", "<link", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn a_directory_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("tree/a/b")).unwrap();
    std::fs::write(folder.path().join("tree/a/b/c"), "").unwrap();
    let output = bench(folder.path(), &["--root", "tree"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("tree, 3 entries") && table.contains("depth 3"), "{table}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["--root", "."][..], &["--root", "missing"], &["--max-batch", "0"], &["--index", "missing"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_warpath"))
            .arg("bench")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// A report that can't be written is told before anything is measured, and one that is there stays until then.
#[test]
fn reports_are_opened_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.json"), "old").unwrap();
    let bench = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warpath"));
        command.args(["bench", "--engine", "cpu", "--max-batch", "100", "--json", "old.json"]);
        command.args(arguments).current_dir(folder.path()).output().unwrap()
    };
    // A day for each point.
    let output = bench(&["--k", "10", "--seconds", "86400", "--csv", "none/x.csv"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("writing none/x.csv: No such file or directory"), "{error}");
    assert_eq!(bench(&["--root", "missing"]).status.code(), Some(2));
    let old = || std::fs::read_to_string(folder.path().join("old.json")).unwrap();
    assert_eq!(old(), "old");
    assert!(bench(&["--k", "4", "--seconds", "0"]).status.success());
    assert!(old().starts_with('{') && old().ends_with("}\n"));
}

/// A scan goes deeper than any path that can be asked for.
#[test]
fn a_tree_that_is_deeper_than_a_path_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mkdir tree && cd tree && n=$(printf '%0200d' 0) && for i in $(seq 30); do mkdir $n && cd -P ./$n; done; \
                  touch file";
    let made = Command::new("sh").args(["-c", script]).current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    let output = bench(folder.path(), &["--root", "tree"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("tree, 31 entries") && table.contains("depth 12"), "{table}");
}
