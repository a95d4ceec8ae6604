//! The engine for NVIDIA GPUs.
//!
//! The driver is loaded at run time and the kernels are PTX in the binary: building needs no CUDA toolkit, and a binary runs with or
//! without a driver. The index is copied to the device and kept in step by what has changed.
//!
//! | module | question it answers |
//! |---|---|
//! | [`driver`](gpus) | is there a driver and a GPU, and what do its errors mean? |
//! | `kernels` | how are the kernels of `kernels/` loaded and launched? |
//! | `replica` | how is an index's copy on the device kept in step? |
//! | `hints` | what does the device keep beside the index, for what is missing? |
//! | `few` | how is a small batch answered in one launch? |
//! | `ring` | how do callers and a kernel that stays share a ring of requests? |
//! | `resident` | how is that kernel launched and ended on a GPU? |
//! | `text` | how is the text of a large batch sent by the copy engine while earlier chunks are answered? |
//! | `workers` | what do the host's threads do for a large batch? |
//! | `answers` | how do answers get back? |
//! | `staged`, `pack` | how does a thread send text: copied, or packed where neighbours share prefixes? |
//! | `keyed` | how does a thread send keys instead? |
//! | `device` | which of these answers a batch, on one GPU? |
//! | [`on_device`](DeviceBatch) | how are paths answered that are on the device already? |

mod answers;
mod device;
mod driver;
#[cfg(test)]
mod emulated;
mod few;
#[cfg(test)]
#[path = "../../warpath-core/tests/held_up/mod.rs"]
mod held_up;
mod hints;
mod kernels;
mod keyed;
mod memory;
mod on_device;
mod pack;
mod replica;
mod resident;
mod ring;
mod staged;
mod text;
mod workers;

pub use device::{CudaOptions, Transfer};
pub use driver::{GpuInfo, gpus};
pub use memory::HostBuffer;
pub use on_device::{CopyRates, DeviceBatch, DeviceColumns, DeviceOffsets, UploadedPaths};
pub use resident::ResidentStats;

use device::Device;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use warpath_core::index::{Plan, Tables};
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch};

/// Batches of fewer paths go to one GPU even where there are several.
const SPLIT_FROM: usize = 1 << 20;

/// The engine for one or several NVIDIA GPUs, each with a copy of the index.
///
/// Small batches are answered in one launch, in about 15 us; large ones are cut into chunks that are copied and answered side by side.
/// Calls from several threads are answered one after the other on each GPU. A call leaves the primary context of a GPU that it used
/// current on the calling thread: a caller with contexts of its own sets its one again.
#[derive(Debug)]
pub struct CudaEngine {
    devices: Vec<Device>,
    /// Paths a second of each device, as measured on the last large batches.
    rates: Mutex<Vec<f64>>,
}

impl CudaEngine {
    /// The engine on the first GPU.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when there is no driver, none of CUDA 12, no GPU of compute capability 7.5, or the driver refuses the
    /// kernels.
    pub fn new() -> Result<CudaEngine, EngineError> {
        CudaEngine::with_options(&CudaOptions::default())
    }

    /// The engine on one GPU: `which` is its number with the driver, as in [`GpuInfo::ordinal`], or else a part of its name in any
    /// case, where the first that fits is taken. [`gpus`] lists what there is.
    ///
    /// Takes some tenths of a second and about 200 MiB of the GPU's memory; the index is copied with the first batch, or by
    /// [`CudaEngine::prepare`].
    ///
    /// # Errors
    /// As for [`CudaEngine::new`], and [`EngineError::Unavailable`] when no GPU is called so, where the reason lists those there are, or `which` is empty.
    pub fn open(which: &str) -> Result<CudaEngine, EngineError> {
        let gpu = driver::find(which)?;
        CudaEngine::with_options(&CudaOptions { gpus: vec![gpu.ordinal], ..CudaOptions::default() })
    }

    /// The engine on these GPUs, used in these ways.
    ///
    /// # Errors
    /// As for [`CudaEngine::new`], and [`EngineError::Unavailable`] when no GPU is named.
    pub fn with_options(options: &CudaOptions) -> Result<CudaEngine, EngineError> {
        if options.gpus.is_empty() {
            return Err(driver::unavailable("no GPU was named"));
        }
        // Small batches go to the first GPU alone.
        let others = CudaOptions { resident: None, ..options.clone() };
        let options = |number| if number == 0 { options } else { &others };
        let gpus = device::distinct(options(0).gpus.iter().copied()).into_iter().enumerate();
        let devices: Vec<Device> =
            gpus.map(|(number, gpu)| Device::open(gpu, options(number))).collect::<Result<_, _>>()?;
        let rates = Mutex::new(vec![1.0; devices.len()]);
        Ok(CudaEngine { devices, rates })
    }

    /// Pinned memory, from and to which the first GPU copies without a stage: for batches and columns that are used again and again.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the system has no memory to pin.
    pub fn pinned(&self, n_bytes: usize) -> Result<HostBuffer, EngineError> {
        self.first()?.pinned(n_bytes)
    }

    /// Brings every GPU's copy of the tables up to date, so that the next batch need not. Returns when they are there.
    ///
    /// # Errors
    /// [`EngineError::TooLarge`] when the index does not fit, and the driver's errors.
    pub fn prepare(&self, tables: &Tables) -> Result<(), EngineError> {
        self.devices.iter().try_for_each(|device| device.prepare(tables))
    }

    /// Forgets every copy of an index, so that its memory is free and the next batch copies anew.
    pub fn forget(&self) {
        self.devices.iter().for_each(Device::forget);
    }

    /// What the resident mode has done on the first GPU; `None` where [`CudaOptions::resident`] did not ask for it.
    pub fn resident_stats(&self) -> Option<ResidentStats> {
        self.devices.first()?.resident_stats()
    }

    fn first(&self) -> Result<&Device, EngineError> {
        self.devices.first().ok_or_else(|| driver::unavailable("no GPU was named"))
    }

    /// Splits a batch over the GPUs by their measured rates.
    fn resolve_split(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let total: f64 = rates.iter().sum();
        let (mut inodes, mut statuses) = (out.inodes, out.statuses);
        let mut first = 0;
        let mut parts = Vec::new();
        for (number, rate) in rates.iter().enumerate() {
            let left = batch.len() - first;
            let n = if number + 1 == rates.len() {
                left
            } else {
                left.min((batch.len() as f64 * rate / total) as usize)
            };
            let (part_inodes, rest) = std::mem::take(&mut inodes).split_at_mut(n);
            inodes = rest;
            let (part_statuses, rest) = std::mem::take(&mut statuses).split_at_mut(n);
            statuses = rest;
            parts.push((
                batch.slice(first..first + n),
                OutcomesMut { inodes: part_inodes, statuses: part_statuses },
            ));
            first += n;
        }
        let results: Vec<Result<f64, EngineError>> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .devices
                .iter()
                .zip(parts)
                .map(|(device, (part, out))| {
                    scope.spawn(move || {
                        let begin = Instant::now();
                        let n = part.len() as f64;
                        device.resolve(tables, plan, &part, out)?;
                        Ok(n / begin.elapsed().as_secs_f64().max(1e-9))
                    })
                })
                .collect();
            let panicked = || Err(driver::failed("a thread has panicked"));
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
        });
        let measured: Vec<f64> = results.into_iter().collect::<Result<_, _>>()?;
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for (rate, measured) in rates.iter_mut().zip(measured) {
            *rate = if *rate == 1.0 { measured } else { 0.5 * *rate + 0.5 * measured };
        }
        Ok(())
    }
}

impl Engine for CudaEngine {
    fn info(&self) -> EngineInfo {
        let names: Vec<&str> = self.devices.iter().map(Device::name).collect();
        EngineInfo { name: driver::NAME, device: names.join(", ") }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if batch.len() != out.inodes.len() || batch.len() != out.statuses.len() {
            return Err(driver::failed(format!(
                "{} paths, but columns for {}",
                batch.len(),
                out.inodes.len()
            )));
        }
        if self.devices.len() > 1 && batch.len() >= SPLIT_FROM {
            return self.resolve_split(tables, plan, batch, out);
        }
        self.first()?.resolve(tables, plan, batch, out)
    }
}
