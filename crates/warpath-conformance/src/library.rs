//! An engine that answers by the reference resolver: the suite's own control, and what broken engines are made of.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use warpath_core::{
    Engine, EngineError, EngineInfo, Namespace, Options, OutcomesMut, PathBatch, Plan, Tables, layout,
};

/// Namespaces at hand for engines that read names instead of tables. The suite publishes each index before it asks.
#[derive(Debug, Default)]
pub struct Library {
    shelf: Mutex<VecDeque<Volume>>,
}

#[derive(Debug)]
struct Volume {
    id: u64,
    version: u64,
    namespace: Arc<Namespace>,
}

/// Namespaces kept: more than the suite has indexes at one time.
const SHELF: usize = 32;

impl Library {
    /// Keeps a copy of the namespace that the tables were made from.
    pub fn publish(&self, tables: &Tables, namespace: &Namespace) {
        let (id, version) = (tables.id(), tables.version());
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.iter().any(|volume| (volume.id, volume.version) == (id, version)) {
            return;
        }
        shelf.retain(|volume| volume.id != id);
        if shelf.len() == SHELF {
            shelf.pop_back();
        }
        shelf.push_front(Volume { id, version, namespace: Arc::new(namespace.clone()) });
    }

    /// The namespace that the tables were made from.
    ///
    /// # Errors
    /// When this version was not published.
    pub fn namespace(&self, tables: &Tables) -> Result<Arc<Namespace>, EngineError> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf
            .iter()
            .find(|volume| (volume.id, volume.version) == (tables.id(), tables.version()))
            .map(|volume| Arc::clone(&volume.namespace))
            .ok_or_else(|| EngineError::Failed {
                engine: ReferenceEngine::NAME,
                reason: format!("version {} of index {} was not published", tables.version(), tables.id()),
            })
    }
}

/// Answers by the reference resolver.
#[derive(Debug)]
pub struct ReferenceEngine {
    library: Arc<Library>,
}

impl ReferenceEngine {
    /// Its name.
    pub const NAME: &'static str = "reference";

    /// Answers from the namespaces in `library`.
    pub fn new(library: Arc<Library>) -> ReferenceEngine {
        ReferenceEngine { library }
    }
}

impl Engine for ReferenceEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: Self::NAME, device: "names, one component after the other".to_owned() }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let namespace = self.library.namespace(tables)?;
        let options = options_of(plan);
        for (i, path) in batch.iter().enumerate() {
            out.set(i, warpath_core::reference::resolve(&namespace, path, &options));
        }
        Ok(())
    }
}

/// The options that a plan was made from.
pub fn options_of(plan: &Plan) -> Options {
    Options {
        start: plan.start,
        follow: plan.flags & layout::QUERY_NO_FOLLOW == 0,
        beneath: plan.flags & layout::QUERY_BENEATH != 0,
        no_symlinks: plan.flags & layout::QUERY_NO_SYMLINKS != 0,
        walk_only: plan.flags & layout::QUERY_WALK_ONLY != 0,
    }
}
