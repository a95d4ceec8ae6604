//! The kernels: their PTX, the form of their parameters, and their launches.

use crate::driver::{Named, driver_version, unavailable};
use crate::hints::HintsArg;
use crate::pack::Layout;
use cudarc::driver::{CudaContext, result, sys};
use std::ffi::{CString, c_void};
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;
use warpath_core::layout::{self, QueryParams, TableParams};

/// For compute capability 7.5 and later.
const PTX_75: &str = include_str!("../ptx/resolve_75.ptx");
/// For 8.0 and later: copies to shared memory go past the registers.
const PTX_80: &str = include_str!("../ptx/resolve_80.ptx");
/// For 9.0 and later under drivers of CUDA 12.9 and later: made by a newer compiler, 5 to 10% faster.
const PTX_90: &str = include_str!("../ptx/resolve_90.ptx");
/// The first driver that loads it.
const DRIVER_OF_PTX_90: i32 = 12_090;

/// What makes packed paths whole, for 7.5 and later.
const PTX_UNPACK: &str = include_str!("../ptx/unpack_75.ptx");

/// Threads of a block; twin of `BLOCK` and `UNPACK_BLOCK`.
pub(crate) const BLOCK: u32 = 256;
/// Threads of a block of the direct kernel; twin of `DIRECT_BLOCK`.
pub(crate) const DIRECT_BLOCK: u32 = 64;
const WARP: u32 = 32;
/// Paths of a launch. The kernels count in 32 bits, some steps past the end.
pub(crate) const MAX_LAUNCH: usize = 1 << 31;
/// The status of a path that is not answered yet; twin of `STATUS_PENDING`.
pub(crate) const PENDING: u8 = 0xFF;
/// Set beside the status in an answer of a small batch; twin of `ANSWERED`.
pub(crate) const ANSWERED: u32 = 0x100;
/// Bytes of a slot before its text; twin of `SLOT_TEXT`.
pub(crate) const SLOT_TEXT: usize = 8;

/// Shared memory of a warp, in bytes; twin of `WALK_STRIDE`.
const WALK_STRIDE: u32 = 6928;
pub(crate) const MARGIN: u32 = 16;
/// Blocks with more shared memory are given as much of the cache as there is.
const SMALL_SHARED: u32 = 8192;
/// Shares of a multiprocessor's cache that are shared memory, in percent.
const ALL_SHARED: i32 = 100;
const ALL_CACHE: i32 = 0;

/// Units whose keys are a kernel's parameter; twin of `NEAR_UNITS`.
const NEAR_UNITS: usize = 64;

/// The arrays; twin of `Tables`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct TablesArg {
    pub slots: sys::CUdeviceptr,
    pub blocks: sys::CUdeviceptr,
    pub dirs: sys::CUdeviceptr,
    pub links: sys::CUdeviceptr,
    pub plain_links: sys::CUdeviceptr,
    pub key: sys::CUdeviceptr,
    pub hints: HintsArg,
    pub params: TableParams,
}

/// The part of the hash key that most paths need; twin of `NearKeys`.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct NearKeys {
    units: [[u32; 8]; NEAR_UNITS],
    finish: [[u64; 3]; layout::LANES as usize],
    unused: u64,
}

const _: () = assert!(size_of::<NearKeys>() == 2128 && size_of::<TablesArg>() == 96);

impl NearKeys {
    /// Taken from the KEY_WORDS words of a key.
    pub fn new(words: &[u32]) -> NearKeys {
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        let mut near =
            NearKeys { units: [[0; 8]; NEAR_UNITS], finish: [[0; 3]; layout::LANES as usize], unused: 0 };
        for (unit, keys) in near.units.iter_mut().enumerate() {
            for lane in 0..layout::LANES as usize {
                for i in 0..2 {
                    keys[2 * lane + i] = word(lane * layout::KEY_LANE_WORDS as usize + 2 * unit + i);
                }
            }
        }
        for (lane, finish) in near.finish.iter_mut().enumerate() {
            for (i, wide) in finish.iter_mut().enumerate() {
                let at = layout::KEY_FINISH as usize + lane * layout::KEY_FINISH_WORDS as usize + 2 * i;
                *wide = u64::from(word(at)) | u64::from(word(at + 1)) << 32;
            }
        }
        near
    }
}

/// What every launch is told: where the index lies, and what is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub tables: TablesArg,
    pub near: NearKeys,
    pub params: QueryParams,
}

/// A batch in device memory, and where its answers go. `pending` is a word that is zero before the launch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub bytes: sys::CUdeviceptr,
    pub offsets: sys::CUdeviceptr,
    pub wide_offsets: bool,
    pub inodes: sys::CUdeviceptr,
    pub statuses: sys::CUdeviceptr,
    pub pending: sys::CUdeviceptr,
}

/// Packed paths on the device; twin of `Packed`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedArg {
    groups: sys::CUdeviceptr,
    shared: sys::CUdeviceptr,
    lengths: sys::CUdeviceptr,
    units: sys::CUdeviceptr,
    n_paths: u32,
    unused: u32,
}

const _: () = assert!(size_of::<PackedArg>() == 40);

impl PackedArg {
    /// Packed paths that begin at this address.
    pub fn new(start: sys::CUdeviceptr, layout: &Layout) -> PackedArg {
        PackedArg {
            groups: start,
            shared: start + layout.shared as u64,
            lengths: start + layout.lengths as u64,
            units: start + layout.units as u64,
            n_paths: layout.n_paths as u32,
            unused: 0,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Kernel {
    function: sys::CUfunction,
    /// Dynamic shared memory of a block.
    shared: u32,
    /// The most blocks of a launch: those that fill the device, where blocks go round; else as many as there is work for.
    grid: u32,
}

/// The kernels, loaded into a context.
#[derive(Debug)]
pub(crate) struct Kernels {
    context: Arc<CudaContext>,
    modules: [sys::CUmodule; 2],
    direct: [Kernel; 2],
    walk: [Kernel; 2],
    few: Kernel,
    keys: Kernel,
    note: Kernel,
    unpack: Kernel,
}

// SAFETY: handles of the driver, which may be used from any thread.
unsafe impl Send for Kernels {}
// SAFETY: as above.
unsafe impl Sync for Kernels {}

impl Kernels {
    pub fn load(context: &Arc<CudaContext>, oldest: bool) -> Result<Kernels, EngineError> {
        context.bind_to_thread().named("cuCtxSetCurrent")?;
        let (major, _) = context.compute_capability().named("cuDeviceGetAttribute")?;
        let text = match major {
            _ if oldest => PTX_75,
            9.. if driver_version()? >= DRIVER_OF_PTX_90 => PTX_90,
            8.. => PTX_80,
            _ => PTX_75,
        };
        let (module, unpack) = (load(text)?, load(PTX_UNPACK)?);
        let get = |name: &str, block: u32, shared: u32| kernel(context, module, name, block, shared);
        // A block for each DIRECT_BLOCK paths, which lie in the cache while their threads read them.
        let direct = |name: &str| -> Result<Kernel, EngineError> {
            let kernel = Kernel { grid: u32::MAX, ..get(name, DIRECT_BLOCK, 0)? };
            // SAFETY: the function is of a module that is loaded.
            unsafe { carve(kernel.function, ALL_CACHE) }?;
            Ok(kernel)
        };
        let walk = BLOCK / WARP * WALK_STRIDE;
        Ok(Kernels {
            context: Arc::clone(context),
            modules: [module, unpack],
            direct: [direct("direct_paths32")?, direct("direct_paths64")?],
            walk: [get("walk_paths32", BLOCK, walk)?, get("walk_paths64", BLOCK, walk)?],
            few: get("resolve_few", WARP, 8192)?,
            keys: get("resolve_keys", BLOCK, 0)?,
            note: get("note_slots", BLOCK, 0)?,
            unpack: kernel(context, unpack, "unpack", BLOCK, 0)?,
        })
    }

    /// Answers a batch in device memory.
    ///
    /// # Safety
    /// All addresses of `query` and `job` are of live device memory of the sizes that they say, until the stream is done.
    pub unsafe fn resolve(&self, stream: sys::CUstream, query: &Query, job: &Job) -> Result<(), EngineError> {
        let (mut query, mut job) = (*query, *job);
        let n_paths = query.params.n_paths;
        if n_paths == 0 {
            return Ok(());
        }
        let wide = usize::from(job.wide_offsets);
        let walks_all = query.params.flags & layout::QUERY_WALK_ONLY != 0
            || query.tables.params.flags & layout::TABLE_STRICT != 0;
        let mut args = [
            arg(&mut query.tables),
            arg(&mut query.near),
            arg(&mut query.params),
            arg(&mut job.bytes),
            arg(&mut job.offsets),
            arg(&mut job.inodes),
            arg(&mut job.statuses),
            arg(&mut job.pending),
        ];
        if !walks_all {
            let n_blocks = n_paths.div_ceil(DIRECT_BLOCK);
            // SAFETY: the arguments are the kernel's parameters, in order; the rest is the caller's duty.
            unsafe { launch(&self.direct[wide], n_blocks, DIRECT_BLOCK, stream, &mut args) }?;
        }
        let n_blocks = n_paths.div_ceil(BLOCK);
        // SAFETY: as above.
        unsafe { launch(&self.walk[wide], n_blocks, BLOCK, stream, &mut args) }
    }

    /// Makes packed paths whole: their text, their offsets, and behind those a word of zero.
    ///
    /// # Safety
    /// As for `resolve`; `text` has room for all text, `offsets` for two words more than there are paths.
    pub unsafe fn unpack(
        &self,
        stream: sys::CUstream,
        packed: &PackedArg,
        mut text: sys::CUdeviceptr,
        mut offsets: sys::CUdeviceptr,
    ) -> Result<(), EngineError> {
        let mut packed = *packed;
        let n_blocks = packed.n_paths.div_ceil(BLOCK);
        let mut args = [arg(&mut packed), arg(&mut text), arg(&mut offsets)];
        // SAFETY: the arguments are the kernel's parameters, in order; the rest is the caller's duty.
        unsafe { launch(&self.unpack, n_blocks, BLOCK, stream, &mut args) }
    }

    /// Answers a small batch in mapped memory: `n` slots of `stride` bytes, an answer of 8 bytes each.
    ///
    /// # Safety
    /// As for `resolve`; the slots and answers are mapped host memory of these sizes.
    pub unsafe fn few(
        &self,
        stream: sys::CUstream,
        query: &Query,
        mut slots: sys::CUdeviceptr,
        mut stride: u32,
        mut answers: sys::CUdeviceptr,
    ) -> Result<(), EngineError> {
        let mut query = *query;
        let n_paths = query.params.n_paths;
        let mut args = [
            arg(&mut query.tables),
            arg(&mut query.near),
            arg(&mut query.params),
            arg(&mut slots),
            arg(&mut stride),
            arg(&mut answers),
        ];
        let kernel = Kernel { shared: stride.max(WARP * 16) + 2 * MARGIN, grid: n_paths, ..self.few };
        // SAFETY: the arguments are the kernel's parameters, in order; the rest is the caller's duty.
        unsafe { launch(&kernel, n_paths, WARP, stream, &mut args) }
    }

    /// Probes for keys of three words; what is not found is PENDING.
    ///
    /// # Safety
    /// As for `resolve`.
    pub unsafe fn keys(
        &self,
        stream: sys::CUstream,
        query: &Query,
        mut keys: sys::CUdeviceptr,
        mut inodes: sys::CUdeviceptr,
        mut statuses: sys::CUdeviceptr,
    ) -> Result<(), EngineError> {
        let mut query = *query;
        let n_blocks = query.params.n_paths.div_ceil(BLOCK);
        let mut args = [
            arg(&mut query.tables),
            arg(&mut query.params),
            arg(&mut keys),
            arg(&mut inodes),
            arg(&mut statuses),
        ];
        // SAFETY: the arguments are the kernel's parameters, in order; the rest is the caller's duty.
        unsafe { launch(&self.keys, n_blocks, BLOCK, stream, &mut args) }
    }

    /// Notes slots in the hints of these tables.
    ///
    /// # Safety
    /// As for `resolve`; the slots are within the tables, and nothing reads the hints meanwhile.
    pub unsafe fn note_slots(
        &self,
        stream: sys::CUstream,
        tables: &TablesArg,
        slots: Range<usize>,
    ) -> Result<(), EngineError> {
        if slots.is_empty() {
            return Ok(());
        }
        let (mut tables, mut first, mut n) = (*tables, slots.start as u64, slots.len() as u64);
        let mut args = [arg(&mut tables), arg(&mut first), arg(&mut n)];
        let n_blocks = n.div_ceil(u64::from(BLOCK)).min(u64::from(u32::MAX)) as u32;
        // SAFETY: the arguments are the kernel's parameters, in order; the rest is the caller's duty.
        unsafe { launch(&self.note, n_blocks, BLOCK, stream, &mut args) }
    }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        for module in self.modules {
            // SAFETY: loaded by `load` and unloaded here alone.
            let _ = unsafe { result::module::unload(module) };
        }
    }
}

/// Loads PTX into the current context.
fn load(text: &str) -> Result<sys::CUmodule, EngineError> {
    let image = CString::new(text).map_err(|_| unavailable("the kernels hold a NUL"))?;
    // SAFETY: the image is PTX, ended by a NUL.
    unsafe { result::module::load_data(image.as_ptr().cast()) }
        .map_err(|driver| unavailable(format!("the driver refuses the kernels: {driver:?}")))
}

fn arg<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

fn kernel(
    context: &Arc<CudaContext>,
    module: sys::CUmodule,
    name: &str,
    block: u32,
    shared: u32,
) -> Result<Kernel, EngineError> {
    use sys::CUfunction_attribute_enum::*;
    let symbol = CString::new(name).map_err(|_| unavailable("a kernel's name holds a NUL"))?;
    let n_processors = context
        .attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        .named("cuDeviceGetAttribute")?;
    let mut n_blocks = 0;
    // SAFETY: the module is loaded, and the function lives as long as it.
    let function = unsafe {
        let function = result::module::get_function(module, symbol).named(name)?;
        result::function::set_function_attribute(
            function,
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            shared as i32,
        )
        .named("cuFuncSetAttribute")?;
        if shared > SMALL_SHARED {
            carve(function, ALL_SHARED)?;
        }
        sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(
            &mut n_blocks,
            function,
            block as i32,
            shared as usize,
        )
        .result()
        .named("cuOccupancyMaxActiveBlocksPerMultiprocessor")?;
        function
    };
    Ok(Kernel { function, shared, grid: (n_blocks.max(1) * n_processors) as u32 })
}

/// Asks for a share of the multiprocessors' caches as shared memory, in percent, while the function runs.
///
/// # Safety
/// The function's module is loaded.
unsafe fn carve(function: sys::CUfunction, percent: i32) -> Result<(), EngineError> {
    let attribute = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
    // SAFETY: the caller's duty.
    unsafe { result::function::set_function_attribute(function, attribute, percent) }
        .named("cuFuncSetAttribute")
}

/// # Safety
/// `args` are the kernel's parameters, in order.
unsafe fn launch(
    kernel: &Kernel,
    n_blocks: u32,
    block: u32,
    stream: sys::CUstream,
    args: &mut [*mut c_void],
) -> Result<(), EngineError> {
    let grid = (n_blocks.min(kernel.grid).max(1), 1, 1);
    // SAFETY: the caller's duty.
    unsafe { result::launch_kernel(kernel.function, grid, (block, 1, 1), kernel.shared, stream, args) }
        .named("a kernel's launch")
}
