//! Paths that are on the device already: answered there, on the caller's stream.

use crate::CudaEngine;
use crate::driver::{Named, failed};
use crate::kernels::{Job, MAX_LAUNCH};
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use cudarc::driver::{result, sys};
use std::time::Instant;
use warpath_core::index::{Plan, Tables};
use warpath_core::{EngineError, Outcomes, PathBatch};

/// Where a batch's offsets lie on the device: one more than there are paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceOffsets {
    /// 32 bits each.
    U32(sys::CUdeviceptr),
    /// 64 bits each.
    U64(sys::CUdeviceptr),
}

/// A batch in device memory: path `i` is `bytes[offsets[i]..offsets[i + 1]]`, as in Arrow.
#[derive(Debug, Clone, Copy)]
pub struct DeviceBatch {
    /// Address of the bytes, of any alignment.
    pub bytes: sys::CUdeviceptr,
    /// The offsets, aligned to their size.
    pub offsets: DeviceOffsets,
    /// Number of paths.
    pub n_paths: usize,
}

/// Where the answers go on the device: the columns of [`Outcomes`](warpath_core::Outcomes).
#[derive(Debug, Clone, Copy)]
pub struct DeviceColumns {
    /// Address of the inodes, 4 bytes a path, aligned to 4.
    pub inodes: sys::CUdeviceptr,
    /// Address of the status codes, a byte a path.
    pub statuses: sys::CUdeviceptr,
}

impl CudaEngine {
    /// Answers a batch that lies on the first GPU, on the caller's stream: nothing is copied, and the call returns when the work is
    /// queued. The index is brought up to date before; that waits for earlier calls of this function, on any stream. Leaves the GPU's
    /// primary context current on the calling thread.
    ///
    /// # Errors
    /// As for [`Engine::resolve`](warpath_core::Engine::resolve); what fails on the device later is reported by the stream.
    ///
    /// # Safety
    /// Until the stream is done with it:
    /// - `batch` and `out` are live memory of the first GPU's primary context, of the sizes that `n_paths` and the offsets say;
    /// - the offsets never decrease, and the last one is within the bytes;
    /// - nobody else writes to any of it, and nobody reads the columns;
    /// - the engine lives, and [`CudaEngine::forget`] is not called.
    ///
    /// `stream` is a stream of that context, or null for its default stream.
    pub unsafe fn resolve_device(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &DeviceBatch,
        out: &DeviceColumns,
        stream: sys::CUstream,
    ) -> Result<(), EngineError> {
        let device = self.first()?;
        let mut state = device.lock()?;
        let mut query = state.query(&device.context, &device.kernels, tables, plan)?;
        state.launched_for_others = true;
        let (offsets, wide_offsets, width) = match batch.offsets {
            DeviceOffsets::U32(address) => (address, false, 4),
            DeviceOffsets::U64(address) => (address, true, 8),
        };
        for first in (0..batch.n_paths).step_by(MAX_LAUNCH) {
            query.params.n_paths = (batch.n_paths - first).min(MAX_LAUNCH) as u32;
            let job = Job {
                bytes: batch.bytes,
                offsets: offsets + (first * width) as u64,
                wide_offsets,
                inodes: out.inodes + 4 * first as u64,
                statuses: out.statuses + first as u64,
                pending: 0,
            };
            // SAFETY: the caller's duty; the tables stay until the device's work is waited for.
            unsafe { device.kernels.resolve(stream, &query, &job) }?;
        }
        Ok(())
    }

    /// Copies a batch to the first GPU, with room for its answers.
    ///
    /// # Errors
    /// When the device has no memory, and the driver's errors.
    pub fn upload_paths(&self, batch: &PathBatch<'_>) -> Result<UploadedPaths, EngineError> {
        self.upload(batch, false)
    }

    /// As [`CudaEngine::upload_paths`], with 64-bit offsets even where 32 bits are enough.
    ///
    /// # Errors
    /// As for [`CudaEngine::upload_paths`].
    pub fn upload_paths64(&self, batch: &PathBatch<'_>) -> Result<UploadedPaths, EngineError> {
        self.upload(batch, true)
    }

    fn upload(&self, batch: &PathBatch<'_>, wide: bool) -> Result<UploadedPaths, EngineError> {
        let device = self.first()?;
        let _turn = device.lock()?;
        let mut offsets = Vec::with_capacity(batch.len() + 1);
        let mut bytes = Vec::with_capacity(batch.n_bytes());
        offsets.push(0u64);
        for path in batch.iter() {
            bytes.extend_from_slice(path);
            offsets.push(bytes.len() as u64);
        }
        let narrow: Option<Vec<u32>> = match wide {
            true => None,
            false => offsets.iter().map(|&offset| u32::try_from(offset).ok()).collect(),
        };
        let paths = UploadedPaths {
            bytes: DeviceBuffer::new(&device.context, bytes.len())?,
            offsets: DeviceBuffer::new(
                &device.context,
                offsets.len() * if narrow.is_some() { 4 } else { 8 },
            )?,
            wide: narrow.is_none(),
            inodes: DeviceBuffer::new(&device.context, batch.len() * 4)?,
            statuses: DeviceBuffer::new(&device.context, batch.len())?,
            n_paths: batch.len(),
            stream: Stream::new(&device.context)?,
        };
        let offsets: &[u8] = narrow.as_deref().map_or(bytemuck::cast_slice(&offsets), bytemuck::cast_slice);
        // SAFETY: the sources live until the wait below, and the buffers are of their sizes.
        unsafe {
            paths.stream.upload(paths.bytes.address, bytes.as_ptr(), bytes.len())?;
            paths.stream.upload(paths.offsets.address, offsets.as_ptr(), offsets.len())?;
        }
        paths.stream.wait()?;
        Ok(paths)
    }

    /// Answers paths that were uploaded, and leaves the answers on the device. Returns when they are there.
    ///
    /// # Errors
    /// As for [`Engine::resolve`](warpath_core::Engine::resolve).
    pub fn resolve_uploaded(
        &self,
        tables: &Tables,
        plan: &Plan,
        paths: &mut UploadedPaths,
    ) -> Result<(), EngineError> {
        let (batch, columns) = (paths.batch(), paths.columns());
        // SAFETY: the buffers are the paths' own, borrowed mutably until the wait; offsets come from a batch.
        unsafe { self.resolve_device(tables, plan, &batch, &columns, paths.stream.raw) }?;
        paths.stream.wait()
    }

    /// As [`CudaEngine::resolve_uploaded`], and says how long the device worked on each of `times` repetitions, in seconds.
    ///
    /// # Errors
    /// As for [`CudaEngine::resolve_uploaded`].
    pub fn time_uploaded(
        &self,
        tables: &Tables,
        plan: &Plan,
        paths: &mut UploadedPaths,
        times: usize,
    ) -> Result<Vec<f64>, EngineError> {
        let (batch, columns) = (paths.batch(), paths.columns());
        paths.stream.bind()?;
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT;
        let begin = result::event::create(flags).named("cuEventCreate")?;
        let end = result::event::create(flags).named("cuEventCreate")?;
        let mut seconds = Vec::with_capacity(times);
        let mut run = || -> Result<(), EngineError> {
            for _ in 0..times {
                // SAFETY: as in `resolve_uploaded`; the events live until they are destroyed below.
                unsafe {
                    result::event::record(begin, paths.stream.raw).named("cuEventRecord")?;
                    self.resolve_device(tables, plan, &batch, &columns, paths.stream.raw)?;
                    result::event::record(end, paths.stream.raw).named("cuEventRecord")?;
                    paths.stream.wait()?;
                    let ms = result::event::elapsed(begin, end).named("cuEventElapsedTime")?;
                    seconds.push(f64::from(ms) / 1e3);
                }
            }
            Ok(())
        };
        let ran = run();
        // SAFETY: created above and destroyed here alone.
        unsafe {
            let _ = result::event::destroy(begin);
            let _ = result::event::destroy(end);
        }
        ran.map(|()| seconds)
    }
}

/// What copies reach on a GPU, in bytes a second: the ceilings that rates are compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CopyRates {
    /// From pinned host memory to the device.
    pub to_device: f64,
    /// From the device to pinned host memory.
    pub from_device: f64,
    /// Within the device, bytes read and written counted.
    pub on_device: f64,
}

impl CudaEngine {
    /// Measures copies of 1 GiB on the first GPU: the median of `times` each.
    ///
    /// # Errors
    /// When the memory is not there, and the driver's errors.
    pub fn measure_copies(&self, times: usize) -> Result<CopyRates, EngineError> {
        const N_BYTES: usize = 1 << 30;
        let device = self.first()?;
        let _turn = device.lock()?;
        let host = HostBuffer::new(&device.context, N_BYTES)?;
        let (a, b) =
            (DeviceBuffer::new(&device.context, N_BYTES)?, DeviceBuffer::new(&device.context, N_BYTES)?);
        let stream = Stream::new(&device.context)?;
        let median = |copy: &dyn Fn() -> Result<(), EngineError>| -> Result<f64, EngineError> {
            let mut seconds = Vec::new();
            for _ in 0..times.max(1) {
                let begin = Instant::now();
                copy()?;
                stream.wait()?;
                seconds.push(begin.elapsed().as_secs_f64());
            }
            seconds.sort_by(f64::total_cmp);
            Ok(N_BYTES as f64 / seconds[seconds.len() / 2])
        };
        // SAFETY: all buffers are of this size and live until the stream has been waited for.
        unsafe {
            Ok(CopyRates {
                to_device: median(&|| stream.upload(a.address, host.as_ptr(), N_BYTES))?,
                from_device: median(&|| stream.download(host.as_ptr(), a.address, N_BYTES))?,
                on_device: 2.0
                    * median(&|| {
                        result::memcpy_dtod_async(b.address, a.address, N_BYTES, stream.raw)
                            .named("cuMemcpyDtoDAsync")
                    })?,
            })
        }
    }
}

/// Paths on a GPU, with room for their answers. Reading and dropping them leave the GPU's primary context current on the calling
/// thread.
#[derive(Debug)]
pub struct UploadedPaths {
    // Dropped first: waits for what reads and writes the buffers.
    stream: Stream,
    bytes: DeviceBuffer,
    offsets: DeviceBuffer,
    wide: bool,
    inodes: DeviceBuffer,
    statuses: DeviceBuffer,
    n_paths: usize,
}

impl UploadedPaths {
    /// Where the paths lie.
    pub fn batch(&self) -> DeviceBatch {
        let offsets = self.offsets.address;
        DeviceBatch {
            bytes: self.bytes.address,
            offsets: if self.wide { DeviceOffsets::U64(offsets) } else { DeviceOffsets::U32(offsets) },
            n_paths: self.n_paths,
        }
    }

    /// Where their answers lie.
    pub fn columns(&self) -> DeviceColumns {
        DeviceColumns { inodes: self.inodes.address, statuses: self.statuses.address }
    }

    /// Copies the answers back.
    ///
    /// # Errors
    /// The driver's.
    pub fn outcomes(&self) -> Result<Outcomes, EngineError> {
        let mut outcomes = Outcomes::with_len(self.n_paths);
        let columns = outcomes.as_mut();
        if columns.inodes.len() != self.n_paths {
            return Err(failed("columns of another length"));
        }
        self.stream.bind()?;
        // SAFETY: the columns are of the paths' number and borrowed until the wait.
        unsafe {
            self.stream.download(
                columns.inodes.as_mut_ptr().cast(),
                self.inodes.address,
                self.n_paths * 4,
            )?;
            self.stream.download(columns.statuses.as_mut_ptr(), self.statuses.address, self.n_paths)?;
        }
        self.stream.wait()?;
        Ok(outcomes)
    }
}
