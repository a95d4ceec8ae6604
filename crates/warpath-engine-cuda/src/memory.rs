//! Memory of the device and pinned memory of the host, streams and events, owned.

use crate::driver::{Named, too_large};
use cudarc::driver::{CudaContext, DriverError, result, sys};
use std::ffi::c_void;
use std::sync::Arc;
use warpath_core::EngineError;

/// Device memory.
#[derive(Debug)]
pub(crate) struct DeviceBuffer {
    context: Arc<CudaContext>,
    pub address: sys::CUdeviceptr,
    pub n_bytes: usize,
}

impl DeviceBuffer {
    /// At least 16 bytes.
    pub fn new(context: &Arc<CudaContext>, n_bytes: usize) -> Result<DeviceBuffer, EngineError> {
        DeviceBuffer::made(context, n_bytes, |error| Err(error).named("cuMemAlloc"))
    }

    /// As `new`, for a part of an index.
    ///
    /// # Errors
    /// [`EngineError::TooLarge`] when the device has no memory for it.
    pub fn of_index(context: &Arc<CudaContext>, n_bytes: usize) -> Result<DeviceBuffer, EngineError> {
        DeviceBuffer::made(context, n_bytes, |error| {
            if error.0 != sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return Err(error).named("cuMemAlloc");
            }
            let (free, _) = context.mem_get_info().named("cuMemGetInfo")?;
            Err(too_large(n_bytes as u64, free as u64))
        })
    }

    fn made(
        context: &Arc<CudaContext>,
        n_bytes: usize,
        refused: impl FnOnce(DriverError) -> Result<sys::CUdeviceptr, EngineError>,
    ) -> Result<DeviceBuffer, EngineError> {
        let n_bytes = n_bytes.max(16);
        context.bind_to_thread().named("cuCtxSetCurrent")?;
        // SAFETY: the context is current; the memory is freed once, on drop.
        let address = unsafe { result::malloc_sync(n_bytes) }.or_else(refused)?;
        Ok(DeviceBuffer { context: Arc::clone(context), address, n_bytes })
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        // SAFETY: allocated by `new` and freed here alone; owners wait for the work that uses it.
        let _ = unsafe { result::free_sync(self.address) };
    }
}

/// Pinned host memory, which the device reads and writes under the same address. Dropping it leaves the GPU's primary context current
/// on the calling thread.
#[derive(Debug)]
pub struct HostBuffer {
    context: Arc<CudaContext>,
    start: *mut u8,
    n_bytes: usize,
}

// SAFETY: plain memory; all access goes through `&` and `&mut`.
unsafe impl Send for HostBuffer {}
// SAFETY: as above.
unsafe impl Sync for HostBuffer {}

const PORTABLE: u32 = sys::CU_MEMHOSTALLOC_PORTABLE;
const MAPPED: u32 = sys::CU_MEMHOSTALLOC_DEVICEMAP;

impl HostBuffer {
    pub(crate) fn new(context: &Arc<CudaContext>, n_bytes: usize) -> Result<HostBuffer, EngineError> {
        let n_bytes = n_bytes.max(16);
        context.bind_to_thread().named("cuCtxSetCurrent")?;
        // SAFETY: the context is current; the memory is freed once, on drop.
        let start =
            unsafe { result::malloc_host(n_bytes, PORTABLE | MAPPED) }.named("cuMemHostAlloc")?.cast::<u8>();
        // SAFETY: the memory was allocated just now with this size.
        unsafe { start.write_bytes(0, n_bytes) };
        Ok(HostBuffer { context: Arc::clone(context), start, n_bytes })
    }

    /// The memory as a slice of plain values.
    pub fn as_slice<T: bytemuck::Pod>(&self) -> &[T] {
        // SAFETY: the memory is page-aligned, initialised, and any bytes are a `T`.
        unsafe { std::slice::from_raw_parts(self.start.cast::<T>(), self.n_bytes / size_of::<T>()) }
    }

    /// The memory as a slice of plain values, to be written.
    pub fn as_mut_slice<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        // SAFETY: as for `as_slice`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast::<T>(), self.n_bytes / size_of::<T>()) }
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start
    }

    pub(crate) fn device_address(&self) -> sys::CUdeviceptr {
        self.start as sys::CUdeviceptr
    }
}

impl Drop for HostBuffer {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        // SAFETY: allocated by `new` and freed here alone; owners wait for the work that uses it.
        let _ = unsafe { result::free_host(self.start.cast()) };
    }
}

/// Where the device finds this memory, if the driver knows all of it as one pinned piece.
pub(crate) fn pinned_address<T>(memory: &[T]) -> Option<sys::CUdeviceptr> {
    use sys::CUpointer_attribute::*;
    let (start, n_bytes) = (memory.as_ptr() as sys::CUdeviceptr, size_of_val(memory) as u64);
    if n_bytes == 0 {
        return None;
    }
    let kind: u32 = pointer_attribute(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, start)?;
    if kind != sys::CUmemorytype::CU_MEMORYTYPE_HOST as u32 {
        return None;
    }
    let piece: sys::CUdeviceptr = pointer_attribute(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, start)?;
    let piece_bytes: u64 = pointer_attribute(CU_POINTER_ATTRIBUTE_RANGE_SIZE, start)?;
    let device: sys::CUdeviceptr = pointer_attribute(CU_POINTER_ATTRIBUTE_DEVICE_POINTER, start)?;
    // The range may be told by the device's addresses or by the host's; both are the same but for odd registrations.
    (device == start && piece <= start && start + n_bytes <= piece + piece_bytes).then_some(device)
}

/// An attribute of the memory at an address, whose value is a `V`; None where the driver does not know the address.
fn pointer_attribute<V: bytemuck::Pod>(
    attribute: sys::CUpointer_attribute,
    address: sys::CUdeviceptr,
) -> Option<V> {
    let mut value = V::zeroed();
    // SAFETY: the value has the attribute's type; the address is only looked up.
    let found = unsafe { sys::cuPointerGetAttribute((&raw mut value).cast::<c_void>(), attribute, address) };
    (found == sys::CUresult::CUDA_SUCCESS).then_some(value)
}

/// A stream of its own.
#[derive(Debug)]
pub(crate) struct Stream {
    context: Arc<CudaContext>,
    pub raw: sys::CUstream,
}

// SAFETY: the driver's streams may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    pub fn new(context: &Arc<CudaContext>) -> Result<Stream, EngineError> {
        context.bind_to_thread().named("cuCtxSetCurrent")?;
        let raw = result::stream::create(result::stream::StreamKind::NonBlocking).named("cuStreamCreate")?;
        Ok(Stream { context: Arc::clone(context), raw })
    }

    /// Makes the stream's context this thread's, for calls that need one.
    pub fn bind(&self) -> Result<(), EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")
    }

    /// Waits until all work is done.
    pub fn wait(&self) -> Result<(), EngineError> {
        // SAFETY: the stream lives.
        unsafe { result::stream::synchronize(self.raw) }.named("the device's work")
    }

    /// Whether all work is done.
    pub fn is_done(&self) -> Result<bool, EngineError> {
        // SAFETY: the stream lives.
        match unsafe { sys::cuStreamQuery(self.raw) } {
            sys::CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            other => other.result().named("the device's work").map(|()| true),
        }
    }

    /// Copies to the device.
    ///
    /// # Safety
    /// `n_bytes` from `from` on stay as they are, and the device's memory stays, until the stream is done.
    pub unsafe fn upload(
        &self,
        to: sys::CUdeviceptr,
        from: *const u8,
        n_bytes: usize,
    ) -> Result<(), EngineError> {
        if n_bytes == 0 {
            return Ok(());
        }
        // SAFETY: the caller's duty.
        unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.cast(), n_bytes, self.raw) }
            .result()
            .named("copy to the device")
    }

    /// Copies from the device.
    ///
    /// # Safety
    /// `n_bytes` from `to` on are nobody else's, and the device's memory stays, until the stream is done.
    pub unsafe fn download(
        &self,
        to: *mut u8,
        from: sys::CUdeviceptr,
        n_bytes: usize,
    ) -> Result<(), EngineError> {
        if n_bytes == 0 {
            return Ok(());
        }
        // SAFETY: the caller's duty.
        unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, n_bytes, self.raw) }
            .result()
            .named("copy from the device")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        let _ = self.wait();
        // SAFETY: created by `new` and destroyed here alone.
        let _ = unsafe { result::stream::destroy(self.raw) };
    }
}
