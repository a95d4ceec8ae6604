//! What ARCHITECTURE.md says of the crates, held against their manifests and sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The arrows: each crate, and the crates of this repository that it may use outside its tests.
const ARROWS: [(&str, &[&str]); 11] = [
    ("warpath-layout", &[]),
    ("warpath-core", &["warpath-layout"]),
    ("warpath-sources", &["warpath-core"]),
    ("warpath-file", &["warpath-core", "warpath-layout"]),
    ("warpath-workload", &["warpath-core"]),
    ("warpath-engine-cpu", &["warpath-core"]),
    ("warpath-engine-wgpu", &["warpath-core"]),
    // The CPU's hashing, for paths that are sent as keys.
    ("warpath-engine-cuda", &["warpath-core", "warpath-engine-cpu"]),
    // Engines for its programs.
    ("warpath-conformance", &["warpath-core", "warpath-engine-cpu", "warpath-engine-wgpu"]),
    (
        "warpath",
        &[
            "warpath-core",
            "warpath-engine-cpu",
            "warpath-engine-cuda",
            "warpath-engine-wgpu",
            "warpath-sources",
        ],
    ),
    (
        "warpath-cli",
        &[
            "warpath-core",
            "warpath-engine-cpu",
            "warpath-engine-cuda",
            "warpath-engine-wgpu",
            "warpath-file",
            "warpath-sources",
            "warpath-workload",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The crates of this repository that a manifest names under `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]\n"));
    let lines = section.unwrap_or_default().lines();
    lines
        .filter(|line| line.starts_with("warpath"))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .collect()
}

#[test]
fn dependencies_are_the_arrows() {
    let mut crates: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    crates.sort();
    let mut known = ARROWS.map(|(name, _)| name);
    known.sort_unstable();
    assert_eq!(crates, known, "a crate without arrows: name it here and in ARCHITECTURE.md");
    for (name, allowed) in ARROWS {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(dependencies(&manifest), allowed, "{name}: change ARCHITECTURE.md with its arrows");
    }
}

#[test]
fn a_manifest_is_read() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# Why.\nwarpath-core.workspace = true\n\
                    warpath = { workspace = true, optional = true }\nrayon = \"1\"\n\n\
                    [dev-dependencies]\nwarpath-conformance.workspace = true\n";
    assert_eq!(dependencies(manifest), ["warpath", "warpath-core"].into());
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// No unsafe code in layout and core, and neither files nor processes.
#[test]
fn layout_and_core_touch_no_system() {
    for name in ["warpath-layout", "warpath-core"] {
        let folder = root().join("crates").join(name).join("src");
        let text = fs::read_to_string(folder.join("lib.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{name} forbids unsafe code");
        let mut files = Vec::new();
        sources(&folder, &mut files);
        assert!(files.len() > 1, "{name} has sources");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for word in ["std::fs", "std::net", "std::process", "std::env"] {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
    }
}
