//! One GPU: which way a batch goes, and the lock that keeps index and batches in order.

use crate::answers::Columns;
use crate::driver::{self, Named};
use crate::few::{Few, Slots};
use crate::kernels::{Kernels, Query};
use crate::memory::HostBuffer;
use crate::pack;
use crate::replica::{Replica, Uploader, wait_for_all};
use crate::resident::{self, Resident, ResidentStats};
use crate::ring::{PLACE_BYTES, Serves};
use crate::text::{Source, TextBuffers};
use crate::workers::{Costs, Failure, FreeBuffers, Misses, Remaining, Task, Ways, side_by_side};
use cudarc::driver::CudaContext;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warpath_core::index::{Plan, Tables};
use warpath_core::layout::{self, QueryParams};
use warpath_core::{EngineError, OutcomesMut, PathBatch};

/// Indexes that a device keeps copies of at a time.
const MAX_REPLICAS: usize = 4;
/// Batches of fewer paths are sent as text, and not packed: finding out what pays would take longer.
const KEYS_FROM: usize = 1 << 17;
/// Paths for which another thread is worth waking.
const PATHS_A_THREAD: usize = 1 << 13;
/// Threads that only copy text at most: the stages of more do not stay in the cache, and these keep the bus busy.
const COPYING_THREADS: usize = 12;

/// How the paths of a large batch get to the device. The answers are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// Text and keys at once, whichever costs each thread less; text alone for batches of fewer than 2^17 paths.
    #[default]
    Auto,
    /// Text alone: by the copy engine from pinned memory, staged by all threads from ordinary memory.
    Text,
    /// Text alone, staged by all threads: only what differs from the path before.
    Packed,
    /// Keys, hashed by all threads; the text of what they miss.
    Keys,
    /// As `Auto`, whatever the batch's size.
    Both,
}

/// How the engine is made.
#[derive(Debug, Clone)]
pub struct CudaOptions {
    /// The GPUs, by the driver's numbers; each holds the whole index. One that is named again is left out.
    pub gpus: Vec<usize>,
    /// How the paths of large batches get to a device.
    pub transfer: Transfer,
    /// Whether batches of up to 1024 paths are answered in one launch from shared memory. Without it they go as large ones do.
    pub few: bool,
    /// Resident mode: whether small batches are answered by a kernel that stays on the first GPU, which takes half as long as a launch,
    /// and how long it stays without a batch, a second at most. While it does, it keeps up to 32 multiprocessors from idling, and
    /// whatever waits for the whole device to be idle, as freeing its memory does, waits for it: a second and that time at most.
    pub resident: Option<Duration>,
    /// Use the kernels for compute capability 7.5 on newer GPUs too; for tests.
    pub oldest_kernels: bool,
}

impl CudaOptions {
    /// How long a resident kernel stays without a batch, unless said otherwise.
    pub const RESIDENT_IDLE: Duration = Duration::from_millis(20);

    /// Options in words, as on a command line: `resident`, `all` GPUs, numbers of GPUs or parts of their names, separated by commas.
    /// A word is a number if a GPU has it, else a part of a name.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when no GPU is called so, or a word is empty.
    pub fn from_words(words: &str) -> Result<CudaOptions, EngineError> {
        let mut options = CudaOptions::default();
        let mut gpus = Vec::new();
        for word in words.split(',') {
            match word {
                "resident" => options.resident = Some(CudaOptions::RESIDENT_IDLE),
                "all" => gpus.extend(driver::gpus()?.iter().map(|gpu| gpu.ordinal)),
                which => gpus.push(driver::find(which)?.ordinal),
            }
        }
        if !gpus.is_empty() {
            options.gpus = gpus;
        }
        Ok(options)
    }
}

/// Each GPU once, where it was named first.
pub(crate) fn distinct(gpus: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut distinct = Vec::new();
    for gpu in gpus {
        if !distinct.contains(&gpu) {
            distinct.push(gpu);
        }
    }
    distinct
}

impl Default for CudaOptions {
    fn default() -> CudaOptions {
        CudaOptions {
            gpus: vec![0],
            transfer: Transfer::Auto,
            few: true,
            resident: None,
            oldest_kernels: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Device {
    name: String,
    pub context: Arc<CudaContext>,
    pub kernels: Kernels,
    transfer: Transfer,
    use_few: bool,
    free_buffers: FreeBuffers,
    resident: Option<Arc<Resident>>,
    /// Why there is no resident kernel although one was asked for.
    resident_refused: Option<String>,
    state: Mutex<State>,
}

/// What batches take turns with.
#[derive(Debug)]
pub(crate) struct State {
    uploader: Uploader,
    /// The last used first.
    replicas: Vec<Replica>,
    few: Option<Few>,
    text: Option<TextBuffers>,
    has_buffers: bool,
    /// To be paused before a replica changes or goes.
    resident: Option<Arc<Resident>>,
    /// Launches of others may be under way on streams that are not ours.
    pub launched_for_others: bool,
}

impl Device {
    pub fn open(gpu: usize, options: &CudaOptions) -> Result<Device, EngineError> {
        let context = driver::open(gpu)?;
        let name = context.name().named("cuDeviceGetName")?;
        let kernels = Kernels::load(&context, options.oldest_kernels)?;
        let (resident, resident_refused) = match options.resident.map(|idle| resident::open(&context, idle)) {
            Some(Ok(ring)) => (Some(Arc::new(ring)), None),
            Some(Err(reason)) => (None, Some(reason.to_string())),
            None => (None, None),
        };
        let state = State {
            uploader: Uploader::new(&context)?,
            replicas: Vec::new(),
            few: None,
            text: None,
            has_buffers: false,
            resident: resident.clone(),
            launched_for_others: false,
        };
        Ok(Device {
            name,
            context,
            kernels,
            transfer: options.transfer,
            use_few: options.few,
            free_buffers: FreeBuffers::default(),
            resident,
            resident_refused,
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

    /// What the resident mode did; None where nobody asked for it.
    pub fn resident_stats(&self) -> Option<ResidentStats> {
        match (&self.resident, &self.resident_refused) {
            (Some(ring), _) => {
                let counts = ring.counts();
                Some(ResidentStats {
                    requests: counts.requests,
                    launches: counts.launches,
                    idle_ends: counts.idle_ends,
                    refused: ring.broken(),
                })
            }
            (None, None) => None,
            (None, refused) => Some(ResidentStats { refused: refused.clone(), ..ResidentStats::default() }),
        }
    }

    pub fn forget(&self) {
        if let Ok(mut state) = self.lock() {
            let _ = state.pause_resident();
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
        if let Some(ring) = &self.resident
            && self.resolve_resident(ring, tables, plan, batch, &mut out)?
        {
            return Ok(());
        }
        let mut state = self.lock()?;
        let mut query = state.query(&self.context, &self.kernels, tables, plan)?;
        if self.use_few
            && let Some(slots) = Slots::of(batch, plan.start, Few::ROOM)
        {
            let few = match &mut state.few {
                Some(few) => few,
                none => none.insert(Few::new(&self.context)?),
            };
            return few.resolve(&self.kernels, &mut query, &slots, &mut out);
        }
        if !std::mem::replace(&mut state.has_buffers, true) {
            // The driver may wait for the kernel before it gives memory for the buffers.
            state.pause_resident()?;
        }
        let columns = Columns::new(out.inodes, out.statuses);
        let mut large = Large { device: self, tables, plan, query: &query, text: &mut state.text };
        let missed = large.resolve(batch, columns)?;
        large.resolve_missed(batch, missed, &mut out)
    }

    /// Answers a small batch through the ring. False when it is none, or the ring was given up.
    fn resolve_resident(
        &self,
        ring: &Resident,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: &mut OutcomesMut<'_>,
    ) -> Result<bool, EngineError> {
        let Some(slots) = Slots::of(batch, plan.start, PLACE_BYTES) else { return Ok(false) };
        let serves = Serves::of(tables, plan);
        let mut request = ring.publish(&serves, &slots, plan.flags);
        if request.is_none() && ring.broken().is_none() {
            // Others need the lock too before they have the ring serve something else.
            let mut state = self.lock()?;
            request = ring.publish(&serves, &slots, plan.flags);
            if request.is_none() {
                let query = state.query(&self.context, &self.kernels, tables, plan)?;
                ring.serve(serves, |kernel| kernel.launch_with(&query))?;
                request = ring.publish(&serves, &slots, plan.flags);
            }
        }
        match request.map(|request| ring.wait(&request, out)) {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            // The ring was given up; if the device still works, a launch will do.
            Some(Err(_)) => Ok(false),
        }
    }

    pub fn lock(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        self.context.bind_to_thread().named("cuCtxSetCurrent")?;
        // A panic leaves buffers whose work is waited for before they are used again.
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // First of all: unloading the kernels waits for whatever runs. An error means that the device is lost, and with it the kernel.
        let _ = self.resident.as_ref().map(|ring| ring.pause());
    }
}

impl State {
    /// Ends the resident kernel, so that replicas can change and memory be given and taken without waiting for it.
    pub fn pause_resident(&self) -> Result<(), EngineError> {
        self.resident.as_ref().map_or(Ok(()), |ring| ring.pause())
    }

    /// The tables' copy, brought to their version.
    fn replica(
        &mut self,
        context: &Arc<CudaContext>,
        kernels: &Kernels,
        tables: &Tables,
    ) -> Result<&mut Replica, EngineError> {
        let known = self.replicas.iter().position(|replica| replica.id == tables.id());
        if known.is_none_or(|at| !self.replicas[at].is_at(tables.version())) {
            // What is about to change may still be read.
            self.pause_resident()?;
            if self.launched_for_others {
                wait_for_all(context)?;
                self.launched_for_others = false;
            }
        }
        if let Some(at) = known {
            let mut replica = self.replicas.remove(at);
            match replica.catch_up(context, kernels, tables, &mut self.uploader) {
                Ok(true) => {
                    self.replicas.insert(0, replica);
                    return Ok(&mut self.replicas[0]);
                }
                // What has grown finds no room beside the old copy: a new one may, once that has gone.
                Ok(false) | Err(EngineError::TooLarge { .. }) => {}
                Err(error) => return Err(error),
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
        let links = plan.links.as_deref();
        if !self.replica(context, kernels, tables)?.has_links(links) {
            self.pause_resident()?;
            // The links of an earlier plan may still be read by launches for others.
            if std::mem::take(&mut self.launched_for_others) {
                wait_for_all(context)?;
            }
        }
        let State { replicas, uploader, .. } = self;
        let replica = replicas.first_mut().ok_or_else(|| driver::failed("the index was not copied"))?;
        Ok(Query {
            tables: replica.tables(context, links, uploader)?,
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
    text: &'a mut Option<TextBuffers>,
}

impl Large<'_> {
    /// Answers the batch, but for the paths whose numbers are returned.
    fn resolve(&mut self, batch: &PathBatch<'_>, columns: Columns) -> Result<Vec<usize>, EngineError> {
        let source = Source::new(*batch);
        let transfer = self.device.transfer;
        let walks_all = self.plan.flags & layout::QUERY_WALK_ONLY != 0
            || self.tables.params().flags & layout::TABLE_STRICT != 0;
        let keys = !walks_all
            && match transfer {
                Transfer::Text | Transfer::Packed => false,
                Transfer::Auto => batch.len() >= KEYS_FROM,
                Transfer::Keys | Transfer::Both => true,
            };
        let text = walks_all || transfer != Transfer::Keys;
        // From pinned memory text goes by the copy engine, which costs no thread anything.
        let by_engine = text && source.is_pinned() && transfer != Transfer::Packed;
        let packed = match transfer {
            Transfer::Packed => true,
            Transfer::Text if by_engine => false,
            _ => text && batch.len() >= KEYS_FROM && pack::pays(batch),
        };
        let ways = Ways { keys, text: text && !by_engine && transfer != Transfer::Packed, packed };
        let remaining = Remaining::new(batch.len());
        let missed = self.run(source, columns, &remaining, ways, by_engine)?;
        // What the threads gave up because keys missed too often.
        let ways = Ways { keys: false, text: true, packed: false };
        self.run(source, columns, &remaining, ways, false)?;
        Ok(missed)
    }

    /// Has threads, and if so asked the copy engine, answer what remains. Returns the paths that keys have missed.
    fn run(
        &mut self,
        source: Source<'_>,
        columns: Columns,
        remaining: &Remaining,
        ways: Ways,
        by_engine: bool,
    ) -> Result<Vec<usize>, EngineError> {
        let n_left = remaining.len();
        let n_busy = if by_engine { 1 } else { 0 };
        let most_threads = match ways {
            Ways { keys: false, text: true, packed: false } => COPYING_THREADS,
            _ => usize::MAX,
        };
        let n_threads = match ways.any() {
            true => n_left
                .div_ceil(PATHS_A_THREAD)
                .min(rayon::current_num_threads().max(2) - n_busy)
                .min(most_threads),
            false => 0,
        };
        let view = self.tables.view();
        let task = Task {
            context: &self.device.context,
            free: &self.device.free_buffers,
            kernels: &self.device.kernels,
            query: self.query,
            view: &view,
            plan: self.plan,
            source,
            columns,
            remaining,
            n_threads: n_threads + n_busy,
            ways,
            begun: AtomicUsize::new(0),
            costs: Costs::default(),
            misses: Misses::default(),
            missed: Mutex::new(Vec::new()),
        };
        if n_threads == 1 && !by_engine {
            task.work()?;
        } else {
            let failure = Failure::default();
            let copy = || {
                if by_engine {
                    failure.note(self.send_text(&task));
                }
            };
            side_by_side(n_threads, || failure.note(task.work()), copy);
            failure.into_result()?;
        }
        Ok(task.missed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends the text of what remains by the copy engine, from the front, until nothing does.
    fn send_text(&mut self, task: &Task<'_>) -> Result<(), EngineError> {
        let kernels = &self.device.kernels;
        let buffers = match &mut self.text {
            Some(buffers) => buffers,
            none => none.insert(TextBuffers::new(&self.device.context)?),
        };
        let (mut sent, shared) = (0, task.ways.any());
        let mut send = || -> Result<(), EngineError> {
            while let Some(range) =
                task.remaining.take_front(|left| task.source.first_chunk(left, sent, shared))
            {
                if range.is_empty() {
                    if let Some(one) = task.remaining.take_front(|left| left.start..left.start + 1) {
                        task.answer_unsendable(one.start);
                    }
                    continue;
                }
                sent += range.len();
                // SAFETY: the range was given to this thread alone; the batch, the columns and the device's lock outlive `finish` and
                // `abandon`, one of which is called below.
                unsafe { buffers.send(kernels, task.query, &task.source, range, task.columns) }?;
            }
            // SAFETY: as above.
            unsafe { buffers.finish(task.columns) }
        };
        let sent = send();
        if sent.is_err() {
            buffers.abandon();
        }
        sent
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
        let source = Source::new(PathBatch::from_slices(&paths));
        let columns = Columns::new(&mut inodes, &mut statuses);
        let ways = Ways { keys: false, text: true, packed: false };
        self.run(source, columns, &Remaining::new(paths.len()), ways, false)?;
        for ((&i, inode), status) in missed.iter().zip(inodes).zip(statuses) {
            out.inodes[i] = inode;
            out.statuses[i] = status;
        }
        Ok(())
    }
}

const _: () = assert!(crate::staged::CHUNK_BYTES > layout::MAX_PATH as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_is_named_twice_is_used_once() {
        assert_eq!(distinct([0, 0]), [0]);
        assert_eq!(distinct([2, 0, 1, 0, 2]), [2, 0, 1]);
        assert_eq!(distinct([]), [0; 0]);
    }
}
