//! One probe for the whole path.

use crate::block::{Block, Misses, Query};
use crate::isa::Vectors;
use crate::probes::{self, Read, Stage};
use crate::source::Source;
use warpath_core::hash::{Key, State};
use warpath_core::layout::Slot;
use warpath_core::{OutcomesMut, layout, resolve};

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
    // SAFETY: the instruction set is the caller's duty.
    unsafe { probes::run::<V, _>(query, &mut Direct { query, block, misses, out }) };
}

/// Answers a few paths, one after the other: the direct probe, then the scalar walk.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn few<V: Vectors, S: Source>(
    query: &Query<'_>,
    block: &Block<S>,
    mut out: OutcomesMut<'_>,
) {
    for i in 0..block.len {
        let path = block.path(i);
        let slot = match state_before(query, path) {
            // SAFETY: the instruction set is the caller's duty.
            Some(state) if !query.is_walk_only() => unsafe { find::<V>(query, state, path) },
            _ => None,
        };
        let outcome = match slot {
            Some(slot) => resolve::final_entry(query.tables, query.plan, slot, 0),
            None => resolve::walk(query.tables, query.plan, path),
        };
        out.set(i, outcome);
    }
}

/// The slot of a path's whole key, read at once.
#[inline(always)]
unsafe fn find<'q, V: Vectors>(query: &Query<'q>, state: &State, path: &[u8]) -> Option<&'q Slot> {
    // SAFETY: the instruction set is the caller's duty.
    let key = unsafe { query.ask::<V>(state, path) };
    let mut line = query.home_line(&key);
    for _ in 0..query.tables.params.probe_limit {
        // SAFETY: as above.
        match unsafe { query.read::<V>(line, &key) } {
            Read::Is(slot) => return Some(slot),
            Read::Missing => return None,
            Read::Next(next) => line = next,
        }
    }
    None
}

struct Direct<'q, 'o, S> {
    query: &'q Query<'q>,
    block: &'q Block<S>,
    misses: &'q mut Misses,
    out: &'q mut OutcomesMut<'o>,
}

impl<V: Vectors, S: Source> Stage<V> for Direct<'_, '_, S> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.block.len
    }

    #[inline(always)]
    unsafe fn ask(&mut self, i: usize) -> Option<(Key, u16)> {
        let path = self.block.path(i);
        let state = state_before(self.query, path)?;
        // SAFETY: the instruction set is the caller's duty.
        Some((unsafe { self.query.ask::<V>(state, path) }, 0))
    }

    #[inline(always)]
    fn answer(&mut self, i: usize, _note: u16, slot: Option<&Slot>) {
        match slot {
            Some(slot) if slot.kind() != layout::KIND_SYMLINK => {
                self.out.inodes[i] = slot.inode;
                self.out.statuses[i] = 0;
            }
            Some(slot) => {
                self.out.set(i, resolve::final_entry(self.query.tables, self.query.plan, slot, 0));
            }
            None => self.misses.push(i),
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
