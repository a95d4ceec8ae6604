//! Every option, and what is printed.

use crate::run::{WARPATH, lookup, make, run, run_with};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::{TempDir, tempdir};

fn tree() -> (TempDir, PathBuf) {
    let top = tempdir().unwrap();
    make(top.path(), &["d/e/", "d/f", "d/up -> ../g", "d/abs -> /g", "g", "l -> d/f", "ld -> d"]);
    let real = top.path().canonicalize().unwrap();
    (top, real)
}

fn ino(path: impl AsRef<Path>) -> u64 {
    path.as_ref().symlink_metadata().unwrap().ino()
}

#[test]
fn a_line_a_path_in_order() {
    let (top, _) = tree();
    let answer = run(lookup(top.path()).args(["--in-root", "/d/f", "nope", "l", "/d/f/x", "/"]));
    let expected = format!(
        "OK\t{f}\t/d/f\nENOENT\t-\tnope\nOK\t{f}\tl\nENOTDIR\t-\t/d/f/x\nOK\t{top}\t/\n",
        f = ino(top.path().join("d/f")),
        top = ino(top.path()),
    );
    assert_eq!((answer.text(), answer.code, answer.err.as_str()), (&*expected, 1, ""));
}

#[test]
fn the_exit_code_says_whether_all_were_found() {
    let (top, _) = tree();
    let code = |paths: &[&str]| run(lookup(top.path()).arg("--in-root").args(paths)).code;
    assert_eq!(code(&["d", "l"]), 0);
    assert_eq!(code(&["d", "none"]), 1);
    assert_eq!(code(&["d/f/"]), 1);
    assert_eq!(run_with(lookup(top.path()).arg("--in-root"), b"").code, 0);
    let unindexed = run(lookup(top.path().join("d")).arg("/etc"));
    assert_eq!((unindexed.statuses(), unindexed.code), (vec!["UNINDEXED"], 1));
    // Printing only those that were found doesn't change it.
    assert_eq!(run(lookup(top.path()).args(["--in-root", "--only=found", "d", "none"])).code, 1);
}

#[test]
fn paths_come_from_arguments_files_and_standard_input() {
    let (top, _) = tree();
    let list = top.path().join("list");
    fs::write(&list, "from-file\nunterminated").unwrap();
    let shown = |command: &mut Command| {
        let answer = run_with(command.arg("--in-root"), b"from-stdin\n");
        answer.text().lines().map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut lookup(top.path())), ["from-stdin"]);
    assert_eq!(shown(lookup(top.path()).arg("-")), ["from-stdin"]);
    assert_eq!(shown(lookup(top.path()).args(["-f", "-"])), ["from-stdin"]);
    assert_eq!(shown(lookup(top.path()).arg("argument")), ["argument"]);
    assert_eq!(shown(lookup(top.path()).arg("-f").arg(&list)), ["from-file", "unterminated"]);
    let all = ["one", "two", "from-stdin", "three", "from-file", "unterminated"];
    assert_eq!(shown(lookup(top.path()).args(["one", "two", "-", "three", "-f"]).arg(&list)), all);
}

#[test]
fn nul_separated_records_round_trip() {
    let (top, _) = tree();
    let name = "two\nlines";
    make(top.path(), &[name]);
    let number = ino(top.path().join(name));
    let answer = run_with(lookup(top.path()).args(["--in-root", "-0"]), b"two\nlines\0x\n\0l");
    let expected =
        format!("OK\t{number}\ttwo\nlines\0ENOENT\t-\tx\n\0OK\t{}\tl\0", ino(top.path().join("d/f")));
    assert_eq!(answer.text(), expected);
    // Arguments are paths as they are, whatever ends records.
    let argument = run(lookup(top.path()).args(["--in-root", name]));
    assert_eq!(argument.text(), format!("OK\t{number}\ttwo\nlines\n"));
}

#[test]
fn host_paths_are_the_default() {
    let (top, real) = tree();
    let d = real.join("d");
    let at = |name: &str| d.join(name).display().to_string();
    let paths = [
        at("f"),
        at(""),
        at("none"),
        at("up"),
        at("abs"),
        at("../g"),
        at("../none"),
        "/".into(),
        "/none".into(),
    ];
    let answer = run(lookup(&d).args(&paths).current_dir("/"));
    let statuses =
        ["OK", "OK", "ENOENT", "UNINDEXED", "UNINDEXED", "UNINDEXED", "UNINDEXED", "OK", "UNINDEXED"];
    assert_eq!(answer.statuses(), statuses);
    assert!(answer.text().contains(&format!("OK\t{}\t/\n", ino("/"))));
    drop(top);
}

#[test]
fn relative_paths_begin_where_a_user_expects() {
    let (_top, real) = tree();
    let d = real.join("d");
    let f = format!("OK\t{}\t", ino(d.join("f")));
    // In the host's frame: at the current directory, inside the scan or not.
    assert_eq!(run(lookup(&d).arg("f").current_dir(&d)).text(), format!("{f}f\n"));
    assert_eq!(run(lookup(&d).arg("../f").current_dir(d.join("e"))).text(), format!("{f}../f\n"));
    assert_eq!(run(lookup(&d).arg("d/f").current_dir(&real)).text(), format!("{f}d/f\n"));
    assert_eq!(run(lookup("d").arg("d/f").current_dir(&real)).text(), format!("{f}d/f\n"));
    assert_eq!(run(lookup(&d).arg("x").current_dir("/")).statuses(), ["UNINDEXED"]);
    // With --in-root: at the root.
    assert_eq!(run(lookup(&d).args(["--in-root", "f"]).current_dir("/")).text(), format!("{f}f\n"));
    // With --at: there. Inside the tree it is a path of the tree.
    assert_eq!(run(lookup(&real).args(["--at", "d", "f"]).current_dir(&real)).text(), format!("{f}f\n"));
    assert_eq!(run(lookup(&real).arg("--at").arg(&d).arg("f").current_dir("/")).text(), format!("{f}f\n"));
    assert_eq!(run(lookup(&real).args(["--in-root", "--at", "/ld/e", "../f"])).text(), format!("{f}../f\n"));
}

/// The way to the tree that the user gave may lead over links.
#[test]
fn a_root_behind_a_link_is_found_by_both_names() {
    let (_top, real) = tree();
    let (link, f) = (real.join("ld"), ino(real.join("d/f")));
    let (by_link, by_name) = (link.join("f"), real.join("d/f"));
    let answer = run(lookup(&link).arg(&by_link).arg(&by_name));
    let expected = format!("OK\t{f}\t{}\nOK\t{f}\t{}\n", by_link.display(), by_name.display());
    assert_eq!(answer.text(), expected);
}

#[test]
fn modes_are_openat2s() {
    let (top, real) = tree();
    let statuses = |arguments: &[&str]| {
        let answer = run(lookup(top.path()).arg("--in-root").args(arguments));
        answer.statuses().join(" ")
    };
    assert_eq!(statuses(&["l", "d/up", "d/abs", "ld/f"]), "OK OK OK OK");
    assert_eq!(statuses(&["--no-symlinks", "l", "d/f", "ld/f", "d/up"]), "ELOOP OK ELOOP ELOOP");
    assert_eq!(
        statuses(&["--beneath", "--at", "d", "f", "up", "abs", "..", "/d", "e/.."]),
        "OK EXDEV EXDEV EXDEV EXDEV OK"
    );
    let followed = run(lookup(&real).args(["--in-root", "l"]));
    let unfollowed = run(lookup(&real).args(["--in-root", "--no-follow", "l"]));
    assert_eq!(followed.text(), format!("OK\t{}\tl\n", ino(real.join("d/f"))));
    assert_eq!(unfollowed.text(), format!("OK\t{}\tl\n", ino(real.join("l"))));
}

#[test]
fn only_some_answers_can_be_printed() {
    let (top, _) = tree();
    let shown =
        |only: &str| run(lookup(top.path()).args(["--in-root", "--only", only, "d", "x", "g", "d/f/"]));
    assert_eq!(shown("found").statuses(), ["OK", "OK"]);
    assert_eq!(shown("failed").text(), "ENOENT\t-\tx\nENOTDIR\t-\td/f/\n");
}

#[test]
fn engines_and_threads_change_no_answer() {
    let (top, _) = tree();
    let paths = ["d/f", "x", "l", "d/../g", "ld/abs"];
    let expected = run(lookup(top.path()).arg("--in-root").args(paths)).out;
    for arguments in [["--engine", "cpu"], ["--engine", "auto"], ["--threads", "1"], ["--threads", "7"]] {
        let answer = run(lookup(top.path()).arg("--in-root").args(arguments).args(paths));
        assert_eq!(answer.out, expected, "{arguments:?}: {}", answer.err);
    }
    // Where there is an adapter, software too: it is asked for by its name.
    let engines = run(Command::new(WARPATH).arg("engines"));
    if engines.text().to_lowercase().contains("llvmpipe") {
        let answer = run(lookup(top.path()).args(["--in-root", "--engine", "wgpu:llvmpipe"]).args(paths));
        assert_eq!(answer.out, expected, "{}", answer.err);
    }
}

#[test]
fn stats_tell_what_was_done() {
    let (top, _) = tree();
    let answer =
        run(lookup(top.path()).args(["--in-root", "--stats", "--exclude", "e", "d", "x", "g", "d/e/x"]));
    assert_eq!(answer.statuses(), ["OK", "ENOENT", "OK", "UNINDEXED"]);
    let value = |name: &str| {
        let line =
            answer.err.lines().find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("{name} is missing: {}", answer.err)).trim().to_owned()
    };
    assert!(value("entries").starts_with("8 (2 directories, 4 links, 2 others;"), "{}", value("entries"));
    assert_eq!(value("not indexed"), "1 excluded directories");
    assert_eq!(
        (value("paths"), value("  OK"), value("  ENOENT"), value("  UNINDEXED")),
        ("4".into(), "2".into(), "1".into(), "1".into())
    );
    for name in ["scan time", "build time", "index", "engine", "time", "paths/s"] {
        assert!(!value(name).is_empty());
    }
    assert!(value("engine").starts_with("cpu ("), "{}", value("engine"));
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["lookup", "--help"], &["--version"]] {
        let answer = run(Command::new(WARPATH).args(arguments));
        assert_eq!((answer.code, answer.err.as_str()), (0, ""));
        assert!(answer.text().contains("warpath"));
    }
}
