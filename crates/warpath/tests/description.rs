//! The seven tests of the system's first description, as they are written there, on every engine of this build.
//!
//! The seventh is its benchmark, which demands that a batch of 100 be ten times as fast as 100 single calls. It runs on devices,
//! where a single call costs a dispatch. On the CPU a single call is no dispatch; `cargo bench` reports the ratio there.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::single_match, unused_mut)]

/// The description's tests, with `Device::system_default()` giving this device.
macro_rules! description {
    ($module:ident, $device:expr, $($included:literal),+) => {
        mod $module {
            #[allow(unused_imports)]
            use std::time::Instant;
            use warpath::{FileType, GpuFilesystem};

            /// Stands for the description's `Device`: its default is the device under test.
            struct Device;

            impl Device {
                fn system_default() -> Option<warpath::Device> {
                    super::or_cpu(stringify!($module), $device)
                }
            }

            $(include!($included);)+
        }
    };
}

/// The device, or where there is none the CPU, said aloud; where the environment's
/// WARPATH_MUST_RUN names it that is a failure.
fn or_cpu<E: std::fmt::Display>(name: &str, device: Result<warpath::Device, E>) -> Option<warpath::Device> {
    match device {
        Ok(device) => Some(device),
        Err(error) => {
            eprintln!("SKIPPED: {name} is not tested, the CPU stands in: {error}");
            let must_run = std::env::var("WARPATH_MUST_RUN").unwrap_or_default();
            let may_skip = !must_run.split([',', ' ']).any(|must_run| must_run == name);
            assert!(may_skip, "{name} may not be skipped here");
            Some(warpath::Device::cpu())
        }
    }
}

description!(cpu, Ok::<_, warpath::Error>(warpath::Device::cpu()), "description/tests.rs");
description!(
    system_default,
    warpath::Device::system_default().ok_or("there is always a device"),
    "description/tests.rs"
);

/// The best adapter, or a software one: Mesa's is on every machine of the tests.
#[cfg(feature = "wgpu")]
fn any_adapter() -> Result<warpath::Device, warpath::Error> {
    let hardware = warpath::Device::wgpu(None);
    if warpath::GpuFilesystem::new(&hardware, 0).is_ok() {
        return Ok(hardware.without_fallback());
    }
    let software = warpath::Device::wgpu(Some("llvmpipe"));
    warpath::GpuFilesystem::new(&software, 0)?;
    Ok(software.without_fallback())
}

#[cfg(feature = "wgpu")]
description!(wgpu, super::any_adapter(), "description/tests.rs", "description/benchmark.rs");
