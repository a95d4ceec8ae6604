//! Which devices there are, on whatever machine this is.

use warpath::{Device, FileType, GpuFilesystem};

fn check(device: &Device) {
    let fs = GpuFilesystem::new(device, 16).unwrap();
    let id = fs.add_file(0, "a", FileType::Regular).unwrap();
    let answers = fs.lookup_batch(&["/a", "/b"]).unwrap();
    assert_eq!((answers[0], answers[1].is_err()), (Ok(id), true), "{device:?}");
}

#[test]
fn every_device_answers_and_the_cpu_is_the_last() {
    let all = Device::all();
    assert_eq!(all.last().unwrap().name(), "cpu");
    all.iter().for_each(check);
    check(&Device::system_default().unwrap());
    check(&Device::named("auto").unwrap());
}

#[cfg(feature = "wgpu")]
#[test]
fn software_adapters_are_used_only_when_named() {
    let software: Vec<_> =
        warpath_engine_wgpu::adapters().into_iter().filter(|adapter| adapter.software).collect();
    for adapter in &software {
        let listed = Device::all().iter().any(|device| device.description().contains(&adapter.name));
        assert!(!listed, "{} computes on the CPU", adapter.name);
    }
    let Some(adapter) = software.iter().find(|adapter| adapter.unusable.is_none()) else {
        assert!(!must_run("wgpu"), "there is no software adapter");
        return;
    };
    let device = Device::named(&format!("wgpu:{}", adapter.name)).unwrap().without_fallback();
    check(&device);
    let fs = GpuFilesystem::new(&device, 16).unwrap();
    assert!(fs.engines()[0].contains(&adapter.name), "{:?}", fs.engines());
}

#[cfg(feature = "wgpu")]
#[test]
fn an_adapter_that_does_not_exist_is_an_error_that_says_so() {
    let device = Device::wgpu(Some("no such adapter"));
    let error = GpuFilesystem::new(&device, 16).unwrap_err().to_string();
    assert!(error.contains("no such adapter"), "{error}");
}

#[cfg(feature = "cuda")]
#[test]
fn without_a_gpu_cuda_is_an_error_that_says_why_and_no_device() {
    let Err(reason) = warpath_engine_cuda::gpus() else { return };
    for device in [Device::cuda(None), Device::cuda(Some("H100")), Device::cuda_gpus(&[0, 1])] {
        let error = GpuFilesystem::new(&device, 16).unwrap_err();
        assert_eq!(error, warpath::Error::Engine(reason.clone()));
        // With another engine beside it that one answers.
        check(&Device::combined([device, Device::cpu()]));
    }
    assert!(Device::all().iter().all(|device| device.name() != "cuda"));
}

#[cfg(feature = "wgpu")]
fn must_run(name: &str) -> bool {
    let must_run = std::env::var("WARPATH_MUST_RUN").unwrap_or_default();
    must_run.split([',', ' ']).any(|must_run| must_run == name)
}

#[cfg(all(feature = "scan", unix))]
#[test]
fn a_live_tree_becomes_a_file_system() {
    use std::os::unix::fs::{MetadataExt, symlink};
    use warpath::{LookupError, ScanError, ScanOptions};

    let folder = std::env::temp_dir().join(format!("warpath-scan-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("d/left out")).unwrap();
    std::fs::write(folder.join("d/file"), "").unwrap();
    symlink("d/file", folder.join("link")).unwrap();

    let options = ScanOptions { exclude: vec!["left out".to_owned()], ..ScanOptions::default() };
    let scanned = GpuFilesystem::scan(&Device::cpu(), &folder, &options).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let file = scanned.fs.lookup_path(&path("d/file")).unwrap();
    assert_eq!(scanned.fs.lookup_path(&path("link")), Ok(file));
    let answers =
        scanned.fs.lookup_batch_at(scanned.root, &["d/file", "x", "d/left out/y", "/no/such/path"]).unwrap();
    let expected =
        [Ok(file), Err(LookupError::NotFound), Err(LookupError::NotIndexed), Err(LookupError::NotIndexed)];
    assert_eq!(answers, expected);
    assert_eq!(
        scanned.fs.with_namespace(|namespace| namespace.attributes(file).unwrap().ino),
        Some(std::fs::metadata(folder.join("d/file")).unwrap().ino())
    );
    assert_eq!((scanned.summary.symlinks, scanned.summary.excluded), (1, 1));

    let in_root = ScanOptions { in_root: true, ..ScanOptions::default() };
    let scanned = GpuFilesystem::scan(&Device::cpu(), &folder, &in_root).unwrap();
    assert!(scanned.fs.lookup_path("/link").is_ok());
    std::fs::remove_dir_all(&folder).unwrap();
    let error = GpuFilesystem::scan(&Device::cpu(), &folder, &in_root).unwrap_err();
    assert!(matches!(&error, ScanError::Scan(_)) && error.to_string().contains("warpath-scan"), "{error}");
}
