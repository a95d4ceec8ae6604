//! One GPU: which way a batch goes, and the lock that keeps index and batches in order.

use crate::driver::{self, Named};
use crate::few::Few;
use crate::kernels::{Kernels, Query};
use crate::keyed::{KeyLanes, Remaining, Shared};
use crate::memory::HostBuffer;
use crate::replica::{Replica, Uploader, wait_for_all};
use crate::text::{Columns, SENDABLE, Source, TextLanes};
use cudarc::driver::CudaContext;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warpath_core::index::{Plan, Tables};
use warpath_core::layout::{self, QueryParams};
use warpath_core::{EngineError, OutcomesMut, PathBatch, resolve};

/// Indexes that a device keeps copies of at a time.
const MAX_REPLICAS: usize = 4;
/// Batches of fewer paths are sent as text: threads would not pay.
const KEYS_FROM: usize = 1 << 17;

/// How the paths of a large batch get to the device. The answers are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// Keys from ordinary memory; text and keys at once from pinned memory.
    #[default]
    Auto,
    /// Text alone.
    Text,
    /// Keys, hashed by all threads; the text of what they miss.
    Keys,
    /// Text from the one end of the batch by the copy engine, keys from the other by the threads.
    Both,
}

/// How the engine is made.
#[derive(Debug, Clone)]
pub struct CudaOptions {
    /// The GPUs, by the driver's numbers; each holds the whole index.
    pub gpus: Vec<usize>,
    /// How the paths of large batches get to a device.
    pub transfer: Transfer,
    /// Whether batches of up to 1024 paths are answered in one launch from shared memory. Without it they go as large ones do.
    pub few: bool,
    /// Use the kernels for compute capability 7.5 on newer GPUs too; for tests.
    pub oldest_kernels: bool,
}

impl Default for CudaOptions {
    fn default() -> CudaOptions {
        CudaOptions { gpus: vec![0], transfer: Transfer::Auto, few: true, oldest_kernels: false }
    }
}

#[derive(Debug)]
pub(crate) struct Device {
    name: String,
    pub context: Arc<CudaContext>,
    pub kernels: Kernels,
    transfer: Transfer,
    use_few: bool,
    key_lanes: KeyLanes,
    state: Mutex<State>,
}

/// What batches take turns with.
#[derive(Debug)]
pub(crate) struct State {
    uploader: Uploader,
    /// The last used first.
    replicas: Vec<Replica>,
    few: Option<Few>,
    text: Option<TextLanes>,
    /// Launches of others may be under way on streams that are not ours.
    pub launched_for_others: bool,
}

impl Device {
    pub fn open(gpu: usize, options: &CudaOptions) -> Result<Device, EngineError> {
        let context = driver::open(gpu)?;
        let name = context.name().named("cuDeviceGetName")?;
        let kernels = Kernels::load(&context, options.oldest_kernels)?;
        let state = State {
            uploader: Uploader::new(&context)?,
            replicas: Vec::new(),
            few: None,
            text: None,
            launched_for_others: false,
        };
        Ok(Device {
            name,
            context,
            kernels,
            transfer: options.transfer,
            use_few: options.few,
            key_lanes: KeyLanes::default(),
            state: Mutex::new(state),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pinned(&self, n_bytes: usize) -> Result<HostBuffer, EngineError> {
        HostBuffer::new(&self.context, n_bytes)
    }

    pub fn prepare(&self, tables: &Tables) -> Result<(), EngineError> {
        self.lock()?.replica(&self.context, &self.kernels, tables).map(|_| ())
    }

    pub fn forget(&self) {
        if let Ok(mut state) = self.lock() {
            let _ = wait_for_all(&self.context);
            state.replicas.clear();
        }
    }

    pub fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut state = self.lock()?;
        let mut query = state.query(&self.context, &self.kernels, tables, plan)?;
        if self.use_few
            && let Some(stride) = Few::stride(batch)
        {
            let few = match &mut state.few {
                Some(few) => few,
                none => none.insert(Few::new(&self.context)?),
            };
            return few.resolve(&self.kernels, &mut query, batch, stride, out);
        }
        let columns = Columns::new(out.inodes, out.statuses);
        let lanes = match &mut state.text {
            Some(lanes) => lanes,
            none => none.insert(TextLanes::new(&self.context)?),
        };
        let mut large = Large { device: self, tables, plan, query: &query, lanes };
        let missed = large.resolve(batch, columns)?;
        large.resolve_missed(batch, missed, &mut out)
    }

    pub fn lock(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        // A panic leaves lanes whose work is waited for before they are used again.
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The tables' copy, brought to their version.
    fn replica(
        &mut self,
        context: &Arc<CudaContext>,
        kernels: &Kernels,
        tables: &Tables,
    ) -> Result<&mut Replica, EngineError> {
        if self.launched_for_others {
            wait_for_all(context)?;
            self.launched_for_others = false;
        }
        let known = self.replicas.iter().position(|replica| replica.id == tables.id());
        if let Some(at) = known {
            let mut replica = self.replicas.remove(at);
            if replica.catch_up(context, kernels, tables, &mut self.uploader)? {
                self.replicas.insert(0, replica);
                return Ok(&mut self.replicas[0]);
            }
        }
        self.replicas.truncate(MAX_REPLICAS - 1);
        let made = match Replica::new(context, kernels, tables, &mut self.uploader) {
            Err(EngineError::TooLarge { .. }) if !self.replicas.is_empty() => {
                self.replicas.clear();
                Replica::new(context, kernels, tables, &mut self.uploader)
            }
            made => made,
        };
        self.replicas.insert(0, made?);
        Ok(&mut self.replicas[0])
    }

    /// What a launch is told, with the tables on the device. `n_paths` is still to be set.
    pub fn query(
        &mut self,
        context: &Arc<CudaContext>,
        kernels: &Kernels,
        tables: &Tables,
        plan: &Plan,
    ) -> Result<Query, EngineError> {
        self.replica(context, kernels, tables)?;
        let State { replicas, uploader, .. } = self;
        let replica = replicas.first_mut().ok_or_else(|| driver::failed("the index was not copied"))?;
        Ok(Query {
            tables: replica.tables(context, plan.links.as_deref(), uploader)?,
            near: *replica.near(),
            params: QueryParams { n_paths: 0, start: plan.start, flags: plan.flags, first: 0 },
        })
    }
}

/// A large batch under way.
struct Large<'a> {
    device: &'a Device,
    tables: &'a Tables,
    plan: &'a Plan,
    query: &'a Query,
    lanes: &'a mut TextLanes,
}

impl Large<'_> {
    /// Answers the batch, but for the paths whose numbers are returned.
    fn resolve(&mut self, batch: &PathBatch<'_>, columns: Columns) -> Result<Vec<usize>, EngineError> {
        let source = Source::new(*batch);
        let walks_all = self.plan.flags & layout::QUERY_WALK_ONLY != 0
            || self.tables.params().flags & layout::TABLE_STRICT != 0;
        let (text, keys) = match self.device.transfer {
            _ if walks_all => (true, false),
            Transfer::Auto if batch.len() < KEYS_FROM => (true, false),
            Transfer::Auto => (source.is_pinned(), true),
            Transfer::Text => (true, false),
            Transfer::Keys => (false, true),
            Transfer::Both => (true, true),
        };
        let remaining = Remaining::new(batch.len());
        let mut missed = Vec::new();
        if keys {
            missed = self.with_keys(batch, &source, text, columns, &remaining)?;
        }
        // What is left: all, or what the threads gave up.
        self.send_text(&source, &remaining, columns)?;
        Ok(missed)
    }

    fn with_keys(
        &mut self,
        batch: &PathBatch<'_>,
        source: &Source<'_>,
        text: bool,
        columns: Columns,
        remaining: &Remaining,
    ) -> Result<Vec<usize>, EngineError> {
        let view = self.tables.view();
        let shared = Shared {
            context: &self.device.context,
            lanes: &self.device.key_lanes,
            kernels: &self.device.kernels,
            query: self.query,
            view: &view,
            plan: self.plan,
            batch: *batch,
            columns,
            remaining,
            answered: AtomicUsize::new(0),
            missed: Mutex::new(Vec::new()),
            n_missed: AtomicUsize::new(0),
        };
        let failure: Mutex<Option<EngineError>> = Mutex::new(None);
        let note = |result: Result<(), EngineError>| {
            if let Err(error) = result {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        };
        let n_threads = rayon::current_num_threads();
        rayon::in_place_scope(|scope| {
            for _ in 0..if text { n_threads.saturating_sub(1).max(1) } else { n_threads } {
                scope.spawn(|_| {
                    note(
                        shared.context.bind_to_thread().named("cuCtxSetCurrent").and_then(|()| shared.work()),
                    );
                });
            }
            if text {
                note(self.send_text(source, remaining, columns));
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(shared.missed.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Sends the text of what remains, from the front, until nothing does.
    fn send_text(
        &mut self,
        source: &Source<'_>,
        remaining: &Remaining,
        columns: Columns,
    ) -> Result<(), EngineError> {
        let sent = self.send_chunks(source, remaining, columns);
        if sent.is_err() {
            self.lanes.abandon();
            return sent;
        }
        // SAFETY: as in `send_chunks`.
        let finished = unsafe { self.lanes.finish(columns) };
        if finished.is_err() {
            self.lanes.abandon();
        }
        finished
    }

    fn send_chunks(
        &mut self,
        source: &Source<'_>,
        remaining: &Remaining,
        columns: Columns,
    ) -> Result<(), EngineError> {
        while let Some(range) = remaining.take_front(|left| source.chunk_end(left.start, left.end)) {
            if range.is_empty() {
                self.answer_unsendable(source, remaining, columns);
                continue;
            }
            // SAFETY: the range was given to this thread alone; the batch, the columns and the device's lock outlive `finish` and `abandon`,
            // one of which `send_text` calls.
            unsafe { self.lanes.send(&self.device.kernels, self.query, source, range, columns) }?;
        }
        Ok(())
    }

    /// Answers one path that is too long to be sent: the core says why it is none.
    fn answer_unsendable(&self, source: &Source<'_>, remaining: &Remaining, columns: Columns) {
        let Some(range) = remaining.take_front(|left| left.start + 1) else { return };
        // SAFETY: the range was given to this thread alone.
        let (inodes, statuses) = unsafe { columns.range(&range) };
        let outcome = resolve::walk(&self.tables.view(), self.plan, source.path(range.start));
        OutcomesMut { inodes, statuses }.set(0, outcome);
    }

    /// Sends the text of paths that keys have missed.
    fn resolve_missed(
        &mut self,
        batch: &PathBatch<'_>,
        mut missed: Vec<usize>,
        out: &mut OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if missed.is_empty() {
            return Ok(());
        }
        missed.sort_unstable();
        let paths: Vec<&[u8]> = missed.iter().map(|&i| batch.get(i)).collect();
        let mut inodes = vec![0; paths.len()];
        let mut statuses = vec![0; paths.len()];
        let part = PathBatch::from_slices(&paths);
        let columns = Columns::new(&mut inodes, &mut statuses);
        self.send_text(&Source::new(part), &Remaining::new(paths.len()), columns)?;
        for ((&i, inode), status) in missed.iter().zip(inodes).zip(statuses) {
            out.inodes[i] = inode;
            out.statuses[i] = status;
        }
        Ok(())
    }
}

const _: () = assert!(SENDABLE > layout::MAX_PATH as usize);
