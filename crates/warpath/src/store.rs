//! Versions of the tables: one that readers take without a lock, and the index that the next one is made of.
//!
//! Two copies of the tables take turns (left-right): readers hold the one, a change goes into the other, then they swap. The
//! second copy is made at the first change. What a change wrote is copied to the copy that did not see it as ranges.

use crate::Error;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use warpath_core::index::Plan;
use warpath_core::resolve::dir_record;
use warpath_core::{Index, InodeId, Namespace, Options, Tables};

/// Bytes a second at which tables are copied, guessed low: a writer waits no longer for readers than a copy would take.
const COPY_BYTES_PER_SECOND: f64 = (2u64 << 30) as f64;

/// A writer waits this long for readers of the copy it needs, however small the tables are.
const SHORTEST_WAIT: Duration = Duration::from_micros(200);

/// How often a writer looks again whether the readers are gone.
const NAP: Duration = Duration::from_micros(50);

/// Start directories whose `beneath` plans a version keeps.
const BENEATH_KEPT: usize = 8;

/// One version of the tables. Never changes.
#[derive(Debug)]
pub(crate) struct Version {
    pub tables: Arc<Tables>,
    /// Plans that needed the namespace.
    beneath: Mutex<Vec<(Options, Plan)>>,
}

impl Version {
    fn of(index: &Index) -> Arc<Version> {
        Arc::new(Version { tables: index.shared_tables(), beneath: Mutex::default() })
    }

    fn is_directory(&self, inode: InodeId) -> bool {
        // A removed directory keeps its number, with a record that names no inode.
        dir_record(&self.tables.view(), inode).is_some_and(|record| record.inode == inode)
    }

    fn kept_plan(&self, options: &Options) -> Option<Plan> {
        let kept = self.beneath.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| of == options).map(|(_, plan)| plan.clone())
    }

    fn keep_plan(&self, options: &Options, plan: &Plan) {
        let mut kept = self.beneath.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == BENEATH_KEPT {
            kept.remove(0);
        }
        kept.push((*options, plan.clone()));
    }
}

/// The index, and the version that readers see.
#[derive(Debug)]
pub(crate) struct Store {
    current: ArcSwap<Version>,
    writer: RwLock<Writer>,
}

#[derive(Debug)]
struct Writer {
    index: Index,
    /// The version before the current one, for the next change to work in.
    spare: Option<Arc<Tables>>,
}

impl Store {
    pub fn new(index: Index) -> Store {
        Store {
            current: ArcSwap::new(Version::of(&index)),
            writer: RwLock::new(Writer { index, spare: None }),
        }
    }

    /// The current version, and the options made ready for it.
    ///
    /// Takes no lock, but for the first `beneath` from a directory in a version: that reads link targets, and waits for the
    /// change that is under way.
    #[inline]
    pub fn plan(&self, options: &Options) -> Result<(Guard<Arc<Version>>, Plan), Error> {
        let version = self.current.load();
        if options.beneath {
            return self.plan_beneath(version, options);
        }
        if !version.is_directory(options.start) {
            return Err(Error::Start { inode: options.start });
        }
        let plan = Plan { start: options.start, flags: options.flags(), links: None };
        Ok((version, plan))
    }

    fn plan_beneath(
        &self,
        version: Guard<Arc<Version>>,
        options: &Options,
    ) -> Result<(Guard<Arc<Version>>, Plan), Error> {
        if let Some(plan) = version.kept_plan(options) {
            return Ok((version, plan));
        }
        drop(version);
        let writer = self.read();
        // While the lock is held the current version is the index's.
        let version = self.current.load();
        let plan = writer.index.plan(options)?;
        version.keep_plan(options, &plan);
        Ok((version, plan))
    }

    /// The current version's tables.
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.current.load().tables)
    }

    /// Changes the index and makes the outcome the current version, before it returns.
    pub fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut writer = self.write();
        writer.prepare();
        let result = change(&mut writer.index);
        writer.publish(&self.current);
        result
    }

    /// Looks at the names. Changes wait meanwhile; lookups don't.
    pub fn with_namespace<T>(&self, look: impl FnOnce(&Namespace) -> T) -> T {
        look(self.read().index.namespace())
    }

    pub fn is_rekeying(&self) -> bool {
        self.read().index.is_rekeying()
    }

    // A panic in a change is a defect of the index, which reports it; readers go on with the version they have.
    fn read(&self) -> RwLockReadGuard<'_, Writer> {
        self.writer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Writer> {
        self.writer.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Gives the index tables that no reader holds. Waits for the readers of the version before the current one, but no
    /// longer than a copy of the tables would take: then the next change makes that copy.
    fn prepare(&mut self) {
        let Some(mut spare) = self.spare.take() else { return };
        let give_up = Instant::now() + copy_time(spare.memory()).max(SHORTEST_WAIT);
        let mut n_waits = 0;
        while let Err(held) = self.index.reuse(spare) {
            if Instant::now() >= give_up {
                return;
            }
            spare = held;
            n_waits += 1;
            // Most batches are over in microseconds; what waits longer leaves the processor to them.
            if n_waits < 32 { std::thread::yield_now() } else { std::thread::sleep(NAP) }
        }
    }

    fn publish(&mut self, current: &ArcSwap<Version>) {
        let seen = current.load();
        let (old, new) = (&seen.tables, self.index.tables());
        if (old.id(), old.version()) == (new.id(), new.version()) {
            return;
        }
        drop(seen);
        let old = current.swap(Version::of(&self.index));
        self.spare = Some(Arc::clone(&old.tables));
    }
}

/// How long so many bytes of tables take to be copied.
fn copy_time(n_bytes: usize) -> Duration {
    Duration::from_secs_f64(n_bytes as f64 / COPY_BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_any_size_have_a_time_to_be_copied_in() {
        assert_eq!(copy_time(2 << 30), Duration::from_secs(1));
        assert_eq!(copy_time(1 << 37), Duration::from_secs(64));
        assert!(copy_time(usize::MAX) > Duration::from_secs(1 << 32));
    }
}
