//! Engines by name.

use clap::ValueEnum;
use warpath_core::{Engine, EngineError};
use warpath_engine_cpu::CpuEngine;

/// What can be asked for with `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The fastest that runs here
    Auto,
    /// All cores of this machine
    Cpu,
}

/// An engine, and why it was taken.
pub struct Chosen {
    pub engine: Box<dyn Engine>,
    pub why: &'static str,
    /// Bytes of paths that make a good batch.
    pub batch_bytes: usize,
}

/// The CPU works on a block while it is in a core's cache: read, split, resolved and printed. 1 MiB took a
/// quarter longer, 4 MiB as well. Each thread has a block of its own, so that none need be large.
const CPU_BATCH: usize = 256 << 10;

/// Makes the engine of a name.
///
/// Fails where it was asked for by name and can't run here.
pub fn choose(name: EngineName) -> Result<Chosen, EngineError> {
    let cpu = |why| Chosen { engine: Box::new(CpuEngine::new()), why, batch_bytes: CPU_BATCH };
    Ok(match name {
        EngineName::Auto => cpu("the only one of this build"),
        EngineName::Cpu => cpu("asked for"),
    })
}
