//! The buffers that a chunk of paths travels through, to the device and back.

use crate::device::{Gpu, Mapping};
use crate::options::Variant;
use crate::parts::{BatchParams, FillPart, Places, Work, fill_parts, take_parts};
use warpath_core::EngineError;
use warpath_core::layout::QueryParams;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindingResource, Buffer, BufferBinding,
    BufferUsages, ComputePipeline, MapMode, SubmissionIndex,
};

/// Where a region of a buffer may begin, on every device.
const REGION: u64 = 256;
/// Where the offsets begin, behind the parameters.
const OFFSETS_AT: u64 = REGION;

/// What a dispatch needs beside the buffers.
pub(crate) struct Dispatch<'a> {
    pub variant: Variant,
    pub pipeline: &'a ComputePipeline,
    pub index: &'a BindGroup,
    pub start: u32,
    pub flags: u32,
}

/// Buffers that one chunk at a time travels through: parameters, offsets and bytes in one, outcomes in another.
pub(crate) struct BufferSet {
    max_paths: usize,
    max_bytes: usize,
    /// Where the bytes begin.
    bytes_at: u64,
    /// What the kernel reads.
    input: Buffer,
    /// What the host writes to and the device copies from; none where it writes to `input` itself.
    staging: Option<Buffer>,
    /// What the kernel writes.
    output: Buffer,
    /// What the device copies to and the host reads; none where it reads `output` itself.
    readback: Option<Buffer>,
    group: BindGroup,
    writable: Mapping,
    /// Set while a chunk is underway.
    readable: Option<(SubmissionIndex, Mapping)>,
}

impl BufferSet {
    /// A buffer set with room for so many paths and bytes.
    pub(crate) fn new(
        gpu: &Gpu,
        layout: &BindGroupLayout,
        max_paths: usize,
        max_bytes: usize,
    ) -> Result<BufferSet, EngineError> {
        let offsets_size = (max_paths as u64 + 1) * 4;
        let bytes_at = (OFFSETS_AT + offsets_size).next_multiple_of(REGION);
        // A word read behind the last path's is masked off, but must not lie behind the binding.
        let bytes_size = (max_bytes as u64).next_multiple_of(4) + 16;
        let read = BufferUsages::STORAGE | BufferUsages::UNIFORM;
        let input_size = bytes_at + bytes_size;
        let output_size = max_paths as u64 * 4;
        let (input, staging, output, readback);
        if gpu.mapped {
            input = gpu.buffer("paths", input_size, read | BufferUsages::MAP_WRITE)?;
            output = gpu.buffer("outcomes", output_size, BufferUsages::STORAGE | BufferUsages::MAP_READ)?;
            (staging, readback) = (None, None);
        } else {
            input = gpu.buffer("paths", input_size, read | BufferUsages::COPY_DST)?;
            output = gpu.buffer("outcomes", output_size, BufferUsages::STORAGE | BufferUsages::COPY_SRC)?;
            let (write, read) = (BufferUsages::MAP_WRITE, BufferUsages::MAP_READ);
            staging = Some(gpu.buffer("paths, staged", input_size, write | BufferUsages::COPY_SRC)?);
            readback = Some(gpu.buffer("outcomes, read back", output_size, read | BufferUsages::COPY_DST)?);
        }
        let region = |binding, offset, size: u64| BindGroupEntry {
            binding,
            resource: BindingResource::Buffer(BufferBinding {
                buffer: &input,
                offset,
                size: std::num::NonZero::new(size),
            }),
        };
        let group = gpu.device.create_bind_group(&BindGroupDescriptor {
            label: Some("batch"),
            layout,
            entries: &[
                region(0, 0, size_of::<BatchParams>() as u64),
                region(1, OFFSETS_AT, offsets_size),
                region(2, bytes_at, bytes_size),
                BindGroupEntry { binding: 3, resource: output.as_entire_binding() },
            ],
        });
        let writable = Mapping::request(staging.as_ref().unwrap_or(&input), MapMode::Write);
        let readable = None;
        Ok(BufferSet {
            max_paths,
            max_bytes,
            bytes_at,
            input,
            staging,
            output,
            readback,
            group,
            writable,
            readable,
        })
    }

    /// Whether a chunk has room.
    pub(crate) fn holds(&self, paths: usize, bytes: usize) -> bool {
        paths <= self.max_paths && bytes <= self.max_bytes
    }

    /// Answers a chunk and waits for that.
    pub(crate) fn answer(
        &mut self,
        gpu: &Gpu,
        work: Work<'_>,
        dispatch: &Dispatch<'_>,
    ) -> Result<(), EngineError> {
        gpu.wait(None, &[&self.writable])?;
        for part in self.fill_parts(&work, dispatch) {
            part.write(self.host())?;
        }
        self.submit(gpu, &work, dispatch)?;
        if let Some((submission, mapping)) = &self.readable {
            gpu.wait(Some(submission.clone()), &[mapping])?;
        }
        for part in take_parts(&work.paths, work.out) {
            part.take(self.answers())?;
        }
        self.release();
        Ok(())
    }

    /// The mapped buffer that a free set is filled through.
    pub(crate) fn host(&self) -> &Buffer {
        self.staging.as_ref().unwrap_or(&self.input)
    }

    /// What fills the set with a chunk: each part can be written by any thread.
    pub(crate) fn fill_parts<'a>(&self, work: &Work<'a>, dispatch: &Dispatch<'_>) -> Vec<FillPart<'a>> {
        let n_paths = work.paths.len() as u32;
        let query = QueryParams { n_paths, start: dispatch.start, flags: dispatch.flags, first: 0 };
        let places = Places { offsets: OFFSETS_AT, bytes: self.bytes_at };
        fill_parts(places, query, &work.paths, work.n_bytes)
    }

    /// Has the chunk that the set was filled with answered. Returns at once.
    pub(crate) fn submit(
        &mut self,
        gpu: &Gpu,
        work: &Work<'_>,
        dispatch: &Dispatch<'_>,
    ) -> Result<(), EngineError> {
        let n_paths = work.paths.len() as u32;
        self.host().unmap();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        if let Some(staging) = &self.staging {
            let offsets_end = OFFSETS_AT + 4 * (u64::from(n_paths) + 1);
            encoder.copy_buffer_to_buffer(staging, 0, &self.input, 0, offsets_end);
            let bytes = (work.n_bytes as u64).next_multiple_of(4);
            if bytes > 0 {
                encoder.copy_buffer_to_buffer(staging, self.bytes_at, &self.input, self.bytes_at, bytes);
            }
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        record(&mut pass, dispatch, &self.group, n_paths);
        drop(pass);
        if let Some(readback) = &self.readback {
            encoder.copy_buffer_to_buffer(&self.output, 0, readback, 0, u64::from(n_paths) * 4);
        }
        let submission = gpu.queue.submit([encoder.finish()]);
        self.writable = Mapping::request(self.host(), MapMode::Write);
        self.readable = Some((submission, Mapping::request(self.answers(), MapMode::Read)));
        gpu.check()
    }

    /// The submission underway and what it maps in the end.
    pub(crate) fn underway(&self) -> Option<(&SubmissionIndex, [&Mapping; 2])> {
        let (submission, readable) = self.readable.as_ref()?;
        Some((submission, [&self.writable, readable]))
    }

    /// The buffer that the answers are read from.
    pub(crate) fn answers(&self) -> &Buffer {
        self.readback.as_ref().unwrap_or(&self.output)
    }

    /// Frees the set once its answers are taken over.
    pub(crate) fn release(&mut self) {
        if self.readable.take().is_some() {
            self.answers().unmap();
        }
    }

    /// Whether the host may write to the set.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable.is_mapped()
    }
}

/// Binds, and dispatches a workgroup for each few paths: in two dimensions, since one is limited to 65,535.
pub(crate) fn record(
    pass: &mut wgpu::ComputePass<'_>,
    dispatch: &Dispatch<'_>,
    batch: &BindGroup,
    n_paths: u32,
) {
    const MAX_IN_A_ROW: u32 = 65_535;
    let groups = dispatch.variant.n_workgroups(n_paths);
    pass.set_pipeline(dispatch.pipeline);
    pass.set_bind_group(0, dispatch.index, &[]);
    pass.set_bind_group(1, batch, &[]);
    pass.dispatch_workgroups(groups.min(MAX_IN_A_ROW), groups.div_ceil(MAX_IN_A_ROW), 1);
}
