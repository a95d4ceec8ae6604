//! The device, and what goes wrong with it: every error of wgpu ends up as an [`EngineError`].

use crate::adapters::{self, AdapterInfo};
use crate::options::{Arithmetic, Transfer, WgpuOptions};
use crate::{NAME, failed};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use warpath_core::EngineError;
use wgpu::{Buffer, BufferDescriptor, BufferUsages, Features, MapMode, PollType, SubmissionIndex};

/// No batch takes this long; a device that does not answer by then counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a wait spins before it sleeps: most small batches are answered by then.
const SPIN: Duration = Duration::from_micros(300);

/// An open device.
pub(crate) struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter: AdapterInfo,
    /// Whether kernels are compiled for 64-bit integers.
    pub wide: bool,
    /// Whether the hash key is bound as a uniform buffer.
    pub uniform_key: bool,
    /// Whether kernels read mapped buffers.
    pub mapped: bool,
    /// Bytes of one binding.
    pub max_binding: u64,
    monitor: Arc<Monitor>,
}

/// What wgpu reported and nobody has asked for yet.
#[derive(Default)]
struct Monitor {
    lost: Mutex<Option<String>>,
    failure: Mutex<Option<Failure>>,
}

struct Failure {
    out_of_memory: bool,
    reason: String,
}

impl Gpu {
    /// Opens the adapter that the options ask for, with all the limits that it has.
    pub(crate) fn open(options: &WgpuOptions) -> Result<Gpu, EngineError> {
        let (adapter, info) = adapters::choose(options)?;
        let refuse = |reason: String| EngineError::Unavailable { engine: NAME, reason };
        let wide = match options.arithmetic {
            Arithmetic::Auto => info.has_int64,
            Arithmetic::Bits32 => false,
            Arithmetic::Bits64 if info.has_int64 => true,
            Arithmetic::Bits64 => return Err(refuse(format!("{} has no 64-bit integers", info.name))),
        };
        let mapped = match options.transfer {
            Transfer::Auto => info.has_mapped && (info.unified || info.host_visible),
            Transfer::Staged => false,
            Transfer::Mapped if info.has_mapped => true,
            Transfer::Mapped => {
                return Err(refuse(format!("{} has no mappable primary buffers", info.name)));
            }
        };
        let wanted = [
            (wide, Features::SHADER_INT64),
            (info.has_mapped, Features::MAPPABLE_PRIMARY_BUFFERS),
            (info.has_timestamps, Features::TIMESTAMP_QUERY),
        ];
        let required_features =
            wanted.iter().filter(|(on, _)| *on).fold(Features::empty(), |all, (_, feature)| all | *feature);
        let required_limits = adapter.limits();
        log::info!("{}: asking for {required_features:?} and {required_limits:?}", info.name);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("warpath"),
            required_features,
            required_limits,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| refuse(format!("{}: {error}", info.name)))?;
        let monitor = Arc::new(Monitor::default());
        monitor.watch(&device);
        let max_binding = info.max_binding.min(info.max_buffer);
        let max_binding = options.max_binding_bytes.map_or(max_binding, |limit| limit.min(max_binding));
        let key_bytes = 4 * crate::shader::DEVICE_KEY_WORDS as u64;
        let uniform_key = options.uniform_key && info.max_uniform >= key_bytes;
        Ok(Gpu { device, queue, adapter: info, wide, uniform_key, mapped, max_binding, monitor })
    }

    /// The error that wgpu reported since the last call, if any; a lost device stays lost.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if let Some(reason) = lock(&self.monitor.lost).clone() {
            return Err(EngineError::Lost { engine: NAME, reason });
        }
        match lock(&self.monitor.failure).take() {
            None => Ok(()),
            Some(Failure { out_of_memory: true, reason }) => Err(failed(format!("out of memory: {reason}"))),
            Some(Failure { reason, .. }) => Err(failed(reason)),
        }
    }

    /// Counts the device as lost from now on.
    pub(crate) fn give_up(&self, reason: String) -> EngineError {
        let mut lost = lock(&self.monitor.lost);
        let reason = lost.get_or_insert(reason).clone();
        EngineError::Lost { engine: NAME, reason }
    }

    /// A buffer of `size` bytes.
    pub(crate) fn buffer(
        &self,
        label: &'static str,
        size: u64,
        usage: BufferUsages,
    ) -> Result<Buffer, EngineError> {
        let too_large = |what: String, available: u64| EngineError::TooLarge {
            engine: NAME,
            what,
            needed: size,
            available,
        };
        if size > self.adapter.max_buffer {
            return Err(too_large(format!("one buffer ({label})"), self.adapter.max_buffer));
        }
        self.check()?;
        let buffer = self.device.create_buffer(&BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        });
        let out_of_memory = lock(&self.monitor.failure).take_if(|failure| failure.out_of_memory);
        if let Some(failure) = out_of_memory {
            let what = format!("device memory ({label}: {})", failure.reason);
            return Err(too_large(what, self.adapter.memory.unwrap_or(0)));
        }
        self.check()?;
        Ok(buffer)
    }

    /// Waits until the submission is done and what it was to map is mapped.
    pub(crate) fn wait(
        &self,
        submission: Option<SubmissionIndex>,
        maps: &[&Mapping],
    ) -> Result<(), EngineError> {
        let mapped = || maps.iter().all(|map| map.is_settled());
        if !self.adapter.software {
            let begin = Instant::now();
            while !mapped() && begin.elapsed() < SPIN {
                // What goes wrong here goes wrong again below, where it is looked at.
                let _ = self.device.poll(PollType::Poll);
                std::hint::spin_loop();
            }
        }
        if maps.is_empty() || !mapped() {
            let wait = PollType::Wait { submission_index: submission, timeout: Some(PATIENCE) };
            if let Err(error) = self.device.poll(wait) {
                self.check()?;
                return Err(self.give_up(format!("waiting for an answer: {error}")));
            }
        }
        self.check()?;
        match maps.iter().all(|map| map.is_mapped()) {
            true => Ok(()),
            false => Err(self.give_up("a buffer could not be mapped".to_owned())),
        }
    }
}

impl Monitor {
    /// Listens to the device from now on.
    fn watch(self: &Arc<Monitor>, device: &wgpu::Device) {
        let monitor = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let out_of_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
            // The first error is the cause; others follow from it.
            lock(&monitor.failure).get_or_insert(Failure { out_of_memory, reason: error.to_string() });
        }));
        let monitor = Arc::clone(self);
        device.set_device_lost_callback(move |reason, message| {
            lock(&monitor.lost).get_or_insert(format!("{reason:?} {message}").trim().to_owned());
        });
    }
}

/// A lock whose holder panicked is still good here: what it guards is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a buffer that was asked to be mapped is.
pub(crate) struct Mapping(Arc<AtomicU8>);

impl Mapping {
    const PENDING: u8 = 0;
    const MAPPED: u8 = 1;
    const FAILED: u8 = 2;

    /// Asks for the whole buffer; it is mapped when the device has done what was submitted before.
    pub(crate) fn request(buffer: &Buffer, mode: MapMode) -> Mapping {
        let state = Arc::new(AtomicU8::new(Mapping::PENDING));
        let shared = Arc::clone(&state);
        buffer.map_async(mode, .., move |result| {
            shared.store(if result.is_ok() { Mapping::MAPPED } else { Mapping::FAILED }, Ordering::Release);
        });
        Mapping(state)
    }

    /// Whether the buffer is mapped by now.
    pub(crate) fn is_mapped(&self) -> bool {
        self.state() == Mapping::MAPPED
    }

    /// Whether nothing is to be waited for any more: the buffer is mapped, or can't be.
    pub(crate) fn is_settled(&self) -> bool {
        self.state() != Mapping::PENDING
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}
