//! What a device of several engines does by itself. Which engine a batch goes to is tested in `src/router/tests.rs`, on a clock of its own.

mod common;

use common::TestEngine;
use std::sync::Arc;
use std::time::Duration;
use warpath::{
    BatchLookupBuilder, Device, Error, FileType, GpuFilesystem, InodeId, Options, PathBatch, Reason,
};

#[test]
fn engines_are_measured_in_the_background_at_the_first_batch() {
    is_measured_after(|fs| fs.lookup_path("/a"));
}

#[test]
fn so_they_are_at_the_first_batch_that_runs_while_its_caller_does_something_else() {
    is_measured_after(|fs| fs.lookup_batch_async(&["/a", "/b"])?.wait().map(|answers| answers[0].unwrap()));
}

#[test]
fn so_they_are_at_the_first_batch_of_a_batcher() {
    is_measured_after(|fs| {
        // With a time-out no request is answered by its own thread.
        let batcher = BatchLookupBuilder::new(fs).timeout(1).build().unwrap();
        batcher.lookup_batch(&["/a", "/b"]).map(|answers| answers[0].unwrap())
    });
}

/// Whether a device of two engines is measured after a lookup of `/a`, which is made twice.
fn is_measured_after(look_up: impl Fn(&GpuFilesystem) -> Result<InodeId, Error>) {
    let engine = TestEngine::new();
    let device = Device::combined([Device::from_engine(Arc::clone(&engine) as Arc<_>), Device::cpu()]);
    let fs = GpuFilesystem::new(&device, 16).unwrap();
    let id = fs.add_file(0, "a", FileType::Regular).unwrap();
    let batch = PathBatch::from_slices(&[b"/a"]);
    assert_eq!(fs.explain(&batch).reason, Reason::NotMeasured);
    // Until then batches go to the CPU, and none waits for the engine.
    engine.close();
    assert_eq!(look_up(&fs), Ok(id));
    let is_asked = |_| {
        std::thread::sleep(Duration::from_millis(10));
        engine.batches() > 0
    };
    assert!((0..6000).any(is_asked), "a minute, and nobody has begun to measure");
    assert_eq!(look_up(&fs), Ok(id));
    assert_eq!(fs.explain(&batch).reason, Reason::NotMeasured);
    engine.open();
    let is_measured = |_| {
        std::thread::sleep(Duration::from_millis(10));
        fs.explain(&batch).reason == Reason::Fastest
    };
    assert!((0..6000).any(is_measured), "a minute, and not measured");
}

#[test]
fn a_batch_above_every_piece_is_one_answer() {
    let fs = GpuFilesystem::new(&Device::cpu(), 16).unwrap();
    let n = (1 << 24) + 5;
    let offsets: Vec<u32> = (0..=n as u32).map(|i| i.min(1)).collect();
    let batch = PathBatch::new(b"/", &offsets).unwrap();
    let outcomes = fs.resolve(batch, &Options::default()).unwrap();
    assert_eq!(outcomes.get(0), Ok(0));
    let n_missing = outcomes.statuses().iter().filter(|status| **status != 0).count();
    assert_eq!((outcomes.len(), n_missing), (n, n - 1));
}
