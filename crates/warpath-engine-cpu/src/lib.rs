//! The engine for the CPU: the embedded default, and the one for small batches.
//!
//! A batch is cut into chunks for rayon's threads, a chunk into blocks. Within a block every path is hashed whole, eight at a time
//! where vectors are wide enough, and its line of the table prefetched; some groups later the line is read, without a branch on what it
//! holds (`probes`, `direct`). What that misses is walked, all paths in step: each round asks one prefix of every path, the first
//! time its directory, since most misses lack only their last component (`walk`). What is rare (`..`, a rename that
//! is not re-keyed) is left to the core's scalar twin.
//!
//! | module | what varies |
//! |---|---|
//! | `isa` | the instruction set: portable, AVX2, AVX-512, NEON; chosen once at run time |
//! | `source` | how the batch's paths lie in memory |

mod block;
mod direct;
mod hash;
mod isa;
mod keys;
mod probes;
mod source;
mod walk;

pub use isa::{Isa, prefetch};
pub use keys::{NO_KEY, keys};
pub use source::AHEAD;

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct ReadmeExamples;

use rayon::prelude::*;
use source::Source;
use warpath_core::batch::Paths;
use warpath_core::index::{Plan, Tables};
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch};

/// Paths that one thread resolves before it looks for more.
const CHUNK_PATHS: usize = 8192;

/// Batches of fewer paths are resolved by the calling thread: they take less time than waking another.
const PARALLEL_FROM: usize = 4096;

/// The engine for the CPU.
///
/// Cost a path, one thread: a hash of its bytes and one cache line of the table. Batches below 4096 paths run on the calling
/// thread and allocate nothing.
#[derive(Debug)]
pub struct CpuEngine {
    isa: Isa,
    pool: Option<rayon::ThreadPool>,
}

impl Default for CpuEngine {
    fn default() -> CpuEngine {
        CpuEngine::new()
    }
}

impl CpuEngine {
    /// The engine with the best instruction set of this machine, on rayon's global threads.
    pub fn new() -> CpuEngine {
        CpuEngine { isa: Isa::best(), pool: None }
    }

    /// The engine with threads of its own.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when the system gives no threads.
    pub fn with_threads(n_threads: usize) -> Result<CpuEngine, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().map_err(|error| {
            EngineError::Unavailable { engine: "cpu", reason: format!("no threads: {error}") }
        })?;
        Ok(CpuEngine { isa: Isa::best(), pool: Some(pool) })
    }

    /// The engine with this instruction set; `None` where the machine lacks it.
    pub fn with_isa(self, isa: Isa) -> Option<CpuEngine> {
        isa.is_available().then_some(CpuEngine { isa, ..self })
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn n_threads(&self) -> usize {
        self.pool.as_ref().map_or_else(rayon::current_num_threads, rayon::ThreadPool::current_num_threads)
    }
}

impl Engine for CpuEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "cpu", device: format!("{}, {} threads", self.isa.name(), self.n_threads()) }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if batch.len() != out.inodes.len() || batch.len() != out.statuses.len() {
            return Err(EngineError::Failed {
                engine: "cpu",
                reason: format!("{} paths, but columns for {}", batch.len(), out.inodes.len()),
            });
        }
        if batch.len() < PARALLEL_FROM || self.n_threads() == 1 {
            resolve_here(self.isa, tables, plan, batch, out);
            return Ok(());
        }
        let mut parallel = || {
            out.inodes
                .par_chunks_mut(CHUNK_PATHS)
                .zip(out.statuses.par_chunks_mut(CHUNK_PATHS))
                .enumerate()
                .for_each(|(chunk, (inodes, statuses))| {
                    let first = chunk * CHUNK_PATHS;
                    let part = batch.slice(first..first + inodes.len());
                    resolve_here(self.isa, tables, plan, &part, OutcomesMut { inodes, statuses });
                });
        };
        match &self.pool {
            Some(pool) => pool.install(parallel),
            None => parallel(),
        }
        Ok(())
    }
}

/// Resolves a batch on this thread.
#[inline(always)]
fn resolve_here(isa: Isa, tables: &Tables, plan: &Plan, batch: &PathBatch<'_>, out: OutcomesMut<'_>) {
    match batch.paths() {
        Paths::Flat32 { bytes, offsets } => run(isa, tables, plan, source::Flat { bytes, offsets }, out),
        Paths::Flat64 { bytes, offsets } => run(isa, tables, plan, source::Flat { bytes, offsets }, out),
        Paths::Slices(slices) => run(isa, tables, plan, source::Each(slices), out),
        Paths::Strs(strs) => run(isa, tables, plan, source::Each(strs), out),
    }
}

fn run(isa: Isa, tables: &Tables, plan: &Plan, source: impl Source, out: OutcomesMut<'_>) {
    let n = source.len();
    let batch = block::Batch { tables: &tables.view(), plan, source, out };
    if n <= block::FEW_PATHS {
        isa.run(block::FewPaths(batch))
    } else if n <= block::SMALL_BATCH {
        isa.run(block::Blocks::<_, { block::SMALL_BLOCK }>(batch))
    } else {
        isa.run(block::Blocks::<_, { block::BLOCK }>(batch))
    }
}
