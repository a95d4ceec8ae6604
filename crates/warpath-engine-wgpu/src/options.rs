//! What can be chosen when the engine is made.

pub use crate::shader::{Arithmetic, Variant};

/// How paths and answers travel between host and device. The answers are the same; only the speed differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transfer {
    /// Mapped where the adapter allows it, and host and device share their memory or the host can write to all of the
    /// device's; else staged.
    #[default]
    Auto,
    /// Through staging buffers, which the device copies from and to. Runs everywhere.
    Staged,
    /// The kernel reads and writes buffers that the host has mapped: no copy on the device. Refused where the adapter
    /// has no mappable primary buffers.
    Mapped,
}

/// How the engine is made. The default takes the best hardware adapter and chooses everything else by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WgpuOptions {
    /// Take the first adapter whose name holds this text, in any case; a software adapter too. `None` takes the best.
    pub adapter: Option<String>,
    /// Whether a software adapter may be taken when there is no better one. For tests: it is slower than the CPU engine.
    pub software: bool,
    /// Which kernel answers.
    pub variant: Variant,
    /// How the kernels do 64-bit arithmetic.
    pub arithmetic: Arithmetic,
    /// Whether the hash key is bound as a uniform buffer, where the adapter binds that much as one.
    pub uniform_key: bool,
    /// How paths and answers travel.
    pub transfer: Transfer,
    /// Bytes of paths that are sent at a time, at most. At least 64 KiB, at most what the device can bind.
    pub chunk_bytes: usize,
    /// Paths that are sent at a time, at most.
    pub chunk_paths: usize,
    /// Chunks underway at a time, 64 at most: one is filled while others are copied, answered and read back.
    pub in_flight: usize,
    /// Batches of up to this many paths go to [`Variant::Few`].
    pub few_paths: usize,
    /// Bytes of one binding of the index, at most; the device's own limit where it is lower. For tests of an index in
    /// several windows.
    pub max_binding_bytes: Option<u64>,
}

impl Default for WgpuOptions {
    fn default() -> WgpuOptions {
        WgpuOptions {
            adapter: None,
            software: false,
            variant: Variant::Auto,
            arithmetic: Arithmetic::Auto,
            uniform_key: true,
            transfer: Transfer::Auto,
            chunk_bytes: 16 << 20,
            chunk_paths: 1 << 19,
            in_flight: 6,
            few_paths: 2048,
            max_binding_bytes: None,
        }
    }
}

impl WgpuOptions {
    /// The default, on a software adapter where there is no hardware: for tests.
    pub fn for_tests() -> WgpuOptions {
        WgpuOptions { software: true, ..WgpuOptions::default() }
    }
}
