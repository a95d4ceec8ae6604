//! A run of paths on one thread: direct for all, then the walk for what is left.

use crate::direct;
use crate::isa::{Job, Vectors};
use crate::probes::Probes;
use crate::source::Source;
use crate::walk::{self, Tasks};
use std::cell::OnceCell;
use warpath_core::hash::State;
use warpath_core::index::{Plan, TablesView};
use warpath_core::layout::{self, Slot};
use warpath_core::{OutcomesMut, resolve};

/// Paths of a block. What is known of them lies on the stack, and has to be made before the first of them is hashed.
pub(crate) const BLOCK: usize = 512;

/// Paths of a block of a small batch.
pub(crate) const SMALL_BLOCK: usize = 64;

/// Paths of the largest small batch.
pub(crate) const SMALL_BATCH: usize = 4 * SMALL_BLOCK;

/// Batches of so few paths are resolved one after the other: to hash a group takes longer.
pub(crate) const FEW_PATHS: usize = 4;

/// What a block is resolved against.
pub(crate) struct Query<'a> {
    pub tables: &'a TablesView<'a>,
    pub plan: &'a Plan,
    /// The slots by lines of four.
    pub lines: &'a [[Slot; 4]],
    /// What [`Query::start`] gives, once it was asked for.
    start: OnceCell<Option<State>>,
}

impl<'a> Query<'a> {
    pub fn new(tables: &'a TablesView<'a>, plan: &'a Plan) -> Query<'a> {
        Query { tables, plan, lines: tables.slots.as_chunks().0, start: OnceCell::new() }
    }

    /// The state at the start directory and a slash: where relative paths continue.
    #[inline(always)]
    pub fn start(&self) -> Option<&State> {
        self.start.get_or_init(|| start_of(self.tables, self.plan)).as_ref()
    }

    /// Whether the tables or the plan forbid the direct probe.
    pub fn is_walk_only(&self) -> bool {
        self.is_strict() || self.plan.flags & layout::QUERY_WALK_ONLY != 0
    }

    /// Whether directories may hold states that are not their canonical paths'.
    pub fn is_strict(&self) -> bool {
        self.tables.params.flags & layout::TABLE_STRICT != 0
    }
}

#[cold]
fn start_of(tables: &TablesView<'_>, plan: &Plan) -> Option<State> {
    let mut state = State::of(resolve::dir_record(tables, plan.start)?);
    state.push(tables.key, b"/");
    Some(state)
}

/// Numbers of a batch's paths that the direct probe did not answer: those that a block brings, and fewer than a block's that were
/// left over.
pub(crate) struct Misses<const N: usize> {
    numbers: [[usize; N]; 2],
    len: usize,
}

impl<const N: usize> Misses<N> {
    fn new() -> Misses<N> {
        Misses { numbers: [[0; N]; 2], len: 0 }
    }

    /// Whether the walk is to begin, whatever blocks they are of: each of its rounds waits for memory once, and the more paths share that,
    /// the better.
    fn are_enough(&self) -> bool {
        self.len >= N
    }

    /// Appends the number, or does not, without a branch.
    #[inline(always)]
    pub fn push_if(&mut self, wanted: bool, number: usize) {
        if let Some(place) = self.numbers.as_flattened_mut().get_mut(self.len) {
            *place = number;
            self.len += usize::from(wanted);
        }
    }

    fn as_slice(&self) -> &[usize] {
        &self.numbers.as_flattened()[..self.len]
    }
}

/// Numbers of a block's paths.
pub(crate) struct Numbers<const N: usize> {
    numbers: [u16; N],
    len: usize,
}

impl<const N: usize> Numbers<N> {
    pub fn new() -> Numbers<N> {
        Numbers { numbers: [0; N], len: 0 }
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    #[inline(always)]
    pub fn push(&mut self, number: usize) {
        self.push_if(true, number);
    }

    /// Appends the number, or does not, without a branch.
    #[inline(always)]
    pub fn push_if(&mut self, wanted: bool, number: usize) {
        self.numbers[self.len % N] = number as u16;
        self.len += usize::from(wanted);
    }

    pub fn as_slice(&self) -> &[u16] {
        &self.numbers[..self.len.min(N)]
    }
}

/// Paths to resolve, and where their outcomes go.
pub(crate) struct Batch<'a, S> {
    pub tables: &'a TablesView<'a>,
    pub plan: &'a Plan,
    pub source: S,
    pub out: OutcomesMut<'a>,
}

/// A batch in blocks of at most `N` paths.
pub(crate) struct Blocks<'a, S, const N: usize>(pub Batch<'a, S>);

impl<S: Source, const N: usize> Job for Blocks<'_, S, N> {
    #[inline(always)]
    unsafe fn run<V: Vectors>(self) {
        let Batch { tables, plan, source, mut out } = self.0;
        let query = Query::new(tables, plan);
        let n = source.len().min(out.len());
        let (mut probes, mut misses) = (Probes::<N>::new(), Misses::<N>::new());
        let mut tasks = None;
        for first in (0..n).step_by(N) {
            let block = Block { source: &source, first, len: N.min(n - first) };
            if query.is_walk_only() {
                (first..first + block.len).for_each(|number| misses.push_if(true, number));
            } else {
                // SAFETY: the instruction set is the caller's duty.
                unsafe { direct::run::<V, S, N>(&query, &block, &mut probes, &mut misses, &mut out) };
            }
            let is_last = first + block.len == n;
            if misses.are_enough() || is_last && misses.len > 0 {
                let all = Block { source: &source, first: 0, len: n };
                let tasks = tasks.get_or_insert_with(Tasks::new);
                // SAFETY: as above.
                unsafe {
                    walk::run::<V, S, N>(&query, &all, misses.as_slice(), tasks, &mut probes, &mut out)
                };
                misses.len = 0;
            }
        }
    }
}

/// A batch of at most [`FEW_PATHS`]. A job of its own, since even to make room for a block on the stack takes longer.
pub(crate) struct FewPaths<'a, S>(pub Batch<'a, S>);

impl<S: Source> Job for FewPaths<'_, S> {
    #[inline(always)]
    unsafe fn run<V: Vectors>(self) {
        let Batch { tables, plan, source, out } = self.0;
        let query = Query::new(tables, plan);
        let block = Block { source: &source, first: 0, len: out.len() };
        // SAFETY: the instruction set is the caller's duty.
        unsafe { direct::few::<V, S>(&query, &block, out) };
    }
}

/// Some of a source's paths.
pub(crate) struct Block<'s, S> {
    source: &'s S,
    pub first: usize,
    pub len: usize,
}

impl<'s, S: Source> Block<'s, S> {
    /// Path `number` of the block.
    #[inline(always)]
    pub fn path(&self, number: usize) -> &'s [u8] {
        let i = self.first + number;
        if number >= self.len || i >= self.source.len() {
            return &[];
        }
        // SAFETY: the number was compared with the length just now.
        unsafe { self.source.path(i) }
    }

    /// Where the text of path `number` lies; it may be one of a later block.
    #[inline(always)]
    pub fn text(&self, number: usize) -> *const u8 {
        let i = self.first + number;
        // SAFETY: the number is compared with the length.
        if i < self.source.len() { unsafe { self.source.path(i) }.as_ptr() } else { std::ptr::null() }
    }
}
