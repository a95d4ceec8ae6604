//! The engine for every GPU: one WGSL kernel over Vulkan, Metal and DX12, through wgpu.
//!
//! [`WgpuEngine`] answers a batch in one dispatch a chunk: the kernel hashes each path, probes directly, walks what is
//! left, and writes an outcome. No path is parsed on the host. The stages are in `kernels/`, each the twin of a file of
//! `warpath-core`, function by function:
//!
//! | kernel file | twin | question it answers |
//! |---|---|---|
//! | `hash.wgsl` | `hash.rs` | what is the key of a path? |
//! | `probe.wgsl` | `probe.rs` | where may a key's slot lie? |
//! | `walk.wgsl` | `walk` in `resolve.rs` | what does a path name, a component at a time? |
//! | `resolve.wgsl` | `direct` in `resolve.rs` | what does it name, by one probe? |
//! | `path.wgsl` | slices | how are a path's bytes read? |
//! | `many.wgsl`, `few.wgsl` | | which thread does what, where paths are many or few? |
//!
//! Nothing here panics because of a device: a lost one, one out of memory or one that refuses a call is an
//! [`EngineError`](warpath_core::EngineError), and the caller goes to the next engine.

mod adapters;
mod buffer_set;
mod chunks;
mod device;
mod engine;
mod measure;
mod memory;
mod options;
mod parts;
mod pipelines;
mod replica;
mod shader;
mod stream;
#[cfg(test)]
mod translation;
mod upload;

pub use adapters::{AdapterInfo, adapters};
pub use engine::WgpuEngine;
pub use measure::{CopyRates, ResidentBatch};
pub use options::{Arithmetic, Transfer, Variant, WgpuOptions};

/// The engine's name, as on the command line.
const NAME: &str = "wgpu";

/// An error after which the engine can be used again.
fn failed(reason: String) -> warpath_core::EngineError {
    warpath_core::EngineError::Failed { engine: NAME, reason }
}
