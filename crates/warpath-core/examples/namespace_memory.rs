//! Builds a namespace from a list of paths in memory and tells how long that took and how much memory it holds.
//!
//! `cargo run --release -p warpath-core --example namespace_memory -- LIST` (a path a line)

use std::time::Instant;
use warpath_core::FileType;
use warpath_core::namespace::ListBuilder;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let list = std::env::args_os().nth(1).ok_or("usage: namespace_memory LIST")?;
    let bytes = std::fs::read(list)?;
    let paths: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|path| !path.is_empty()).collect();

    let start = Instant::now();
    let mut builder = ListBuilder::new();
    for path in &paths {
        builder.push(path, FileType::Regular);
    }
    let pushed = start.elapsed();
    let (namespace, summary) = builder.finish();
    let built = start.elapsed();

    let n = namespace.n_entries();
    println!("{summary:?}");
    println!("entries: {n}");
    let rate = |time: std::time::Duration| n as f64 / time.as_secs_f64() / 1e6;
    println!(
        "built in {built:.2?}: {:.1} M entries/s ({:.1} without the last step)",
        rate(built),
        rate(pushed)
    );
    println!("memory: {} bytes, {:.1} an entry", namespace.memory(), namespace.memory() as f64 / n as f64);

    let start = Instant::now();
    let name_bytes: usize =
        (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)).map(|entry| entry.name.len()).sum();
    println!("names: mean {:.1} bytes; read in {:.2?}", name_bytes as f64 / n as f64, start.elapsed());

    let start = Instant::now();
    let found = (0..namespace.entry_bound())
        .filter_map(|id| namespace.entry(id))
        .filter(|entry| namespace.child(entry.parent, entry.name) == Some(entry.inode))
        .count();
    let time = start.elapsed().as_nanos() as f64 / n as f64;
    println!("child: {found} of {n} found, {time:.0} ns each");
    Ok(())
}
