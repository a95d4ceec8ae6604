//! The benchmark runs, and gets right answers: it ends with an error where one is wrong.

use std::process::Command;

fn run(arguments: &[&str], keys: &[&str]) {
    let folder = std::env::temp_dir().join(format!(
        "warpath-bench-{}-{}",
        std::process::id(),
        arguments[..2.min(arguments.len())].join("-")
    ));
    let output = Command::new(env!("CARGO_BIN_EXE_warpath-bench"))
        .args(arguments)
        .args(["--quick", "--record"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let machine = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let files: Vec<_> = std::fs::read_dir(machine).unwrap().map(|file| file.unwrap().path()).collect();
    let csv = files.iter().find(|file| file.extension().is_some_and(|ending| ending == "csv")).unwrap();
    let csv = std::fs::read_to_string(csv).unwrap();
    for key in keys {
        assert!(csv.lines().any(|line| line.starts_with(&format!("{key},"))), "{key} is missing:\n{csv}");
    }
    assert!(csv.starts_with("# machine: "), "{csv}");
    assert_eq!(files.len(), 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_api_benchmark_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_warpath-bench"))
        .args(["api", "--quick", "--only", "calls,batcher,load,auto,huge"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    for row in [
        "| cpu |",
        "| batcher, a future |",
        "| 64 tasks, paced to 0.5 M/s |",
        "| cpu, a request to the batcher |",
    ] {
        assert!(text.contains(row), "{row} is missing:\n{text}");
    }
}

#[test]
fn the_core_benchmark_runs_and_writes_its_record() {
    run(&["core"], &["k14.random.1.warpath", "k14.random.all.over_flat", "k14.missing.1.share", "single.ns"]);
}

#[test]
fn peers_answer_the_same_paths() {
    let maps = [
        "warpath",
        "flat_table",
        "hashbrown_foldhash",
        "hashbrown_ahash",
        "dashmap_foldhash",
        "std",
        "fst",
        "sorted_vector",
    ];
    let keys: Vec<String> = maps.iter().map(|map| format!("k12.random.all.{map}")).collect();
    run(&["peers", "maps", "--tree", "k12"], &keys.iter().map(String::as_str).collect::<Vec<_>>());
    run(&["peers", "small"], &["k8.batch1.warpath", "k20.batch1000.hashbrown"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_answers_the_same_paths() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let root = std::fs::canonicalize(root).unwrap();
    let arguments = ["peers", "system", "--tree", "usr", "--root", root.to_str().unwrap()];
    run(&arguments, &["usr.system.1.warpath", "usr.system.all.statx_in_a_loop"]);
}

#[test]
fn the_files_benchmark_runs() {
    let tree = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO_BIN_EXE_warpath-bench"))
        .args(["files", "--quick", "--tree", tree])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for figure in ["verifying over copying", "saving over writing", "opened, ms", "a scan over `find`"] {
        assert!(text.contains(figure), "{figure} is missing:\n{text}");
    }
}
