//! A column of paths becomes a column of inodes, without copying either: `cargo run --example arrow_column --features arrow`.

#![allow(clippy::print_stdout)]

use arrow_array::{Array, StringArray};
use warpath::{Device, FileType, GpuFilesystem, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fs = GpuFilesystem::new(&Device::cpu(), 16)?;
    let data = fs.add_file(0, "data", FileType::Directory)?;
    let a = fs.add_file(data, "a.parquet", FileType::Regular)?;
    let b = fs.add_file(data, "b.parquet", FileType::Regular)?;

    // As a query engine would hand it over: with nulls, and a part of a longer column.
    let log = StringArray::from(vec![
        Some("/ignored"),
        Some("/data/a.parquet"),
        None,
        Some("/data/gone.parquet"),
        Some("/data//b.parquet"),
    ]);
    let answers = fs.resolve_arrow(&log.slice(1, 4), &Options::default())?;

    // Null where the path is null or names nothing; the status tells these apart.
    assert_eq!(answers.inodes.iter().collect::<Vec<_>>(), [Some(a), None, None, Some(b)]);
    assert_eq!(answers.statuses.iter().collect::<Vec<_>>(), [Some(0), None, Some(1), Some(0)]);
    println!("{} of {} paths exist", answers.inodes.len() - answers.inodes.null_count(), log.len() - 1);
    Ok(())
}

#[test]
fn the_example_runs() {
    main().unwrap();
}
