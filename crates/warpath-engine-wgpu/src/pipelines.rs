//! Compiled kernels, kept by what they were compiled for.

use crate::device::Gpu;
use crate::shader::{Config, FIRST_WINDOW, Variant, source};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use warpath_core::EngineError;
use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, BufferBindingType,
    ComputePipeline, ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayout,
    PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

/// Where the index and the batch are bound.
pub(crate) struct Layout {
    pub index: BindGroupLayout,
    pipeline: PipelineLayout,
}

/// The kernels compiled so far, and their layouts.
pub(crate) struct Pipelines {
    /// Group 1, the same for all.
    pub batch: BindGroupLayout,
    window_records: [u32; 4],
    layouts: HashMap<[u32; 4], Layout>,
    pipelines: HashMap<Config, ComputePipeline>,
}

impl Pipelines {
    pub(crate) fn new(gpu: &Gpu, window_records: [u32; 4]) -> Pipelines {
        let entries = [uniform(0), storage(1, true), storage(2, true), storage(3, false)];
        let batch = gpu
            .device
            .create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some("batch"), entries: &entries });
        Pipelines { batch, window_records, layouts: HashMap::new(), pipelines: HashMap::new() }
    }

    /// The layout for so many windows of each array.
    pub(crate) fn layout(&mut self, gpu: &Gpu, windows: [u32; 4]) -> &Layout {
        self.layouts.entry(windows).or_insert_with(|| {
            let n_windows: u32 = windows.iter().sum();
            let mut entries = vec![uniform(0), if gpu.uniform_key { uniform(1) } else { storage(1, true) }];
            entries.extend((2..FIRST_WINDOW + n_windows).map(|binding| storage(binding, true)));
            let index = gpu.device.create_bind_group_layout(&BindGroupLayoutDescriptor {
                label: Some("index"),
                entries: &entries,
            });
            let pipeline = gpu.device.create_pipeline_layout(&PipelineLayoutDescriptor {
                label: Some("warpath"),
                bind_group_layouts: &[Some(&index), Some(&self.batch)],
                immediate_size: 0,
            });
            Layout { index, pipeline }
        })
    }

    /// The kernel of this variant for so many windows. Compiled at the first call, which takes tens to hundreds of
    /// milliseconds.
    pub(crate) fn pipeline(
        &mut self,
        gpu: &Gpu,
        variant: Variant,
        windows: [u32; 4],
    ) -> Result<&ComputePipeline, EngineError> {
        let config = Config {
            variant,
            wide: gpu.wide,
            uniform_key: gpu.uniform_key,
            windows,
            window_records: self.window_records,
        };
        self.layout(gpu, windows);
        let layout = &self.layouts[&windows].pipeline;
        match self.pipelines.entry(config) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let pipeline = compile(gpu, layout, &config);
                gpu.check()?;
                Ok(entry.insert(pipeline))
            }
        }
    }
}

fn compile(gpu: &Gpu, layout: &PipelineLayout, config: &Config) -> ComputePipeline {
    let descriptor =
        ShaderModuleDescriptor { label: Some("warpath"), source: ShaderSource::Wgsl(source(config).into()) };
    let mut checks = ShaderRuntimeChecks::checked();
    checks.force_loop_bounding = false;
    // SAFETY: all checks but one stay on. That one counts the turns of every loop so that none is endless; here each loop
    // has a bound of its own whatever the buffers hold: the path's length, the workgroup's size, or probe_limit.
    let module = unsafe { gpu.device.create_shader_module_trusted(descriptor, checks) };
    gpu.device.create_compute_pipeline(&ComputePipelineDescriptor {
        label: Some(config.variant.entry_point()),
        layout: Some(layout),
        module: &module,
        entry_point: Some(config.variant.entry_point()),
        compilation_options: PipelineCompilationOptions {
            // Kernels write workgroup memory before they read it, or mask what they read.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}

fn uniform(binding: u32) -> BindGroupLayoutEntry {
    entry(binding, BufferBindingType::Uniform)
}

fn storage(binding: u32, read_only: bool) -> BindGroupLayoutEntry {
    entry(binding, BufferBindingType::Storage { read_only })
}

fn entry(binding: u32, ty: BufferBindingType) -> BindGroupLayoutEntry {
    BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
