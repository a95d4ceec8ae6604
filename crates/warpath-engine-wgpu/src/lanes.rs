//! The buffers that a chunk of paths travels through, to the device and back.

use crate::device::{Gpu, Mapping};
use crate::failed;
use crate::pipelines::Step;
use crate::upload::copy;
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use warpath_core::batch::Paths;
use warpath_core::layout::{self, QueryParams};
use warpath_core::{EngineError, INVALID_INODE, LookupError, OutcomesMut, PathBatch};
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindingResource, Buffer, BufferBinding,
    BufferUsages, MapMode, SubmissionIndex, WriteOnly,
};

/// The twin of `BatchParams` in bindings.wgsl.
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct BatchParams {
    pub query: QueryParams,
}

/// Above every inode; the status of the path is in the lowest byte. The twin of OUTCOME_ERROR in bindings.wgsl.
const OUTCOME_ERROR: u32 = 0xFFFF_FF00;
/// The host answers, since the path has more than MAX_PATH bytes. The twin of OUTCOME_HOST in bindings.wgsl.
const OUTCOME_HOST: u32 = 0xFFFF_FFFE;
/// Bytes of a cache line. Paths lie as far into one in the mapped buffer as they do at the caller's: copies to memory that is
/// written past the caches are half as fast otherwise.
const LINE: u64 = 64;
/// Where a region of a buffer may begin, on every device.
const REGION: u64 = 256;
/// Where the offsets begin, behind the parameters.
const OFFSETS_AT: u64 = REGION;
/// Answers from this number on are taken over by all threads.
const PARALLEL_FROM: usize = 1 << 16;

/// What a batch's dispatches need beside the lane.
pub(crate) struct Dispatch<'a> {
    pub steps: Vec<Step>,
    pub index: &'a BindGroup,
    pub start: u32,
    pub flags: u32,
}

/// Paths that go to the device together, and where their answers go.
pub(crate) struct Work<'a> {
    pub paths: PathBatch<'a>,
    pub n_bytes: usize,
    pub out: OutcomesMut<'a>,
}

/// Buffers for a chunk: parameters, offsets and bytes in one, outcomes in another.
pub(crate) struct Lane {
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

impl Lane {
    /// A lane with room for so many paths and bytes.
    pub(crate) fn new(
        gpu: &Gpu,
        layout: &BindGroupLayout,
        max_paths: usize,
        max_bytes: usize,
    ) -> Result<Lane, EngineError> {
        let offsets_size = (max_paths as u64 + 1) * 4;
        let bytes_at = (OFFSETS_AT + offsets_size).next_multiple_of(REGION);
        // A word read behind the last path's is masked off, but must not lie behind the binding.
        let bytes_size = (LINE + max_bytes as u64).next_multiple_of(4) + 16;
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
        Ok(Lane {
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
        self.filling(dispatch).fill(&work.paths, work.n_bytes)?;
        self.submit(gpu, &work, dispatch)?;
        if let Some((submission, mapping)) = &self.readable {
            gpu.wait(Some(submission.clone()), &[mapping])?;
        }
        take_over(self.answers(), &work.paths, work.out)?;
        self.release();
        Ok(())
    }

    /// What fills the lane with a chunk, on any thread. The lane is free.
    pub(crate) fn filling(&self, dispatch: &Dispatch<'_>) -> Filling {
        let host = self.staging.as_ref().unwrap_or(&self.input).clone();
        Filling { host, bytes_at: self.bytes_at as usize, start: dispatch.start, flags: dispatch.flags }
    }

    /// Has the chunk that the lane was filled with answered. Returns at once.
    pub(crate) fn submit(
        &mut self,
        gpu: &Gpu,
        work: &Work<'_>,
        dispatch: &Dispatch<'_>,
    ) -> Result<(), EngineError> {
        let n_paths = work.paths.len() as u32;
        let host = self.staging.as_ref().unwrap_or(&self.input);
        host.unmap();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        if let Some(staging) = &self.staging {
            let offsets_end = OFFSETS_AT + 4 * (u64::from(n_paths) + 1);
            encoder.copy_buffer_to_buffer(staging, 0, &self.input, 0, offsets_end);
            let bytes = (LINE + work.n_bytes as u64).next_multiple_of(4);
            if work.n_bytes > 0 {
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
        self.writable = Mapping::request(host, MapMode::Write);
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

    /// Frees the lane once its answers are taken over.
    pub(crate) fn release(&mut self) {
        if self.readable.take().is_some() {
            self.answers().unmap();
        }
    }

    /// Whether the host may write to the lane.
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
    for step in &dispatch.steps {
        let groups = step.kernel.n_workgroups(n_paths);
        pass.set_pipeline(&step.pipeline);
        pass.set_bind_group(0, dispatch.index, &[]);
        pass.set_bind_group(1, batch, &[]);
        pass.dispatch_workgroups(groups.min(MAX_IN_A_ROW), groups.div_ceil(MAX_IN_A_ROW), 1);
    }
}

/// Copies the mapped answers of these paths to the caller's columns.
pub(crate) fn take_over(
    mapped: &Buffer,
    paths: &PathBatch<'_>,
    mut out: OutcomesMut<'_>,
) -> Result<(), EngineError> {
    let bytes = out.len() as u64 * 4;
    let view = mapped.get_mapped_range(..bytes).map_err(|error| failed(error.to_string()))?;
    let words: &[u32] = bytemuck::try_cast_slice(&view).map_err(|error| failed(error.to_string()))?;
    let any_host = if words.len() < PARALLEL_FROM {
        decode(words, out.inodes, out.statuses)
    } else {
        let part = PARALLEL_FROM / 4;
        let columns = out.inodes.par_chunks_mut(part).zip(out.statuses.par_chunks_mut(part));
        let decoded = words.par_chunks(part).zip(columns);
        decoded.map(|(words, (inodes, statuses))| decode(words, inodes, statuses)).reduce(|| false, |a, b| a | b)
    };
    if any_host {
        for (i, _) in words.iter().enumerate().filter(|(_, word)| **word == OUTCOME_HOST) {
            out.set(i, Err(too_long(paths.get(i))));
        }
    }
    Ok(())
}

/// The outcome of a path of more than MAX_PATH bytes, which depends on nothing else.
pub(crate) fn too_long(path: &[u8]) -> LookupError {
    debug_assert!(path.len() > layout::MAX_PATH as usize);
    match path.contains(&0) {
        true => LookupError::Invalid,
        false => LookupError::NameTooLong,
    }
}

/// Splits outcomes into columns; whether any is left to the host.
fn decode(words: &[u32], inodes: &mut [u32], statuses: &mut [u8]) -> bool {
    let mut any_host = false;
    for ((&word, inode), status) in words.iter().zip(inodes).zip(statuses) {
        let failed = word >= OUTCOME_ERROR;
        *inode = if failed { INVALID_INODE } else { word };
        *status = if failed { word as u8 } else { 0 };
        any_host |= word == OUTCOME_HOST;
    }
    any_host
}

/// Fills a lane with a chunk.
pub(crate) struct Filling {
    host: Buffer,
    /// Where the bytes begin.
    bytes_at: usize,
    start: u32,
    flags: u32,
}

impl Filling {
    /// Writes parameters, offsets and bytes to the mapped buffer.
    pub(crate) fn fill(&self, chunk: &PathBatch<'_>, n_bytes: usize) -> Result<(), EngineError> {
        let mut view = self.host.get_mapped_range_mut(..).map_err(|error| failed(error.to_string()))?;
        let (mut head, body) = view.slice(..).split_at(self.bytes_at);
        let (mut params, offsets) = head.slice(..).split_at(OFFSETS_AT as usize);
        let (offsets, _) = offsets.split_at(4 * (chunk.len() + 1));
        match chunk.paths() {
            Paths::Flat32 { bytes, offsets: from } => {
                let first = from[0];
                let begin = copy_in_line(body, &bytes[first as usize..first as usize + n_bytes]);
                write_words(offsets, from, |offset| offset - first + begin);
            }
            Paths::Flat64 { bytes, offsets: from } => {
                let first = from[0];
                let begin = copy_in_line(body, &bytes[first as usize..first as usize + n_bytes]);
                write_words(offsets, from, |offset| (offset - first) as u32 + begin);
            }
            Paths::Slices(slices) => gather(offsets, body, n_bytes, slices),
            Paths::Strs(strs) => gather(offsets, body, n_bytes, strs),
        }
        let n_paths = chunk.len() as u32;
        let query = QueryParams { n_paths, start: self.start, flags: self.flags, first: 0 };
        let batch = BatchParams { query };
        params.slice(..size_of::<BatchParams>()).copy_from_slice(bytemuck::bytes_of(&batch));
        Ok(())
    }
}

/// Copies bytes to where they lie as far into a cache line as they do now, and returns where that is.
fn copy_in_line(body: WriteOnly<'_, [u8]>, bytes: &[u8]) -> u32 {
    let begin = bytes.as_ptr() as usize % LINE as usize;
    let (_, body) = body.split_at(begin);
    let (body, _) = body.split_at(bytes.len());
    copy(body, bytes);
    begin as u32
}

/// Words made of `values`, written through a small buffer: mapped memory is fast for whole lines only.
fn write_words<T: Copy + Sync>(target: WriteOnly<'_, [u8]>, values: &[T], word: impl Fn(T) -> u32 + Sync) {
    const WORDS: usize = 1024;
    /// As far into a cache line as the target.
    #[repr(align(64))]
    struct Words([u32; WORDS]);
    let write = |mut target: WriteOnly<'_, [u8]>, values: &[T]| {
        let mut words = Words([0; WORDS]);
        for (to, from) in words.0.iter_mut().zip(values) {
            *to = word(*from);
        }
        target.copy_from_slice(bytemuck::cast_slice(&words.0[..values.len()]));
    };
    let (whole, rest) = target.into_chunks::<{ 4 * WORDS }>();
    let (whole_values, tail) = values.split_at(values.len() / WORDS * WORDS);
    write(rest, tail);
    let parts = whole.into_iter().zip(whole_values.chunks_exact(WORDS));
    if values.len() < PARALLEL_FROM {
        parts.for_each(|(part, values)| write(part.into(), values));
    } else {
        let parts: Vec<_> = parts.collect();
        parts.into_par_iter().for_each(|(part, values)| write(part.into(), values));
    }
}

/// Paths that lie anywhere, one behind the other, and their offsets.
fn gather<P: AsRef<[u8]> + Sync>(
    offsets: WriteOnly<'_, [u8]>,
    body: WriteOnly<'_, [u8]>,
    n_bytes: usize,
    paths: &[P],
) {
    const PATHS: usize = 4096;
    let mut ends = Vec::with_capacity(paths.len() + 1);
    ends.push(0u32);
    let mut joined = vec![0u8; n_bytes];
    let mut parts = Vec::with_capacity(paths.len() / PATHS + 1);
    let mut rest = joined.as_mut_slice();
    let mut end = 0;
    for paths in paths.chunks(PATHS) {
        let from = end;
        for path in paths {
            end += path.as_ref().len();
            ends.push(end as u32);
        }
        let part;
        (part, rest) = rest.split_at_mut(end - from);
        parts.push((part, paths));
    }
    parts.into_par_iter().for_each(|(mut part, paths)| {
        for path in paths {
            let (to, behind) = part.split_at_mut(path.as_ref().len());
            to.copy_from_slice(path.as_ref());
            part = behind;
        }
    });
    let begin = copy_in_line(body, &joined);
    write_words(offsets, &ends, |end| end + begin);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_inodes_or_statuses() {
        let (mut inodes, mut statuses) = ([0; 3], [9; 3]);
        assert!(!decode(&[7, OUTCOME_ERROR | 4, 0], &mut inodes, &mut statuses));
        assert_eq!((inodes, statuses), ([7, INVALID_INODE, 0], [0, 4, 0]));
        assert!(decode(&[OUTCOME_HOST], &mut inodes, &mut statuses));
        for outcome in [OUTCOME_ERROR, OUTCOME_HOST] {
            assert!(include_str!("../kernels/bindings.wgsl").contains(&format!("{outcome:#x}u;")));
        }
    }
}
