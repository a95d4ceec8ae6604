//! What would happen to a batch, and why.

use super::model::CostLine;
use std::fmt;
use std::ops::Range;
use std::time::Duration;
use warpath_core::EngineError;

/// What [`GpuFilesystem::explain`](crate::GpuFilesystem::explain) says: where a batch would go, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Paths of the batch.
    pub n_paths: usize,
    /// Bytes of its paths.
    pub n_bytes: usize,
    /// Why it goes there.
    pub reason: Reason,
    /// Which paths each chosen engine answers.
    pub shares: Vec<Share>,
    /// How long it will take, if that is known.
    pub expected: Option<Duration>,
    /// What each engine of the device is thought to cost.
    pub engines: Vec<EngineCost>,
}

/// Why a batch goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The device has one engine.
    OnlyEngine,
    /// [`force_engine`](crate::GpuFilesystem::force_engine) says so.
    Forced,
    /// The engines have not been measured yet.
    NotMeasured,
    /// It will be done there first.
    Fastest,
    /// Two engines that share it will be done before either alone.
    Split,
}

/// A part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The engine.
    pub engine: String,
    /// Its paths.
    pub paths: Range<usize>,
}

/// What a batch would cost on an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineCost {
    /// The engine.
    pub engine: String,
    /// How long the whole batch would take there, if that is known.
    pub expected: Option<Duration>,
    /// What was measured, as a line.
    pub line: Option<CostLine>,
    /// Why the engine is left alone at present.
    pub pause: Option<EngineError>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::OnlyEngine => "the device has no other engine",
            Reason::Forced => "it was forced",
            Reason::NotMeasured => "the engines have not been measured yet",
            Reason::Fastest => "it is done there first",
            Reason::Split => "shared, it is done before either has it done alone",
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.shares.iter().map(|share| &*share.engine).collect();
        write!(
            f,
            "{} paths of {} bytes go to {}: {}",
            self.n_paths,
            self.n_bytes,
            names.join(" and "),
            self.reason
        )?;
        if let Some(expected) = self.expected {
            write!(f, ", in about {expected:.1?}")?;
        }
        for share in self.shares.iter().filter(|_| self.shares.len() > 1) {
            write!(f, "\n  {}: paths {} to {}", share.engine, share.paths.start, share.paths.end)?;
        }
        for cost in &self.engines {
            write!(f, "\n  {} alone: ", cost.engine)?;
            match (&cost.pause, cost.expected, cost.line) {
                (Some(pause), ..) => write!(f, "left alone for a while, since {pause}")?,
                (None, Some(expected), Some(line)) => write!(
                    f,
                    "{expected:.1?} ({:.1?} a batch, {:.1} ns a path, {:.3} ns a byte more)",
                    line.fixed, line.nanos_per_path, line.nanos_per_byte
                )?,
                _ => write!(f, "not measured")?,
            }
        }
        Ok(())
    }
}
