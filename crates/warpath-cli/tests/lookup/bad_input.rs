//! Every row of the table of bad input, and every way not to run.

use crate::run::{WARPATH, lookup, make, run, run_with};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use tempfile::{TempDir, tempdir};

fn tree() -> TempDir {
    let top = tempdir().unwrap();
    make(top.path(), &["d/", "d/f", "self -> self", "a -> b", "b -> a"]);
    // link1 leads to d, link2 to link1 and so on: link40 is followed, link41 is one too many.
    for i in 1..=41 {
        let target = if i == 1 { "d".to_owned() } else { format!("link{}", i - 1) };
        make(top.path(), &[&format!("link{i} -> {target}")]);
    }
    top
}

#[test]
fn an_empty_path_is_not_found() {
    let top = tree();
    let answer = run(lookup(top.path()).args(["--in-root", ""]));
    assert_eq!((answer.text(), answer.code), ("ENOENT\t-\t\n", 1));
    let answer = run_with(lookup(top.path()).arg("--in-root"), b"\n/d\n\n");
    assert_eq!(answer.statuses(), ["ENOENT", "OK", "ENOENT"]);
    let answer = run_with(lookup(top.path()).args(["--in-root", "-0"]), b"\0");
    assert_eq!(answer.out, b"ENOENT\t-\t\0");
}

#[test]
fn nul_and_lengths_are_told_in_the_kernels_order() {
    let top = tree();
    let (name, slashes) = ("n".repeat(256), "/".repeat(4095));
    let long = |n: usize| format!("/d{}", "/".repeat(n - 2));
    let cases = [
        ("/d\0".to_owned(), "EINVAL"),
        ("\0".to_owned(), "EINVAL"),
        (format!("/d/{}", "n".repeat(255)), "ENOENT"),
        (format!("/d/{name}"), "ENAMETOOLONG"),
        // The missing name comes first, then the one that is no directory.
        (format!("/none/{name}"), "ENOENT"),
        (format!("/d/f/{name}"), "ENOTDIR"),
        (slashes.clone(), "OK"),
        (slashes + "/", "ENAMETOOLONG"),
        (long(4095), "OK"),
        (long(4096), "ENAMETOOLONG"),
        (long(4095) + "\0", "EINVAL"),
    ];
    let input: String = cases.iter().map(|(path, _)| format!("{path}\n")).collect();
    let answer = run_with(lookup(top.path()).arg("--in-root"), input.as_bytes());
    let expected: Vec<_> = cases.iter().map(|(_, status)| *status).collect();
    assert_eq!(answer.statuses(), expected);
    let echoed: String =
        answer.text().lines().map(|line| line.rsplit('\t').next().unwrap_or("").to_owned() + "\n").collect();
    assert!(echoed == input, "paths are echoed byte for byte");
}

#[test]
fn names_that_are_not_utf8_are_bytes() {
    let top = tempdir().unwrap();
    let name = b"\xff\xfe \xc3(\t";
    let file = top.path().join(OsStr::from_bytes(name));
    fs::write(&file, "").unwrap();
    let ino = file.metadata().unwrap().ino();
    let expected = [format!("OK\t{ino}\t").as_bytes(), name, b"\n"].concat();
    let by_input = run_with(lookup(top.path()).arg("--in-root"), &[name, &b"\n"[..]].concat());
    assert_eq!((by_input.out, by_input.code), (expected.clone(), 0));
    let by_argument = run(lookup(top.path()).arg("--in-root").arg(OsStr::from_bytes(name)));
    assert_eq!((by_argument.out, by_argument.code), (expected, 0));
}

#[test]
fn what_can_not_run_says_why_in_one_line() {
    let top = tree();
    let at = |name: &str| top.path().join(name).display().to_string();
    let (none, file, looped) = (at("none"), at("d/f"), at("self"));
    let good = at("d");
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--root", &none, "x"], &none, "No such file or directory"),
        (&["--root", &file, "x"], &file, "Not a directory"),
        (&["--root", &looped, "x"], &looped, "Too many levels of symbolic links"),
        (&["--root", &none, "--in-root", "x"], &none, "No such file or directory"),
        (&["--root", &good, "-f", &none], &none, "No such file or directory"),
        (&["--root", &good, "-f", &good], &good, "Is a directory"),
        (&["--root", &good, "--at", &none, "x"], &none, "No such file or directory"),
        (&["--root", &good, "--at", &file, "x"], &file, "Not a directory"),
        (&["--root", &good, "--in-root", "--at", "none", "x"], "none", "no such file or directory"),
        (&["--root", &good, "--exclude", "[", "x"], "`[`", "glob"),
        (&["--root", &good, "-f", "/dev/zero"], "/dev/zero", "NUL"),
    ];
    for (arguments, name, reason) in cases {
        let answer = run(Command::new(WARPATH).arg("lookup").args(*arguments));
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.err);
        assert_eq!(answer.err.lines().count(), 1, "{arguments:?}: {}", answer.err);
        assert!(answer.err.starts_with("warpath: "), "{arguments:?}: {}", answer.err);
        assert!(answer.err.contains(name) && answer.err.contains(reason), "{arguments:?}: {}", answer.err);
        assert!(answer.out.is_empty());
    }
}

#[test]
fn arguments_that_make_no_sense_are_code_2() {
    let cases: &[&[&str]] = &[
        &["lookup", "x"],
        &["lookup", "--root", "/", "--engine", "none"],
        &["lookup", "--root", "/", "--only", "some"],
        &["lookup", "--root", "/", "--threads", "-1"],
        &["none"],
        &[],
    ];
    for arguments in cases {
        let answer = run(Command::new(WARPATH).args(*arguments));
        assert_eq!(answer.code, 2, "{arguments:?}");
        assert!(answer.out.is_empty() && !answer.err.is_empty(), "{arguments:?}");
    }
    let without_root = run(Command::new(WARPATH).args(["lookup", "x"]));
    assert!(without_root.err.contains("--root <DIR>"), "{}", without_root.err);
}

/// The answers before the failure are printed, and the code is 2.
#[test]
fn a_list_that_fails_on_the_way_is_told() {
    let top = tree();
    let list = top.path().join("list");
    fs::write(&list, "/d\n").unwrap();
    let answer = run(lookup(top.path()).arg("--in-root").arg("-f").arg(&list).arg("-f").arg(top.path()));
    assert_eq!((answer.code, answer.statuses()), (2, vec!["OK"]));
    assert!(answer.err.ends_with(": Is a directory (os error 21)\n"), "{}", answer.err);
}

#[test]
fn links_are_followed_forty_times() {
    let top = tree();
    let paths = [
        "self",
        "a",
        "a/x",
        "self/",
        "link40",
        "link41",
        "link40/f",
        "link41/f",
        "link20/../link20/f",
        "link20/../link21/f",
    ];
    let answer = run(lookup(top.path()).arg("--in-root").args(paths));
    let loops = "ELOOP";
    assert_eq!(answer.statuses(), [loops, loops, loops, loops, "OK", loops, "OK", loops, "OK", loops]);
    let unfollowed = run(lookup(top.path())
        .args(["--in-root", "--no-follow"])
        .args(["self", "link41", "self/", "link41/."]));
    assert_eq!(unfollowed.statuses(), ["OK", "OK", loops, loops]);
}

/// Root can read everything, so root becomes nobody for this.
#[test]
fn unreadable_directories_are_not_indexed() {
    let top = tempdir().unwrap();
    make(top.path(), &["open/", "open/f", "shut/", "shut/f", "listed/", "listed/f", "listed/l -> f"]);
    let mode =
        |name: &str, mode| fs::set_permissions(top.path().join(name), fs::Permissions::from_mode(mode));
    mode("", 0o755).unwrap();
    mode("shut", 0o000).unwrap();
    // Names can be read, but neither what they lead to nor links' targets.
    mode("listed", 0o444).unwrap();
    let is_root = top.path().metadata().unwrap().uid() == 0;
    let paths = ["open/f", "open/x", "shut", "shut/f", "shut/x", "listed/f", "listed/l", "listed/x"];
    let mut command = match is_root {
        false => lookup(top.path()),
        true => {
            // The binary itself may lie where nobody may not go.
            let binary = top.path().join("warpath");
            fs::copy(WARPATH, &binary).unwrap();
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"]);
            command.arg(binary).arg("lookup").arg("--root").arg(top.path());
            command
        }
    };
    let answer = run(command.args(["--in-root", "--stats"]).args(paths));
    mode("shut", 0o755).unwrap();
    mode("listed", 0o755).unwrap();
    if is_root && answer.code == -1 {
        panic!("setpriv is missing: scripts/setup-tests.sh installs it");
    }
    let expected = ["OK", "ENOENT", "OK", "UNINDEXED", "UNINDEXED", "OK", "UNINDEXED", "ENOENT"];
    assert_eq!(answer.statuses(), expected, "{}", answer.err);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("warning: 1 directory could not be read"), "{}", answer.err);
    assert!(answer.err.contains("(first: /shut: Permission denied"), "{}", answer.err);
    assert!(answer.err.contains("not indexed   1 unreadable directories\n"), "{}", answer.err);
    // The directory itself is known, with its number.
    let ino = top.path().join("shut").metadata().unwrap().ino();
    assert!(answer.text().contains(&format!("OK\t{ino}\tshut\n")), "{}", answer.text());
}

/// Containers mount single files over others: the number beside the name is then that of the file below.
#[test]
fn files_that_are_mounted_over_have_the_number_that_stat_gives() {
    let top = tempdir().unwrap();
    make(top.path(), &["below", "above", "d/", "over d/", "over d/f"]);
    let script = "mount --bind above below && mount --bind 'over d' d && stat -Lc 'OK\t%i\t%n' below d d/f \
                  && \"$0\" lookup --root . --in-root below d d/f";
    let answer =
        run(Command::new("unshare").args(["--mount", "sh", "-c", script, WARPATH]).current_dir(top.path()));
    if !answer.err.is_empty() && answer.out.is_empty() {
        eprintln!("SKIPPED: mounting is not allowed here: {}", answer.err);
        return;
    }
    let lines: Vec<_> = answer.text().lines().collect();
    assert_eq!((lines.len(), answer.code), (6, 0), "{}{}", answer.text(), answer.err);
    assert_eq!(lines[..3], lines[3..]);
}
