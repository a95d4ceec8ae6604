//! Saving where it can't be done: one line, exit code 2, and the old file byte for byte as it was.

#![allow(clippy::print_stderr, reason = "a skip must be seen")]

use crate::{out, tree};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a script as a child of `sh` that mounts on `m`, where the old index then lies as `m/t.warp`. Writes are told apart by
/// the script's output: `old` where the old file was left alone. `None` where mounting is not allowed.
fn mounted(top: &Path, script: &str) -> Option<(String, String)> {
    fs::create_dir(top.join("m")).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_warpath")])
        .current_dir(top)
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there: scripts/setup-tests.sh installs it");
    let (text, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if !text.starts_with("mounted\n") {
        eprintln!("SKIPPED: mounting is not allowed here: {err}");
        return None;
    }
    Some((text, err))
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "-o", "t.warp"]);
    let names: String = (0..50_000).map(|i| format!("d{}/a name of some length {i}\n", i % 100)).collect();
    fs::write(top.join("list"), names).unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs m && echo mounted && cp t.warp m/ \
        && \"$0\" index --from-list list -o m/t.warp; echo code $?; cmp t.warp m/t.warp && echo old; ls -A m";
    let Some((text, err)) = mounted(&top, script) else { return };
    assert_eq!(text, "mounted\ncode 2\nold\nt.warp\n", "{err}");
    assert_eq!(err.lines().count(), 2, "{err}");
    assert!(err.contains("directories made"), "{err}");
    assert!(err.ends_with("warpath: writing m/t.warp: No space left on device (os error 28)\n"), "{err}");
}

#[test]
fn a_read_only_directory_leaves_the_old_file() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "-o", "t.warp"]);
    // Read it still can be, and is.
    let script = "mount -t tmpfs tmpfs m && echo mounted && cp t.warp m/ && mount -o remount,ro m \
        && \"$0\" index t -o m/t.warp; echo code $?; cmp t.warp m/t.warp && echo old; \"$0\" lookup --index m/t.warp --columns path g";
    let Some((text, err)) = mounted(&top, script) else { return };
    assert_eq!(text, "mounted\ncode 2\nold\ng\n", "{err}");
    assert_eq!(err, "warpath: making a file beside m/t.warp: Read-only file system (os error 30)\n");
}

#[test]
fn without_permission_the_old_file_stays() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "-o", "t.warp"]);
    let old = fs::read(top.join("t.warp")).unwrap();
    let mode = |mode| fs::set_permissions(&top, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = fs::metadata(&top).unwrap().uid() == 0;
    let mut command = if is_root {
        // The binary itself may lie where nobody may not go.
        fs::copy(env!("CARGO_BIN_EXE_warpath"), top.join("warpath")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"]);
        command.arg(top.join("warpath"));
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_warpath"))
    };
    mode(0o555);
    let run = |command: &mut Command, args: &[&str]| {
        let output = command.args(args).current_dir(&top).stdin(Stdio::null()).output();
        let output = output.expect("setpriv is there: scripts/setup-tests.sh installs it");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = run(&mut command, &["index", "t", "-o", "t.warp"]);
    mode(0o755);
    assert_eq!(code, Some(2));
    assert_eq!(err, "warpath: making a file beside t.warp: Permission denied (os error 13)\n");
    assert_eq!(fs::read(top.join("t.warp")).unwrap(), old);
}
