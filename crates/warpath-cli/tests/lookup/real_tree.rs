//! Every path of a real tree, compared with what `find` and `stat` say.

use crate::run::{lookup, run_with};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// Everybody has it, full of links, and it seldom changes.
const TREE: &str = "/usr";

fn find(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("find").arg(TREE).arg("-xdev").args(arguments).output().expect("find runs");
    output.stdout
}

/// `find` prints each path with its inode: so do we, byte for byte.
#[test]
fn every_path_has_the_inode_that_find_prints() {
    let expected = find(&["-printf", "OK\\t%i\\t%p\\0"]);
    let paths = find(&["-print0"]);
    let answer = run_with(lookup(TREE).args(["-0", "--no-follow"]), &paths);
    assert!(answer.out == expected, "{}", first_difference(&answer.out, &expected));
    assert_eq!(answer.code, 0);
    assert!(paths.len() > 100_000);
}

/// What `stat` says of every link and of paths through it is what we say.
#[test]
fn links_lead_where_stat_says() {
    let mut paths = Vec::new();
    for link in find(&["-type", "l", "-print0"]).split(|&byte| byte == 0).filter(|link| !link.is_empty()) {
        for suffix in [&b""[..], b"/", b"/.", b"/..", b"/../..", b"/none"] {
            paths.push([link, suffix].concat());
        }
    }
    assert!(paths.len() > 1000);
    let input = paths.iter().flat_map(|path| [path, &b"\0"[..]].concat()).collect::<Vec<_>>();
    let answer = run_with(lookup(TREE).arg("-0"), &input);
    let mut n_compared = 0;
    for (line, path) in answer.out.split(|&byte| byte == 0).zip(&paths) {
        let text = String::from_utf8_lossy(line);
        let status = text.split('\t').next().unwrap();
        // Links into /etc, /var and the like leave the scan.
        if status == "UNINDEXED" {
            continue;
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let expected = match path.metadata() {
            Ok(metadata) => format!("OK\t{}", metadata.ino()),
            Err(error) => match error.raw_os_error() {
                Some(2) => "ENOENT\t-".to_owned(),
                Some(20) => "ENOTDIR\t-".to_owned(),
                Some(40) => "ELOOP\t-".to_owned(),
                other => panic!("{}: {other:?}", path.display()),
            },
        };
        assert_eq!(text, format!("{expected}\t{}", path.to_string_lossy()));
        n_compared += 1;
    }
    assert!(n_compared > paths.len() / 2, "{n_compared} of {}", paths.len());
}

fn first_difference(ours: &[u8], theirs: &[u8]) -> String {
    let pairs = ours.split(|&byte| byte == 0).zip(theirs.split(|&byte| byte == 0));
    match pairs.into_iter().find(|(ours, theirs)| ours != theirs) {
        Some((ours, theirs)) => {
            format!("we say {:?}, find {:?}", String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs))
        }
        None => format!("we print {} bytes, find {}", ours.len(), theirs.len()),
    }
}
