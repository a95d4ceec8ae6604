//! The seven tests of the system's first description, as they are written there, on every engine of this build.
//!
//! The seventh is its benchmark, which demands that a batch of 100 be ten times as fast as 100 single calls. It runs on devices,
//! where a single call costs a dispatch. On the CPU a single call is no dispatch; `warpath-bench api` reports the ratio there.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::single_match, unused_mut)]

/// The description's tests, with `Device::system_default()` giving this device, and its benchmark where the device is one.
macro_rules! description {
    ($module:ident, $device:expr $(, $benchmark:ident)?) => {
        mod $module {
            use warpath::{FileType, GpuFilesystem};

            /// Stands for the description's `Device`: its default is the device under test.
            struct Device;

            impl Device {
                fn system_default() -> Option<warpath::Device> {
                    Some(super::or_said_aloud(stringify!($module), $device).unwrap_or_else(|_| warpath::Device::cpu()))
                }
            }

            include!("description/tests.rs");

            $(
                use std::time::Instant;
                include!("description/benchmark.rs");

                #[test]
                fn $benchmark() {
                    if super::or_said_aloud(stringify!($module), $device).is_ok() {
                        bench_batch_vs_individual();
                    }
                }
            )?
        }
    };
}

/// The device. Where there is none that is said aloud, and the CPU stands in; where the environment's WARPATH_MUST_RUN names it that is a
/// failure.
fn or_said_aloud<E: std::fmt::Display>(
    name: &str,
    device: Result<warpath::Device, E>,
) -> Result<warpath::Device, E> {
    if let Err(error) = &device {
        eprintln!("SKIPPED: {name} is not tested, the CPU stands in: {error}");
        let must_run = std::env::var("WARPATH_MUST_RUN").unwrap_or_default();
        let may_skip = !must_run.split([',', ' ']).any(|must_run| must_run == name);
        assert!(may_skip, "{name} may not be skipped here");
    }
    device
}

description!(cpu, Ok::<_, warpath::Error>(warpath::Device::cpu()));
description!(system_default, warpath::Device::system_default().ok_or("there is always a device"));

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
description!(wgpu, super::any_adapter(), batch_of_100_is_ten_times_as_fast);

#[cfg(feature = "cuda")]
fn first_gpu() -> Result<warpath::Device, warpath::Error> {
    let device = warpath::Device::cuda(None);
    warpath::GpuFilesystem::new(&device, 0)?;
    Ok(device.without_fallback())
}

#[cfg(feature = "cuda")]
description!(cuda, super::first_gpu(), batch_of_100_is_ten_times_as_fast);
