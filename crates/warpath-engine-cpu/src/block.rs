//! A run of paths on one thread: direct for all, then the walk for what is left.

use crate::isa::Vectors;
use crate::source::Source;
use crate::{direct, hash, parent, walk};
use warpath_core::hash::{Key, State};
use warpath_core::index::{Plan, TablesView};
use warpath_core::layout::{self, Slot};
use warpath_core::probe::home_pair;
use warpath_core::{OutcomesMut, resolve};

/// Paths of a block: their misses are collected on the stack before they are walked.
pub(crate) const BLOCK_PATHS: usize = 1024;

/// Batches of so few paths are resolved one after the other: to set up a block takes longer.
const FEW_PATHS: usize = 4;

/// What a block is resolved against.
pub(crate) struct Query<'a> {
    pub tables: &'a TablesView<'a>,
    pub plan: &'a Plan,
    /// The slots by lines of four.
    pub lines: &'a [[Slot; 4]],
    /// The state at the start directory and a slash: where relative paths continue.
    pub start: Option<State>,
}

impl<'a> Query<'a> {
    pub fn new(tables: &'a TablesView<'a>, plan: &'a Plan) -> Query<'a> {
        let start = resolve::dir_record(tables, plan.start).map(|record| {
            let mut state = State::of(record);
            state.push(tables.key, b"/");
            state
        });
        Query { tables, plan, lines: tables.slots.as_chunks().0, start }
    }

    /// Whether the tables or the plan forbid the direct probe.
    pub fn is_walk_only(&self) -> bool {
        self.is_strict() || self.plan.flags & layout::QUERY_WALK_ONLY != 0
    }

    /// Whether directories may hold states that are not their canonical paths'.
    pub fn is_strict(&self) -> bool {
        self.tables.params.flags & layout::TABLE_STRICT != 0
    }

    /// The key of `state` continued by `bytes`; its line is asked for.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn ask<V: Vectors>(&self, state: &State, bytes: &[u8]) -> Key {
        // SAFETY: the instruction set is the caller's duty.
        let key = unsafe { hash::key_of::<V>(self.tables.key, state, bytes) };
        if let Some(line) = self.lines.get(self.home_line(&key)) {
            V::prefetch(line.as_ptr());
        }
        key
    }

    /// The line where a key belongs.
    #[inline(always)]
    pub fn home_line(&self, key: &Key) -> usize {
        home_pair(key.words[0], self.tables.params.n_pairs) as usize / 2
    }
}

/// The paths of a block that the direct probe did not answer.
pub(crate) struct Misses {
    numbers: [u16; BLOCK_PATHS],
    len: usize,
}

impl Misses {
    fn new() -> Misses {
        Misses { numbers: [0; BLOCK_PATHS], len: 0 }
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    #[inline(always)]
    pub fn push(&mut self, number: usize) {
        if let Some(place) = self.numbers.get_mut(self.len) {
            *place = number as u16;
            self.len += 1;
        }
    }

    /// The path of this place in the list.
    #[inline(always)]
    pub fn number(&self, at: usize) -> Option<usize> {
        self.numbers().get(at).map(|&number| usize::from(number))
    }

    pub fn numbers(&self) -> &[u16] {
        &self.numbers[..self.len]
    }
}

/// Resolves every path of the source.
#[inline(always)]
pub(crate) fn run<V: Vectors, S: Source>(
    tables: &TablesView<'_>,
    plan: &Plan,
    source: S,
    out: OutcomesMut<'_>,
) {
    let query = Query::new(tables, plan);
    if source.len() <= FEW_PATHS {
        let block = Block { source, first: 0, len: source.len() };
        // SAFETY: the caller runs on a CPU with `V`'s instruction set.
        unsafe { direct::few::<V, S>(&query, &block, out) };
        return;
    }
    let (mut direct_misses, mut misses) = (Misses::new(), Misses::new());
    let mut first = 0;
    let columns = out.inodes.chunks_mut(BLOCK_PATHS).zip(out.statuses.chunks_mut(BLOCK_PATHS));
    for (inodes, statuses) in columns {
        let mut out = OutcomesMut { inodes, statuses };
        let block = Block { source, first, len: out.len() };
        direct_misses.clear();
        misses.clear();
        if query.is_walk_only() {
            (0..block.len).for_each(|number| misses.push(number));
        } else {
            // SAFETY: the caller runs on a CPU with `V`'s instruction set.
            unsafe {
                direct::run::<V, S>(&query, &block, &mut direct_misses, &mut out);
                parent::run::<V, S>(&query, &block, &direct_misses, &mut misses, &mut out);
            }
        }
        if misses.len > 0 {
            // SAFETY: as above.
            unsafe { walk::run::<V, S>(&query, &block, misses.numbers(), &mut out) };
        }
        first += block.len;
    }
}

/// Some of a source's paths.
pub(crate) struct Block<S> {
    source: S,
    first: usize,
    pub len: usize,
}

impl<S: Source> Block<S> {
    /// Path `number` of the block.
    #[inline(always)]
    pub fn path(&self, number: usize) -> &[u8] {
        let i = self.first + number;
        if number >= self.len || i >= self.source.len() {
            return &[];
        }
        // SAFETY: the number was compared with the length just now.
        unsafe { self.source.path(i) }
    }
}
