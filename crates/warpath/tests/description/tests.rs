// The first description's tests, word for word but for `#[ignore]`. Included by ../description.rs, once a device.

#[test]
fn test_batch_lookup_empty() {
    let device = Device::system_default().unwrap();
    let fs = GpuFilesystem::new(&device, 1024).unwrap();

    let results = fs.lookup_batch(&[]).unwrap();
    assert_eq!(results.len(), 0);
}

#[test]
fn test_batch_lookup_single() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 1024).unwrap();

    let src_id = fs.add_file(0, "src", FileType::Directory).unwrap();

    let results = fs.lookup_batch(&["/src"]).unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].unwrap(), src_id);
}

#[test]
fn test_batch_lookup_multiple() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 1024).unwrap();

    let src_id = fs.add_file(0, "src", FileType::Directory).unwrap();
    let docs_id = fs.add_file(0, "docs", FileType::Directory).unwrap();
    let tests_id = fs.add_file(0, "tests", FileType::Directory).unwrap();

    let paths = vec!["/src", "/docs", "/tests"];
    let results = fs.lookup_batch(&paths).unwrap();

    assert_eq!(results.len(), 3);
    assert_eq!(results[0].unwrap(), src_id);
    assert_eq!(results[1].unwrap(), docs_id);
    assert_eq!(results[2].unwrap(), tests_id);
}

#[test]
fn test_batch_lookup_large() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 2048).unwrap();

    // Create 100 files
    let mut expected_ids = Vec::new();
    let mut paths = Vec::new();

    for i in 0..100 {
        let name = format!("file{:03}", i);
        let id = fs.add_file(0, &name, FileType::Regular).unwrap();
        expected_ids.push(id);
        paths.push(format!("/file{:03}", i));
    }

    // Batch lookup all 100
    let path_refs: Vec<&str> = paths.iter().map(|s| s.as_str()).collect();
    let results = fs.lookup_batch(&path_refs).unwrap();

    assert_eq!(results.len(), 100);
    for (i, result) in results.iter().enumerate() {
        assert_eq!(result.as_ref().unwrap(), &expected_ids[i]);
    }
}

#[test]
fn test_batch_lookup_mixed_success_fail() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 1024).unwrap();

    let src_id = fs.add_file(0, "src", FileType::Directory).unwrap();

    let paths = vec!["/src", "/missing", "/src", "/also_missing"];
    let results = fs.lookup_batch(&paths).unwrap();

    assert_eq!(results.len(), 4);
    assert_eq!(results[0].as_ref().unwrap(), &src_id);
    assert!(results[1].is_err());
    assert_eq!(results[2].as_ref().unwrap(), &src_id);
    assert!(results[3].is_err());
}

#[test]
fn test_batch_lookup_nested_paths() {
    let device = Device::system_default().unwrap();
    let mut fs = GpuFilesystem::new(&device, 1024).unwrap();

    let src_id = fs.add_file(0, "src", FileType::Directory).unwrap();
    let gpu_os_id = fs.add_file(src_id, "gpu_os", FileType::Directory).unwrap();
    let main_id = fs.add_file(src_id, "main.rs", FileType::Regular).unwrap();
    let fs_id = fs.add_file(gpu_os_id, "filesystem.rs", FileType::Regular).unwrap();

    let paths = vec![
        "/src/main.rs",
        "/src/gpu_os",
        "/src/gpu_os/filesystem.rs",
    ];
    let results = fs.lookup_batch(&paths).unwrap();

    assert_eq!(results.len(), 3);
    assert_eq!(results[0].as_ref().unwrap(), &main_id);
    assert_eq!(results[1].as_ref().unwrap(), &gpu_os_id);
    assert_eq!(results[2].as_ref().unwrap(), &fs_id);
}
