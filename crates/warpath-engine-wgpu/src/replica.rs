//! The index's arrays in device buffers, brought up to date by what has changed.

use crate::device::Gpu;
use crate::pipelines::Pipelines;
use crate::shader::{ARRAYS, ArrayKind, DEVICE_KEY_WORDS, device_key};
use crate::upload::{Piece, upload};
use crate::{NAME, adapters, failed};
use bytemuck::{Pod, Zeroable};
use std::ops::Range;
use warpath_core::index::{BeneathLinks, Changes};
use warpath_core::layout::{self, LinkRecord, TableParams};
use warpath_core::{EngineError, Plan, Tables};
use wgpu::{BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferUsages};

/// Storage bindings that are not windows of the index: the key, offsets, bytes and outcomes.
const OTHER_BINDINGS: u32 = 4;
/// Changed ranges closer than this many bytes are sent as one: a copy command costs more than they do.
const MERGE_BYTES: usize = 4096;
/// Views of links for `beneath` that are kept on the device.
const MAX_VIEWS: usize = 4;
const LINK: usize = 3;

/// The twin of `IndexParams` in bindings.wgsl.
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct IndexParams {
    table: TableParams,
    _unused: [u32; 2],
    n_blocks: u32,
    _unused2: [u32; 3],
}

/// A copy of one index's tables, of one version.
pub(crate) struct Replica {
    /// [`Tables::id`].
    pub id: u64,
    /// [`Tables::version`].
    version: u64,
    arrays: [DeviceArray; 4],
    params: Buffer,
    key: Buffer,
    group: BindGroup,
    /// What `beneath` needs instead of the links, the latest used last.
    views: Vec<LinkView>,
}

struct LinkView {
    id: u64,
    group: BindGroup,
}

/// An array in windows: buffers of equal size, but for the last.
struct DeviceArray {
    kind: ArrayKind,
    /// Records of a whole window.
    window_records: usize,
    /// Records that there is room for.
    capacity: usize,
    windows: Vec<Buffer>,
}

impl Replica {
    /// Copies the tables to the device.
    ///
    /// # Errors
    /// `TooLarge` where the device can't bind them or hasn't the memory.
    pub(crate) fn new(gpu: &Gpu, pipelines: &mut Pipelines, tables: &Tables) -> Result<Replica, EngineError> {
        let bytes = array_bytes(tables);
        check_size(gpu, &bytes.map(<[u8]>::len))?;
        let arrays = make_arrays(gpu, &bytes)?;
        let usage = BufferUsages::COPY_DST;
        let params =
            gpu.buffer("table parameters", size_of::<IndexParams>() as u64, usage | BufferUsages::UNIFORM)?;
        let key_bytes = 4 * DEVICE_KEY_WORDS as u64;
        let key_usage = if gpu.uniform_key { BufferUsages::UNIFORM } else { BufferUsages::STORAGE };
        let key = gpu.buffer("hash key", key_bytes, usage | key_usage)?;
        let group = make_group(gpu, pipelines, &params, &key, arrays.each_ref())?;
        let index = Replica {
            id: tables.id(),
            version: tables.version(),
            arrays,
            params,
            key,
            group,
            views: Vec::new(),
        };
        let mut pieces = Vec::new();
        for (array, bytes) in index.arrays.iter().zip(bytes) {
            array.pieces(bytes, 0..bytes.len(), &mut pieces);
        }
        let key = tables.key_words();
        if key.len() != layout::KEY_WORDS as usize {
            return Err(failed(format!("the hash key has {} words", key.len())));
        }
        let key = device_key(key);
        let params = index_params(tables);
        pieces.push(Piece { buffer: &index.key, offset: 0, bytes: bytemuck::cast_slice(&key) });
        pieces.push(Piece { buffer: &index.params, offset: 0, bytes: bytemuck::bytes_of(&params) });
        upload(gpu, &pieces)?;
        Ok(index)
    }

    /// Sends what has changed since the copy was made; makes it anew where that can't be told or where an array has
    /// outgrown its buffers.
    pub(crate) fn update(
        &mut self,
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        tables: &Tables,
    ) -> Result<(), EngineError> {
        if tables.version() == self.version {
            return Ok(());
        }
        let bytes = array_bytes(tables);
        let fits = self.arrays.iter().zip(bytes).all(|(array, bytes)| bytes.len() <= array.capacity_bytes());
        let changes = if fits { tables.changes_since(self.version) } else { None };
        let Some(changes) = changes else {
            // The old copy goes first: there may not be room for both.
            self.arrays.iter_mut().for_each(|array| array.windows.clear());
            *self = Replica::new(gpu, pipelines, tables)?;
            return Ok(());
        };
        let params = index_params(tables);
        let mut pieces = vec![Piece { buffer: &self.params, offset: 0, bytes: bytemuck::bytes_of(&params) }];
        for ((array, bytes), ranges) in self.arrays.iter().zip(bytes).zip(ranges(&changes)) {
            for range in merged(ranges, array.kind.record_bytes() as usize, bytes.len()) {
                array.pieces(bytes, range, &mut pieces);
            }
        }
        upload(gpu, &pieces)?;
        self.version = tables.version();
        self.views.clear();
        Ok(())
    }

    /// Windows of each array, which a kernel is compiled for.
    pub(crate) fn windows(&self) -> [u32; 4] {
        self.arrays.each_ref().map(|array| array.windows.len() as u32)
    }

    /// The bind group of the index as the plan sees it.
    pub(crate) fn group(
        &mut self,
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        plan: &Plan,
    ) -> Result<&BindGroup, EngineError> {
        let Some(links) = &plan.links else {
            return Ok(&self.group);
        };
        match self.views.iter().position(|view| view.id == links.id) {
            Some(at) => {
                let view = self.views.remove(at);
                self.views.push(view);
            }
            None => {
                let view = self.link_view(gpu, pipelines, links)?;
                if self.views.len() == MAX_VIEWS {
                    self.views.remove(0);
                }
                self.views.push(view);
            }
        }
        Ok(self.views.last().map_or(&self.group, |view| &view.group))
    }

    /// A bind group with other links. They are as many as the tables' own, so they take as many windows.
    fn link_view(
        &self,
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        links: &BeneathLinks,
    ) -> Result<LinkView, EngineError> {
        let mut records = bytemuck::cast_slice::<LinkRecord, u8>(&links.records);
        let own = &self.arrays[LINK];
        records = &records[..records.len().min(own.capacity_bytes())];
        let array = DeviceArray::new(gpu, own.kind, own.capacity, own.window_records)?;
        let mut pieces = Vec::new();
        array.pieces(records, 0..records.len(), &mut pieces);
        upload(gpu, &pieces)?;
        let [slots, blocks, dirs, _] = &self.arrays;
        let group = make_group(gpu, pipelines, &self.params, &self.key, [slots, blocks, dirs, &array])?;
        Ok(LinkView { id: links.id, group })
    }
}

impl DeviceArray {
    /// Room for `capacity` records, at least one.
    fn new(
        gpu: &Gpu,
        kind: ArrayKind,
        capacity: usize,
        window_records: usize,
    ) -> Result<DeviceArray, EngineError> {
        let capacity = capacity.max(1);
        let mut windows = Vec::new();
        let mut left = capacity;
        while left > 0 {
            let records = left.min(window_records);
            let size = records as u64 * kind.record_bytes();
            windows.push(gpu.buffer(kind.record, size, BufferUsages::STORAGE | BufferUsages::COPY_DST)?);
            left -= records;
        }
        Ok(DeviceArray { kind, window_records, capacity, windows })
    }

    fn capacity_bytes(&self) -> usize {
        self.capacity * self.kind.record_bytes() as usize
    }

    /// The bytes `range` of the array, as they go to its windows.
    fn pieces<'a>(&'a self, array: &'a [u8], range: Range<usize>, pieces: &mut Vec<Piece<'a>>) {
        let window_bytes = self.window_records * self.kind.record_bytes() as usize;
        let mut at = range.start;
        while at < range.end {
            let window = at / window_bytes;
            let end = range.end.min((window + 1) * window_bytes);
            let Some(buffer) = self.windows.get(window) else { return };
            pieces.push(Piece { buffer, offset: (at % window_bytes) as u64, bytes: &array[at..end] });
            at = end;
        }
    }
}

/// Records of a whole window: as many as a binding can cover. A pair of slots never lies in two windows.
pub(crate) fn window_records(gpu: &Gpu) -> [u32; 4] {
    ARRAYS.map(|array| {
        let records = gpu.max_binding / array.record_bytes();
        let line = u64::from(layout::LINE_SLOTS);
        u32::try_from(records / line * line).unwrap_or(u32::MAX / 4 * 4).max(layout::LINE_SLOTS)
    })
}

/// Refuses what the device can't bind or hold.
fn check_size(gpu: &Gpu, bytes: &[usize; 4]) -> Result<(), EngineError> {
    let needed: u64 = bytes.iter().map(|&bytes| bytes as u64).sum();
    let too_large =
        |what: String, available: u64| EngineError::TooLarge { engine: NAME, what, needed, available };
    let windows: u64 = bytes
        .iter()
        .zip(ARRAYS)
        .zip(window_records(gpu))
        .map(|((&bytes, array), whole)| {
            (bytes as u64).div_ceil(u64::from(whole) * array.record_bytes()).max(1)
        })
        .sum();
    let bindings =
        u64::from(gpu.adapter.storage_bindings.max(adapters::MIN_STORAGE_BINDINGS) - OTHER_BINDINGS);
    if windows > bindings {
        let what = format!(
            "storage bindings (max_storage_buffers_per_shader_stage leaves {bindings} of \
             max_storage_buffer_binding_size {} bytes, and {windows} are needed)",
            gpu.max_binding
        );
        return Err(too_large(what, bindings * gpu.max_binding));
    }
    match gpu.adapter.memory {
        Some(memory) if needed > memory => Err(too_large("device memory".to_owned(), memory)),
        _ => Ok(()),
    }
}

/// Arrays with room for the tables; all but the slots, which are only ever replaced whole, with some to grow.
fn make_arrays(gpu: &Gpu, bytes: &[&[u8]; 4]) -> Result<[DeviceArray; 4], EngineError> {
    let whole = window_records(gpu);
    let array = |i: usize| {
        let records = bytes[i].len() / ARRAYS[i].record_bytes() as usize;
        let window = whole[i] as usize;
        let spare = if i == 0 { 0 } else { records / 8 + 1024 };
        // No spare room where it would take another window, which the device may not have.
        let capacity = (records + spare).min(records.div_ceil(window).max(1) * window);
        DeviceArray::new(gpu, ARRAYS[i], capacity, window)
    };
    Ok([array(0)?, array(1)?, array(2)?, array(3)?])
}

fn make_group(
    gpu: &Gpu,
    pipelines: &mut Pipelines,
    params: &Buffer,
    key: &Buffer,
    arrays: [&DeviceArray; 4],
) -> Result<BindGroup, EngineError> {
    let windows = arrays.map(|array| array.windows.len() as u32);
    let buffers = [params, key].into_iter().chain(arrays.iter().flat_map(|array| &array.windows));
    let entries: Vec<BindGroupEntry<'_>> = buffers
        .enumerate()
        .map(|(binding, buffer)| BindGroupEntry {
            binding: binding as u32,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let layout = pipelines.layout(gpu, windows);
    let group = gpu.device.create_bind_group(&BindGroupDescriptor {
        label: Some("index"),
        layout: &layout.index,
        entries: &entries,
    });
    gpu.check()?;
    Ok(group)
}

/// The tables' arrays in the order of [`ARRAYS`].
fn array_bytes(tables: &Tables) -> [&[u8]; 4] {
    [
        bytemuck::cast_slice(tables.slots()),
        bytemuck::cast_slice(tables.blocks()),
        bytemuck::cast_slice(tables.dirs()),
        bytemuck::cast_slice(tables.links()),
    ]
}

/// The parameters, held to what the arrays have: tables may come from a file that nobody verified.
fn index_params(tables: &Tables) -> IndexParams {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut table = tables.params();
    let pairs = count(tables.slots().len() / layout::PAIR_SLOTS as usize) & !1;
    table.n_pairs = table.n_pairs.min(pairs);
    table.n_dirs = count(tables.dirs().len());
    table.n_links = count(tables.links().len());
    let n_blocks = count(tables.blocks().len());
    IndexParams { table, _unused: [0; 2], n_blocks, _unused2: [0; 3] }
}

fn ranges(changes: &Changes) -> [&[Range<usize>]; 4] {
    [&changes.slots, &changes.blocks, &changes.dirs, &changes.links]
}

/// Ranges of records as ranges of bytes, those close together as one.
fn merged(ranges: &[Range<usize>], record: usize, len: usize) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        let bytes = range.start * record..(range.end * record).min(len);
        match merged.last_mut() {
            _ if bytes.is_empty() => {}
            Some(last) if bytes.start <= last.end + MERGE_BYTES => last.end = last.end.max(bytes.end),
            _ => merged.push(bytes),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_ranges_are_sent_as_one() {
        assert_eq!(merged(&[0..1, 2..3, 1000..1001], 16, 1 << 20), [0..48, 16000..16016]);
        assert_eq!(merged(&[0..1, 5..6], 16, 80).pop(), Some(0..16));
    }
}
