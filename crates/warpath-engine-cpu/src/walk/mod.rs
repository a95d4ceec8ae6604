//! The exact answer for what the direct probe missed: a search over the prefixes of each path, many paths in step.
//!
//! What exists is a prefix: when a prefix of a path is an entry's canonical path, so are all shorter ones, and they are directories.
//! So the longest prefix that exists is found by bisection: first the whole path's parent, then halves. Most misses lack only their last
//! component, so parents are asked for, and most outcomes written, before a task is made of what is left (`parents`). If the prefix is a directory, the component behind it is missing; if it is a symbolic link, the walk jumps
//! to where that leads (`links` reads it ahead) and goes on with the rest. Each round asks one prefix of every path that is underway; then the paths are sorted
//! by what was found, so that each kind is dealt with in a loop of its own, without branches that nobody can predict.
//!
//! Paths with `.`, `..`, `//` or NUL, and tables with a rename that is not re-keyed, are left to [`resolve::walk`].

mod links;
mod parents;
mod task;

use crate::block::{Block, Numbers, Query};
use crate::isa::Vectors;
use crate::probes::{Answer, Piece, Probes, Questions};
use crate::source::Source;
use links::Links;
use task::{Begun, Task};
use warpath_core::{OutcomesMut, layout, resolve};

/// The paths that are walked, as many at once as a block has, and which of them are underway.
pub(crate) struct Tasks<'p, const N: usize> {
    tasks: [Task<'p>; N],
    underway: Numbers<N>,
    /// Those that go on to the next round.
    next: Numbers<N>,
    found: ByKind<N>,
}

impl<'p, const N: usize> Tasks<'p, N> {
    pub fn new() -> Tasks<'p, N> {
        Tasks {
            tasks: [const { Task::IDLE }; N],
            underway: Numbers::new(),
            next: Numbers::new(),
            found: ByKind { places: [[0; N]; N_FOUND], lens: [0; N_FOUND] },
        }
    }
}

/// Answers the paths of these numbers.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<'p, V: Vectors, S: Source, const N: usize>(
    query: &Query<'_>,
    block: &Block<'p, S>,
    numbers: &[usize],
    tasks: &mut Tasks<'p, N>,
    probes: &mut Probes<N>,
    out: &mut OutcomesMut<'_>,
) {
    for numbers in numbers.chunks(N) {
        // SAFETY: the instruction set is the caller's duty.
        let left = unsafe { parents::ask::<V, S, N>(query, block, numbers, probes, out) };
        tasks.underway.clear();
        // SAFETY: as above.
        unsafe { tasks.begin::<V, S>(query, block, numbers, left.asked.as_slice(), 0, out) };
        // Each has asked for its parent, and the answers are there; if one has not, they all ask again.
        let n_asked = left.asked.as_slice().len();
        if tasks.underway.as_slice().len() == n_asked {
            // SAFETY: as above.
            unsafe { tasks.advance::<V>(query, probes.answers(), out) };
        }
        // SAFETY: as above.
        unsafe { tasks.begin::<V, S>(query, block, numbers, left.unasked.as_slice(), n_asked, out) };
        while !tasks.underway.as_slice().is_empty() {
            let mut prefixes = Prefixes { tasks: &tasks.tasks, underway: tasks.underway.as_slice() };
            // SAFETY: as above.
            unsafe {
                probes.run::<V, _>(query, &mut prefixes);
                tasks.advance::<V>(query, probes.answers(), out);
            }
        }
    }
}

impl<'p, const N: usize> Tasks<'p, N> {
    /// Begins the walk of the paths at these places in `numbers`, with tasks from `first` on; answers those that need none.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn begin<V: Vectors, S: Source>(
        &mut self,
        query: &Query<'_>,
        block: &Block<'p, S>,
        numbers: &[usize],
        places: &[u16],
        first: usize,
        out: &mut OutcomesMut<'_>,
    ) {
        for (&place, task) in places.iter().zip(first..) {
            let number = numbers[usize::from(place) % N];
            // SAFETY: the instruction set is the caller's duty.
            let begun = unsafe { self.tasks[task % N].begin::<V, S>(query, block, number) };
            match begun {
                Begun::Underway => self.underway.push(task),
                Begun::Answered(outcome) => out.set(number, outcome),
                Begun::Odd => {
                    let path = block.path(number);
                    out.set(number, resolve::walk(query.tables, query.plan, path));
                }
            }
        }
    }

    /// Takes in the answers of a round: writes the outcomes of paths that are through; the others choose their next prefix.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn advance<V: Vectors>(
        &mut self,
        query: &Query<'_>,
        answers: &[Answer; N],
        out: &mut OutcomesMut<'_>,
    ) {
        let Tasks { tasks, underway, next, found } = self;
        next.clear();
        found.sort(&answers[..underway.as_slice().len()]);
        let links = Links { query, answers: &answers[..], places: found.of(LINK) };
        // SAFETY: the instruction set is the caller's duty.
        unsafe { V::run_apart(links) };
        for kind in [MISSING, DIRECTORY, LINK, FILE] {
            for &place in found.of(kind) {
                let Some(&number) = underway.as_slice().get(usize::from(place)) else { continue };
                let task = &mut tasks[usize::from(number) % N];
                let answer = answers[usize::from(place) % N];
                let ended = match kind {
                    MISSING => task.miss(query),
                    DIRECTORY => task.enter(query, answer),
                    LINK => task.follow(query, answer),
                    _ => Some(task.end_at(query, answer)),
                };
                match ended {
                    Some(outcome) => out.set(task.number, outcome),
                    None => next.push(usize::from(number)),
                }
            }
        }
        std::mem::swap(underway, next);
    }
}

/// What every path underway asks next.
struct Prefixes<'q, 'p, const N: usize> {
    tasks: &'q [Task<'p>; N],
    underway: &'q [u16],
}

impl<'q, const N: usize> Questions<'q> for Prefixes<'q, '_, N> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.underway.len()
    }

    #[inline(always)]
    fn piece(&mut self, i: usize) -> Piece<'q> {
        let Some(&number) = self.underway.get(i) else { return Piece::NOTHING };
        let task = &self.tasks[usize::from(number) % N];
        task.piece()
    }
}

const MISSING: usize = 0;
const DIRECTORY: usize = 1;
const LINK: usize = 2;
/// A file, or anything else that is no directory.
const FILE: usize = 3;
const N_FOUND: usize = 4;

/// Answers sorted by what was found.
struct ByKind<const N: usize> {
    /// Places in the list of answers.
    places: [[u16; N]; N_FOUND],
    lens: [usize; N_FOUND],
}

impl<const N: usize> ByKind<N> {
    /// Sorts at most `N` answers, without a branch.
    #[inline(always)]
    fn sort(&mut self, answers: &[Answer]) {
        self.lens = [0; N_FOUND];
        for (place, answer) in answers.iter().enumerate() {
            let found = match answer.kind() {
                layout::KIND_DIRECTORY => DIRECTORY,
                layout::KIND_SYMLINK => LINK,
                _ => FILE,
            };
            let found = if answer.is_missing() { MISSING } else { found };
            let len = &mut self.lens[found];
            self.places[found][*len % N] = place as u16;
            *len += 1;
        }
    }

    #[inline(always)]
    fn of(&self, found: usize) -> &[u16] {
        &self.places[found][..self.lens[found].min(N)]
    }
}
