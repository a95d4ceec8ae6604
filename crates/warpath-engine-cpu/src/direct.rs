//! One probe for the whole path.

use crate::block::{Block, Misses, Numbers, Query};
use crate::isa::Vectors;
use crate::probes::{Answer, GROUP, Piece, Probes, Questions};
use crate::source::Source;
use std::marker::PhantomData;
use warpath_core::{OutcomesMut, layout, resolve};

/// Paths whose text is asked for before it is hashed.
const TEXT_AHEAD: usize = 32;

/// Answers the paths that are canonical as written; notes the others.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<V: Vectors, S: Source, const N: usize>(
    query: &Query<'_>,
    block: &Block<'_, S>,
    probes: &mut Probes<N>,
    misses: &mut Misses<N>,
    out: &mut OutcomesMut<'_>,
) {
    let mut questions = Whole { query, block, unasked: Numbers::<N>::new(), vectors: PhantomData::<V> };
    // SAFETY: the instruction set is the caller's duty.
    unsafe { probes.run::<V, _>(query, &mut questions) };
    for &number in questions.unasked.as_slice() {
        probes.forget(number);
    }
    let range = block.first..block.first + block.len;
    let out = OutcomesMut { inodes: &mut out.inodes[range.clone()], statuses: &mut out.statuses[range] };
    settle(query, probes.answers(), block.first, misses, out);
}

/// Writes the outcomes of all answers, whatever they are; then follows links, and notes what is missing.
#[inline(always)]
fn settle<const N: usize>(
    query: &Query<'_>,
    answers: &[Answer; N],
    first: usize,
    misses: &mut Misses<N>,
    mut out: OutcomesMut<'_>,
) {
    out.statuses.fill(0);
    for (inode, answer) in out.inodes.iter_mut().zip(answers) {
        *inode = answer.inode();
    }
    let mut links = Numbers::<N>::new();
    let n = out.len();
    for (group, answers) in answers[..n].chunks(GROUP).enumerate() {
        let is_plain = |answer: &Answer| !answer.is_missing() & (answer.kind() != layout::KIND_SYMLINK);
        if answers.iter().fold(true, |all, answer| all & is_plain(answer)) {
            continue;
        }
        for (i, answer) in answers.iter().enumerate() {
            let number = group * GROUP + i;
            let missing = answer.is_missing();
            misses.push_if(missing, first + number);
            links.push_if(!missing & (answer.kind() == layout::KIND_SYMLINK), number);
        }
    }
    for &number in links.as_slice() {
        let number = usize::from(number);
        let slot = answers[number % N].slot();
        out.set(number, resolve::final_entry(query.tables, query.plan, &slot, 0));
    }
}

/// Answers a few paths, one after the other: the direct probe, then the scalar walk.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn few<V: Vectors, S: Source>(
    query: &Query<'_>,
    block: &Block<'_, S>,
    mut out: OutcomesMut<'_>,
) {
    for i in 0..block.len {
        let path = block.path(i);
        let answer = match piece_of(query, path) {
            // SAFETY: the instruction set is the caller's duty.
            Some(piece) if !query.is_walk_only() => unsafe { find::<V>(query, &piece) },
            _ => Answer::MISSING,
        };
        let outcome = if answer.is_missing() {
            resolve::walk(query.tables, query.plan, path)
        } else {
            resolve::final_entry(query.tables, query.plan, &answer.slot(), 0)
        };
        out.set(i, outcome);
    }
}

/// What a piece leads to, read at once.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn find<V: Vectors>(query: &Query<'_>, piece: &Piece<'_>) -> Answer {
    // SAFETY: the instruction set is the caller's duty.
    let asked = unsafe { query.ask::<V>(piece) };
    let mut line = asked.line;
    for _ in 0..query.tables.params.probe_limit {
        // SAFETY: as above.
        let (found, answer) = unsafe { query.find_in::<V>(line, &asked) };
        if found {
            return answer;
        }
        if query.has_room(line) {
            break;
        }
        line = query.next_line(line);
    }
    Answer::MISSING
}

/// The whole paths of a block.
struct Whole<'q, V, S, const N: usize> {
    query: &'q Query<'q>,
    block: &'q Block<'q, S>,
    /// Paths whose whole key may not answer them.
    unasked: Numbers<N>,
    vectors: PhantomData<V>,
}

impl<'q, V: Vectors, S: Source, const N: usize> Questions<'q> for Whole<'q, V, S, N> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.block.len
    }

    #[inline(always)]
    fn piece(&mut self, i: usize) -> Piece<'q> {
        if i >= self.block.len {
            return Piece::NOTHING;
        }
        // Text that streams from memory: the processor does not look beyond a page by itself.
        V::prefetch(self.block.text(i + TEXT_AHEAD));
        match piece_of(self.query, self.block.path(i)) {
            Some(piece) => piece,
            None => {
                self.unasked.push(i);
                Piece::NOTHING
            }
        }
    }
}

/// The whole path as a piece, if a hit may be its answer: see [`resolve::direct`].
#[inline(always)]
pub(crate) fn piece_of<'p>(query: &'p Query<'_>, path: &'p [u8]) -> Option<Piece<'p>> {
    let (&first, &last) = (path.first()?, path.last()?);
    if last == 0 {
        return None;
    }
    match first {
        b'/' if query.plan.flags & layout::QUERY_BENEATH != 0 => None,
        b'/' => Piece::new(None, path),
        _ => Piece::new(Some(query.start()?), path),
    }
}
