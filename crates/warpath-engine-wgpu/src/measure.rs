//! Batches that stay on the device, and the device's own clock: what benchmarks need to tell kernels from transfers.

use crate::buffer_set::{Dispatch, record};
use crate::device::{Gpu, Mapping};
use crate::engine::WgpuEngine;
use crate::parts::{BatchParams, take_parts};
use crate::upload::{Piece, upload};
use crate::{NAME, failed};
use std::time::{Duration, Instant};
use warpath_core::layout::QueryParams;
use warpath_core::{EngineError, OutcomesMut, PathBatch, Plan, Tables};
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferUsages, ComputePassDescriptor,
    ComputePassTimestampWrites, MapMode, QuerySet, QuerySetDescriptor, QueryType,
};

/// Paths in the device's memory, and room for their outcomes there.
pub struct ResidentBatch {
    n_paths: u32,
    params: Buffer,
    outcomes: Buffer,
    group: BindGroup,
}

/// Bytes a second between host and device, as copies of large buffers reach it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CopyRates {
    /// The device copies from host memory to its own.
    pub to_device: f64,
    /// The device copies from its own memory to the host's.
    pub from_device: f64,
    /// All host threads write to a mapped staging buffer, wherever the driver puts it.
    pub host_write: f64,
}

impl WgpuEngine {
    /// Copies a batch to the device, where [`WgpuEngine::resolve_resident`] answers it.
    ///
    /// # Errors
    /// [`EngineError::TooLarge`] where its offsets or bytes exceed what one binding can cover.
    pub fn make_resident(&self, batch: &PathBatch<'_>) -> Result<ResidentBatch, EngineError> {
        let state = self.lock()?;
        let gpu = &self.gpu;
        let n_bytes = batch.n_bytes();
        let (mut bytes, mut offsets) = (Vec::with_capacity(n_bytes + 4), vec![0u32]);
        for path in batch.iter() {
            bytes.extend_from_slice(path);
            offsets.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        bytes.resize(bytes.len().next_multiple_of(16) + 16, 0);
        let largest = bytes.len().max(4 * offsets.len()) as u64;
        if largest > gpu.adapter.max_binding.min(u64::from(u32::MAX)) {
            let (what, available) = ("one binding (a resident batch)".to_owned(), gpu.adapter.max_binding);
            return Err(EngineError::TooLarge { engine: NAME, what, needed: largest, available });
        }
        let n_paths = batch.len() as u32;
        let input = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let path_bytes = gpu.buffer("resident bytes", bytes.len() as u64, input)?;
        let path_offsets = gpu.buffer("resident offsets", 4 * offsets.len() as u64, input)?;
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let params = gpu.buffer("resident parameters", size_of::<BatchParams>() as u64, usage)?;
        let output = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let outcomes = gpu.buffer("resident outcomes", 4 * u64::from(n_paths.max(1)), output)?;
        let buffers = [&params, &path_offsets, &path_bytes, &outcomes];
        let entries = std::array::from_fn::<_, 4, _>(|i| BindGroupEntry {
            binding: i as u32,
            resource: buffers[i].as_entire_binding(),
        });
        let layout = &state.pipelines.batch;
        let descriptor = BindGroupDescriptor { label: Some("resident batch"), layout, entries: &entries };
        let group = gpu.device.create_bind_group(&descriptor);
        gpu.check()?;
        upload(
            gpu,
            &[
                Piece { buffer: &path_bytes, offset: 0, bytes: &bytes },
                Piece { buffer: &path_offsets, offset: 0, bytes: bytemuck::cast_slice(&offsets) },
            ],
        )?;
        Ok(ResidentBatch { n_paths, params, outcomes, group })
    }

    /// Answers a resident batch `repeats` times and returns how long each took, by the device's own clock; empty where
    /// the adapter has none.
    ///
    /// # Errors
    /// As [`Engine::resolve`](warpath_core::Engine::resolve).
    pub fn resolve_resident(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &ResidentBatch,
        repeats: u32,
    ) -> Result<Vec<Duration>, EngineError> {
        let mut state = self.lock()?;
        let gpu = &self.gpu;
        gpu.check()?;
        let index = state.index(gpu, tables)?;
        let (windows, group) = state.bound(gpu, index, plan)?;
        let variant = self.variant_for(batch.n_paths as usize);
        let dispatch = Dispatch {
            variant,
            pipeline: state.pipelines.pipeline(gpu, variant, windows)?,
            index: &group,
            start: plan.start,
            flags: plan.flags,
        };
        let query = QueryParams { n_paths: batch.n_paths, start: plan.start, flags: plan.flags, first: 0 };
        let params = BatchParams { query };
        upload(gpu, &[Piece { buffer: &batch.params, offset: 0, bytes: bytemuck::bytes_of(&params) }])?;
        let clock = Clock::new(gpu, repeats)?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for turn in 0..repeats {
            let timestamp_writes = clock.as_ref().map(|clock| clock.writes(turn));
            let descriptor = ComputePassDescriptor { label: Some("resident"), timestamp_writes };
            record(&mut encoder.begin_compute_pass(&descriptor), &dispatch, &batch.group, batch.n_paths);
        }
        if let Some(clock) = &clock {
            clock.resolve(&mut encoder);
        }
        let submission = gpu.queue.submit([encoder.finish()]);
        gpu.wait(Some(submission), &[])?;
        clock.map_or(Ok(Vec::new()), |clock| clock.read(gpu))
    }

    /// The outcomes of the last [`WgpuEngine::resolve_resident`]; `paths` are those that the batch was made of.
    ///
    /// # Errors
    /// As [`Engine::resolve`](warpath_core::Engine::resolve), and where `out` is of another length.
    pub fn read_resident(
        &self,
        batch: &ResidentBatch,
        paths: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let _state = self.lock()?;
        if out.len() != batch.n_paths as usize || paths.len() != out.len() {
            return Err(failed(format!("{} paths, and room for {} outcomes", batch.n_paths, out.len())));
        }
        if out.is_empty() {
            return Ok(());
        }
        let readback = read_back(&self.gpu, &batch.outcomes)?;
        take_parts(paths, out).into_iter().try_for_each(|part| part.take(&readback))
    }

    /// Measures copies of `bytes` bytes between host and device: the best of five each way.
    ///
    /// # Errors
    /// As [`Engine::resolve`](warpath_core::Engine::resolve).
    pub fn copy_rates(&self, bytes: u64) -> Result<CopyRates, EngineError> {
        let _state = self.lock()?;
        let gpu = &self.gpu;
        let both = BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let device = gpu.buffer("copy, device", bytes, both)?;
        // With mappable primary buffers the host's side is plain host memory; without, what the driver gives for staging.
        let host = match gpu.adapter.has_mapped {
            true => gpu.buffer("copy, host", bytes, both | BufferUsages::MAP_READ)?,
            false => gpu.buffer("copy, host", bytes, BufferUsages::COPY_SRC | BufferUsages::MAP_WRITE)?,
        };
        let back = gpu.buffer("copy, host", bytes, BufferUsages::COPY_DST | BufferUsages::MAP_READ)?;
        let staging = gpu.buffer("copy, staging", bytes, BufferUsages::COPY_SRC | BufferUsages::MAP_WRITE)?;
        let source = vec![1u8; bytes as usize];
        let rate = |took: Duration| bytes as f64 / took.as_secs_f64();
        let copied = |from: &Buffer, to: &Buffer| -> Result<f64, EngineError> {
            let mut best = Duration::MAX;
            for _ in 0..6 {
                let mut encoder = gpu.device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
                let commands = encoder.finish();
                let begin = Instant::now();
                let submission = gpu.queue.submit([commands]);
                gpu.wait(Some(submission), &[])?;
                best = best.min(begin.elapsed());
            }
            Ok(rate(best))
        };
        let to_device = copied(&host, &device)?;
        let from_device = copied(&device, &back)?;
        let mut best = Duration::MAX;
        for _ in 0..6 {
            let mapping = Mapping::request(&staging, MapMode::Write);
            gpu.wait(None, &[&mapping])?;
            let mut view = staging.get_mapped_range_mut(..).map_err(|error| failed(error.to_string()))?;
            let begin = Instant::now();
            crate::upload::copy(view.slice(..), &source);
            best = best.min(begin.elapsed());
            drop(view);
            staging.unmap();
        }
        Ok(CopyRates { to_device, from_device, host_write: rate(best) })
    }
}

/// Timestamps at the begin and the end of passes.
struct Clock {
    queries: QuerySet,
    n_queries: u32,
    resolved: Buffer,
}

impl Clock {
    /// `None` where the adapter has no timestamps.
    fn new(gpu: &Gpu, passes: u32) -> Result<Option<Clock>, EngineError> {
        if !gpu.adapter.has_timestamps {
            return Ok(None);
        }
        let n_queries = 2 * passes.max(1);
        let queries = gpu.device.create_query_set(&QuerySetDescriptor {
            label: Some("timestamps"),
            ty: QueryType::Timestamp,
            count: n_queries,
        });
        let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
        let resolved = gpu.buffer("timestamps", u64::from(n_queries) * 8, usage)?;
        Ok(Some(Clock { queries, n_queries, resolved }))
    }

    fn writes(&self, pass: u32) -> ComputePassTimestampWrites<'_> {
        ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * pass),
            end_of_pass_write_index: Some(2 * pass + 1),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..self.n_queries, &self.resolved, 0);
    }

    fn read(&self, gpu: &Gpu) -> Result<Vec<Duration>, EngineError> {
        let readback = read_back(gpu, &self.resolved)?;
        let view = readback.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
        let ticks: &[u64] = bytemuck::try_cast_slice(&view).map_err(|error| failed(error.to_string()))?;
        let period = f64::from(gpu.queue.get_timestamp_period());
        let took =
            |pair: &[u64]| Duration::from_nanos((pair[1].saturating_sub(pair[0]) as f64 * period) as u64);
        Ok(ticks.chunks_exact(2).map(took).collect())
    }
}

/// A mapped copy of a device buffer.
fn read_back(gpu: &Gpu, buffer: &Buffer) -> Result<Buffer, EngineError> {
    let readback = gpu.buffer("read back", buffer.size(), BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, buffer.size());
    let submission = gpu.queue.submit([encoder.finish()]);
    let mapping = Mapping::request(&readback, MapMode::Read);
    gpu.wait(Some(submission), &[&mapping])?;
    Ok(readback)
}
