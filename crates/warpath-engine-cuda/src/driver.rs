//! The driver: whether it is there, and what its errors mean.

use cudarc::driver::{CudaContext, DriverError, result, sys};
use std::fmt;
use std::panic::catch_unwind;
use std::sync::Arc;
use warpath_core::EngineError;

/// The engine's name.
pub(crate) const NAME: &str = "cuda";
/// The oldest compute capability that the kernels are made for.
const LEAST_CAPABILITY: (i32, i32) = (7, 5);

/// An error that says what is missing.
pub(crate) fn unavailable(reason: impl Into<String>) -> EngineError {
    EngineError::Unavailable { engine: NAME, reason: reason.into() }
}

/// An error of one batch.
pub(crate) fn failed(reason: impl Into<String>) -> EngineError {
    EngineError::Failed { engine: NAME, reason: reason.into() }
}

/// An index, or a part of one, that the device has no memory for.
pub(crate) fn too_large(needed: u64, available: u64) -> EngineError {
    EngineError::TooLarge { engine: NAME, what: "free device memory".into(), needed, available }
}

/// What a driver's error means for the caller: the context is lost, or only this call has failed.
pub(crate) fn error(what: &str, error: DriverError) -> EngineError {
    let name = error.error_name().ok().and_then(|name| name.to_str().ok()).unwrap_or("an unknown error");
    let reason = format!("{what}: {name}");
    if is_lost(error.0) { EngineError::Lost { engine: NAME, reason } } else { failed(reason) }
}

/// Whether nothing more works in a context of which a call says this.
fn is_lost(code: sys::CUresult) -> bool {
    use sys::CUresult::*;
    matches!(
        code,
        CUDA_ERROR_ILLEGAL_ADDRESS
            | CUDA_ERROR_LAUNCH_TIMEOUT
            | CUDA_ERROR_LAUNCH_FAILED
            | CUDA_ERROR_ASSERT
            | CUDA_ERROR_ECC_UNCORRECTABLE
            | CUDA_ERROR_NVLINK_UNCORRECTABLE
            | CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUDA_ERROR_MISALIGNED_ADDRESS
            | CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUDA_ERROR_INVALID_PC
            | CUDA_ERROR_CONTEXT_IS_DESTROYED
            | CUDA_ERROR_INVALID_CONTEXT
            | CUDA_ERROR_NOT_INITIALIZED
            | CUDA_ERROR_DEINITIALIZED
            | CUDA_ERROR_SYSTEM_NOT_READY
            | CUDA_ERROR_MPS_CLIENT_TERMINATED
            | CUDA_ERROR_EXTERNAL_DEVICE
            | CUDA_ERROR_UNKNOWN
    )
}

/// Names the call in an error.
pub(crate) trait Named<T> {
    /// The value, or the error of the call `what`.
    fn named(self, what: &str) -> Result<T, EngineError>;
}

impl<T> Named<T> for Result<T, DriverError> {
    fn named(self, what: &str) -> Result<T, EngineError> {
        self.map_err(|driver| error(what, driver))
    }
}

/// A GPU that the driver knows, whether or not it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its number with this driver.
    pub ordinal: usize,
    /// Its name.
    pub name: String,
    /// Bytes of its memory.
    pub memory: u64,
    /// Compute capability, such as (9, 0).
    pub capability: (i32, i32),
    /// The newest CUDA that the driver runs, as 1000 * major + 10 * minor.
    pub driver: i32,
}

impl GpuInfo {
    /// Why the engine can't use it; `None` where it can.
    pub fn unusable(&self) -> Option<String> {
        let (major, minor) = self.capability;
        (self.capability < LEAST_CAPABILITY).then(|| {
            format!("GPU {} has compute capability {major}.{minor}; 7.5 (Turing) is the least", self.ordinal)
        })
    }
}

impl fmt::Display for GpuInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {} MiB", self.ordinal, self.name, self.memory >> 20)
    }
}

/// The GPUs of this machine, in the driver's order. Makes no context on them and takes none of their memory.
///
/// [`CudaEngine::open`](crate::CudaEngine::open) makes an engine on one of them.
///
/// # Errors
/// [`EngineError::Unavailable`] when there is no driver, it is too old, or it knows no GPU; the reason says which.
pub fn gpus() -> Result<Vec<GpuInfo>, EngineError> {
    let n = start()?;
    (0..n).map(|ordinal| guarded(move || info(ordinal))).collect()
}

/// The GPU of this number, or else the first whose name holds the text in any case.
pub(crate) fn find(which: &str) -> Result<GpuInfo, EngineError> {
    if which.trim().is_empty() {
        return Err(unavailable("no GPU is named by an empty word: give its number or a part of its name"));
    }
    let gpus = gpus()?;
    pick(&gpus, which).cloned().ok_or_else(|| {
        let known: Vec<String> = gpus.iter().map(GpuInfo::to_string).collect();
        unavailable(format!("no GPU is called {which:?}; there are: {}", known.join("; ")))
    })
}

/// The GPU that a word names: "4090" is no number of a GPU where there are two, but a part of a name.
fn pick<'a>(gpus: &'a [GpuInfo], which: &str) -> Option<&'a GpuInfo> {
    let (number, part) = (which.parse::<usize>().ok(), which.to_lowercase());
    let numbered = gpus.iter().find(|gpu| Some(gpu.ordinal) == number);
    numbered.or_else(|| gpus.iter().find(|gpu| gpu.name.to_lowercase().contains(&part)))
}

fn info(ordinal: usize) -> Result<GpuInfo, EngineError> {
    use sys::CUdevice_attribute::*;
    let device = result::device::get(ordinal as i32).named("cuDeviceGet")?;
    // SAFETY: the device is one of the driver's.
    let attribute = |attribute| unsafe { result::device::get_attribute(device, attribute) };
    Ok(GpuInfo {
        ordinal,
        name: result::device::get_name(device).named("cuDeviceGetName")?,
        // SAFETY: as above.
        memory: unsafe { result::device::total_mem(device) }.named("cuDeviceTotalMem")? as u64,
        capability: (
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR).named("cuDeviceGetAttribute")?,
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR).named("cuDeviceGetAttribute")?,
        ),
        driver: driver_version()?,
    })
}

/// The context of a GPU.
pub(crate) fn open(ordinal: usize) -> Result<Arc<CudaContext>, EngineError> {
    let n = start()?;
    if ordinal >= n {
        return Err(unavailable(format!("there is no GPU {ordinal}; the driver knows {n}")));
    }
    guarded(move || match info(ordinal)?.unusable() {
        Some(reason) => Err(unavailable(reason)),
        None => CudaContext::new(ordinal).named("cuDevicePrimaryCtxRetain"),
    })
}

/// Loads the driver and counts its GPUs; never panics.
fn start() -> Result<usize, EngineError> {
    // SAFETY: the call only tries to load the driver's library.
    if !catch_unwind(|| unsafe { sys::is_culib_present() }).unwrap_or(false) {
        return Err(unavailable(
            "there is no NVIDIA driver here (libcuda was not found): install one of CUDA 12 or later",
        ));
    }
    guarded(|| {
        result::init().map_err(|driver| unavailable(error("cuInit", driver).to_string()))?;
        let version = driver_version()?;
        if version < 12_000 {
            return Err(unavailable(format!(
                "the NVIDIA driver is for CUDA {}.{}: install one of CUDA 12 or later",
                version / 1000,
                version % 1000 / 10
            )));
        }
        match result::device::get_count().named("cuDeviceGetCount")? {
            0 => Err(unavailable("the NVIDIA driver knows no GPU")),
            n => Ok(n as usize),
        }
    })
}

/// The newest CUDA that the driver runs, as 1000 * major + 10 * minor.
pub(crate) fn driver_version() -> Result<i32, EngineError> {
    let mut version = 0;
    // SAFETY: the pointer is to a live integer.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().named("cuDriverGetVersion")?;
    Ok(version)
}

/// Runs calls that panic where the driver's library lacks a symbol.
fn guarded<T>(
    calls: impl FnOnce() -> Result<T, EngineError> + std::panic::UnwindSafe,
) -> Result<T, EngineError> {
    catch_unwind(calls).unwrap_or_else(|_| {
        Err(unavailable("the NVIDIA driver lacks functions of CUDA 12: install a newer one"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_is_not_there_is_named() {
        let Err(EngineError::Unavailable { reason, .. }) = crate::CudaEngine::open("no such GPU") else {
            panic!("a GPU that nobody has");
        };
        assert!(reason.contains("driver") || reason.contains("no such GPU"), "{reason}");
    }

    fn gpu(ordinal: usize, name: &str) -> GpuInfo {
        GpuInfo { ordinal, name: name.into(), memory: 24 << 30, capability: (8, 9), driver: 12_040 }
    }

    #[test]
    fn a_word_is_a_number_or_else_a_part_of_a_name() {
        let gpus = [gpu(0, "NVIDIA H100"), gpu(1, "NVIDIA GeForce RTX 4090"), gpu(2, "Tesla T4 2")];
        for (which, ordinal) in [
            ("0", Some(0)),
            ("2", Some(2)),
            ("4090", Some(1)),
            ("rtx", Some(1)),
            ("5", None),
            ("+1", Some(1)),
        ] {
            assert_eq!(pick(&gpus, which).map(|gpu| gpu.ordinal), ordinal, "{which}");
        }
    }

    #[test]
    fn an_empty_word_names_no_gpu() {
        for which in ["", "  "] {
            let Err(EngineError::Unavailable { reason, .. }) = find(which) else { panic!("{which:?}") };
            assert!(reason.contains("empty"), "{reason}");
        }
    }

    #[test]
    fn errors_that_stay_are_a_loss() {
        use sys::CUresult::*;
        assert!([CUDA_ERROR_ASSERT, CUDA_ERROR_NVLINK_UNCORRECTABLE].into_iter().all(is_lost));
        assert!([CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_VALUE].into_iter().all(|code| !is_lost(code)));
    }

    #[test]
    fn a_machine_without_a_gpu_says_why() {
        match gpus() {
            Ok(gpus) => assert!(!gpus.is_empty()),
            Err(EngineError::Unavailable { engine, reason }) => {
                assert_eq!(engine, NAME);
                assert!(reason.contains("driver"), "{reason}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}
