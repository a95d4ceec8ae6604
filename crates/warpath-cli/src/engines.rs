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
}

/// Makes the engine of a name.
///
/// Fails where it was asked for by name and can't run here.
pub fn choose(name: EngineName) -> Result<Chosen, EngineError> {
    Ok(match name {
        EngineName::Auto => Chosen { engine: cpu(), why: "the only one of this build" },
        EngineName::Cpu => Chosen { engine: cpu(), why: "asked for" },
    })
}

fn cpu() -> Box<dyn Engine> {
    Box::new(CpuEngine::new())
}
