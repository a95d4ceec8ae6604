//! Which adapters there are, what they can do, and which one is taken.

use crate::NAME;
use crate::options::WgpuOptions;
use std::fmt;
use warpath_core::EngineError;
use wgpu::{Backends, DeviceType, DownlevelFlags, Features, Limits};

/// Storage bindings that a kernel takes at least: the key, four arrays, offsets, bytes and outcomes.
pub(crate) const MIN_STORAGE_BINDINGS: u32 = 8;
/// Bytes of workgroup memory that a kernel takes at most: what every WebGPU device has.
const MIN_WORKGROUP_BYTES: u32 = 16 << 10;
/// Threads of the largest workgroup.
const MIN_WORKGROUP: u32 = 128;

/// An adapter: a device as one of the system's graphics interfaces shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Name, as `--engine wgpu:NAME` takes it.
    pub name: String,
    /// The interface: `vulkan`, `metal` or `dx12`.
    pub backend: &'static str,
    /// The driver's name and version.
    pub driver: String,
    /// Whether it computes on the CPU: taken only when named or asked for.
    pub software: bool,
    /// Whether host and device share their memory.
    pub unified: bool,
    /// Whether the host can write to the device's own memory, and not only through a small window (a resizable BAR).
    pub host_visible: bool,
    /// Bytes of memory of the device; `None` where the interface doesn't tell.
    pub memory: Option<u64>,
    /// Bytes that one binding can cover.
    pub max_binding: u64,
    /// Bytes that one uniform binding can cover.
    pub max_uniform: u64,
    /// Bytes of the largest buffer.
    pub max_buffer: u64,
    /// Storage bindings that a kernel may have.
    pub storage_bindings: u32,
    /// Whether it has 64-bit integers.
    pub has_int64: bool,
    /// Whether kernels can read buffers that the host has mapped.
    pub has_mapped: bool,
    /// Whether it tells when a kernel began and ended.
    pub has_timestamps: bool,
    /// Why it can't be used; `None` where it can.
    pub unusable: Option<String>,
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
        write!(f, "{} ({}, {})", self.name, self.backend, self.driver)?;
        write!(f, ", memory {}", self.memory.map_or("unknown".to_owned(), gib))?;
        write!(f, ", {} bindings of {}", self.storage_bindings, gib(self.max_binding))?;
        for (has, what) in [
            (self.has_int64, "64-bit integers"),
            (self.has_mapped, "mapped buffers"),
            (self.has_timestamps, "timestamps"),
        ] {
            write!(f, ", {}{what}", if has { "" } else { "no " })?;
        }
        match &self.unusable {
            Some(reason) => write!(f, "; can't be used: {reason}"),
            None if self.software => write!(f, "; software, used only when named"),
            None => Ok(()),
        }
    }
}

/// Every adapter of the system, best first, those that can't be used included. Takes tens of milliseconds.
pub fn adapters() -> Vec<AdapterInfo> {
    enumerate().iter().map(describe).collect()
}

/// Adapters in the order in which they are taken.
fn enumerate() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: Backends::VULKAN | Backends::METAL | Backends::DX12,
        // No validation layers: naga and wgpu have checked everything that reaches the driver.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters
}

fn rank(device_type: DeviceType) -> u32 {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// What an adapter is and can do.
pub(crate) fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let features = adapter.features();
    let memory = crate::memory::device_memory(adapter);
    AdapterInfo {
        name: info.name,
        backend: info.backend.to_str(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        software: info.device_type == DeviceType::Cpu,
        unified: matches!(info.device_type, DeviceType::IntegratedGpu | DeviceType::Cpu),
        host_visible: memory.host_visible,
        memory: memory.bytes,
        max_binding: limits.max_storage_buffer_binding_size,
        max_uniform: limits.max_uniform_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        storage_bindings: limits.max_storage_buffers_per_shader_stage,
        has_int64: features.contains(Features::SHADER_INT64),
        has_mapped: features.contains(Features::MAPPABLE_PRIMARY_BUFFERS),
        has_timestamps: features.contains(Features::TIMESTAMP_QUERY),
        unusable: unusable(adapter.get_downlevel_capabilities().flags, &limits),
    }
}

/// Why the kernels can't run with these limits.
fn unusable(flags: DownlevelFlags, limits: &Limits) -> Option<String> {
    if !flags.contains(DownlevelFlags::COMPUTE_SHADERS) {
        return Some("it has no compute shaders".to_owned());
    }
    let needs = [
        ("storage bindings", limits.max_storage_buffers_per_shader_stage, MIN_STORAGE_BINDINGS),
        ("bytes of workgroup memory", limits.max_compute_workgroup_storage_size, MIN_WORKGROUP_BYTES),
        ("threads a workgroup", limits.max_compute_invocations_per_workgroup, MIN_WORKGROUP),
        ("threads a workgroup in a row", limits.max_compute_workgroup_size_x, MIN_WORKGROUP),
        ("bind groups", limits.max_bind_groups, 2),
    ];
    needs
        .iter()
        .find(|(_, has, needed)| has < needed)
        .map(|(what, has, needed)| format!("it has {has} {what}, and {needed} are needed"))
}

/// The adapter that the options ask for.
pub(crate) fn choose(options: &WgpuOptions) -> Result<(wgpu::Adapter, AdapterInfo), EngineError> {
    let described: Vec<_> = enumerate().into_iter().map(|adapter| (describe(&adapter), adapter)).collect();
    let names = described.iter().map(|(info, _)| format!("{} ({})", info.name, info.backend));
    let names = names.collect::<Vec<_>>().join(", ");
    let unavailable = |reason: String| EngineError::Unavailable { engine: NAME, reason };
    if described.is_empty() {
        return Err(unavailable(
            "no Vulkan, Metal or DX12 adapter: install the GPU's driver (and on Linux the Vulkan loader, libvulkan1)"
                .to_owned(),
        ));
    }
    let wanted = options.adapter.as_deref().map(str::to_lowercase);
    let mut refused = Vec::new();
    for (info, adapter) in described {
        let named = wanted.as_deref().map(|wanted| info.name.to_lowercase().contains(wanted));
        if named == Some(false) {
            continue;
        }
        if let Some(reason) = &info.unusable {
            refused.push(format!("{}: {reason}", info.name));
        } else if info.software && named.is_none() && !options.software {
            refused.push(format!("{}: a software adapter, taken only when named", info.name));
        } else {
            return Ok((adapter, info));
        }
    }
    Err(unavailable(match (wanted, refused.is_empty()) {
        (Some(wanted), true) => format!("no adapter's name holds {wanted:?}; there are: {names}"),
        _ => refused.join("; "),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lacking_limits_are_named() {
        let flags = DownlevelFlags::all();
        assert_eq!(unusable(flags, &Limits::default()), None);
        let few = Limits { max_storage_buffers_per_shader_stage: 4, ..Limits::default() };
        assert_eq!(unusable(flags, &few).unwrap(), "it has 4 storage bindings, and 8 are needed");
        assert!(unusable(DownlevelFlags::empty(), &Limits::default()).is_some());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_there_are() {
        let options = WgpuOptions { adapter: Some("no such adapter".to_owned()), ..WgpuOptions::default() };
        assert!(matches!(choose(&options), Err(EngineError::Unavailable { .. })));
    }
}
