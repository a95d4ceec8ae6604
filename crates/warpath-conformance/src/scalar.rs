//! The core's scalar resolver as an engine, over a copy of the tables that is kept in step as a device's is.

use std::sync::{Mutex, PoisonError};
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch, Plan, Tables, resolve};

/// Answers from a replica of the tables, brought up to date by what changed since: if a version's list of
/// changes leaves anything out, the answers show it.
#[derive(Debug, Default)]
pub struct ScalarEngine {
    replica: Mutex<Option<Tables>>,
}

impl ScalarEngine {
    /// Its name.
    pub const NAME: &'static str = "scalar";
}

impl Engine for ScalarEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            name: Self::NAME,
            device: "a replica of the tables, one path after the other".to_owned(),
        }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let mut replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        let replica = replica.get_or_insert_with(|| tables.clone());
        replica.catch_up(tables);
        let view = replica.view();
        for (i, path) in batch.iter().enumerate() {
            out.set(i, resolve::resolve(&view, plan, path));
        }
        Ok(())
    }
}
