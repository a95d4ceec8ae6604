//! The resident kernel on a GPU: launched once, it answers small batches from a ring in shared memory until it is stopped, or until
//! none has come for a while.

use crate::driver::{Named, unavailable};
use crate::few::MAX_STRIDE;
use crate::kernels::{MARGIN, NearKeys, Query, TablesArg};
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use crate::ring::{self, Area, Kernel, Ring};
use cudarc::driver::{CudaContext, result, sys};
use std::ffi::{CString, c_void};
use std::sync::Arc;
use std::time::Duration;
use warpath_core::EngineError;

const PTX: &str = include_str!("../ptx/resident_75.ptx");
/// Threads of a block, and its warps; twins of `RESIDENT_BLOCK` and `RESIDENT_WARPS`.
const BLOCK: u32 = 256;
const WARPS: u32 = BLOCK / 32;
/// Blocks, each on a multiprocessor of its own: 256 paths at a time. The others' registers and memory stay free for large batches.
const BLOCKS: i32 = 32;
/// Shared memory of a warp.
const ROOM: u32 = MAX_STRIDE as u32 + 2 * MARGIN;

/// Where the ring lies; twin of `Ring`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct RingArg {
    headers: u64,
    slots: u64,
    answers: u64,
    closed: u64,
    heartbeat: u64,
    passed_on: u64,
    idle_ns: u64,
    slot_bytes: u32,
    n_answers: u32,
    n_places: u32,
    first: u32,
    generation: u32,
    room: u32,
}

const _: () = assert!(size_of::<RingArg>() == 80);

/// What the resident mode has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResidentStats {
    /// Batches that went through the ring.
    pub requests: u64,
    /// Times that the kernel was launched: at first, after each change of the index, after an idle end, and once a second.
    pub launches: u64,
    /// Times that it had ended for want of batches when the next one came.
    pub idle_ends: u64,
    /// Why batches are launched instead, if they are.
    pub refused: Option<String>,
}

/// A GPU's ring with its kernel.
pub(crate) type Resident = Ring<ResidentKernel>;

/// The kernel of a ring.
#[derive(Debug)]
pub(crate) struct ResidentKernel {
    // Dropped first: waits for the kernel.
    stream: Stream,
    context: Arc<CudaContext>,
    module: sys::CUmodule,
    function: sys::CUfunction,
    n_blocks: u32,
    memory: HostBuffer,
    passed_on: DeviceBuffer,
    idle: Duration,
    launched_with: Option<(TablesArg, NearKeys)>,
}

// SAFETY: handles of the driver, which may be used from any thread.
unsafe impl Send for ResidentKernel {}

/// Makes a GPU's ring; nothing is launched yet.
///
/// # Errors
/// [`EngineError::Unavailable`] where a kernel may not stay, and the driver's errors.
pub(crate) fn open(context: &Arc<CudaContext>, idle: Duration) -> Result<Resident, EngineError> {
    use sys::CUdevice_attribute::*;
    context.bind_to_thread().named("cuCtxSetCurrent")?;
    let attribute = |attribute| context.attribute(attribute).named("cuDeviceGetAttribute");
    if attribute(CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT)? != 0 {
        return Err(unavailable("a watchdog ends kernels that stay, as on a GPU with a display"));
    }
    let n_blocks = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.clamp(1, BLOCKS) as u32;
    let image = CString::new(PTX).map_err(|_| unavailable("the resident kernel holds a NUL"))?;
    let name = CString::new("resident").map_err(|_| unavailable("its name holds a NUL"))?;
    // SAFETY: the image is PTX, ended by a NUL.
    let module = unsafe { result::module::load_data(image.as_ptr().cast()) }
        .map_err(|driver| unavailable(format!("the driver refuses the resident kernel: {driver:?}")))?;
    // SAFETY: the module is loaded, and the function lives as long as it.
    let function = unsafe {
        let function = result::module::get_function(module, name).named("resident")?;
        result::function::set_function_attribute(
            function,
            sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            (WARPS * ROOM) as i32,
        )
        .named("cuFuncSetAttribute")?;
        function
    };
    let kernel = ResidentKernel {
        stream: Stream::new(context)?,
        context: Arc::clone(context),
        module,
        function,
        n_blocks,
        memory: HostBuffer::new(context, ring::RING_BYTES)?,
        passed_on: DeviceBuffer::new(context, ring::PLACES * 8)?,
        idle: idle.min(ring::LONGEST_STAY),
        launched_with: None,
    };
    // SAFETY: the memory is zeroed, of this size, aligned to pages, and the kernel keeps it as long as the ring lives.
    let area = unsafe { Area::new(kernel.memory.as_ptr()) };
    Ok(Ring::new(area, kernel))
}

impl ResidentKernel {
    /// Sets what the next launch is told. The tables must stay until the ring is paused.
    pub fn launch_with(&mut self, query: &Query) {
        self.launched_with = Some((query.tables, query.near));
    }
}

impl Kernel for ResidentKernel {
    fn launch(&mut self, first: u32, generation: u32) -> Result<(), EngineError> {
        let Some((mut tables, mut near)) = self.launched_with else {
            return Err(unavailable("the resident kernel has no tables"));
        };
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        let start = self.memory.device_address();
        let mut ring = RingArg {
            headers: start,
            slots: start + ring::SLOTS_AT as u64,
            answers: start + ring::ANSWERS_AT as u64,
            closed: start + ring::CLOSED_AT as u64,
            heartbeat: start + ring::HEARTBEAT_AT as u64,
            passed_on: self.passed_on.address,
            idle_ns: u64::try_from(self.idle.as_nanos()).unwrap_or(u64::MAX),
            slot_bytes: ring::PLACE_BYTES as u32,
            n_answers: crate::few::MAX_PATHS as u32,
            n_places: ring::PLACES as u32,
            first,
            generation,
            room: ROOM,
        };
        let mut args: [*mut c_void; 3] =
            [(&raw mut tables).cast(), (&raw mut near).cast(), (&raw mut ring).cast()];
        // SAFETY: the arguments are the kernel's parameters, in order; the tables stay until the ring is paused, and the ring's memory
        // and what is passed on until the stream has been waited for.
        unsafe {
            // No request from the first on: each half of a header is the number of the one before it.
            sys::cuMemsetD32Async(self.passed_on.address, first, 2 * ring::PLACES, self.stream.raw)
                .result()
                .named("cuMemsetD32Async")?;
            result::launch_kernel(
                self.function,
                (self.n_blocks, 1, 1),
                (BLOCK, 1, 1),
                WARPS * ROOM,
                self.stream.raw,
                &mut args,
            )
            .named("the resident kernel's launch")
        }
    }

    fn wait(&mut self) -> Result<(), EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        self.stream.wait()
    }

    fn is_done(&mut self) -> Result<bool, EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        self.stream.is_done()
    }
}

impl Drop for ResidentKernel {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        let _ = self.stream.wait();
        // SAFETY: loaded by `open` and unloaded here alone, with no kernel of it running.
        let _ = unsafe { result::module::unload(self.module) };
    }
}
