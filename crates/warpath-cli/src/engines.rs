//! Engines by name, and what engines there are.

use warpath_core::{Engine, EngineError, EngineName};
use warpath_engine_cpu::CpuEngine;

/// An engine, and why it was taken.
pub struct Chosen {
    pub engine: Box<dyn Engine>,
    pub why: &'static str,
    /// Bytes of paths that make a good batch.
    pub batch_bytes: usize,
}

/// What copies reach between the host's memory and an engine's own device, in bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceCopies {
    pub to_device: f64,
    pub from_device: f64,
}

/// The CPU works on a block while it is in a core's cache: read, split, resolved and printed. 1 MiB took a
/// quarter longer, 4 MiB as well. Each thread has a block of its own, so that none need be large.
const CPU_BATCH: usize = 256 << 10;

/// A GPU overlaps copies and kernels of parts of a batch: it takes large ones.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
const GPU_BATCH: usize = 16 << 20;

/// Makes the engine of a name.
///
/// Fails where it was asked for by name and can't run here.
pub fn choose(name: &EngineName) -> Result<Chosen, EngineError> {
    open(name, false).map(|(chosen, _)| chosen)
}

/// As [`choose`], and measures the copies to and from the engine's device, where it has one.
pub fn choose_and_measure(name: &EngineName) -> Result<(Chosen, Option<DeviceCopies>), EngineError> {
    open(name, true)
}

type Opened = (Chosen, Option<DeviceCopies>);

fn open(name: &EngineName, measured: bool) -> Result<Opened, EngineError> {
    let cpu = |why| (Chosen { engine: Box::new(CpuEngine::new()), why, batch_bytes: CPU_BATCH }, None);
    Ok(match name {
        EngineName::Auto => cpu("the fastest for paths that come from a file"),
        EngineName::Cpu => cpu("asked for"),
        EngineName::Wgpu(adapter) => wgpu(adapter.as_deref(), measured)?,
        EngineName::Cuda(words) => cuda(words.as_deref(), measured)?,
    })
}

#[cfg(feature = "wgpu")]
fn wgpu(adapter: Option<&str>, measured: bool) -> Result<Opened, EngineError> {
    use warpath_engine_wgpu::{WgpuEngine, WgpuOptions};
    /// Enough for the rate to stand still.
    const COPIED: u64 = 128 << 20;
    let options = WgpuOptions { adapter: adapter.map(str::to_owned), ..WgpuOptions::default() };
    let engine = Box::new(WgpuEngine::new(&options)?);
    let rates = measured.then(|| engine.copy_rates(COPIED)).transpose()?;
    let copies =
        rates.map(|rates| DeviceCopies { to_device: rates.to_device, from_device: rates.from_device });
    Ok((Chosen { engine, why: "asked for", batch_bytes: GPU_BATCH }, copies))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_adapter: Option<&str>, _measured: bool) -> Result<Opened, EngineError> {
    let reason = "this build has none; build with --features wgpu".to_owned();
    Err(EngineError::Unavailable { engine: "wgpu", reason })
}

#[cfg(feature = "cuda")]
fn cuda(words: Option<&str>, measured: bool) -> Result<Opened, EngineError> {
    use warpath_engine_cuda::{CudaEngine, CudaOptions};
    let options = words.map_or_else(|| Ok(CudaOptions::default()), CudaOptions::from_words)?;
    let engine = Box::new(CudaEngine::with_options(&options)?);
    let rates = measured.then(|| engine.measure_copies(5)).transpose()?;
    let copies =
        rates.map(|rates| DeviceCopies { to_device: rates.to_device, from_device: rates.from_device });
    Ok((Chosen { engine, why: "asked for", batch_bytes: GPU_BATCH }, copies))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_words: Option<&str>, _measured: bool) -> Result<Opened, EngineError> {
    let reason = "this build has none; build with --features cuda".to_owned();
    Err(EngineError::Unavailable { engine: "cuda", reason })
}

/// A line for each engine and adapter, with the reason where it can't be used.
pub fn list() -> String {
    let mut text = format!("cpu\t{}\n", CpuEngine::new().info().device);
    for line in wgpu_lines().iter().chain(&cuda_lines()) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(feature = "cuda")]
fn cuda_lines() -> Vec<String> {
    let line = |gpu: &warpath_engine_cuda::GpuInfo| match gpu.unusable() {
        None => format!("cuda\t{gpu}"),
        Some(reason) => format!("cuda\tnot usable: {reason}"),
    };
    match warpath_engine_cuda::gpus() {
        Ok(gpus) => gpus.iter().map(line).collect(),
        Err(EngineError::Unavailable { reason, .. }) => vec![format!("cuda\tnot available: {reason}")],
        Err(error) => vec![format!("cuda\t{error}")],
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda_lines() -> Vec<String> {
    vec!["cuda\tnot in this build; build with --features cuda".to_owned()]
}

#[cfg(feature = "wgpu")]
fn wgpu_lines() -> Vec<String> {
    let adapters = warpath_engine_wgpu::adapters();
    if adapters.is_empty() {
        return vec!["wgpu\tnot available: no Vulkan, Metal or DX12 adapter".to_owned()];
    }
    adapters.iter().map(|adapter| format!("wgpu\t{adapter}")).collect()
}

#[cfg(not(feature = "wgpu"))]
fn wgpu_lines() -> Vec<String> {
    vec!["wgpu\tnot in this build; build with --features wgpu".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_engine() {
        let text = list();
        assert!(
            text.starts_with("cpu\t") && text.contains("\nwgpu\t") && text.contains("\ncuda\t"),
            "{text}"
        );
    }
}
