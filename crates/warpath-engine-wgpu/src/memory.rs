//! What memory an adapter's device has, which wgpu itself does not tell.

/// A device's own memory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DeviceMemory {
    /// Bytes of the largest heap; `None` where the interface doesn't tell.
    pub bytes: Option<u64>,
    /// Whether the host can write to all of that heap.
    pub host_visible: bool,
}

/// Asks Vulkan for its heaps; of other interfaces nothing is known.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn device_memory(adapter: &wgpu::Adapter) -> DeviceMemory {
    // Vulkan's own numbers of the flags DEVICE_LOCAL, and of that with HOST_VISIBLE and HOST_COHERENT.
    const LOCAL: u32 = 1;
    const WRITABLE: u32 = 1 | 2 | 4;
    // SAFETY: the adapter is only asked for its properties; nothing is destroyed or kept.
    let Some(vulkan) = (unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }) else {
        return DeviceMemory::default();
    };
    let instance = vulkan.shared_instance().raw_instance();
    // SAFETY: the physical device is of this instance, and both live as long as `vulkan`.
    let properties = unsafe { instance.get_physical_device_memory_properties(vulkan.raw_physical_device()) };
    let heaps = properties.memory_heaps.iter().take(properties.memory_heap_count as usize).enumerate();
    let local = heaps.filter(|(_, heap)| heap.flags.as_raw() & LOCAL != 0);
    let Some((largest, heap)) = local.max_by_key(|(_, heap)| heap.size) else {
        return DeviceMemory::default();
    };
    let mut types = properties.memory_types.iter().take(properties.memory_type_count as usize);
    let host_visible = types
        .any(|ty| ty.heap_index as usize == largest && ty.property_flags.as_raw() & WRITABLE == WRITABLE);
    DeviceMemory { bytes: Some(heap.size), host_visible }
}

/// Metal tells its recommended working set, which nobody here could try; see docs/wgpu.md.
#[cfg(target_vendor = "apple")]
pub(crate) fn device_memory(_adapter: &wgpu::Adapter) -> DeviceMemory {
    DeviceMemory::default()
}
