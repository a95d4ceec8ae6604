//! Index files and where they stand: what no index has looked at is UNINDEXED.

use crate::run::{Answer, WARPATH, make, run, run_with};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::{TempDir, tempdir};

/// `h1/a/x` and `h2/b/y`, with an index of each as the host's (`1.warp`) and as its own root (`1i.warp`).
fn indexes() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    make(&top, &["h1/a/", "h1/a/x", "h1/up -> ../../b", "h1/abs -> /a/x", "h2/b/", "h2/b/y"]);
    for (directory, file, options) in [
        ("h1", "1.warp", &[][..]),
        ("h2", "2.warp", &[]),
        ("h1", "1i.warp", &["--in-root"]),
        ("h2", "2i.warp", &["--in-root"]),
    ] {
        let args = ["index", directory, "-o", file];
        let answer = run(Command::new(WARPATH).args(args).args(options).current_dir(&top));
        assert_eq!(answer.code, 0, "{}", answer.err);
    }
    (folder, top)
}

/// `warpath lookup --index ..`, run in a directory.
fn lookup(top: &Path, at: &Path, indexes: &[&str]) -> Command {
    let mut command = Command::new(WARPATH);
    command.arg("lookup").current_dir(at);
    for index in indexes {
        command.arg("--index").arg(top.join(index));
    }
    command
}

fn check(command: &mut Command, cases: &[(&str, &str)]) {
    let answer = run(command.args(cases.iter().map(|(path, _)| path)));
    let shown: Vec<_> = cases.iter().map(|(path, _)| *path).zip(answer.statuses()).collect();
    assert_eq!(shown, cases, "{}", answer.err);
}

#[test]
fn a_mount_point_is_climbed_out_of_by_nobody() {
    let (_folder, top) = indexes();
    let mut command = lookup(&top, Path::new("/tmp"), &["1i.warp=/tmp/"]);
    let cases = [
        ("/tmp/a/x", "OK"),
        ("/./tmp//a/../a/x", "OK"),
        ("/tmp/none", "ENOENT"),
        ("/tmp/../a/x", "UNINDEXED"),
        ("/tmp/a/../../tmp/a/x", "UNINDEXED"),
        ("/x/../tmp/a/x", "UNINDEXED"),
        ("/tmpa/x", "UNINDEXED"),
        ("/", "UNINDEXED"),
        ("a/x", "OK"),
        ("../a/x", "UNINDEXED"),
        ("../tmp/a/x", "UNINDEXED"),
        // Links stay in the index, as documented.
        ("abs", "OK"),
        ("up", "ENOENT"),
    ];
    check(&mut command, &cases);
    // Nor into another index.
    let mut command = lookup(&top, &top, &["1i.warp=/m", "2i.warp=/m/deep"]);
    let cases = [
        ("/m/a/x", "OK"),
        ("/m/./deep/b/y", "OK"),
        ("/m/a/../deep/b/y", "UNINDEXED"),
        ("/m/deep/../a/x", "UNINDEXED"),
    ];
    check(&mut command, &cases);
}

#[test]
fn a_path_is_judged_as_it_was_given() {
    let (_folder, top) = indexes();
    let long = |path: &str, n: usize| format!("{path}{}", "/".repeat(n - path.len()));
    let cases = [
        (long("/m/a/x/..", 4095), "ENOTDIR"),
        (long("/m/a", 4095), "OK"),
        (long("/m/a", 4096), "ENAMETOOLONG"),
        (long("/m/a", 4098), "ENAMETOOLONG"),
        (long("/elsewhere", 4096), "ENAMETOOLONG"),
        (long("elsewhere", 4096), "ENAMETOOLONG"),
        ("/elsewhere\0".to_owned(), "EINVAL"),
        ("/m/a\0".to_owned(), "EINVAL"),
        (String::new(), "ENOENT"),
        (long("/elsewhere", 4095), "UNINDEXED"),
    ];
    let input: String = cases.iter().map(|(path, _)| format!("{path}\n")).collect();
    let expected: Vec<_> = cases.iter().map(|(_, status)| *status).collect();
    let answer = run_with(&mut lookup(&top, Path::new("/"), &["1i.warp=/m"]), input.as_bytes());
    assert_eq!(answer.statuses(), expected);

    // What becomes longer by the current directory is not longer to the kernel.
    let paths = [long("a", 4095), long("none", 4094), long("./../h1/a/.", 4093), long("a", 4096)];
    let expected = ["OK", "ENOENT", "OK", "ENAMETOOLONG"];
    let input = paths.join("\n");
    let root = format!("1i.warp={}", top.join("h1").display());
    let above = format!("1i.warp={}", top.display());
    for indexes in [&["1.warp"][..], &["1.warp", "2.warp"], &["2.warp", "1.warp"]] {
        let answer = run_with(&mut lookup(&top, &top.join("h1"), indexes), input.as_bytes());
        assert_eq!(answer.statuses(), expected, "{indexes:?}");
    }
    let answer = run_with(&mut lookup(&top, &top.join("h1"), &[&root]), input.as_bytes());
    assert_eq!(answer.statuses(), ["OK", "ENOENT", "UNINDEXED", "ENAMETOOLONG"]);
    // The index at that place has no such directory.
    let answer = run_with(&mut lookup(&top, &top.join("h1"), &[&above]), input.as_bytes());
    assert_eq!(answer.statuses(), ["ENOENT", "ENOENT", "ENOENT", "ENAMETOOLONG"]);
}

#[test]
fn relative_paths_begin_at_the_current_directory_wherever_an_index_stands() {
    let (_folder, top) = indexes();
    check(&mut lookup(&top, &top, &["1i.warp=/"]), &[("/a/x", "OK"), ("/../a/x", "OK"), ("a/x", "ENOENT")]);
    check(&mut lookup(&top, Path::new("/"), &["1i.warp=/"]), &[("a/x", "OK")]);
    // Without a MOUNTPOINT the index is its own root.
    check(&mut lookup(&top, &top, &["1i.warp"]), &[("a/x", "OK")]);
}

#[test]
fn the_next_index_of_the_same_place_is_asked() {
    let (_folder, top) = indexes();
    let [x, y, none] = ["h1/a/x", "h2/b/y", "h3"].map(|name| top.join(name).display().to_string());
    let cases = [(&*x, "OK"), (&*y, "OK"), (&*none, "UNINDEXED"), ("h1/a/x", "OK"), ("h2/b/none", "ENOENT")];
    check(&mut lookup(&top, &top, &["1.warp", "2.warp"]), &cases);
    check(&mut lookup(&top, &top, &["2.warp", "1.warp"]), &cases);
    for indexes in [["1i.warp=/m", "2i.warp=//m/"], ["1i.warp", "2i.warp"], ["1.warp", "2i.warp=/"]] {
        let answer = run(lookup(&top, &top, &indexes).arg("/m/a/x"));
        assert_eq!((answer.code, answer.text()), (2, ""));
        assert!(answer.err.contains("2i.warp stand at the same place"), "{}", answer.err);
    }
    let answer = run(lookup(&top, &top, &["1i.warp=/m/../n"]).arg("/n/a/x"));
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("1i.warp=/m/../n: a MOUNTPOINT holds no `..`"), "{}", answer.err);
}

#[test]
fn from_a_directory_that_the_index_does_not_know_relative_paths_are_unindexed() {
    let (_folder, top) = indexes();
    let elsewhere = tempdir().unwrap();
    let x = top.join("h1/a/x").display().to_string();
    let cases = [("bin", "UNINDEXED"), ("..", "UNINDEXED"), ("", "ENOENT")];
    check(lookup(&top, elsewhere.path(), &["1.warp"]).arg("--beneath"), &cases);
    check(&mut lookup(&top, elsewhere.path(), &["1.warp"]), &[&cases[..], &[(&*x, "OK")]].concat());
    check(lookup(&top, &top.join("h1"), &["1.warp"]).arg("--beneath"), &[("a/x", "OK"), ("../h1", "EXDEV")]);
}

#[test]
fn a_removed_current_directory_is_missed_only_where_it_is_needed() {
    let (_folder, top) = indexes();
    let in_removed = |args: &[&str]| -> Answer {
        let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"";
        run(Command::new("sh").args(["-c", script, "sh", WARPATH, "lookup"]).args(args).current_dir(&top))
    };
    let at = |name: &str| top.join(name).display().to_string();
    let (root, x, own, host) = (at("h1"), at("h1/a/x"), at("1i.warp"), at("1.warp"));
    let mounted = format!("{own}=/m");
    for (args, statuses) in [
        (&["--root", &*root, "--in-root", "/a/x", "a/x"][..], &["OK", "OK"][..]),
        (&["--root", &root, "--at", &root, "a/x"], &["OK"]),
        (&["--index", &own, "/a/x", "a/x"], &["OK", "OK"]),
        (&["--index", &host, &x, "a/x"], &["OK", "UNINDEXED"]),
        (&["--index", &host, "--at", &root, "a/x"], &["OK"]),
        (&["--index", &mounted, "/m/a/x", "a/x", ""], &["OK", "UNINDEXED", "ENOENT"]),
    ] {
        let answer = in_removed(args);
        assert_eq!(answer.statuses(), statuses, "{args:?}: {}", answer.err);
    }
    for args in [&["--root", &*root, "/a/x"][..], &["--index", &host, "--at", "a", "x"]] {
        let answer = in_removed(args);
        assert_eq!(answer.code, 2);
        assert!(answer.err.contains("current directory"), "{}", answer.err);
    }
}
