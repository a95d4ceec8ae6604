//! One probe for the whole path, many paths on the way at once.

use crate::block::{Block, Misses, Query};
use crate::isa::Vectors;
use crate::source::Source;
use warpath_core::hash::{Key, State};
use warpath_core::{OutcomesMut, layout, resolve};

/// Paths between a path's hash and its probe: long enough for its line to come from memory.
pub(crate) const AHEAD: usize = 32;

/// Answers the paths that are canonical as written; notes the others.
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
    let mut keys = [None; AHEAD];
    for step in 0..block.len + AHEAD {
        let place = &mut keys[step % AHEAD];
        if step >= AHEAD {
            let number = step - AHEAD;
            // SAFETY: the instruction set is the caller's duty.
            match place.and_then(|key: Key| unsafe { query.find::<V>(&key) }) {
                Some(slot) if slot.kind() != layout::KIND_SYMLINK => {
                    out.inodes[number] = slot.inode;
                    out.statuses[number] = 0;
                }
                Some(slot) => out.set(number, resolve::final_entry(query.tables, query.plan, slot, 0)),
                None => misses.push(number),
            }
        }
        if step < block.len {
            let path = block.path(step);
            // SAFETY: as above.
            *place = state_before(query, path).map(|state| unsafe { query.ask::<V>(state, path) });
        }
    }
}

/// What the path continues, if a hit of its whole key may be its answer: see [`resolve::direct`].
#[inline(always)]
pub(crate) fn state_before<'q>(query: &'q Query<'_>, path: &[u8]) -> Option<&'q State> {
    let (&first, &last) = (path.first()?, path.last()?);
    if last == 0 || path.len() > layout::MAX_PATH as usize {
        return None;
    }
    match first {
        b'/' if query.plan.flags & layout::QUERY_BENEATH != 0 => None,
        b'/' => Some(&State::EMPTY),
        _ => query.start.as_ref(),
    }
}
