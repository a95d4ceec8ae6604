//! An index's tables on the device, and how they are kept in step.

use crate::driver::{Named, too_large, unavailable};
use crate::hints::Hints;
use crate::kernels::{Kernels, NearKeys, TablesArg};
use crate::memory::{DeviceBuffer, HostBuffer, Stream};
use crate::workers::{Failure, side_by_side};
use cudarc::driver::{CudaContext, result};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use warpath_core::EngineError;
use warpath_core::index::{BeneathLinks, Tables};
use warpath_core::layout::TableParams;

/// Bytes that are staged at a time on the way to the device. Stages of this size stay in the cache: twelve threads fill and send them
/// at 97% of the copy rate, and one large one, filled by all threads past the cache, at 80%.
const STAGE_BYTES: usize = 4 << 20;
/// Threads that fill stages, two each.
const MAX_THREADS: usize = 12;

/// Pinned memory that uploads go through: threads fill stages while the device reads others.
#[derive(Debug)]
pub(crate) struct Uploader {
    context: Arc<CudaContext>,
    stages: Vec<Stage>,
    next: usize,
}

#[derive(Debug)]
struct Stage {
    // Dropped first: waits for what reads the memory.
    stream: Stream,
    memory: HostBuffer,
}

impl Stage {
    fn new(context: &Arc<CudaContext>) -> Result<Stage, EngineError> {
        Ok(Stage { memory: HostBuffer::new(context, STAGE_BYTES)?, stream: Stream::new(context)? })
    }

    /// Waits for the last copy through this stage and starts the next, of STAGE_BYTES or fewer.
    fn send(&mut self, to: u64, bytes: &[u8]) -> Result<(), EngineError> {
        self.stream.wait()?;
        self.memory.as_mut_slice::<u8>()[..bytes.len()].copy_from_slice(bytes);
        // SAFETY: the stage stays as it is until its stream is waited for, before it is written again or dropped; the destination is as
        // large as the bytes, and lives until `finish`.
        unsafe { self.stream.upload(to, self.memory.as_ptr(), bytes.len()) }
    }
}

impl Uploader {
    pub fn new(context: &Arc<CudaContext>) -> Result<Uploader, EngineError> {
        let stages = vec![Stage::new(context)?, Stage::new(context)?];
        Ok(Uploader { context: Arc::clone(context), stages, next: 0 })
    }

    /// Copies bytes to the device, each slice to its address; they are there after `finish`.
    fn copy(&mut self, copies: &[(u64, &[u8])]) -> Result<(), EngineError> {
        let n_bytes: usize = copies.iter().map(|(_, bytes)| bytes.len()).sum();
        let n_threads = n_bytes.div_ceil(2 * STAGE_BYTES).min(MAX_THREADS).min(rayon::current_num_threads());
        let pieces = pieces(copies, n_threads);
        if n_threads <= 1 {
            for (to, piece) in pieces {
                let n_stages = self.stages.len();
                self.stages[self.next % n_stages].send(to, piece)?;
                self.next += 1;
            }
            return Ok(());
        }
        while self.stages.len() < 2 * n_threads {
            self.stages.push(Stage::new(&self.context)?);
        }
        let (context, taken, failure) = (&self.context, AtomicUsize::new(0), Failure::default());
        let send = |stages: &mut [Stage]| -> Result<(), EngineError> {
            context.bind_to_thread().named("cuCtxSetCurrent")?;
            for at in (0..stages.len()).cycle() {
                let Some(&(to, piece)) = pieces.get(taken.fetch_add(1, Ordering::Relaxed)) else { break };
                stages[at].send(to, piece)?;
            }
            Ok(())
        };
        let pairs = Mutex::new(self.stages.chunks_mut(2));
        let work = || {
            let pair = pairs.lock().unwrap_or_else(PoisonError::into_inner).next();
            failure.note(pair.map_or(Ok(()), send));
        };
        side_by_side(n_threads, work, || ());
        failure.into_result()
    }

    /// Waits until all copies are there.
    fn finish(&self) -> Result<(), EngineError> {
        self.stages.iter().try_for_each(|stage| stage.stream.wait())
    }
}

/// Cuts bytes into pieces that a stage holds. The first ones of each thread are smaller, so that the bus need not wait for a whole stage.
fn pieces<'a>(copies: &[(u64, &'a [u8])], n_threads: usize) -> Vec<(u64, &'a [u8])> {
    let mut pieces = Vec::new();
    for &(mut to, mut bytes) in copies {
        while !bytes.is_empty() {
            let n_bytes = STAGE_BYTES >> 3usize.saturating_sub(pieces.len() / n_threads.max(1));
            let (piece, rest) = bytes.split_at(n_bytes.min(bytes.len()));
            pieces.push((to, piece));
            (to, bytes) = (to + piece.len() as u64, rest);
        }
    }
    pieces
}

/// Device memory that is left to the buffers of batches, or a 16th of all where that is less.
const BATCHES_ROOM: u64 = 512 << 20;

/// Whether an index fits into the free memory of a device.
fn check_fits(needed: u64, free: u64, total: u64) -> Result<(), EngineError> {
    let available = free.saturating_sub(BATCHES_ROOM.min(total / 16));
    if needed > available { Err(too_large(needed, available)) } else { Ok(()) }
}

/// Nanoseconds of a copy of one range, most of them a wait for the stream, and of a new copy's allocations, filters and threads; bytes
/// a nanosecond that a new copy sends. See H16 in `docs/notes/cuda.md`.
const RANGE_NS: usize = 5_000;
const ANEW_NS: usize = 1_000_000;
const ANEW_BYTES_A_NS: usize = 40;

/// Whether so many ranges are copied sooner than all of the tables' bytes anew.
fn ranges_pay(n_ranges: usize, n_bytes: usize) -> bool {
    n_ranges * RANGE_NS <= ANEW_NS + n_bytes / ANEW_BYTES_A_NS
}

/// Slots, inode blocks, directories, links, and the key, which never changes.
fn array_bytes(tables: &Tables) -> [&[u8]; 5] {
    [
        bytemuck::cast_slice(tables.slots()),
        bytemuck::cast_slice(tables.blocks()),
        bytemuck::cast_slice(tables.dirs()),
        bytemuck::cast_slice(tables.links()),
        bytemuck::cast_slice(tables.key_words()),
    ]
}

/// Bytes of an array with its room to grow.
fn with_room(n_bytes: usize) -> usize {
    n_bytes + n_bytes / 16
}

/// An array on the device, with room to grow.
#[derive(Debug)]
struct Array {
    buffer: DeviceBuffer,
    n_bytes: usize,
}

impl Array {
    /// Room for these bytes, which are still to be copied, and some more.
    fn new(context: &Arc<CudaContext>, bytes: &[u8]) -> Result<Array, EngineError> {
        let buffer = DeviceBuffer::of_index(context, with_room(bytes.len()))?;
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
            *self = Array::new(context, bytes)?;
            return uploader.copy(&[(self.buffer.address, bytes)]);
        }
        let new = self.n_bytes.min(bytes.len())..bytes.len();
        let ranges = changed.iter().map(|range| range.start * size_of::<T>()..range.end * size_of::<T>());
        for range in ranges.chain([new]) {
            if let Some(piece) = bytes.get(range.clone()) {
                uploader.copy(&[(self.buffer.address + range.start as u64, piece)])?;
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
    // Dropped before the arrays: waits for what reads the slots.
    hints: Hints,
    slots: Array,
    blocks: Array,
    dirs: Array,
    links: Array,
    key: Array,
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
        let bytes = array_bytes(tables);
        let arrays: usize = bytes.iter().map(|bytes| with_room(bytes.len())).sum();
        let (free, total) = context.mem_get_info().named("cuMemGetInfo")?;
        check_fits((arrays + Hints::memory(&tables.params())) as u64, free as u64, total as u64)?;
        let [slots, blocks, dirs, links, key] = bytes.map(|bytes| Array::new(context, bytes));
        let mut replica = Replica {
            id: tables.id(),
            version: tables.version(),
            slots: slots?,
            blocks: blocks?,
            dirs: dirs?,
            links: links?,
            key: key?,
            hints: Hints::new(context, &tables.params())?,
            near: NearKeys::new(tables.key_words()),
            params: tables.params(),
            beneath: None,
        };
        let arrays = [&replica.slots, &replica.blocks, &replica.dirs, &replica.links, &replica.key];
        let addresses = arrays.map(|array| array.buffer.address);
        // All at once: at the end of each copy threads wait for the last one.
        let copies: [_; 5] = std::array::from_fn(|i| (addresses[i], bytes[i]));
        // After an error too nothing may be under way to memory that is freed.
        uploader.copy(&copies).and(uploader.finish())?;
        let arg = replica.arg();
        // SAFETY: the arrays are there, and no launch knows them yet.
        unsafe { replica.hints.note_all(kernels, &arg) }?;
        Ok(replica)
    }

    /// Brings the copy to the tables' version by what has changed. False when everything has, or so much that a new copy is made
    /// sooner: make one. Then, and after an error, this one is of no use.
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
        let n_ranges = changes.slots.len() + changes.blocks.len() + changes.dirs.len() + changes.links.len();
        if !ranges_pay(n_ranges, array_bytes(tables).iter().map(|bytes| bytes.len()).sum()) {
            return Ok(false);
        }
        let mut update = || -> Result<(), EngineError> {
            self.slots.update(context, tables.slots(), &changes.slots, uploader)?;
            self.blocks.update(context, tables.blocks(), &changes.blocks, uploader)?;
            self.dirs.update(context, tables.dirs(), &changes.dirs, uploader)?;
            self.links.update(context, tables.links(), &changes.links, uploader)
        };
        let updated = update();
        // After an error too nothing may be under way to memory that is freed.
        updated.and(uploader.finish())?;
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

    /// Whether it is a copy of this version.
    pub fn is_at(&self, version: u64) -> bool {
        self.version == version
    }

    /// Whether it has these links, if any.
    pub fn has_links(&self, beneath: Option<&BeneathLinks>) -> bool {
        beneath.is_none_or(|overlay| self.beneath.as_ref().is_some_and(|(id, _)| *id == overlay.id))
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
            if !self.has_links(beneath) {
                self.beneath = None;
                let records = bytemuck::cast_slice(&overlay.records);
                let array = Array::new(context, records)?;
                uploader.copy(&[(array.buffer.address, records)]).and(uploader.finish())?;
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
    use super::*;

    #[test]
    fn an_index_leaves_room_for_batches() {
        let (free, total) = (70 << 30, 80 << 30);
        assert!(check_fits(free - BATCHES_ROOM, free, total).is_ok());
        let Err(EngineError::TooLarge { needed, available, .. }) = check_fits(free, free, total) else {
            panic!("no room is left");
        };
        assert_eq!((needed, available), (free, free - BATCHES_ROOM));
        // A small GPU leaves a 16th, and one that is full nothing.
        assert!(check_fits(900 << 20, 1 << 30, 1 << 30).is_ok());
        assert!(check_fits(1, 1 << 20, 4 << 30).is_err());
    }

    #[test]
    fn ranges_are_copied_where_they_are_few() {
        assert!(ranges_pay(1, 1 << 10) && ranges_pay(200, 1 << 10));
        assert!(!ranges_pay(1000, 1 << 20));
        assert!(ranges_pay(8_000, 2 << 30));
        assert!(!ranges_pay(1 << 18, 2 << 30));
    }

    #[test]
    fn pieces_are_all_there_in_order_and_fit_a_stage() {
        let bytes = vec![0; 5 * STAGE_BYTES + 7];
        let copies = [(1000, &bytes[..]), (1 << 40, &bytes[..0]), (1 << 50, &bytes[..STAGE_BYTES])];
        for n_threads in [0, 1, 3] {
            let pieces = pieces(&copies, n_threads);
            assert!(pieces.iter().all(|(_, piece)| (1..=STAGE_BYTES).contains(&piece.len())));
            assert_eq!(pieces[0].1.len(), STAGE_BYTES / 8);
            for (start, whole) in copies {
                let of_it = |to: u64| (start..start + whole.len() as u64).contains(&to);
                let mut next = start;
                for (to, piece) in pieces.iter().filter(|(to, _)| of_it(*to)) {
                    assert_eq!(*to, next);
                    assert_eq!(piece.as_ptr(), whole[(to - start) as usize..].as_ptr());
                    next += piece.len() as u64;
                }
                assert_eq!(next, start + whole.len() as u64);
            }
        }
    }
}
