//! Index files from the command line: every source, every command, every failure.

mod no_room;
mod tables;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::{TempDir, tempdir};
use warpath_core::{Index, Namespace};
use warpath_file::{Facts, SaveOptions, save};

/// Runs `warpath` in a directory: exit code, output, messages.
fn warpath(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_warpath"))
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("these are UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn out(directory: &Path, args: &[&str]) -> String {
    let (code, out, err) = warpath(directory, args);
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
    out
}

/// A tree with files, links and hard links, and a folder to work in.
fn tree() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    fs::create_dir_all(top.join("t/d/e")).unwrap();
    fs::write(top.join("t/d/f"), "12345").unwrap();
    fs::write(top.join("t/g"), "").unwrap();
    fs::hard_link(top.join("t/d/f"), top.join("t/hard")).unwrap();
    symlink("d/f", top.join("t/l")).unwrap();
    (folder, top)
}

#[test]
fn what_was_not_asked_for_is_unknown_and_no_reason_to_update() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "-o", "t.warp"]);
    let ino = fs::metadata(top.join("t/d")).unwrap().ino();
    let text = out(&top, &["lookup", "--index", "t.warp", "--columns", "ino,size,mtime", "d", "g"]);
    let of_g = fs::metadata(top.join("t/g")).unwrap().ino();
    assert_eq!(text, format!("{ino}\t-\t-\n{of_g}\t-\t-\n"));
    let text =
        out(&top, &["lookup", "--index", "t.warp", "--format", "jsonl", "--columns", "size,mtime", "d"]);
    assert_eq!(text, "{\"size\":null,\"mtime\":null}\n");
    let stat = out(&top, &["stat", "t.warp", "d"]);
    assert!(stat.contains("mode    -\nowner   -:-\n"), "{stat}");

    fs::File::open(top.join("t/d")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let nothing = "warpath: 0 added, 0 removed, 0 renamed, 0 with other attributes\n";
    assert_eq!(warpath(&top, &["update", "t.warp"]), (0, String::new(), nothing.to_owned()));
}

#[test]
fn a_tree_from_index_to_answers() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "--attributes", "-o", "t.warp"]);
    assert_eq!(fs::metadata(top.join("t.warp")).unwrap().permissions().mode() & 0o777, 0o600);
    let ino = fs::metadata(top.join("t/d/f")).unwrap().ino();
    let (code, text, _) = warpath(&top, &["lookup", "--index", "t.warp", "/d/f", "l", "none", "d/e/.."]);
    let d = fs::metadata(top.join("t/d")).unwrap().ino();
    assert_eq!(
        (code, text),
        (1, format!("OK\t{ino}\t/d/f\nOK\t{ino}\tl\nENOENT\t-\tnone\nOK\t{d}\td/e/..\n"))
    );

    let columns = "status,kind,size,target,path";
    let text =
        out(&top, &["lookup", "--index", "t.warp", "--no-follow", "--columns", columns, "l", "hard", "d"]);
    let size = fs::metadata(top.join("t/d")).unwrap().size();
    assert_eq!(text, format!("OK\tsymlink\t3\td/f\tl\nOK\tfile\t5\t-\thard\nOK\tdirectory\t{size}\t-\td\n"));
    let (_, text, _) = warpath(
        &top,
        &["lookup", "--index", "t.warp", "--format", "jsonl", "--columns", "path,status,kind", "g", "x\"y"],
    );
    let second = r#"{"path":"x\"y","status":"ENOENT","kind":null}"#;
    assert_eq!(text, format!("{}\n{second}\n", r#"{"path":"g","status":"OK","kind":"file"}"#));

    assert_eq!(out(&top, &["ls", "t.warp"]), "d/\ng\nhard\nl\n");
    assert_eq!(out(&top, &["ls", "-R", "t.warp", "d"]), "/d/e/\n/d/f\n");
    assert_eq!(out(&top, &["path-of", "t.warp", &ino.to_string()]), "/d/f\n/hard\n");
    let stat = out(&top, &["stat", "t.warp", "hard"]);
    assert!(stat.contains("\nlinks   2\n") && stat.contains("\nsize    5\n"), "{stat}");
    assert!(out(&top, &["verify", "t.warp"]).starts_with("t.warp: sound, 6 entries"));
    let info = out(&top, &["info", "--sections", "t.warp"]);
    assert!(info.contains("source        tree\n") && info.contains("section       slots"), "{info}");
    for (args, message) in [
        (&["ls", "t.warp", "none"][..], "no such file"),
        (&["stat", "t.warp", "g/x"], "not a directory"),
        (&["path-of", "t.warp", "1"], "no inode 1"),
    ] {
        let (code, _, err) = warpath(&top, args);
        assert!(code == 1 && err.contains(message), "{err}");
    }
}

#[test]
fn the_hosts_paths_and_mount_points() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "-o", "host.warp"]);
    let absolute = top.join("t/d/f");
    let (code, text, _) =
        warpath(&top, &["lookup", "--index", "host.warp", absolute.to_str().unwrap(), "t/g", "/nowhere"]);
    assert_eq!(code, 1);
    let statuses: Vec<&str> = text.lines().map(|line| &line[..line.find('\t').unwrap()]).collect();
    assert_eq!(statuses, ["OK", "OK", "UNINDEXED"]);

    fs::write(top.join("one"), "a/\na/x\n").unwrap();
    fs::write(top.join("two"), "y\n").unwrap();
    out(&top, &["index", "--from-list", "one", "-o", "one.warp"]);
    out(&top, &["index", "--from-list", "two", "-o", "two.warp"]);
    let mounts = ["--index", "one.warp=/m", "--index", "two.warp=/m/deep"];
    let paths = ["/m/a/x", "/m/deep/y", "/m/deep", "/m/deeper", "/other", "/m"];
    let (code, text, _) =
        warpath(&top, &[&["lookup"][..], &mounts, &["--columns", "status,path"], &paths].concat());
    let expected = "OK\t/m/a/x\nOK\t/m/deep/y\nOK\t/m/deep\nENOENT\t/m/deeper\nUNINDEXED\t/other\nOK\t/m\n";
    assert_eq!((code, text.as_str()), (1, expected));

    // Relative paths begin at the current directory, at the root too.
    let mount = format!("{}=/m", top.join("one.warp").display());
    let (_, text, _) =
        warpath(Path::new("/"), &["lookup", "--index", &mount, "--columns", "status,path", "m/a/x", "a/x"]);
    assert_eq!(text, "OK\tm/a/x\nUNINDEXED\ta/x\n");
}

/// A file from elsewhere may hold what a terminal would act on.
#[test]
fn info_shows_nothing_raw() {
    let (_folder, top) = tree();
    let index = Index::build(Namespace::new()).unwrap();
    let mut facts = Facts::new();
    facts.set("\u{1b}[2J", &b"\x1b[31m\n"[..]).set("arguments", &b"index\0\x1b]0;x\x07"[..]);
    save(&index, &facts, &top.join("odd.warp"), &SaveOptions::default()).unwrap();
    let text = out(&top, &["info", "odd.warp"]);
    assert!(text.contains(r"\u{1b}[2J") && text.contains(r"\x1b[31m\n"), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn every_source_and_paths_from_tables() {
    let (_folder, top) = tree();
    let run = |program: &str, args: &[&str]| {
        assert!(Command::new(program).args(args).current_dir(&top).status().unwrap().success());
    };
    run("tar", &["-czf", "t.tgz", "-C", "t", "."]);
    fs::write(top.join("list"), "./d\n./d/e/\n./d/f\n./g\n./hard\n./l\n").unwrap();
    fs::write(top.join("columns"), "7\tf\t\td/f\n7\tf\t\thard\n8\tl\td/f\tl\n").unwrap();
    fs::write(top.join("keys.csv"), "Key,Size\nd/,0\nd/f,5\nl,1\n").unwrap();
    fs::write(top.join("Contents"), "d/f admin/d\nl  admin/l\n").unwrap();
    for (args, n_entries) in [
        (&["--from-tar", "t.tgz"][..], 6),
        (&["--from-list", "list"], 6),
        (&["--from-list", "columns", "--list-columns", "inode,type,target,path"], 4),
        (&["--from-csv", "keys.csv"], 3),
        (&["--from-contents", "Contents"], 3),
    ] {
        let (code, _, err) = warpath(&top, &[&["index"][..], args, &["-o", "x.warp"]].concat());
        assert_eq!(code, 0, "{args:?}: {err}");
        assert!(
            out(&top, &["verify", "x.warp"]).contains(&format!("sound, {n_entries} entries")),
            "{args:?}"
        );
        let text = out(
            &top,
            &["lookup", "--index", "x.warp", "--paths-from", "keys.csv:Key", "--columns", "status,path"],
        );
        assert_eq!(text, "OK\td/\nOK\td/f\nOK\tl\n", "{args:?}");
    }
    assert_eq!(out(&top, &["path-of", "--id", "x.warp", "0"]), "/\n");
}

#[test]
fn an_update_writes_what_has_changed() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "--attributes", "-o", "t.warp", "--mode", "640"]);
    let update = |args: &[&str]| {
        let (code, text, err) = warpath(&top, &[&["update", "t.warp"][..], args].concat());
        assert_eq!((code, text.as_str()), (0, ""), "{err}");
        err
    };
    let before = fs::metadata(top.join("t.warp")).unwrap();
    assert_eq!(update(&[]), "warpath: 0 added, 0 removed, 0 renamed, 0 with other attributes\n");
    assert_eq!(fs::metadata(top.join("t.warp")).unwrap().ino(), before.ino(), "nothing was to be written");

    fs::rename(top.join("t/d"), top.join("t/moved")).unwrap();
    fs::remove_file(top.join("t/g")).unwrap();
    fs::write(top.join("t/moved/new"), "x").unwrap();
    fs::create_dir(top.join("t/other")).unwrap();
    fs::write(top.join("t/other/n"), "x").unwrap();
    let said = update(&["--dry-run"]);
    assert!(said.contains("3 added, 1 removed, 1 renamed"), "{said}");
    assert!(out(&top, &["ls", "t.warp"]).contains("g\n"));
    update(&[]);
    assert_eq!(
        out(&top, &["ls", "-R", "t.warp"]),
        "/hard\n/l\n/moved/\n/other/\n/moved/e/\n/moved/f\n/moved/new\n/other/n\n"
    );
    out(&top, &["verify", "t.warp"]);
    assert_eq!(fs::metadata(top.join("t.warp")).unwrap().permissions().mode() & 0o777, 0o640);

    fs::remove_file(top.join("t/other/n")).unwrap();
    fs::remove_file(top.join("t/moved/new")).unwrap();
    let said = update(&["--only", "other"]);
    assert!(said.contains("0 added, 1 removed"), "{said}");
    assert!(out(&top, &["ls", "t.warp", "moved"]).contains("new"));
    let (code, _, err) = warpath(&top, &["update", "t.warp", "--only", "hard"]);
    assert!(code == 2 && err.contains("no such directory"), "{err}");
}

#[test]
fn an_update_leaves_out_what_the_index_leaves_out() {
    let (_folder, top) = tree();
    fs::create_dir_all(top.join("t/.git/x")).unwrap();
    let (code, _, err) = warpath(&top, &["index", "t", "--exclude", ".git/", "-o", "t.warp"]);
    assert!(code == 0 && err.contains("excluded (UNINDEXED): 1"), "{err}");
    fs::write(top.join("t/.git/x/y"), "").unwrap();
    let git = top.join("t/.git");
    let (code, _, err) = warpath(&top, &["update", "t.warp", "--only", git.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("0 added, 0 removed"), "{err}");
}

#[test]
fn a_tree_behind_a_link_stays_behind_it() {
    let (_folder, top) = tree();
    symlink("t", top.join("link")).unwrap();
    out(&top, &["index", "link", "-o", "l.warp"]);
    let file = top.join("link/d/f");
    let lookup = || warpath(&top, &["lookup", "--index", "l.warp", file.to_str().unwrap()]).0;
    assert_eq!(lookup(), 0);
    let (code, _, err) = warpath(&top, &["update", "l.warp"]);
    assert_eq!(
        (code, err.as_str()),
        (0, "warpath: 0 added, 0 removed, 0 renamed, 0 with other attributes\n")
    );
    fs::write(top.join("t/d/new"), "").unwrap();
    let part = top.join("link/d");
    let (code, _, err) = warpath(&top, &["update", "l.warp", "--only", part.to_str().unwrap()]);
    assert!(code == 0 && err.contains("1 added, 0 removed"), "{err}");
    assert_eq!(lookup(), 0);
}

#[test]
fn what_is_in_use_is_counted() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "--in-root", "-o", "t.warp"]);
    let count = |name: &str| {
        let text = out(&top, &["info", "t.warp"]);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((count("directories"), count("links")), (3, 1));
    fs::remove_dir(top.join("t/d/e")).unwrap();
    fs::remove_file(top.join("t/l")).unwrap();
    assert_eq!(warpath(&top, &["update", "t.warp"]).0, 0);
    assert_eq!((count("directories"), count("links")), (2, 0));
}

#[test]
fn what_fails_is_one_line_and_leaves_the_old_file() {
    let (_folder, top) = tree();
    out(&top, &["index", "t", "-o", "t.warp"]);
    let old = fs::read(top.join("t.warp")).unwrap();
    fs::write(top.join("text"), "not an index at all, but longer than a header of one: 64 bytes").unwrap();
    fs::write(top.join("cut.warp"), &old[..old.len() / 2]).unwrap();
    let mut wrong = old.clone();
    let last = wrong.len() - 10;
    wrong[last] ^= 1;
    fs::write(top.join("wrong.warp"), wrong).unwrap();
    for (args, message) in [
        (&["verify", "text"][..], "text is no warpath index"),
        (&["lookup", "--index", "cut.warp", "/"], "cut.warp is cut off"),
        (&["verify", "wrong.warp"], "wrong.warp is damaged"),
        (&["info", "none.warp"], "opening none.warp"),
        (&["index", "none", "-o", "t.warp"], "none"),
        (&["index", "--from-list", "none", "-o", "t.warp"], "reading none"),
        (&["index", "--from-tar", "text", "-o", "t.warp"], "text"),
        (&["index", "t", "-o", "no/such/t.warp"], "there is no folder no/such"),
        (&["index", "t", "-o", "t.warp", "--mode", "9"], "octal"),
        (&["index", "t", "-o", "t"], "it is a directory"),
        (&["index", "--from-list", "t.warp", "-o", "t.warp"], "it is the source"),
        (&["update", "text"], "no warpath index"),
    ] {
        let (code, text, err) = warpath(&top, args);
        assert_eq!((code, text.as_str(), err.lines().count()), (2, "", 1), "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
    }
    assert_eq!(fs::read(top.join("t.warp")).unwrap(), old);
    assert_eq!(warpath(&top, &["index"]).0, 2);
    assert_eq!(warpath(&top, &["lookup", "x"]).0, 2);
}

#[test]
fn completions_and_the_manual_are_generated() {
    let folder = tempdir().unwrap();
    for (what, part) in [
        ("man", ".SH NAME"),
        ("bash", "_warpath()"),
        ("zsh", "#compdef warpath"),
        ("fish", "complete -c warpath"),
    ] {
        assert!(out(folder.path(), &["generate", what]).contains(part), "{what}");
    }
}
