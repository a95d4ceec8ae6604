//! The committed PTX is that of the committed kernels.

use std::path::{Path, PathBuf};

fn crate_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// FNV-1a over the kernels' files, in the order of `scripts/ptx.py`.
fn stamp() -> u64 {
    let kernels = crate_folder().join("kernels");
    let mut headers: Vec<PathBuf> = std::fs::read_dir(&kernels)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cuh"))
        .collect();
    headers.sort();
    headers.push(crate_folder().join("../warpath-layout/generated/layout.cuh"));
    headers.extend(["resolve.cu", "resident.cu", "unpack.cu"].map(|unit| kernels.join(unit)));
    headers.iter().flat_map(|path| std::fs::read(path).unwrap()).fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[test]
fn committed_ptx_is_fresh_and_of_the_versions_that_drivers_load() {
    let images = [
        ("resolve", 75, "8.0"),
        ("resolve", 80, "8.0"),
        ("resolve", 90, "8.8"),
        ("resident", 75, "8.0"),
        ("unpack", 75, "8.0"),
    ];
    for (unit, capability, version) in images {
        let path = crate_folder().join(format!("ptx/{unit}_{capability}.ptx"));
        let text = std::fs::read_to_string(&path).unwrap();
        let advice = "is stale: run `scripts/ptx.sh` and commit";
        assert!(
            text.lines().next().unwrap().ends_with(&format!("{:016x}", stamp())),
            "{} {advice}",
            path.display()
        );
        assert!(text.contains(&format!(".version {version}\n")), "{}: not PTX {version}", path.display());
        assert!(text.contains(&format!(".target sm_{capability}\n")), "{}: another target", path.display());
    }
}

#[test]
fn the_compiler_at_hand_makes_the_same_ptx() {
    let root = crate_folder().join("../..");
    if !root.join("target/nvrtc-12.9/done").exists() {
        eprintln!("SKIPPED: no NVRTC here; `scripts/ptx.sh --check` brings it and compares");
        return;
    }
    let status =
        std::process::Command::new("scripts/ptx.sh").arg("--check").current_dir(root).status().unwrap();
    assert!(status.success());
}
