//! Directories too large to be re-keyed at once: renamed, renamed again, replaced, changed, while keys are outstanding.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::tree::Tree;
use warpath_core::{FileType, Index, InodeId, Options, PathBatch, ROOT, reference};

/// More entries than an index re-keys within a rename.
const SUBDIRECTORIES: usize = 40;
const FILES: usize = 50;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let mut text =
        String::from("top/ other/a/f deep/er/ in->top/s3/f7 up->top/s1/../../other into->moved/s2 ");
    for s in 0..SUBDIRECTORIES {
        text += &format!("top/s{s}/back->.. ");
        for f in 0..FILES {
            text += &format!("top/s{s}/f{f} ");
        }
    }
    let tree = Tree::parse(&text).map_err(Failure::Suite)?;
    let mut indexed = Indexed::new(&tree)?;
    let Some(top) = tree.find(b"top").map(|node| indexed.inodes[node]) else { return Ok(()) };
    let index = &mut indexed.index;
    ask(session, index)?;
    let refused = |error| Failure::Index(format!("a rename is refused: {error}"));

    index.rename(ROOT, "top", ROOT, "moved").map_err(refused)?;
    ask(session, index)?;
    // A new directory in the old place, with entries of the same names, while the old one holds its keys.
    let new = index.add_directory(ROOT, "top").map_err(refused)?;
    ask(session, index)?;
    for s in [1, 3] {
        let below = index.add_directory(new, format!("s{s}")).map_err(refused)?;
        index.add_file(below, "f7", FileType::Regular).map_err(refused)?;
    }
    ask(session, index)?;
    index.rekey(100);
    ask(session, index)?;

    // Moved on into another directory before it is done, and entries of it changed.
    let deep = child(index, ROOT, "deep");
    index.rename(ROOT, "moved", deep, "top").map_err(refused)?;
    ask(session, index)?;
    let s5 = child(index, top, "s5");
    index.rename(top, "s5", ROOT, "s5").map_err(refused)?;
    index.remove(s5, "f1").map_err(refused)?;
    index.add_symlink(s5, "f1", "../top/s1/f7").map_err(refused)?;
    ask(session, index)?;
    index.rename(top, "s6", top, "s7new").map_err(refused)?;
    index.rename(ROOT, "top", top, "s6").map_err(refused)?;
    ask(session, index)?;

    // Back to where it came from.
    index.rename(deep, "top", ROOT, "top").map_err(refused)?;
    ask(session, index)?;
    while index.rekey(300) {
        ask(session, index)?;
    }
    ask(session, index)?;
    index.rename(ROOT, "top", deep, "t").map_err(refused)?;
    index.rename(ROOT, "other", ROOT, "top").map_err(refused)?;
    ask(session, index)?;
    while index.rekey(usize::MAX) {}
    ask(session, index)
}

fn child(index: &Index, parent: InodeId, name: &str) -> InodeId {
    index.namespace().child(parent, name.as_bytes()).unwrap_or(parent)
}

/// Asks old places, new places, and paths through the links, in every mode.
fn ask(session: &Session<'_>, index: &Index) -> Result<(), Failure> {
    let mut paths = Vec::new();
    for top in
        ["top", "moved", "deep/top", "deep/t", "top/s6", "moved/s6", "deep/top/s6", "s5", "/top", "other"]
    {
        for below in [
            "",
            "/",
            "/s1",
            "/s1/f7",
            "/s3/f7",
            "/s5/f1",
            "/s2/back/s3/f49",
            "/s39/f0",
            "/s7new/f2",
            "/s6/f3",
            "/s5/../s4/f4",
            "/f1",
            "/a/f",
            "/none",
            "/s1/none",
            "/s1/f7/none",
        ] {
            paths.push(format!("{top}{below}"));
        }
    }
    for path in ["in", "up", "up/a/f", "into/f1", "into/back/s1/f7", "/", "..", "deep/er"] {
        paths.push(path.to_owned());
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let batch = PathBatch::from_strs(&paths);
    let starts = [ROOT, child(index, ROOT, "deep"), child(index, ROOT, "top"), child(index, ROOT, "moved")];
    for (round, mode) in all_modes().enumerate() {
        let options = mode.start(starts[round % starts.len()]);
        compare(session, index, &options, &batch)?;
    }
    compare(session, index, &Options::default(), &batch)
}

fn compare(
    session: &Session<'_>,
    index: &Index,
    options: &Options,
    batch: &PathBatch<'_>,
) -> Result<(), Failure> {
    let outcomes = session.ask(index, options, batch)?;
    for (path, outcome) in batch.iter().zip(outcomes) {
        let right = reference::resolve(index.namespace(), path, options);
        if outcome != right {
            let state = if index.is_rekeying() { "keys outstanding" } else { "all re-keyed" };
            return Err(Failure::Index(format!(
                "after renames of large directories ({state}), path {:?}, {options:?}: the reference says {right:?}, the engine {outcome:?}",
                String::from_utf8_lossy(path)
            )));
        }
    }
    Ok(())
}
