//! The parents of paths that are missing: three misses in four lack only their last component, or go on behind a file, and need no
//! task of their own.

use crate::block::{Block, Numbers, Query};
use crate::direct;
use crate::isa::{Marks, Vectors};
use crate::probes::{Answer, Piece, Probes, Questions};
use crate::source::Source;
use std::marker::PhantomData;
use warpath_core::{LookupError, OutcomesMut, layout, resolve};

/// Places of paths that are not answered yet.
pub(super) struct Left<const N: usize> {
    /// Those whose parent is a link or missing itself: it comes first in the answers, in this order.
    pub asked: Numbers<N>,
    /// Those whose parent was not asked for.
    pub unasked: Numbers<N>,
}

/// Answers the paths of these numbers whose parent is a directory or can't be one.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn ask<V: Vectors, S: Source, const N: usize>(
    query: &Query<'_>,
    block: &Block<'_, S>,
    numbers: &[usize],
    probes: &mut Probes<N>,
    out: &mut OutcomesMut<'_>,
) -> Left<N> {
    let mut left = Left { asked: Numbers::new(), unasked: Numbers::new() };
    if query.is_walk_only() {
        (0..numbers.len()).for_each(|place| left.unasked.push(place));
        return left;
    }
    let mut parents =
        Parents { query, block, numbers, unasked: &mut left.unasked, vectors: PhantomData::<V> };
    // SAFETY: the instruction set is the caller's duty.
    unsafe { probes.run::<V, _>(query, &mut parents) };
    settle(query, numbers, probes.answers_mut(), &mut left, out);
    left
}

/// Writes the outcomes, or notes that there is none yet. Without a branch on what was found, which is random.
#[inline(always)]
fn settle<const N: usize>(
    query: &Query<'_>,
    numbers: &[usize],
    answers: &mut [Answer; N],
    left: &mut Left<N>,
    out: &mut OutcomesMut<'_>,
) {
    // Their answer is nothing's.
    let mut unasked = left.unasked.as_slice().iter().map(|&place| usize::from(place)).peekable();
    let may_be_partial = query.tables.params.flags & layout::TABLE_HAS_PARTIAL != 0;
    for (place, &number) in numbers.iter().enumerate() {
        let answer = answers[place % N];
        let was_asked = unasked.next_if_eq(&place).is_none();
        let is_directory = answer.kind() == layout::KIND_DIRECTORY;
        let mut error = if is_directory { LookupError::NotFound } else { LookupError::NotADirectory };
        if may_be_partial && is_directory {
            error = resolve::missing(query.tables, answer.inode());
        }
        out.set(number, Err(error));
        let goes_on = answer.is_missing() | (answer.kind() == layout::KIND_SYMLINK);
        answers[left.asked.as_slice().len() % N] = answer;
        left.asked.push_if(was_asked & goes_on, place);
    }
}

/// The parent of each path.
struct Parents<'q, V, S, const N: usize> {
    query: &'q Query<'q>,
    block: &'q Block<'q, S>,
    numbers: &'q [usize],
    unasked: &'q mut Numbers<N>,
    vectors: PhantomData<V>,
}

impl<'q, V: Vectors, S: Source, const N: usize> Questions<'q> for Parents<'q, V, S, N> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.numbers.len()
    }

    #[inline(always)]
    fn piece(&mut self, i: usize) -> Piece<'q> {
        let Some(&number) = self.numbers.get(i) else { return Piece::NOTHING };
        // SAFETY: the CPU has the instruction set: these are asked for by `ask` alone.
        match unsafe { parent_of::<V>(self.query, self.block.path(number)) } {
            Some(piece) => piece,
            None => {
                self.unasked.push(i);
                Piece::NOTHING
            }
        }
    }
}

/// The parent of a path whose whole key was asked for, if a hit of it says why the path is missing.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn parent_of<'p, V: Vectors>(query: &'p Query<'_>, path: &'p [u8]) -> Option<Piece<'p>> {
    let whole = direct::piece_of(query, path)?;
    // Directories deeper than MAX_PATH have states of their own.
    let deepest = layout::MAX_PATH as usize - Marks::MAX;
    if path.len() > Marks::MAX || whole.state().is_some_and(|state| state.length as usize > deepest) {
        return None;
    }
    // SAFETY: the instruction set is the caller's duty; the path is short enough.
    let marks = unsafe { V::marks(path) };
    let slash = marks.slashes.checked_ilog2()? as usize;
    // No parent but the root, a slash at the end, `./` at the beginning.
    if marks.odd | (slash == 0) | (slash + 1 == path.len()) | (path[0] == b'.') {
        return None;
    }
    Piece::new(whole.state(), &path[..slash])
}
