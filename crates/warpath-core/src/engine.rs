//! The only seam: what resolves batches.

use crate::index::{Plan, Tables};
use crate::{OutcomesMut, PathBatch};
use std::str::FromStr;
use thiserror::Error;

/// Something that resolves batches: the CPU, a GPU through wgpu, a GPU through CUDA.
///
/// An engine is handed the tables with every batch and may keep a copy of its own (on a device), which it
/// brings up to date by [`Tables::id`], [`Tables::version`] and [`Tables::changes_since`] before it answers:
/// every batch sees exactly the version that it was called with.
pub trait Engine: Send + Sync {
    /// What this engine is.
    fn info(&self) -> EngineInfo;

    /// Answers every path of the batch, in order.
    ///
    /// The caller has made `plan` from the same tables and gives columns of the batch's length. Any number of
    /// paths is one call; what exceeds the engine's buffers it splits itself.
    ///
    /// # Errors
    /// Only when the batch could not run at all: a bad path is an outcome. After an error the columns hold
    /// nothing of use, and the batch can be given to another engine.
    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError>;
}

/// What an engine is, for people and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Short name, as on the command line: `cpu`, `wgpu`, `cuda`.
    pub name: &'static str,
    /// The device and the variant in use, such as `AVX-512, 2 threads`.
    pub device: String,
}

/// Which engine is asked for, as people write it. `str::parse` reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineName {
    /// `auto`: whatever is fastest here.
    Auto,
    /// `cpu`: all cores of this machine.
    Cpu,
    /// `wgpu`, a GPU through Vulkan, Metal or DX12: the best, or by `wgpu:ADAPTER` the one whose name holds that text.
    Wgpu(Option<String>),
    /// `cuda`, an NVIDIA GPU: the first, or by `cuda:WORDS` those that the words name, separated by commas: numbers, parts of
    /// names, `all`, and `resident` for a kernel that stays.
    Cuda(Option<String>),
}

impl EngineName {
    /// Each engine, on its best device.
    pub const EACH: [EngineName; 3] = [EngineName::Cpu, EngineName::Wgpu(None), EngineName::Cuda(None)];
}

impl FromStr for EngineName {
    type Err = UnknownEngine;

    /// Fails for anything that [`EngineName`] does not list. Whether the engine can be used here shows when it is opened.
    fn from_str(name: &str) -> Result<EngineName, UnknownEngine> {
        let (engine, which) =
            name.split_once(':').map_or((name, None), |(engine, which)| (engine, Some(which)));
        match (engine, which) {
            ("auto", None) => Ok(EngineName::Auto),
            ("cpu", None) => Ok(EngineName::Cpu),
            (_, Some("")) => Err(UnknownEngine),
            ("wgpu", adapter) => Ok(EngineName::Wgpu(adapter.map(str::to_owned))),
            ("cuda", words) => Ok(EngineName::Cuda(words.map(str::to_owned))),
            _ => Err(UnknownEngine),
        }
    }
}

/// A name that no engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there are auto, cpu, cuda, cuda:GPU[,GPU..], cuda:resident, wgpu and wgpu:ADAPTER")]
pub struct UnknownEngine;

/// Why an engine could not run a batch. The caller falls back to the next engine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// There is no such device here, or no driver for it.
    #[error("engine {engine} is not available: {reason}")]
    Unavailable {
        /// The engine's name.
        engine: &'static str,
        /// What is missing, and what to do about it.
        reason: String,
    },
    /// The index does not fit the device.
    #[error("engine {engine}: the index needs {needed} bytes of {what}, and there are {available}")]
    TooLarge {
        /// The engine's name.
        engine: &'static str,
        /// The limit that it exceeds.
        what: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that there are.
        available: u64,
    },
    /// The device was lost or its driver failed; the engine must be made anew.
    #[error("engine {engine}: the device was lost: {reason}")]
    Lost {
        /// The engine's name.
        engine: &'static str,
        /// What the driver said.
        reason: String,
    },
    /// The batch failed and the engine can be used again.
    #[error("engine {engine}: {reason}")]
    Failed {
        /// The engine's name.
        engine: &'static str,
        /// What went wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!("auto".parse(), Ok(EngineName::Auto));
        assert_eq!("cpu".parse(), Ok(EngineName::Cpu));
        assert_eq!("wgpu".parse(), Ok(EngineName::Wgpu(None)));
        assert_eq!("wgpu:H100: 80GB".parse(), Ok(EngineName::Wgpu(text("H100: 80GB"))));
        assert_eq!("cuda".parse(), Ok(EngineName::Cuda(None)));
        assert_eq!("cuda:0,resident".parse(), Ok(EngineName::Cuda(text("0,resident"))));
        for wrong in ["", "gpu", "CPU", "cpu:0", "auto:", "wgpu:", "cuda:"] {
            assert_eq!(wrong.parse::<EngineName>(), Err(UnknownEngine), "{wrong}");
        }
    }
}
