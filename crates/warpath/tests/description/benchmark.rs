// The first description's benchmark, word for word but for `#[test]` and `#[ignore]`. Included by ../description.rs, once a device.

fn bench_batch_vs_individual() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 2048).unwrap();

    // Create 100 files
    let mut paths = Vec::new();
    for i in 0..100 {
        let name = format!("file{:03}", i);
        fs.add_file(0, &name, FileType::Regular).unwrap();
        paths.push(format!("/file{:03}", i));
    }

    let path_refs: Vec<&str> = paths.iter().map(|s| s.as_str()).collect();

    // Benchmark individual lookups
    let start = Instant::now();
    for path in &path_refs {
        let _ = fs.lookup_path(path);
    }
    let individual_time = start.elapsed();

    // Benchmark batch lookup
    let start = Instant::now();
    let _ = fs.lookup_batch(&path_refs);
    let batch_time = start.elapsed();

    let speedup = individual_time.as_secs_f64() / batch_time.as_secs_f64();

    println!("Individual: {:.2}ms", individual_time.as_secs_f64() * 1000.0);
    println!("Batch: {:.2}ms", batch_time.as_secs_f64() * 1000.0);
    println!("Speedup: {:.1}x", speedup);

    // Should be at least 10x faster
    assert!(speedup > 10.0, "Batch should be >10x faster, got {:.1}x", speedup);
}
