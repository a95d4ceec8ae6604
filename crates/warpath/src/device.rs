//! What batches can run on, and in which order it is tried.

use std::fmt;
use std::sync::{Arc, OnceLock};
use warpath_core::{Engine, EngineError};
use warpath_engine_cpu::CpuEngine;
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
    pub name: Arc<str>,
    pub description: Arc<str>,
    /// Whether a small batch is answered by the calling thread, without waiting for a device.
    pub immediate: bool,
    pub make: Arc<MakeEngine>,
}

impl Device {
    /// The best there is: every engine that was found, with each batch sent to the one that finishes it first. Never `None`:
    /// the CPU is a device.
    ///
    /// Looks for devices once in a process; that takes tens of milliseconds where GPU engines are built in.
    pub fn system_default() -> Option<Device> {
        Some(Device::combined(Device::all()))
    }

    /// Every device of this machine, each alone, the best first and the CPU last. Software adapters, which compute on the CPU
    /// and are slower than its own engine, are left out.
    pub fn all() -> Vec<Device> {
        static FOUND: OnceLock<Vec<Device>> = OnceLock::new();
        FOUND.get_or_init(|| gpus().into_iter().chain([Device::cpu()]).collect()).clone()
    }

    /// The CPU.
    pub fn cpu() -> Device {
        Device::of(Candidate {
            name: "cpu".into(),
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
            name: "wgpu".into(),
            description: description.into(),
            immediate: false,
            make: Arc::new(move || {
                let options = WgpuOptions { adapter: adapter.clone(), ..WgpuOptions::default() };
                Ok(Arc::new(WgpuEngine::new(&options)?))
            }),
        })
    }

    /// An engine of the caller's own.
    pub fn from_engine(engine: Arc<dyn Engine>) -> Device {
        let info = engine.info();
        let make = move || Ok(Arc::clone(&engine));
        Device::of(Candidate {
            name: info.name.into(),
            description: format!("{}: {}", info.name, info.device).into(),
            immediate: false,
            make: Arc::new(make),
        })
    }

    /// Several devices as one: each batch goes where it is done first. An engine that comes twice is taken once.
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
        Device { candidates, fallback }
    }

    /// The same device with nothing behind it: where it fails, so does the call.
    pub fn without_fallback(self) -> Device {
        Device { fallback: false, ..self }
    }

    /// Its name: that of its engine, or `auto` for several.
    pub fn name(&self) -> &str {
        match &self.candidates[..] {
            [only] => &only.name,
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
        if self.fallback && seats.iter().all(|candidate| &*candidate.name != "cpu") {
            seats.extend(Device::cpu().candidates);
        }
        (seats, n_own)
    }
}

/// The GPUs of this machine that engines of this build can use, the best first.
fn gpus() -> Vec<Device> {
    [wgpu_adapters()].into_iter().flatten().collect()
}

#[cfg(not(feature = "wgpu"))]
fn wgpu_adapters() -> Vec<Device> {
    vec![]
}

/// Hardware adapters, each once: one that several interfaces show is taken through the first.
#[cfg(feature = "wgpu")]
fn wgpu_adapters() -> Vec<Device> {
    let mut names: Vec<String> = Vec::new();
    for adapter in warpath_engine_wgpu::adapters() {
        if !adapter.software && adapter.unusable.is_none() && !names.contains(&adapter.name) {
            names.push(adapter.name);
        }
    }
    names.iter().map(|name| Device::wgpu(Some(name))).collect()
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
