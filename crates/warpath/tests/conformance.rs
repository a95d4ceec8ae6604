//! The conformance suite through the three ways of asking: `GpuFilesystem`, its futures, the batcher.
//!
//! The suite asks an engine about tables; here each of its namespaces becomes a file system of its own, which is asked instead.

use std::sync::{Arc, Mutex, PoisonError};
use warpath::core::{Plan, Tables};
use warpath::{
    BatchLookupBuilder, BatchPathLookup, Device, Engine, EngineError, EngineInfo, Error, GpuFilesystem,
    Options, Outcomes, OutcomesMut, PathBatch, Request,
};
use warpath_conformance::library::{Library, options_of};
use warpath_conformance::suite::Config;

/// File systems kept: as many as the suite asks in turn.
const KEPT: usize = 8;

/// A way of asking a file system.
trait Ask: Send + Sync {
    fn new(fs: GpuFilesystem) -> Self;
    fn ask(&self, batch: &PathBatch<'_>, options: &Options) -> Result<Outcomes, Error>;
}

struct Directly(GpuFilesystem);

impl Ask for Directly {
    fn new(fs: GpuFilesystem) -> Directly {
        Directly(fs)
    }

    fn ask(&self, batch: &PathBatch<'_>, options: &Options) -> Result<Outcomes, Error> {
        self.0.resolve(*batch, options)
    }
}

struct ByFutures(GpuFilesystem);

impl Ask for ByFutures {
    fn new(fs: GpuFilesystem) -> ByFutures {
        ByFutures(fs)
    }

    fn ask(&self, batch: &PathBatch<'_>, options: &Options) -> Result<Outcomes, Error> {
        self.0.resolve_async(batch.iter().collect(), options)?.wait()
    }
}

struct ByBatcher(BatchPathLookup);

impl Ask for ByBatcher {
    fn new(fs: GpuFilesystem) -> ByBatcher {
        // Small batches, so that large requests go in pieces and equal paths meet.
        let builder = BatchLookupBuilder::new(&fs).max_batch_size(1000).max_in_flight(1);
        ByBatcher(builder.build().expect("the settings are right"))
    }

    fn ask(&self, batch: &PathBatch<'_>, options: &Options) -> Result<Outcomes, Error> {
        let request = Request::new(batch.iter()).options(*options);
        match batch.len() % 2 {
            0 => self.0.resolve(request),
            _ => self.0.resolve_async(request).wait(),
        }
    }
}

/// Id and version of tables.
type Version = (u64, u64);

/// An engine that asks file systems.
struct Adapter<A> {
    library: Arc<Library>,
    kept: Mutex<Vec<(Version, Arc<A>)>>,
}

impl<A: Ask> Adapter<A> {
    fn of(&self, tables: &Tables) -> Result<Arc<A>, EngineError> {
        let version = (tables.id(), tables.version());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asked)) = kept.iter().find(|(of, _)| *of == version) {
            return Ok(Arc::clone(asked));
        }
        let namespace = self.library.namespace(tables)?;
        let fs = GpuFilesystem::from_namespace(&Device::cpu(), (*namespace).clone()).map_err(failed)?;
        let asked = Arc::new(A::new(fs));
        kept.retain(|((id, _), _)| *id != version.0);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((version, Arc::clone(&asked)));
        Ok(asked)
    }
}

impl<A: Ask> Engine for Adapter<A> {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "facade", device: "a file system for each namespace".to_owned() }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let outcomes = self.of(tables)?.ask(batch, &options_of(plan)).map_err(failed)?;
        out.inodes.copy_from_slice(outcomes.inodes());
        out.statuses.copy_from_slice(outcomes.statuses());
        Ok(())
    }
}

fn failed(error: Error) -> EngineError {
    EngineError::Failed { engine: "facade", reason: error.to_string() }
}

/// The suite in a module, for a way of asking.
macro_rules! suite {
    ($module:ident, $ask:ty) => {
        mod $module {
            use super::*;
            use std::sync::LazyLock;

            static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(Arc::default);

            fn make() -> Result<Box<dyn Engine>, EngineError> {
                Ok(Box::new(Adapter::<$ask> { library: Arc::clone(&LIBRARY), kept: Mutex::default() }))
            }

            fn config() -> Config {
                Config { n_random: 5_000, library: Some(Arc::clone(&LIBRARY)), ..Config::default() }
            }

            warpath_conformance::conformance_tests!(make, config());
        }
    };
}

suite!(filesystem, Directly);
suite!(futures, ByFutures);
suite!(batcher, ByBatcher);
