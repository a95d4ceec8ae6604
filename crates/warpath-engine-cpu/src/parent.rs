//! One more probe for what the direct one missed: the path's directory. If it is there, only the last component is missing,
//! which is what most misses are.

use crate::block::{Block, Misses, Query};
use crate::direct::{AHEAD, state_before};
use crate::isa::Vectors;
use crate::source::Source;
use crate::walk::is_plain;
use warpath_core::hash::Key;
use warpath_core::{LookupError, OutcomesMut, layout, resolve};

/// A path whose directory is asked for.
#[derive(Clone, Copy)]
struct Asked {
    number: usize,
    /// The directory's key and the length of the last component, unless the path has to be walked.
    directory: Option<(Key, usize)>,
}

/// Answers the misses whose directory exists; the others stay misses.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<V: Vectors, S: Source>(
    query: &Query<'_>,
    block: &Block<S>,
    misses: &mut Misses,
    out: &mut OutcomesMut<'_>,
) {
    let n_missed = misses.numbers().len();
    let mut ring = [None; AHEAD];
    // Entries are read before they are overwritten: a path is put back only after its place has been passed.
    let mut n_left = 0;
    for step in 0..n_missed + AHEAD {
        let place: &mut Option<Asked> = &mut ring[step % AHEAD];
        if let Some(asked) = place.take() {
            // SAFETY: the instruction set is the caller's duty.
            match unsafe { outcome::<V>(query, &asked) } {
                Some(error) => out.set(asked.number, Err(error)),
                None => {
                    misses.put(n_left, asked.number);
                    n_left += 1;
                }
            }
        }
        if let Some(number) = misses.number(step) {
            // SAFETY: as above.
            *place = Some(Asked { number, directory: unsafe { ask::<V>(query, block.path(number)) } });
        }
    }
    misses.truncate(n_left);
}

/// Asks for the directory of a path that is plain as written.
#[inline(always)]
unsafe fn ask<V: Vectors>(query: &Query<'_>, path: &[u8]) -> Option<(Key, usize)> {
    let state = state_before(query, path)?;
    // SAFETY: the instruction set is the caller's duty.
    unsafe {
        let slash = V::last_slash(path)?;
        let n_name = path.len() - slash - 1;
        // A directory deeper than MAX_PATH has a state of its own, so what is below it is not found by the path's hash.
        let deep = state.length as usize + slash > layout::MAX_PATH as usize;
        if slash == 0 || n_name == 0 || deep || !is_plain::<V>(path) {
            return None;
        }
        Some((query.ask::<V>(state, &path[..slash]), n_name))
    }
}

/// How the path ends, if its directory is there.
#[inline(always)]
unsafe fn outcome<V: Vectors>(query: &Query<'_>, asked: &Asked) -> Option<LookupError> {
    let (key, n_name) = asked.directory?;
    // SAFETY: the instruction set is the caller's duty.
    let slot = unsafe { query.find::<V>(&key) }?;
    if slot.kind() != layout::KIND_DIRECTORY {
        return None;
    }
    if n_name > layout::MAX_NAME as usize {
        return Some(LookupError::NameTooLong);
    }
    Some(resolve::missing(query.tables, slot.inode))
}
