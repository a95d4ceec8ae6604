//! Builds a namespace from a list of paths in memory and tells how long that took (processor time, one thread) and how much memory it holds.
//!
//! `cargo run --release -p warpath-core --example namespace_memory -- LIST` (a path a line)

use std::time::Duration;
use warpath_core::FileType;
use warpath_core::namespace::ListBuilder;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let list = std::env::args_os().nth(1).ok_or("usage: namespace_memory LIST")?;
    let bytes = std::fs::read(list)?;
    let paths: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|path| !path.is_empty()).collect();

    let start = cpu_time();
    let mut builder = ListBuilder::new();
    for path in &paths {
        builder.push(path, FileType::Regular);
    }
    let pushed = cpu_time() - start;
    let (namespace, summary) = builder.finish();
    let built = cpu_time() - start;

    let n = namespace.n_entries();
    println!("{summary:?}");
    println!("entries: {n}");
    let rate = |time: Duration| n as f64 / time.as_secs_f64() / 1e6;
    println!(
        "built in {built:.2?}: {:.1} M entries/s ({:.1} without the last step)",
        rate(built),
        rate(pushed)
    );
    println!("memory: {} bytes, {:.1} an entry", namespace.memory(), namespace.memory() as f64 / n as f64);

    let start = cpu_time();
    let name_bytes: usize =
        (0..namespace.entry_bound()).filter_map(|id| namespace.entry(id)).map(|entry| entry.name.len()).sum();
    println!("names: mean {:.1} bytes; read in {:.2?}", name_bytes as f64 / n as f64, cpu_time() - start);

    let start = cpu_time();
    let found = (0..namespace.entry_bound())
        .filter_map(|id| namespace.entry(id))
        .filter(|entry| namespace.child(entry.parent, entry.name) == Some(entry.inode))
        .count();
    let time = (cpu_time() - start).as_nanos() as f64 / n as f64;
    println!("child: {found} of {n} found, {time:.0} ns each");
    Ok(())
}

/// Time that this thread has run: the machine may be busy with others' work.
fn cpu_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(schedule.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}
