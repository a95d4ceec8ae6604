//! A tree that changes while it is scanned.

use crate::run::{lookup, make, run_with};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::tempdir;

#[test]
fn there_is_an_answer_for_each_path() {
    let top = tempdir().unwrap();
    for i in 0..300 {
        make(top.path(), &[&format!("stays{i}/d/"), &format!("stays{i}/f")]);
    }
    let paths: String = (0..300).map(|i| format!("/stays{i}/f\n/changes{}/x/y\n", i % 23)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in (0..23).cycle() {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let name = top.path().join(format!("changes{i}"));
                let _ = fs::create_dir_all(name.join("x/y"));
                let _ = fs::rename(&name, top.path().join(format!("moved{i}")));
                let _ = fs::remove_dir_all(top.path().join(format!("moved{i}")));
                let _ = fs::write(&name, "").and_then(|()| fs::remove_file(&name));
            }
        });
        for _ in 0..20 {
            let answer = run_with(lookup(top.path()).arg("--in-root"), paths.as_bytes());
            assert_eq!(answer.err, "");
            let statuses = answer.statuses();
            assert_eq!(statuses.len(), 600);
            for pair in statuses.chunks(2) {
                assert_eq!(pair[0], "OK");
                assert!(["OK", "ENOENT", "ENOTDIR", "UNINDEXED"].contains(&pair[1]), "{}", pair[1]);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
