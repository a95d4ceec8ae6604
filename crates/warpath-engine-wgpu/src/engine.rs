//! The engine: batches in, outcomes out.

use crate::buffer_set::{BufferSet, Dispatch};
use crate::chunks::{Chunk, next_chunk};
use crate::device::Gpu;
use crate::options::{Variant, WgpuOptions};
use crate::parts::{Work, left_to_host};
use crate::pipelines::Pipelines;
use crate::replica::{Replica, window_records};
use crate::{NAME, failed, stream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch, Plan, Tables};

/// Indexes that a device keeps a copy of, at most.
const MAX_INDEXES: usize = 4;
/// No host fills more chunks while the device works on one.
const MAX_IN_FLIGHT: usize = 64;

/// The smallest buffer set: a batch of a few hundred paths fits the first one made.
const MIN_SET_PATHS: usize = 1 << 10;
const MIN_SET_BYTES: usize = 128 << 10;
/// A batch is cut into chunks of no less than this, so that copies and kernels of different chunks overlap.
const MIN_CHUNK_BYTES: usize = 2 << 20;
/// A batch of fewer bytes is copied by the caller's own thread: waking others takes longer.
const ALONE_BYTES: usize = 1 << 20;

/// Resolves batches on a GPU through Vulkan, Metal or DX12.
///
/// The engine keeps copies of the last few indexes on the device and sends only what has changed. Batches of several
/// threads wait for one another. Buffers, pipelines and copies live as long as the engine.
pub struct WgpuEngine {
    pub(crate) gpu: Gpu,
    options: WgpuOptions,
    state: Mutex<State>,
}

/// What changes from batch to batch.
pub(crate) struct State {
    pub(crate) pipelines: Pipelines,
    /// The latest used last.
    indexes: Vec<Replica>,
    sets: Vec<BufferSet>,
}

impl WgpuEngine {
    /// Opens an adapter. Takes tens to hundreds of milliseconds, most of them in the driver.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where there is no adapter that can be used, or not the one asked for; it says what
    /// there is.
    pub fn new(options: &WgpuOptions) -> Result<WgpuEngine, EngineError> {
        let mut options = options.clone();
        options.chunk_bytes = options.chunk_bytes.max(crate::chunks::LONG_PATH);
        options.chunk_paths = options.chunk_paths.max(1);
        options.in_flight = options.in_flight.clamp(1, MAX_IN_FLIGHT);
        let gpu = Gpu::open(&options)?;
        // A buffer set's bytes and outcomes are one binding each.
        let bindable =
            usize::try_from(gpu.adapter.max_binding.min(gpu.adapter.max_buffer) / 2).unwrap_or(1 << 30);
        options.chunk_bytes = options.chunk_bytes.min(bindable);
        options.chunk_paths = options.chunk_paths.min(bindable / 8);
        let pipelines = Pipelines::new(&gpu, window_records(&gpu));
        gpu.check()?;
        let state = Mutex::new(State { pipelines, indexes: Vec::new(), sets: Vec::new() });
        Ok(WgpuEngine { gpu, options, state })
    }

    /// The adapter in use.
    pub fn adapter(&self) -> &crate::AdapterInfo {
        &self.gpu.adapter
    }

    /// The kernel that answers so many paths together.
    pub fn variant_for(&self, n_paths: usize) -> Variant {
        match self.options.variant {
            // A software adapter has no subgroups to win by: a workgroup's barriers cost it more than a thread's loop.
            Variant::Auto if n_paths <= self.options.few_paths && !self.gpu.adapter.software => Variant::Few,
            Variant::Auto => Variant::Many,
            chosen => chosen,
        }
    }

    /// Destroys the device, as if the driver had lost it: for tests of what follows.
    #[doc(hidden)]
    pub fn lose_device(&self) {
        self.gpu.device.destroy();
        // The loss is reported at the next poll.
        let _ = self.gpu.device.poll(wgpu::PollType::Poll);
    }

    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        self.state.lock().map_err(|_| self.gpu.give_up("an earlier batch panicked".to_owned()))
    }

    fn resolve_chunks(
        &self,
        state: &mut State,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let index = state.index(&self.gpu, tables)?;
        let (windows, group) = state.bound(&self.gpu, index, plan)?;
        let total = batch.n_bytes();
        let share = total / (2 * self.options.in_flight);
        let max_bytes = share.max(MIN_CHUNK_BYTES).min(self.options.chunk_bytes);
        let chunks = Chunks { batch, out, at: 0, max_paths: self.options.chunk_paths, max_bytes };
        let mut chunks = chunks.peekable();
        let Some(first) = chunks.peek() else { return Ok(()) };
        let (n_paths, n_bytes) = (first.paths.len(), first.n_bytes);
        let alone = n_paths == batch.len() && n_bytes < ALONE_BYTES;
        match alone {
            true => state.make_sets(&self.gpu, 1, n_paths, n_bytes)?,
            false => {
                let paths = self.options.chunk_paths.min(batch.len());
                state.make_sets(&self.gpu, self.options.in_flight, paths, max_bytes)?;
            }
        }
        let variant = self.variant_for(n_paths);
        let dispatch = Dispatch {
            variant,
            pipeline: state.pipelines.pipeline(&self.gpu, variant, windows)?,
            index: &group,
            start: plan.start,
            flags: plan.flags,
        };
        match alone {
            true => chunks.try_for_each(|work| state.sets[0].answer(&self.gpu, work, &dispatch)),
            false => {
                let sets = &mut state.sets[..self.options.in_flight];
                stream::answer(&self.gpu, sets, &dispatch, chunks)
            }
        }
    }
}

/// The parts of a batch that go to the device. Paths that are longer than a buffer set are answered in between.
struct Chunks<'a> {
    batch: &'a PathBatch<'a>,
    /// Outcomes from path `at` on.
    out: OutcomesMut<'a>,
    at: usize,
    max_paths: usize,
    max_bytes: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Work<'a>;

    fn next(&mut self) -> Option<Work<'a>> {
        while self.at < self.batch.len() {
            let none = OutcomesMut { inodes: &mut [], statuses: &mut [] };
            let out = std::mem::replace(&mut self.out, none);
            let (paths, bytes) = match next_chunk(self.batch, self.at, self.max_paths, self.max_bytes) {
                Chunk::Device { paths, bytes } => (paths, bytes),
                Chunk::Long(path) => {
                    let (mut answer, rest) = out.split_at(1);
                    answer.set(0, Err(left_to_host(self.batch.get(path))));
                    (self.at, self.out) = (path + 1, rest);
                    continue;
                }
            };
            let (out, rest) = out.split_at(paths.len());
            (self.at, self.out) = (paths.end, rest);
            return Some(Work { paths: self.batch.slice(paths), n_bytes: bytes, out });
        }
        None
    }
}

impl State {
    /// The place of the tables' copy on the device, which is of their version.
    pub(crate) fn index(&mut self, gpu: &Gpu, tables: &Tables) -> Result<usize, EngineError> {
        let kept = self.indexes.iter().position(|index| index.id == tables.id());
        let index = match kept.map(|at| self.indexes.remove(at)) {
            Some(mut index) => {
                // Should this fail, the copy is gone, not half new.
                index.update(gpu, &mut self.pipelines, tables)?;
                index
            }
            None => {
                if self.indexes.len() == MAX_INDEXES {
                    self.indexes.remove(0);
                }
                match Replica::new(gpu, &mut self.pipelines, tables) {
                    // There may be room without the others.
                    Err(EngineError::TooLarge { .. }) if !self.indexes.is_empty() => {
                        self.indexes.clear();
                        Replica::new(gpu, &mut self.pipelines, tables)?
                    }
                    made => made?,
                }
            }
        };
        self.indexes.push(index);
        Ok(self.indexes.len() - 1)
    }

    /// The windows and the bind group of a copy, as the plan sees it.
    pub(crate) fn bound(
        &mut self,
        gpu: &Gpu,
        index: usize,
        plan: &Plan,
    ) -> Result<([u32; 4], wgpu::BindGroup), EngineError> {
        let index = &mut self.indexes[index];
        Ok((index.windows(), index.group(gpu, &mut self.pipelines, plan)?.clone()))
    }

    /// Makes sure that so many buffer sets are there and have room. None is in use.
    fn make_sets(&mut self, gpu: &Gpu, n: usize, paths: usize, bytes: usize) -> Result<(), EngineError> {
        let paths = paths.next_power_of_two().max(MIN_SET_PATHS);
        let bytes = bytes.next_power_of_two().max(MIN_SET_BYTES);
        for number in 0..n {
            if self.sets.get(number).is_some_and(|set| set.holds(paths, bytes)) {
                continue;
            }
            let made = BufferSet::new(gpu, &self.pipelines.batch, paths, bytes)?;
            match self.sets.get_mut(number) {
                Some(place) => *place = made,
                None => self.sets.push(made),
            }
        }
        Ok(())
    }
}

impl Engine for WgpuEngine {
    fn info(&self) -> EngineInfo {
        let adapter = &self.gpu.adapter;
        let bits = if self.gpu.wide { 64 } else { 32 };
        let device =
            format!("{}, {}, {}, {bits}-bit arithmetic", adapter.name, adapter.backend, adapter.driver);
        EngineInfo { name: NAME, device }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if batch.is_empty() {
            return Ok(());
        }
        if out.len() != batch.len() || out.statuses.len() != batch.len() {
            return Err(failed(format!("{} paths, and room for {} outcomes", batch.len(), out.len())));
        }
        let mut state = self.lock()?;
        self.gpu.check()?;
        // wgpu reports what goes wrong, but a driver can surprise it: a panic costs the device, not the program.
        let run = AssertUnwindSafe(|| self.resolve_chunks(&mut state, tables, plan, batch, out));
        let result = catch_unwind(run).unwrap_or_else(|_| Err(self.gpu.give_up("wgpu panicked".to_owned())));
        if result.is_err() {
            // Buffer sets may be left mapped or underway: new ones are made for the next batch.
            state.sets.clear();
        }
        result
    }
}
