//! How much memory an adapter's device has, which wgpu itself does not tell.

/// Bytes of the largest heap of device memory; `None` where the interface doesn't tell.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn device_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the adapter is only asked for its properties; nothing is destroyed or kept.
    let vulkan = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let instance = vulkan.shared_instance().raw_instance();
    // SAFETY: the physical device is of this instance, and both live as long as `vulkan`.
    let properties = unsafe { instance.get_physical_device_memory_properties(vulkan.raw_physical_device()) };
    let heaps = properties.memory_heaps.iter().take(properties.memory_heap_count as usize);
    // The flag DEVICE_LOCAL is bit 0 in Vulkan's own numbers.
    heaps.filter(|heap| heap.flags.as_raw() & 1 != 0).map(|heap| heap.size).max()
}

/// Metal tells its recommended working set, which nobody here could try; see docs/wgpu.md.
#[cfg(target_vendor = "apple")]
pub(crate) fn device_bytes(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}
