//! Batches in flight beside other work of a tokio runtime: `cargo run --example with_tokio`.

#![allow(clippy::print_stdout)]

use std::time::Duration;
use warpath::{BatchLookupBuilder, Device, Error, FileType, GpuFilesystem, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let fs = GpuFilesystem::new(&Device::cpu(), 1024)?;
    let d = fs.add_file(0, "d", FileType::Directory)?;
    let ids: Vec<u32> =
        (0..1000).map(|i| fs.add_file(d, format!("{i}"), FileType::Regular)).collect::<Result<_, _>>()?;
    let paths: Vec<String> = (0..1000).map(|i| format!("/d/{i}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();

    // Two large batches at a time. Their futures need no runtime, and wake this one's.
    let first = fs.lookup_batch_async(&paths)?;
    let second = fs.lookup_batch_async(&paths[..10])?;
    assert_eq!(second.await?, ids[..10].iter().map(|id| Ok(*id)).collect::<Vec<_>>());
    assert!(first.await?.into_iter().eq(ids.iter().map(|id| Ok(*id))));

    // Many tasks with a path each: the batcher makes few batches of them.
    let batcher = BatchLookupBuilder::new(&fs).build()?;
    let tasks: Vec<_> = (0..100)
        .map(|i| {
            let batcher = batcher.clone();
            tokio::spawn(async move {
                let request = Request::new([format!("/d/{i}")]).timeout(Duration::from_secs(1));
                let outcomes = batcher.resolve_async(request).await?;
                Ok::<_, Error>(outcomes.get(0))
            })
        })
        .collect();
    for (task, id) in tasks.into_iter().zip(&ids) {
        assert_eq!(task.await??, Ok(*id));
    }
    println!("{:?}", batcher.stats());
    Ok(())
}

#[test]
fn the_example_runs() {
    main().unwrap();
}
