//! The ways that a batch can take, each as an engine of its own.

use std::time::Duration;
use warpath_core::index::{Plan, Tables};
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch};
use warpath_engine_cuda::{CudaEngine, CudaOptions, ResidentStats, Transfer};

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// As users get it.
    Default,
    /// Text sent, no small batches.
    Text,
    /// As `Text`, with the kernels for compute capability 7.5.
    OldText,
    /// What differs from the path before sent.
    Packed,
    /// Keys sent.
    Keys,
    /// Text and keys at once.
    Both,
    /// Small batches, with the kernels for compute capability 7.5.
    OldFew,
    /// Small batches through a kernel that stays.
    Resident,
    /// As `Resident`, with a kernel that ends after each pause of 20 us, so that most batches find it gone or going.
    Restless,
    /// On the device, 32-bit offsets.
    Device32,
    /// On the device, 64-bit offsets.
    Device64,
}

/// All of them.
pub const VARIANTS: &[Variant] = &[
    Variant::Default,
    Variant::Text,
    Variant::OldText,
    Variant::Packed,
    Variant::Keys,
    Variant::Both,
    Variant::OldFew,
    Variant::Resident,
    Variant::Restless,
    Variant::Device32,
    Variant::Device64,
];

/// An engine that takes this way alone.
pub fn make(variant: Variant) -> Result<Box<dyn Engine>, EngineError> {
    let default = CudaOptions::default();
    let large = |transfer| CudaOptions { transfer, few: false, ..CudaOptions::default() };
    let options = match variant {
        Variant::Default | Variant::Device32 | Variant::Device64 => default,
        Variant::Text => large(Transfer::Text),
        Variant::OldText => CudaOptions { oldest_kernels: true, ..large(Transfer::Text) },
        Variant::Packed => large(Transfer::Packed),
        Variant::Keys => large(Transfer::Keys),
        Variant::Both => large(Transfer::Both),
        Variant::OldFew => CudaOptions { oldest_kernels: true, ..default },
        Variant::Resident => CudaOptions { resident: Some(CudaOptions::RESIDENT_IDLE), ..default },
        Variant::Restless => CudaOptions { resident: Some(Duration::from_micros(20)), ..default },
    };
    let engine = CudaEngine::with_options(&options)?;
    if let Some(ResidentStats { refused: Some(reason), .. }) = engine.resident_stats() {
        return Err(EngineError::Unavailable { engine: "cuda", reason });
    }
    Ok(match variant {
        Variant::Device32 | Variant::Device64 => {
            Box::new(OnDevice { engine, wide: variant == Variant::Device64 })
        }
        _ => Box::new(engine),
    })
}

/// An engine that uploads every batch, answers it there, and downloads the answers.
struct OnDevice {
    engine: CudaEngine,
    wide: bool,
}

impl Engine for OnDevice {
    fn info(&self) -> EngineInfo {
        self.engine.info()
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let upload = if self.wide { CudaEngine::upload_paths64 } else { CudaEngine::upload_paths };
        let mut paths = upload(&self.engine, batch)?;
        self.engine.resolve_uploaded(tables, plan, &mut paths)?;
        let outcomes = paths.outcomes()?;
        out.inodes.copy_from_slice(outcomes.inodes());
        out.statuses.copy_from_slice(outcomes.statuses());
        Ok(())
    }
}
