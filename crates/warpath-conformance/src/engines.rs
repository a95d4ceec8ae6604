//! Engines by their names, for the programs.

use crate::library::{Library, ReferenceEngine};
use crate::scalar::ScalarEngine;
use crate::suite::MakeEngine;
use std::sync::Arc;
use warpath_core::Engine;

/// Names of the engines in this build.
pub const NAMES: &[&str] = &[
    ReferenceEngine::NAME,
    ScalarEngine::NAME,
    #[cfg(feature = "cpu")]
    "cpu",
    #[cfg(feature = "wgpu")]
    "wgpu[:KERNEL]",
];

/// Makes engines of this name; those that read names get them from `library`.
///
/// # Errors
/// When there is no such engine in this build, with the names there are.
pub fn by_name(name: &str, library: &Arc<Library>) -> Result<Box<MakeEngine<'static>>, String> {
    match name {
        ReferenceEngine::NAME => {
            let library = Arc::clone(library);
            Ok(Box::new(move || Ok(boxed(ReferenceEngine::new(Arc::clone(&library))))))
        }
        ScalarEngine::NAME => Ok(Box::new(|| Ok(boxed(ScalarEngine::default())))),
        #[cfg(feature = "cpu")]
        "cpu" => Ok(Box::new(|| Ok(boxed(warpath_engine_cpu::CpuEngine::new())))),
        #[cfg(feature = "wgpu")]
        _ if name == "wgpu" || name.starts_with("wgpu:") => wgpu(name.strip_prefix("wgpu:")),
        _ => Err(format!("there is no engine `{name}` in this build; there are: {}", NAMES.join(", "))),
    }
}

/// Makes engines on whatever adapter there is, software included, with this kernel.
#[cfg(feature = "wgpu")]
fn wgpu(kernel: Option<&str>) -> Result<Box<MakeEngine<'static>>, String> {
    use warpath_engine_wgpu::{Variant, WgpuEngine, WgpuOptions};
    let variant = match kernel {
        None => Variant::Auto,
        Some(kernel) => Variant::by_name(kernel).ok_or_else(|| {
            let names = Variant::KERNELS.map(Variant::name).join(", ");
            format!("there is no kernel `{kernel}`; there are: {names}")
        })?,
    };
    let options = WgpuOptions { variant, ..WgpuOptions::for_tests() };
    Ok(Box::new(move || Ok(boxed(WgpuEngine::new(&options)?))))
}

fn boxed(engine: impl Engine + 'static) -> Box<dyn Engine> {
    Box::new(engine)
}
