//! The engine: batches in, outcomes out.

use crate::chunks::{Chunk, next_chunk};
use crate::device::Gpu;
use crate::index::{DeviceIndex, window_records};
use crate::lanes::{Dispatch, Lane};
use crate::options::{Variant, WgpuOptions};
use crate::pipelines::Pipelines;
use crate::{NAME, failed};
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use warpath_core::layout;
use warpath_core::{Engine, EngineError, EngineInfo, LookupError, OutcomesMut, PathBatch, Plan, Tables};

/// Indexes that a device keeps a copy of, at most.
const MAX_INDEXES: usize = 4;
/// The smallest lane: a batch of a few hundred paths fits the first one made.
const MIN_LANE_PATHS: usize = 1 << 10;
const MIN_LANE_BYTES: usize = 128 << 10;
/// A batch is cut into chunks of no less than this, so that copies and kernels of different chunks overlap.
const MIN_CHUNK_BYTES: usize = 4 << 20;

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
    indexes: Vec<DeviceIndex>,
    lanes: Vec<Lane>,
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
        options.in_flight = options.in_flight.max(1);
        let gpu = Gpu::open(&options)?;
        // A lane's bytes and outcomes are one binding each.
        let bindable =
            usize::try_from(gpu.adapter.max_binding.min(gpu.adapter.max_buffer) / 2).unwrap_or(1 << 30);
        options.chunk_bytes = options.chunk_bytes.min(bindable);
        options.chunk_paths = options.chunk_paths.min(bindable / 8);
        let pipelines = Pipelines::new(&gpu, window_records(&gpu));
        gpu.check()?;
        let state = Mutex::new(State { pipelines, indexes: Vec::new(), lanes: Vec::new() });
        Ok(WgpuEngine { gpu, options, state })
    }

    /// The adapter in use.
    pub fn adapter(&self) -> &crate::AdapterInfo {
        &self.gpu.adapter
    }

    /// The kernel that answers so many paths of so many bytes together.
    pub fn variant_for(&self, n_paths: usize, n_bytes: usize) -> Variant {
        match self.options.variant {
            // A software adapter has no subgroups to win by: a workgroup's barriers cost it more than a thread's loop.
            Variant::Auto if n_paths <= self.options.few_paths && !self.gpu.adapter.software => Variant::Few,
            Variant::Auto if n_bytes / n_paths.max(1) <= Variant::Many.staged_length() as usize => {
                Variant::Many
            }
            Variant::Auto => Variant::ManyLong,
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
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let index = state.index(&self.gpu, tables)?;
        let (windows, group) = state.bound(&self.gpu, index, plan)?;
        let total = batch.n_bytes();
        let share = total / (2 * self.options.in_flight);
        let max_bytes = share.max(MIN_CHUNK_BYTES).min(self.options.chunk_bytes);
        let mut underway: VecDeque<(usize, Range<usize>)> = VecDeque::new();
        let (mut at, mut turn) = (0, 0);
        while at < batch.len() {
            let (paths, bytes) = match next_chunk(batch, at, self.options.chunk_paths, max_bytes) {
                Chunk::Device { paths, bytes } => (paths, bytes),
                Chunk::Long(path) => {
                    out.set(path, Err(too_long(batch.get(path))));
                    at = path + 1;
                    continue;
                }
            };
            at = paths.end;
            if underway.len() == self.options.in_flight {
                receive(&self.gpu, &mut state.lanes, underway.pop_front(), &mut out)?;
            }
            let lane = turn % self.options.in_flight;
            turn += 1;
            state.make_lane(&self.gpu, lane, paths.len(), bytes)?;
            let variant = self.variant_for(paths.len(), bytes);
            let dispatch = Dispatch {
                pipeline: state.pipelines.pipeline(&self.gpu, variant, windows)?,
                index: &group,
                start: plan.start,
                flags: plan.flags,
                paths_per_workgroup: variant.paths_per_workgroup(),
            };
            state.lanes[lane].send(&self.gpu, &batch.slice(paths.clone()), bytes, &dispatch)?;
            underway.push_back((lane, paths));
        }
        while let Some(oldest) = underway.pop_front() {
            receive(&self.gpu, &mut state.lanes, Some(oldest), &mut out)?;
        }
        Ok(())
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
                match DeviceIndex::new(gpu, &mut self.pipelines, tables) {
                    // There may be room without the others.
                    Err(EngineError::TooLarge { .. }) if !self.indexes.is_empty() => {
                        self.indexes.clear();
                        DeviceIndex::new(gpu, &mut self.pipelines, tables)?
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

    /// Makes sure that lane `lane` is there and has room. It is not in use.
    fn make_lane(&mut self, gpu: &Gpu, lane: usize, paths: usize, bytes: usize) -> Result<(), EngineError> {
        if self.lanes.get(lane).is_some_and(|lane| lane.holds(paths, bytes)) {
            return Ok(());
        }
        let paths = paths.next_power_of_two().max(MIN_LANE_PATHS);
        let bytes = bytes.next_power_of_two().max(MIN_LANE_BYTES);
        let made = Lane::new(gpu, &self.pipelines.batch, paths, bytes)?;
        match self.lanes.get_mut(lane) {
            Some(place) => *place = made,
            None => self.lanes.push(made),
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
            // Lanes may be left mapped or underway: new ones are made for the next batch.
            state.lanes.clear();
        }
        result
    }
}

/// Takes the answers of a chunk over from its lane.
fn receive(
    gpu: &Gpu,
    lanes: &mut [Lane],
    chunk: Option<(usize, Range<usize>)>,
    out: &mut OutcomesMut<'_>,
) -> Result<(), EngineError> {
    let Some((lane, paths)) = chunk else { return Ok(()) };
    let (_, rest) = out.reborrow().split_at(paths.start);
    let (answers, _) = rest.split_at(paths.len());
    lanes[lane].receive(gpu, answers)
}

/// The outcome of a path of more than MAX_PATH bytes, which depends on nothing else.
fn too_long(path: &[u8]) -> LookupError {
    debug_assert!(path.len() > layout::MAX_PATH as usize);
    match path.contains(&0) {
        true => LookupError::Invalid,
        false => LookupError::NameTooLong,
    }
}
