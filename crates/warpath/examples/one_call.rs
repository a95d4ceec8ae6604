//! One call answers many paths: `cargo run --example one_call`.

#![allow(clippy::print_stdout)]

use warpath::{Device, FileType, GpuFilesystem, LookupError, Options, PathBatch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The best engine of this machine, and the CPU behind it.
    let device = Device::system_default().ok_or("there is always the CPU")?;
    let fs = GpuFilesystem::new(&device, 1024)?;
    let etc = fs.add_file(0, "etc", FileType::Directory)?;
    let hosts = fs.add_file(etc, "hosts", FileType::Regular)?;
    fs.add_symlink(0, "conf", "etc")?;

    // As text. A bad path is its own answer's error, and no other's.
    let answers = fs.lookup_batch(&["/etc/hosts", "/conf/../conf/hosts", "/etc/passwd", "/etc/hosts/x"])?;
    assert_eq!(answers[..2], [Ok(hosts), Ok(hosts)]);
    assert_eq!(answers[2..], [Err(LookupError::NotFound), Err(LookupError::NotADirectory)]);

    // As bytes with offsets, the form in which paths lie in files and columns: nothing is copied.
    let batch = PathBatch::new(b"/etc/hosts/conf", &[0, 10, 15])?;
    let outcomes = fs.resolve(batch, &Options::default().no_follow())?;
    println!("inodes {:?}, statuses {:?}", outcomes.inodes(), outcomes.statuses());
    println!("{}", fs.explain(&batch));
    Ok(())
}

#[test]
fn the_example_runs() {
    main().unwrap();
}
