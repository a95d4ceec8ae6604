//! A run of paths on one thread: direct for all, then the walk for what is left.

use crate::direct;
use crate::isa::{Job, Vectors};
use crate::probes::Probes;
use crate::source::Source;
use crate::walk::{self, Tasks};
use warpath_core::hash::State;
use warpath_core::index::{Plan, TablesView};
use warpath_core::layout::{self, Slot};
use warpath_core::{OutcomesMut, resolve};

/// Paths of a block: their misses are collected on the stack before they are walked.
pub(crate) const BLOCK_PATHS: usize = 1024;

/// Batches of so few paths are resolved one after the other: to set up a block takes longer.
pub(crate) const FEW_PATHS: usize = 4;

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
}

/// The walk begins when so many paths are left to it, whatever block they are of: each of its rounds waits for memory once, and
/// the more paths share that, the better.
const ENOUGH_MISSES: usize = 256;

/// Numbers of a batch's paths that the direct probe did not answer.
pub(crate) struct Misses {
    numbers: [usize; ENOUGH_MISSES + BLOCK_PATHS],
    len: usize,
}

impl Misses {
    fn new() -> Misses {
        Misses { numbers: [0; ENOUGH_MISSES + BLOCK_PATHS], len: 0 }
    }

    /// Appends the number, or does not, without a branch.
    #[inline(always)]
    pub fn push_if(&mut self, wanted: bool, number: usize) {
        if let Some(place) = self.numbers.get_mut(self.len) {
            *place = number;
            self.len += usize::from(wanted);
        }
    }

    fn as_slice(&self) -> &[usize] {
        &self.numbers[..self.len]
    }
}

/// Numbers of a block's paths.
pub(crate) struct Numbers {
    numbers: [u16; BLOCK_PATHS],
    len: usize,
}

impl Numbers {
    pub fn new() -> Numbers {
        Numbers { numbers: [0; BLOCK_PATHS], len: 0 }
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
        self.numbers[self.len % BLOCK_PATHS] = number as u16;
        self.len += usize::from(wanted);
    }

    pub fn as_slice(&self) -> &[u16] {
        &self.numbers[..self.len.min(BLOCK_PATHS)]
    }
}

/// Paths to resolve, and where their outcomes go.
pub(crate) struct Batch<'a, S> {
    pub tables: &'a TablesView<'a>,
    pub plan: &'a Plan,
    pub source: S,
    pub out: OutcomesMut<'a>,
}

impl<S: Source> Job for Batch<'_, S> {
    #[inline(always)]
    unsafe fn run<V: Vectors>(self) {
        let Batch { tables, plan, source, mut out } = self;
        let query = Query::new(tables, plan);
        let n = source.len().min(out.len());
        let (mut probes, mut misses) = (Probes::new(), Misses::new());
        let mut tasks = None;
        for first in (0..n).step_by(BLOCK_PATHS) {
            let block = Block { source: &source, first, len: BLOCK_PATHS.min(n - first) };
            if query.is_walk_only() {
                (first..first + block.len).for_each(|number| misses.push_if(true, number));
            } else {
                // SAFETY: the instruction set is the caller's duty.
                unsafe { direct::run::<V, S>(&query, &block, &mut probes, &mut misses, &mut out) };
            }
            let is_last = first + block.len == n;
            if misses.len >= ENOUGH_MISSES || is_last && misses.len > 0 {
                let all = Block { source: &source, first: 0, len: n };
                let tasks = tasks.get_or_insert_with(Tasks::new);
                // SAFETY: as above.
                unsafe { walk::run::<V, S>(&query, &all, misses.as_slice(), tasks, &mut probes, &mut out) };
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
