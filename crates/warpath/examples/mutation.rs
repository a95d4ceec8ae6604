//! The tree changes while others look things up: `cargo run --example mutation`.

#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicBool, Ordering};
use warpath::{Attributes, Change, Device, FileType, GpuFilesystem};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fs = GpuFilesystem::new(&Device::cpu(), 1024)?;
    let release = fs.add_file(0, "release-1", FileType::Directory)?;
    fs.add_file(release, "program", FileType::Regular)?;
    let done = AtomicBool::new(false);

    let n_batches = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&fs, &done));
        let changed = change(&fs, release);
        done.store(true, Ordering::Relaxed);
        changed.map(|()| reader.join())
    })?;
    let n_batches = n_batches.map_err(|_| "the reader saw no release, or two")?;
    println!("{n_batches} batches beside {} changes", fs.version());
    Ok(())
}

fn read(fs: &GpuFilesystem, done: &AtomicBool) -> u64 {
    let paths: Vec<String> = (1..=20).map(|i| format!("/release-{i}/program")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut n_batches = 0;
    while !done.load(Ordering::Relaxed) || n_batches == 0 {
        // A batch sees one version of the tree, whole: there is exactly one release in each.
        let answers = fs.lookup_batch(&paths).unwrap_or_default();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        n_batches += 1;
    }
    n_batches
}

fn change(fs: &GpuFilesystem, release: u32) -> Result<(), Box<dyn std::error::Error>> {
    for i in 1..20 {
        // O(1), however much lies in the directory. Lookups neither wait nor stop.
        fs.rename(0, format!("release-{i}"), 0, format!("release-{}", i + 1))?;
    }
    // Several changes as one version.
    fs.apply(&[
        Change::Remove { parent: release, name: b"program".to_vec() },
        Change::Add {
            parent: release,
            name: b"program".to_vec(),
            file_type: FileType::Regular,
            target: None,
            attributes: Attributes::default(),
        },
        Change::Rename { from: 0, name: b"release-20".to_vec(), to: 0, new_name: b"release-1".to_vec() },
    ])?;
    Ok(())
}

#[test]
fn the_example_runs() {
    main().unwrap();
}
