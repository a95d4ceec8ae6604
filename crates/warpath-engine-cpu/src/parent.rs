//! One more probe for what the direct one missed: the path's directory. If it is there, only the last component is missing,
//! which is what most misses are.

use crate::block::{Block, Misses, Query};
use crate::direct::state_before;
use crate::isa::Vectors;
use crate::probes::{self, Stage};
use crate::source::Source;
use crate::walk::is_plain;
use warpath_core::hash::Key;
use warpath_core::layout::Slot;
use warpath_core::{LookupError, OutcomesMut, layout, resolve};

/// Answers the misses whose directory exists; the others are left.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<V: Vectors, S: Source>(
    query: &Query<'_>,
    block: &Block<S>,
    misses: &Misses,
    left: &mut Misses,
    out: &mut OutcomesMut<'_>,
) {
    // SAFETY: the instruction set is the caller's duty.
    unsafe { probes::run::<V, _>(query, &mut Parent { query, block, misses, left, out }) };
}

struct Parent<'q, 'o, S> {
    query: &'q Query<'q>,
    block: &'q Block<S>,
    misses: &'q Misses,
    left: &'q mut Misses,
    out: &'q mut OutcomesMut<'o>,
}

impl<V: Vectors, S: Source> Stage<V> for Parent<'_, '_, S> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.misses.numbers().len()
    }

    /// Asks for the directory of a path that is plain as written. The note is the length of the last component.
    #[inline(always)]
    unsafe fn ask(&mut self, i: usize) -> Option<(Key, u16)> {
        let path = self.block.path(self.misses.number(i)?);
        let state = state_before(self.query, path)?;
        // SAFETY: the instruction set is the caller's duty.
        unsafe {
            let slash = V::last_slash(path)?;
            let n_name = path.len() - slash - 1;
            // A directory deeper than MAX_PATH has a state of its own, so what is below it is not found by the path's hash.
            let deep = state.length as usize + slash > layout::MAX_PATH as usize;
            if slash == 0 || n_name == 0 || deep || !is_plain::<V>(path) {
                return None;
            }
            Some((self.query.ask::<V>(state, &path[..slash]), n_name as u16))
        }
    }

    #[inline(always)]
    fn answer(&mut self, i: usize, n_name: u16, slot: Option<&Slot>) {
        let Some(number) = self.misses.number(i) else { return };
        match slot {
            Some(slot) if slot.kind() == layout::KIND_DIRECTORY => {
                let error = if u32::from(n_name) > layout::MAX_NAME {
                    LookupError::NameTooLong
                } else {
                    resolve::missing(self.query.tables, slot.inode)
                };
                self.out.set(number, Err(error));
            }
            _ => self.left.push(number),
        }
    }
}
