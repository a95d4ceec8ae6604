//! What batches can run on, and in which order it is tried.

use crate::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use warpath_core::{Engine, EngineError, EngineName};
use warpath_engine_cpu::CpuEngine;
#[cfg(feature = "cuda")]
use warpath_engine_cuda::{CudaEngine, CudaOptions};
#[cfg(feature = "wgpu")]
use warpath_engine_wgpu::{WgpuEngine, WgpuOptions};

/// Makes an engine; called anew after the engine's device was lost.
type MakeEngine = dyn Fn() -> Result<Arc<dyn Engine>, EngineError> + Send + Sync;

/// What a [`GpuFilesystem`](crate::GpuFilesystem) resolves on: one engine, or several among which each batch goes where it is
/// done first. Cheap to clone.
///
/// Behind every device stands the CPU: a batch that an engine fails is answered by the next one, unless
/// [`without_fallback`](Device::without_fallback) says otherwise.
///
/// # Example
/// ```
/// use warpath::Device;
///
/// let device = Device::system_default().unwrap();
/// println!("best: {device}");
/// for device in Device::all() {
///     println!("there is {}", device.description());
/// }
/// ```
#[derive(Clone)]
pub struct Device {
    candidates: Vec<Candidate>,
    fallback: bool,
}

/// An engine that a device may use.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub name: &'static str,
    pub description: Arc<str>,
    /// Whether a small batch is answered by the calling thread, without waiting for a device.
    pub immediate: bool,
    pub make: Arc<MakeEngine>,
}

impl Device {
    /// The best there is: every kind of engine that was found, with each batch sent to the one that finishes it first. Never `None`: the
    /// CPU is a device. Of several NVIDIA GPUs it takes the first; `Device::cuda_gpus` takes more.
    ///
    /// Looks for devices once in a process; that takes tens of milliseconds where GPU engines are built in. None is opened before it
    /// is needed.
    pub fn system_default() -> Option<Device> {
        Some(Device::combined(preferred(found())))
    }

    /// Every device of this machine, each alone, the best first and the CPU last. A GPU that two engines can use is there twice. Software
    /// adapters, which compute on the CPU and are slower than its own engine, are left out, and so is what the engines can't use.
    pub fn all() -> Vec<Device> {
        found().iter().map(|found| found.device.clone()).collect()
    }

    /// The device of a name, as [`EngineName`](warpath_core::EngineName) lists them and the command line takes them. It is opened by the
    /// file system, which may fail.
    ///
    /// # Errors
    /// [`Error::NoSuchEngine`] for another name, or one whose engine is not in this build.
    pub fn named(name: &str) -> Result<Device, Error> {
        match name.parse() {
            Ok(EngineName::Auto) => Ok(Device::combined(preferred(found()))),
            Ok(EngineName::Cpu) => Ok(Device::cpu()),
            #[cfg(feature = "wgpu")]
            Ok(EngineName::Wgpu(adapter)) => Ok(Device::wgpu(adapter.as_deref())),
            #[cfg(feature = "cuda")]
            Ok(EngineName::Cuda(words)) => Ok(Device::cuda(words.as_deref())),
            _ => Err(Error::NoSuchEngine { name: name.to_owned(), engines: BUILT_IN.join(", ") }),
        }
    }

    /// The CPU.
    pub fn cpu() -> Device {
        Device::of(Candidate {
            name: "cpu",
            description: "cpu".into(),
            immediate: true,
            make: Arc::new(|| Ok(Arc::new(CpuEngine::new()))),
        })
    }

    /// A GPU through Vulkan, Metal or DX12: the first adapter whose name holds `name` in any case, software adapters too, or without a
    /// name the best hardware. It is opened by the file system.
    #[cfg(feature = "wgpu")]
    pub fn wgpu(name: Option<&str>) -> Device {
        let adapter = name.map(str::to_owned);
        let description = match name {
            Some(name) => format!("wgpu: {name}"),
            None => "wgpu: the best adapter".to_owned(),
        };
        Device::of(Candidate {
            name: "wgpu",
            description: description.into(),
            immediate: false,
            make: Arc::new(move || {
                let options = WgpuOptions { adapter: adapter.clone(), ..WgpuOptions::default() };
                Ok(Arc::new(WgpuEngine::new(&options)?))
            }),
        })
    }

    /// An NVIDIA GPU through CUDA: the one of this number, or else the first whose name holds the text in any case; without a text the
    /// first. Several are separated by commas, and the word `resident` among them keeps a kernel on the first for small batches, which takes
    /// half as long as launching one. The driver is loaded at run time. It is opened by the file system.
    #[cfg(feature = "cuda")]
    pub fn cuda(which: Option<&str>) -> Device {
        let which = which.map(str::to_owned);
        let description = match &which {
            Some(which) => format!("cuda: {which}"),
            None => "cuda: the first GPU".to_owned(),
        };
        Device::of(Candidate {
            name: "cuda",
            description: description.into(),
            immediate: false,
            make: Arc::new(move || {
                let options = which.as_deref().map_or(Ok(CudaOptions::default()), CudaOptions::from_words)?;
                Ok(Arc::new(CudaEngine::with_options(&options)?))
            }),
        })
    }

    /// Several NVIDIA GPUs as one engine, by the driver's numbers: each holds the whole index, and large batches are shared among them.
    #[cfg(feature = "cuda")]
    pub fn cuda_gpus(gpus: &[usize]) -> Device {
        let gpus = gpus.to_vec();
        Device::of(Candidate {
            name: "cuda",
            description: format!("cuda: GPUs {gpus:?}").into(),
            immediate: false,
            make: Arc::new(move || {
                let options = CudaOptions { gpus: gpus.clone(), ..CudaOptions::default() };
                Ok(Arc::new(CudaEngine::with_options(&options)?))
            }),
        })
    }

    /// An engine of the caller's own.
    pub fn from_engine(engine: Arc<dyn Engine>) -> Device {
        let info = engine.info();
        let make = move || Ok(Arc::clone(&engine));
        Device::of(Candidate {
            name: info.name,
            description: format!("{}: {}", info.name, info.device).into(),
            immediate: false,
            make: Arc::new(make),
        })
    }

    /// Several devices as one: each batch goes where it is done first. An engine that comes twice is taken once; none at all is the
    /// CPU.
    pub fn combined(devices: impl IntoIterator<Item = Device>) -> Device {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut fallback = true;
        for device in devices {
            fallback &= device.fallback;
            for candidate in device.candidates {
                if candidates.iter().all(|other| other.description != candidate.description) {
                    candidates.push(candidate);
                }
            }
        }
        if candidates.is_empty() {
            return Device::cpu();
        }
        Device { candidates, fallback }
    }

    /// The same device with nothing behind it: where it fails, so does the call.
    pub fn without_fallback(self) -> Device {
        Device { fallback: false, ..self }
    }

    /// Its name: that of its engine, or `auto` for several.
    pub fn name(&self) -> &str {
        match &self.candidates[..] {
            [only] => only.name,
            _ => "auto",
        }
    }

    /// Its engines in words.
    pub fn description(&self) -> String {
        match &self.candidates[..] {
            [only] => only.description.to_string(),
            several => {
                let names: Vec<&str> = several.iter().map(|candidate| &*candidate.description).collect();
                format!("auto: {}", names.join("; "))
            }
        }
    }

    fn of(candidate: Candidate) -> Device {
        Device { candidates: vec![candidate], fallback: true }
    }

    /// Its engines in the order in which they are tried. Behind the first `n` of them, those it was made of, stands the CPU.
    pub(crate) fn seats(&self) -> (Vec<Candidate>, usize) {
        let mut seats = self.candidates.clone();
        let n_own = seats.len();
        if self.fallback && seats.iter().all(|candidate| candidate.name != "cpu") {
            seats.extend(Device::cpu().candidates);
        }
        (seats, n_own)
    }
}

/// Names that [`Device::named`] takes in this build.
const BUILT_IN: &[&str] = &[
    "auto",
    "cpu",
    #[cfg(feature = "cuda")]
    "cuda",
    #[cfg(feature = "wgpu")]
    "wgpu",
];

/// A device of this machine.
struct Found {
    device: Device,
    engine: &'static str,
    /// What the hardware is called: engines agree on that.
    hardware: String,
}

/// Every device of this machine, looked for once, the best first and the CPU last.
fn found() -> &'static [Found] {
    static FOUND: OnceLock<Vec<Found>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let cpu = Found { device: Device::cpu(), engine: "cpu", hardware: String::new() };
        cuda_gpus().into_iter().chain(wgpu_adapters()).chain([cpu]).collect()
    })
}

/// What is used together: the first GPU of CUDA, and of the adapters those that CUDA does not use. Two engines on one GPU would hold the
/// index twice and wait for each other.
fn preferred(found: &[Found]) -> impl Iterator<Item = Device> {
    let is_taken = |i: usize| match found[i].engine {
        "cuda" => found[..i].iter().any(|before| before.engine == "cuda"),
        "wgpu" => found.iter().any(|other| other.engine == "cuda" && other.hardware == found[i].hardware),
        _ => false,
    };
    (0..found.len()).filter(move |&i| !is_taken(i)).map(|i| found[i].device.clone())
}

#[cfg(not(feature = "cuda"))]
fn cuda_gpus() -> Vec<Found> {
    vec![]
}

/// GPUs that CUDA can use; none where there is no driver.
#[cfg(feature = "cuda")]
fn cuda_gpus() -> Vec<Found> {
    let gpus = warpath_engine_cuda::gpus().unwrap_or_else(|error| {
        tracing::debug!(%error, "no GPU through CUDA");
        vec![]
    });
    let usable = gpus.into_iter().filter(|gpu| gpu.unusable().is_none());
    usable
        .map(|gpu| {
            let mut device = Device::cuda(Some(&gpu.ordinal.to_string()));
            device.candidates[0].description = format!("cuda: {gpu}").into();
            Found { device, engine: "cuda", hardware: gpu.name }
        })
        .collect()
}

#[cfg(not(feature = "wgpu"))]
fn wgpu_adapters() -> Vec<Found> {
    vec![]
}

/// Hardware adapters, each once: one that several interfaces show is taken through the first.
#[cfg(feature = "wgpu")]
fn wgpu_adapters() -> Vec<Found> {
    let mut names: Vec<String> = Vec::new();
    for adapter in warpath_engine_wgpu::adapters() {
        if !adapter.software && adapter.unusable.is_none() && !names.contains(&adapter.name) {
            names.push(adapter.name);
        }
    }
    let found = |name: String| Found { device: Device::wgpu(Some(&name)), engine: "wgpu", hardware: name };
    names.into_iter().map(found).collect()
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.description())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(engine: &'static str, hardware: &str, number: usize) -> Found {
        let mut device = Device::cpu();
        device.candidates[0].name = engine;
        device.candidates[0].description = format!("{engine} {hardware} {number}").into();
        Found { device, engine, hardware: hardware.to_owned() }
    }

    #[test]
    fn a_gpu_is_used_by_one_engine_and_of_many_gpus_the_first() {
        let all = [
            found("cuda", "H100", 0),
            found("cuda", "H100", 1),
            found("wgpu", "H100", 0),
            found("wgpu", "Radeon", 0),
            found("cpu", "", 0),
        ];
        let used: Vec<String> = preferred(&all).map(|device| device.description()).collect();
        assert_eq!(used, ["cuda H100 0", "wgpu Radeon 0", "cpu  0"]);
        assert_eq!(preferred(&all[2..]).count(), 3, "without CUDA every adapter");
    }

    #[test]
    fn a_device_of_nothing_is_the_cpu() {
        let device = Device::combined([]).without_fallback();
        let fs = crate::GpuFilesystem::new(&device, 0).unwrap();
        assert_eq!(fs.lookup_path("/"), Ok(0));
        assert_eq!(fs.explain(&warpath_core::PathBatch::from_strs(&["/"])).shares[0].engine, "cpu");
    }

    #[test]
    fn devices_have_the_names_of_the_command_line() {
        assert_eq!(Device::named("cpu").unwrap().name(), "cpu");
        assert!(Device::named("auto").unwrap().description().contains("cpu"));
        for wrong in ["gpu", "cpu:0"] {
            let error = Device::named(wrong).unwrap_err().to_string();
            assert!(error.contains("auto, cpu"), "{error}");
        }
        assert_eq!(Device::named("cuda:0").is_ok(), cfg!(feature = "cuda"));
        assert_eq!(Device::named("wgpu:llvmpipe").is_ok(), cfg!(feature = "wgpu"));
    }
}
