//! What every engine computes for a path, as plain scalar code: the twin of the GPU kernels of the same stages.
//!
//! [`direct`] is one probe for the whole path. What it can't answer, [`walk`] does: a probe a component, a jump at a
//! symbolic link (whose outcome was worked out when the index was made) and at `..`.
//!
//! Tables may come from a file that nobody verified, so nothing here trusts an id: a lookup outside an array is an
//! answer, and every loop is bounded by the path's length or by `probe_limit`.

use crate::hash::State;
use crate::index::{Plan, TablesView};
use crate::layout::{self, DirRecord, LinkRecord, Slot};
use crate::probe::probe;
use crate::{InodeId, LookupError, Outcome, ROOT};

const MAX_NAME: usize = layout::MAX_NAME as usize;
const MAX_PATH: usize = layout::MAX_PATH as usize;

/// Answers one path: by the direct probe where it may, else by the walk.
pub fn resolve(tables: &TablesView<'_>, plan: &Plan, path: &[u8]) -> Outcome {
    match direct(tables, plan, path) {
        Some(outcome) => outcome,
        None => walk(tables, plan, path),
    }
}

/// Answers a path by one probe of its whole key, or says nothing.
///
/// A hit means that the path's bytes are an entry's canonical path (up to the collision bound), with one exception that
/// is checked for: a NUL at the end looks like the padding.
#[inline]
pub fn direct(tables: &TablesView<'_>, plan: &Plan, path: &[u8]) -> Option<Outcome> {
    let strict = tables.params.flags & layout::TABLE_STRICT != 0;
    if strict || plan.flags & layout::QUERY_WALK_ONLY != 0 || path.len() > MAX_PATH {
        return None;
    }
    let (&first, &last) = (path.first()?, path.last()?);
    if last == 0 || (first == b'/' && plan.flags & layout::QUERY_BENEATH != 0) {
        return None;
    }
    let mut state = State::EMPTY;
    if first != b'/' {
        state = State::of(dir_record(tables, plan.start)?);
        state.push(tables.key, b"/");
    }
    state.push(tables.key, path);
    let slot = probe(tables.slots, &tables.params, &state.finish(tables.key))?;
    Some(final_entry(tables, plan, slot, 0))
}

/// The outcome of a path that ends at this entry, with no slash behind it, after following `links` links.
#[inline]
pub fn final_entry(tables: &TablesView<'_>, plan: &Plan, slot: &Slot, mut links: u32) -> Outcome {
    if slot.kind() != layout::KIND_SYMLINK {
        return Ok(slot.inode);
    }
    if plan.flags & layout::QUERY_NO_FOLLOW != 0 {
        return Ok(own_inode(tables, slot));
    }
    follow(tables, plan, slot, &mut links).map(|link| link.inode)
}

/// The inode of a symbolic link that is not followed.
#[inline]
fn own_inode(tables: &TablesView<'_>, slot: &Slot) -> InodeId {
    if tables.params.flags & layout::TABLE_HAS_ALIASES == 0 {
        return slot.inode;
    }
    link_record(tables, None, slot.inode).map_or(slot.inode, |link| link.own)
}

/// Follows a symbolic link: counts its links and returns its record when it leads to an inode.
#[inline]
pub fn follow<'a>(
    tables: &TablesView<'a>,
    plan: &'a Plan,
    slot: &Slot,
    links: &mut u32,
) -> Result<&'a LinkRecord, LookupError> {
    if plan.flags & layout::QUERY_NO_SYMLINKS != 0 {
        return Err(LookupError::TooManyLinks);
    }
    let link = link_record(tables, Some(plan), slot.inode).ok_or(LookupError::NotIndexed)?;
    *links += link.links();
    if *links > layout::MAX_LINKS {
        return Err(LookupError::TooManyLinks);
    }
    match LookupError::from_code(link.status() as u8) {
        Some(error) => Err(error),
        None => Ok(link),
    }
}

/// Answers a path a component at a time, exactly as the kernel would.
pub fn walk(tables: &TablesView<'_>, plan: &Plan, path: &[u8]) -> Outcome {
    let beneath = plan.flags & layout::QUERY_BENEATH != 0;
    if path.contains(&0) {
        return Err(LookupError::Invalid);
    }
    if path.len() > MAX_PATH {
        return Err(LookupError::NameTooLong);
    }
    let absolute = match path.first() {
        None => return Err(LookupError::NotFound),
        Some(&first) => first == b'/',
    };
    if absolute && beneath {
        return Err(LookupError::LeavesRoot);
    }
    walk_from(tables, plan, if absolute { ROOT } else { plan.start }, path, false, 0)
}

/// Walks on from a directory, after `links` links. The path has no NUL; `wants_directory` stands for a slash at its end.
pub fn walk_from(
    tables: &TablesView<'_>,
    plan: &Plan,
    mut directory: InodeId,
    path: &[u8],
    wants_directory: bool,
    mut links: u32,
) -> Outcome {
    let beneath = plan.flags & layout::QUERY_BENEATH != 0;
    let strict = tables.params.flags & layout::TABLE_STRICT != 0;
    let top = if beneath { plan.start } else { ROOT };
    let mut state = state_of(tables, directory)?;
    let mut at = 0;
    loop {
        while path.get(at) == Some(&b'/') {
            at += 1;
        }
        if at == path.len() {
            return Ok(directory);
        }
        let end = path[at..].iter().position(|&byte| byte == b'/').map_or(path.len(), |n| at + n);
        let component = &path[at..end];
        at = end;
        match component {
            b"." => continue,
            b".." if directory == top && beneath => return Err(LookupError::LeavesRoot),
            b".." if directory == top => continue,
            b".." => {
                directory = dir_record(tables, directory).ok_or(LookupError::NotADirectory)?.parent;
                state = state_of(tables, directory)?;
                continue;
            }
            _ if component.len() > MAX_NAME => return Err(LookupError::NameTooLong),
            _ => {}
        }
        state = state.child(tables.key, component);
        let Some(slot) = probe(tables.slots, &tables.params, &state.finish(tables.key)) else {
            return Err(missing(tables, directory));
        };
        let last = at == path.len() && !wants_directory;
        match slot.kind() {
            layout::KIND_DIRECTORY => {
                directory = slot.inode;
                if strict || state.length > layout::MAX_PATH {
                    state = state_of(tables, directory)?;
                }
            }
            _ if last => return final_entry(tables, plan, slot, links),
            layout::KIND_SYMLINK => {
                let link = follow(tables, plan, slot, &mut links)?;
                if link.kind() != layout::KIND_DIRECTORY {
                    return Err(LookupError::NotADirectory);
                }
                directory = link.inode;
                state = state_of(tables, directory)?;
            }
            _ => return Err(LookupError::NotADirectory),
        }
    }
}

/// What it means that `directory` has no such entry.
pub fn missing(tables: &TablesView<'_>, directory: InodeId) -> LookupError {
    let partial = tables.params.flags & layout::TABLE_HAS_PARTIAL != 0
        && dir_record(tables, directory).is_some_and(|record| record.flags & layout::DIR_PARTIAL != 0);
    if partial { LookupError::NotIndexed } else { LookupError::NotFound }
}

/// The state from which the keys of a directory's entries continue.
#[inline]
fn state_of(tables: &TablesView<'_>, directory: InodeId) -> Result<State, LookupError> {
    dir_record(tables, directory).map(State::of).ok_or(LookupError::NotADirectory)
}

/// The record of a directory; `None` for what is none.
#[inline]
pub fn dir_record<'a>(tables: &TablesView<'a>, inode: InodeId) -> Option<&'a DirRecord> {
    let block = tables.blocks.get((inode / layout::BLOCK_INODES) as usize)?;
    tables.dirs.get(block.dir_index(inode % layout::BLOCK_INODES)? as usize)
}

/// The record of a symbolic link, as the plan sees it; `None` for what is no link.
#[inline]
pub fn link_record<'a>(
    tables: &TablesView<'a>,
    plan: Option<&'a Plan>,
    inode: InodeId,
) -> Option<&'a LinkRecord> {
    let block = tables.blocks.get((inode / layout::BLOCK_INODES) as usize)?;
    let number = block.link_index(inode % layout::BLOCK_INODES)? as usize;
    match plan.and_then(|plan| plan.links.as_deref()) {
        Some(beneath) => beneath.records.get(number),
        None => tables.links.get(number),
    }
}
