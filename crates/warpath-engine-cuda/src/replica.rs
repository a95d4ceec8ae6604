//! An index's tables on the device, and how they are kept in step.

use crate::driver::{NAME, Named, unavailable};
use crate::hints::Hints;
use crate::kernels::{Kernels, NearKeys, TablesArg};
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use cudarc::driver::{CudaContext, result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;
use warpath_core::index::{BeneathLinks, Tables};
use warpath_core::layout::TableParams;

/// Bytes that are staged at a time on the way to the device.
const STAGE_BYTES: usize = 16 << 20;
/// Stages in flight.
const STAGES: usize = 4;
/// Copies of this size are split over threads.
const PARALLEL_BYTES: usize = 1 << 20;

/// Pinned memory that uploads go through: threads fill one stage while the device reads the others.
#[derive(Debug)]
pub(crate) struct Uploader {
    stages: Vec<(HostBuffer, Stream)>,
    next: usize,
}

impl Uploader {
    pub fn new(context: &Arc<CudaContext>) -> Result<Uploader, EngineError> {
        let stage = || Ok((HostBuffer::new(context, STAGE_BYTES)?, Stream::new(context)?));
        Ok(Uploader { stages: (0..STAGES).map(|_| stage()).collect::<Result<_, EngineError>>()?, next: 0 })
    }

    /// Copies bytes to the device; they are there after `finish`.
    fn copy(&mut self, to: u64, bytes: &[u8]) -> Result<(), EngineError> {
        for (i, piece) in bytes.chunks(STAGE_BYTES).enumerate() {
            let n_stages = self.stages.len();
            let (stage, stream) = &mut self.stages[self.next % n_stages];
            self.next += 1;
            stream.wait()?;
            copy_parallel(&mut stage.as_mut_slice::<u8>()[..piece.len()], piece);
            // SAFETY: the stage stays as it is until its stream is waited for, before it is written again or dropped; the
            // destination is as large as the bytes, and lives until `finish`.
            unsafe { stream.upload(to + (i * STAGE_BYTES) as u64, stage.as_ptr(), piece.len()) }?;
        }
        Ok(())
    }

    /// Waits until all copies are there.
    fn finish(&self) -> Result<(), EngineError> {
        self.stages.iter().try_for_each(|(_, stream)| stream.wait())
    }
}

/// Copies with all threads where that is worth it.
pub(crate) fn copy_parallel(to: &mut [u8], from: &[u8]) {
    if from.len() < PARALLEL_BYTES {
        to.copy_from_slice(from);
        return;
    }
    let piece = from.len().div_ceil(2 * rayon::current_num_threads()).next_multiple_of(4096);
    to.par_chunks_mut(piece).zip(from.par_chunks(piece)).for_each(|(to, from)| copy_past_cache(to, from));
}

/// Copies without reading the destination into the cache: a third less traffic, which is what bounds all threads together.
#[cfg(target_arch = "x86_64")]
fn copy_past_cache(to: &mut [u8], from: &[u8]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
    let n = to.len().min(from.len());
    let (to, from) = (&mut to[..n], &from[..n]);
    let head = to.as_ptr().align_offset(16).min(n);
    to[..head].copy_from_slice(&from[..head]);
    let (vectors, rest) = to[head..].as_chunks_mut::<16>();
    let from = &from[head..];
    for (vector, text) in vectors.iter_mut().zip(from.as_chunks::<16>().0) {
        // SAFETY: SSE2 is part of x86-64; the destination is aligned, as the head was cut to make it so.
        unsafe {
            _mm_stream_si128(
                vector.as_mut_ptr().cast::<__m128i>(),
                _mm_loadu_si128(text.as_ptr().cast::<__m128i>()),
            );
        }
    }
    let at = from.len() - rest.len();
    rest.copy_from_slice(&from[at..]);
    // SAFETY: orders the stores above before whatever makes the copy known.
    unsafe { _mm_sfence() };
}

#[cfg(not(target_arch = "x86_64"))]
fn copy_past_cache(to: &mut [u8], from: &[u8]) {
    to.copy_from_slice(from);
}

/// An array on the device, with room to grow.
#[derive(Debug)]
struct Array {
    buffer: DeviceBuffer,
    n_bytes: usize,
}

impl Array {
    fn new(context: &Arc<CudaContext>, bytes: &[u8], uploader: &mut Uploader) -> Result<Array, EngineError> {
        let buffer = DeviceBuffer::new(context, bytes.len() + bytes.len() / 16)?;
        uploader.copy(buffer.address, bytes)?;
        Ok(Array { buffer, n_bytes: bytes.len() })
    }

    /// Brings the array up to date: the elements of these ranges have changed, and what lies behind the old end is new.
    fn update<T: bytemuck::Pod>(
        &mut self,
        context: &Arc<CudaContext>,
        elements: &[T],
        changed: &[Range<usize>],
        uploader: &mut Uploader,
    ) -> Result<(), EngineError> {
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        if bytes.len() > self.buffer.n_bytes {
            *self = Array::new(context, bytes, uploader)?;
            return Ok(());
        }
        let new = self.n_bytes.min(bytes.len())..bytes.len();
        let ranges = changed.iter().map(|range| range.start * size_of::<T>()..range.end * size_of::<T>());
        for range in ranges.chain([new]) {
            if let Some(piece) = bytes.get(range.clone()) {
                uploader.copy(self.buffer.address + range.start as u64, piece)?;
            }
        }
        self.n_bytes = bytes.len();
        Ok(())
    }
}

/// A copy of one index's tables.
#[derive(Debug)]
pub(crate) struct Replica {
    pub id: u64,
    version: u64,
    slots: Array,
    blocks: Array,
    dirs: Array,
    links: Array,
    key: Array,
    hints: Hints,
    near: NearKeys,
    params: TableParams,
    /// Link records as `beneath` sees them, with their number.
    beneath: Option<(u64, Array)>,
}

impl Replica {
    /// Copies all tables to the device, at the speed of staged copies.
    pub fn new(
        context: &Arc<CudaContext>,
        kernels: &Kernels,
        tables: &Tables,
        uploader: &mut Uploader,
    ) -> Result<Replica, EngineError> {
        let needed = (tables.memory() + tables.memory() / 16 + Hints::memory(&tables.params())) as u64;
        let (free, _) = context.mem_get_info().named("cuMemGetInfo")?;
        if needed > free as u64 {
            return Err(EngineError::TooLarge {
                engine: NAME,
                what: "free device memory".into(),
                needed,
                available: free as u64,
            });
        }
        let mut array = |bytes: &[u8]| Array::new(context, bytes, uploader);
        let mut replica = Replica {
            id: tables.id(),
            version: tables.version(),
            slots: array(bytemuck::cast_slice(tables.slots()))?,
            blocks: array(bytemuck::cast_slice(tables.blocks()))?,
            dirs: array(bytemuck::cast_slice(tables.dirs()))?,
            links: array(bytemuck::cast_slice(tables.links()))?,
            key: array(bytemuck::cast_slice(tables.key_words()))?,
            hints: Hints::new(context, &tables.params())?,
            near: NearKeys::new(tables.key_words()),
            params: tables.params(),
            beneath: None,
        };
        uploader.finish()?;
        let arg = replica.arg();
        // SAFETY: the arrays are there, and no launch knows them yet.
        unsafe { replica.hints.note_all(kernels, &arg) }?;
        Ok(replica)
    }

    /// Brings the copy to the tables' version by what has changed. False when everything has: make a new one.
    pub fn catch_up(
        &mut self,
        context: &Arc<CudaContext>,
        kernels: &Kernels,
        tables: &Tables,
        uploader: &mut Uploader,
    ) -> Result<bool, EngineError> {
        if self.version == tables.version() {
            return Ok(true);
        }
        let Some(changes) = tables.changes_since(self.version) else { return Ok(false) };
        self.slots.update(context, tables.slots(), &changes.slots, uploader)?;
        self.blocks.update(context, tables.blocks(), &changes.blocks, uploader)?;
        self.dirs.update(context, tables.dirs(), &changes.dirs, uploader)?;
        self.links.update(context, tables.links(), &changes.links, uploader)?;
        uploader.finish()?;
        self.params = tables.params();
        let outgrown = self.hints.are_outgrown(&self.params);
        if outgrown {
            self.hints = Hints::new(context, &self.params)?;
        }
        let arg = self.arg();
        // SAFETY: the arrays are there, and whatever was launched has been waited for.
        unsafe {
            if outgrown {
                self.hints.note_all(kernels, &arg)?;
            } else {
                self.hints.note(kernels, &arg, &changes.slots)?;
            }
        }
        self.version = tables.version();
        Ok(true)
    }

    /// The arrays as they are.
    fn arg(&self) -> TablesArg {
        TablesArg {
            slots: self.slots.buffer.address,
            blocks: self.blocks.buffer.address,
            dirs: self.dirs.buffer.address,
            links: self.links.buffer.address,
            plain_links: self.links.buffer.address,
            key: self.key.buffer.address,
            hints: self.hints.arg(),
            params: self.params,
        }
    }

    /// The addresses for a launch; link records as the plan sees them are copied first.
    pub fn tables(
        &mut self,
        context: &Arc<CudaContext>,
        beneath: Option<&BeneathLinks>,
        uploader: &mut Uploader,
    ) -> Result<TablesArg, EngineError> {
        let mut arg = self.arg();
        if let Some(overlay) = beneath {
            if self.beneath.as_ref().is_none_or(|(id, _)| *id != overlay.id) {
                self.beneath = None;
                let array = Array::new(context, bytemuck::cast_slice(&overlay.records), uploader)?;
                uploader.finish()?;
                self.beneath = Some((overlay.id, array));
            }
            let (_, array) = self.beneath.as_ref().ok_or_else(|| unavailable("the links were not copied"))?;
            arg.links = array.buffer.address;
            arg.params.n_links = arg.params.n_links.min(overlay.records.len() as u32);
        }
        Ok(arg)
    }

    pub fn near(&self) -> &NearKeys {
        &self.near
    }
}

/// Waits for all work of the context.
pub(crate) fn wait_for_all(context: &Arc<CudaContext>) -> Result<(), EngineError> {
    context.bind_to_thread().named("cuCtxSetCurrent")?;
    result::ctx::synchronize().named("the device's work")
}

#[cfg(test)]
mod tests {
    use super::copy_past_cache;

    #[test]
    fn copies_of_any_alignment_are_whole() {
        let from: Vec<u8> = (0..300u32).map(|i| (i * 7) as u8).collect();
        for begin in 0..20 {
            for length in [0, 1, 15, 16, 17, 100, 250] {
                let mut to = vec![0; 300];
                copy_past_cache(&mut to[begin..begin + length], &from[3..3 + length]);
                assert_eq!(to[begin..begin + length], from[3..3 + length], "{begin} {length}");
                assert!(to[..begin].iter().chain(&to[begin + length..]).all(|&byte| byte == 0));
            }
        }
    }
}
