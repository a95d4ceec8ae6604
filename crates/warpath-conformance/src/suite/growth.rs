//! An index that grows from nothing to thousands of entries and shrinks again under one engine, and one that changes
//! more often between two batches than is remembered. Versions that readers still hold are asked again after newer ones.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::tree::Tree;
use std::sync::Arc;
use warpath_core::index::Change;
use warpath_core::namespace::Attributes;
use warpath_core::{FileType, Index, InodeId, Namespace, Options, PathBatch, Plan, ROOT, Tables, reference};

/// Entries added before the engine is asked: tables grow between some of these.
const ADDED: [usize; 12] = [0, 1, 1, 2, 3, 8, 20, 60, 150, 400, 1000, 3000];

/// Changes between two batches, more than a change log holds.
const FLOOD: usize = 150_000;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let mut index = Indexed::new(&Tree::new())?.index;
    let mut n_entries = 0;
    for n in ADDED {
        let older = Version::of(&index, n_entries)?;
        index.apply(&additions(n_entries..n_entries + n)).map_err(refused)?;
        n_entries += n;
        ask(session, &index, n_entries)?;
        older.ask(session)?;
        ask(session, &index, n_entries)?;
    }
    flood(&mut index)?;
    ask(session, &index, n_entries)?;
    // Every third entry goes, one version each.
    for n in (0..n_entries).step_by(3) {
        let (name, ..) = entry(n);
        index.remove(ROOT, &name).map_err(refused)?;
    }
    ask(session, &index, n_entries)?;
    // And comes back as something else.
    for n in (0..n_entries).step_by(3) {
        let (name, ..) = entry(n);
        index.add_file(ROOT, &name, entry(n + 1).1).map_err(refused)?;
    }
    ask(session, &index, n_entries)
}

/// A version as a reader holds it while the index goes on.
struct Version {
    tables: Arc<Tables>,
    namespace: Namespace,
    plan: Plan,
    n_entries: usize,
}

impl Version {
    fn of(index: &Index, n_entries: usize) -> Result<Version, Failure> {
        let plan = index.plan(&Options::default()).map_err(|error| Failure::Resolve { n_paths: 0, error })?;
        Ok(Version { tables: index.shared_tables(), namespace: index.namespace().clone(), plan, n_entries })
    }

    /// Asks all entries and the next ones, which are not there yet.
    fn ask(&self, session: &Session<'_>) -> Result<(), Failure> {
        let paths: Vec<Vec<u8>> = (0..self.n_entries + 100).map(|n| entry(n).0).collect();
        let slices: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let batch = PathBatch::from_slices(&slices);
        let outcomes = session.ask_tables(&self.tables, &self.namespace, &self.plan, &batch)?;
        for (path, outcome) in slices.iter().zip(outcomes) {
            let right = reference::resolve(&self.namespace, path, &Options::default());
            if outcome != right {
                return Err(Failure::Index(format!(
                    "version {} after a newer one, path {:?}: the reference says {right:?}, the engine {outcome:?}",
                    self.tables.version(),
                    String::from_utf8_lossy(path)
                )));
            }
        }
        Ok(())
    }
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Index(format!("a change is refused: {error}"))
}

/// Entry number `n` of the root: a file, a directory or a link.
fn entry(n: usize) -> (Vec<u8>, FileType, Option<Vec<u8>>) {
    let name = format!("entry-{n}").into_bytes();
    match n % 3 {
        0 => (name, FileType::Directory, None),
        1 => (
            name,
            FileType::Symlink,
            Some(format!("./entry-{}/..//entry-{}", n - 1, (n * 7) % (n + 1)).into_bytes()),
        ),
        _ => (name, FileType::Regular, None),
    }
}

fn additions(numbers: std::ops::Range<usize>) -> Vec<Change> {
    numbers
        .map(entry)
        .map(|(name, file_type, target)| Change::Add {
            parent: ROOT,
            name,
            file_type,
            target,
            attributes: Attributes::default(),
        })
        .collect()
}

/// One entry made and removed again and again; the last one stays.
fn flood(index: &mut Index) -> Result<(), Failure> {
    for n in 0..FLOOD {
        let file_type = if n % 2 == 0 { FileType::Directory } else { FileType::Regular };
        index.add_file(ROOT, "flood", file_type).map_err(refused)?;
        index.remove(ROOT, "flood").map_err(refused)?;
    }
    index.add_symlink(ROOT, "flood", "entry-0/../entry-2").map_err(refused)?;
    Ok(())
}

/// Asks all entries and some that are not there.
fn ask(session: &Session<'_>, index: &Index, n_entries: usize) -> Result<(), Failure> {
    let mut paths: Vec<Vec<u8>> = (0..n_entries + 5).map(|n| entry(n).0).collect();
    for n in (0..n_entries).step_by(1 + n_entries / 100) {
        paths.push(format!("/entry-{n}/").into_bytes());
        paths.push(format!("entry-{n}/../entry-{}", n / 2).into_bytes());
        paths.push(format!("//entry-{n}/none").into_bytes());
    }
    paths.extend([b"flood".to_vec(), b"flood/".to_vec(), b"/".to_vec()]);
    let slices: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let batch = PathBatch::from_slices(&slices);
    let some_directory: InodeId = index.namespace().child(ROOT, b"entry-0").unwrap_or(ROOT);
    let start = if index.namespace().is_directory(some_directory) { some_directory } else { ROOT };
    let others = all_modes().skip(n_entries % 16).take(1).map(|mode| mode.start(start));
    for options in [Options::default(), Options::default().walk_only()].into_iter().chain(others) {
        let outcomes = session.ask(index, &options, &batch)?;
        for (path, outcome) in slices.iter().zip(outcomes) {
            let right = reference::resolve(index.namespace(), path, &options);
            if outcome != right {
                return Err(Failure::Index(format!(
                    "with {} entries, version {}, path {:?}, {options:?}: the reference says {right:?}, the engine {outcome:?}",
                    index.namespace().n_entries(),
                    index.tables().version(),
                    String::from_utf8_lossy(path)
                )));
            }
        }
    }
    Ok(())
}
