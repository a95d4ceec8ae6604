//! The exact answer for what the direct probe missed: a search over the prefixes of each path.
//!
//! What exists is a prefix: when a prefix of a path is an entry's canonical path, so are all shorter ones, and they are directories.
//! So the longest prefix that exists is found by bisection: first the whole path's parent (most misses lack only their last
//! component), then halves. If it is a directory, the component behind it is missing; if it is a symbolic link, the walk jumps
//! to where that leads and goes on with the rest. Many paths are on the way at once, so that a probe's line is there when
//! its turn comes.
//!
//! Paths with `.`, `..`, `//` or NUL, and tables with a rename that is not re-keyed, are left to [`resolve::walk`].

use crate::block::{Block, Query};
use crate::isa::Vectors;
use crate::probes::Read;
use crate::source::Source;
use warpath_core::hash::{Key, State};
use warpath_core::layout::{self, Slot};
use warpath_core::{InodeId, LookupError, Outcome, OutcomesMut, resolve};

/// Paths on the way at once.
const TASKS: usize = 16;

/// Answers the paths of these numbers.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<V: Vectors, S: Source>(
    query: &Query<'_>,
    block: &Block<S>,
    numbers: &[u16],
    out: &mut OutcomesMut<'_>,
) {
    let mut waiting = numbers.iter().map(|&number| usize::from(number));
    let mut tasks = [const { Task::IDLE }; TASKS];
    // Tasks at the front are busy.
    let mut n_busy = 0;
    loop {
        while n_busy < TASKS
            && let Some(number) = waiting.next()
        {
            let path = block.path(number);
            // SAFETY: the instruction set is the caller's duty.
            match unsafe { tasks[n_busy].begin::<V>(query, number, path) } {
                Begun::Underway => n_busy += 1,
                Begun::Answered(outcome) => out.set(number, outcome),
                Begun::Odd => out.set(number, resolve::walk(query.tables, query.plan, path)),
            }
        }
        if n_busy == 0 {
            return;
        }
        let mut at = 0;
        while at < n_busy {
            // SAFETY: as above.
            match unsafe { tasks[at].advance::<V>(query) } {
                None => at += 1,
                Some(outcome) => {
                    out.set(tasks[at].number, outcome);
                    n_busy -= 1;
                    tasks.swap(at, n_busy);
                }
            }
        }
    }
}

/// What became of a path that was to be walked.
enum Begun {
    /// A probe is underway.
    Underway,
    /// It was answered without a probe.
    Answered(Outcome),
    /// The scalar twin has to walk it.
    Odd,
}

/// A path on the way.
struct Task<'p> {
    number: usize,
    /// The path, without slashes at its end.
    path: &'p [u8],
    /// A slash at its end demands a directory.
    wants_directory: bool,
    /// What `path[base..]` continues: where the path began, or where a link has led.
    state: State,
    base: usize,
    /// `path[..exists]` is known to exist and is directory `directory`.
    exists: usize,
    directory: InodeId,
    /// `path[..missing]` is known not to be an entry's path; behind the end when nothing is known to be missing.
    missing: usize,
    /// The probe underway: for `path[..asked]`.
    asked: usize,
    key: Key,
    /// The line to be read next, and how many have been read before.
    line: usize,
    n_lines: u32,
    links: u32,
}

impl<'p> Task<'p> {
    const IDLE: Task<'p> = Task {
        number: 0,
        path: &[],
        wants_directory: false,
        state: State::EMPTY,
        base: 0,
        exists: 0,
        directory: 0,
        missing: 0,
        asked: 0,
        key: Key { words: [0; 3] },
        line: 0,
        n_lines: 0,
        links: 0,
    };

    /// Makes this the task of a path and asks for its first prefix.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn begin<V: Vectors>(&mut self, query: &Query<'_>, number: usize, path: &'p [u8]) -> Begun {
        let (Some(start), false) = (&query.start, query.is_strict()) else { return Begun::Odd };
        let mut from = 0;
        while path[from..].starts_with(b"./") {
            from += 2;
        }
        let mut end = path.len();
        while end > from && path[end - 1] == b'/' {
            end -= 1;
        }
        if end == from || path.len() > layout::MAX_PATH as usize {
            return Begun::Odd;
        }
        // SAFETY: the instruction set is the caller's duty.
        if !unsafe { is_plain::<V>(&path[from..end]) } {
            return Begun::Odd;
        }
        let absolute = path[from] == b'/';
        if absolute && (from > 0 || query.plan.flags & layout::QUERY_BENEATH != 0) {
            return Begun::Odd;
        }
        self.number = number;
        self.path = &path[..end];
        self.wants_directory = end < path.len();
        (self.state, self.directory) =
            if absolute { (State::EMPTY, layout::ROOT) } else { (*start, query.plan.start) };
        self.base = from;
        self.exists = from;
        self.links = 0;
        // Directories on the way deeper than MAX_PATH would have states of their own.
        if self.state.length as usize + end - from > layout::MAX_PATH as usize {
            return Begun::Odd;
        }
        let as_written = from == 0 && !self.wants_directory;
        self.missing = if as_written && !query.is_walk_only() { end } else { end + 1 };
        // SAFETY: as above.
        match unsafe { self.ask_next::<V>(query) } {
            Ok(()) => Begun::Underway,
            Err(outcome) => Begun::Answered(outcome),
        }
    }

    /// Takes in the answer to the probe underway and asks the next; the outcome when there is one.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn advance<V: Vectors>(&mut self, query: &Query<'_>) -> Option<Outcome> {
        // SAFETY: the instruction set is the caller's duty.
        match unsafe { query.read::<V>(self.line, &self.key) } {
            Read::Missing => self.missing = self.asked,
            Read::Is(slot) => {
                if let Some(outcome) = self.arrive(query, slot) {
                    return Some(outcome);
                }
            }
            // Tables that nobody verified may have no end.
            Read::Next(_) if self.n_lines >= query.tables.params.probe_limit => self.missing = self.asked,
            Read::Next(line) => {
                self.line = line;
                self.n_lines += 1;
                return None;
            }
        }
        // SAFETY: as above.
        unsafe { self.ask_next::<V>(query) }.err()
    }

    /// `path[..asked]` is the path of this entry: goes on from there, or ends.
    #[inline(always)]
    fn arrive(&mut self, query: &Query<'_>, slot: &Slot) -> Option<Outcome> {
        let last = self.asked == self.path.len();
        match slot.kind() {
            layout::KIND_DIRECTORY if last => Some(Ok(slot.inode)),
            layout::KIND_DIRECTORY => {
                self.exists = self.asked;
                self.directory = slot.inode;
                None
            }
            _ if last && !self.wants_directory => {
                Some(resolve::final_entry(query.tables, query.plan, slot, self.links))
            }
            layout::KIND_SYMLINK => self.jump(query, slot, last),
            _ => Some(Err(LookupError::NotADirectory)),
        }
    }

    /// Goes on where a link in the middle of the path leads, or one at its end with a slash behind it.
    fn jump(&mut self, query: &Query<'_>, slot: &Slot, last: bool) -> Option<Outcome> {
        let link = match resolve::follow(query.tables, query.plan, slot, &mut self.links) {
            Ok(link) => link,
            Err(error) => return Some(Err(error)),
        };
        if link.kind() != layout::KIND_DIRECTORY {
            return Some(Err(LookupError::NotADirectory));
        }
        if last {
            return Some(Ok(link.inode));
        }
        let Some(record) = resolve::dir_record(query.tables, link.inode) else {
            return Some(Err(LookupError::NotADirectory));
        };
        self.state = State::of(record);
        self.base = self.asked;
        self.exists = self.asked;
        self.directory = link.inode;
        self.missing = self.path.len() + 1;
        if self.state.length as usize + self.path.len() - self.base > layout::MAX_PATH as usize {
            // Too deep for one state: the scalar twin changes states on the way.
            return Some(resolve::walk_from(
                query.tables,
                query.plan,
                link.inode,
                &self.path[self.base..],
                self.wants_directory,
                self.links,
            ));
        }
        None
    }

    /// Asks for the next prefix, or says how the path ends when there is none between what exists and what is missing.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn ask_next<V: Vectors>(&mut self, query: &Query<'_>) -> Result<(), Outcome> {
        // SAFETY: the instruction set is the caller's duty.
        let Some(end) = (unsafe { self.next_end::<V>(query.is_walk_only()) }) else {
            let first = self.exists + usize::from(self.path[self.exists] == b'/');
            let long = self.missing - first > layout::MAX_NAME as usize;
            let error =
                if long { LookupError::NameTooLong } else { resolve::missing(query.tables, self.directory) };
            return Err(Err(error));
        };
        self.asked = end;
        // SAFETY: as above.
        self.key = unsafe { query.ask::<V>(&self.state, &self.path[self.base..end]) };
        self.line = query.home_line(&self.key);
        self.n_lines = 0;
        Ok(())
    }

    /// Where the prefix to ask for next ends.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn next_end<V: Vectors>(&self, walk_only: bool) -> Option<usize> {
        let end = self.path.len();
        let from = self.exists + 1;
        let slash_before = |to: usize| {
            let before = self.path.get(from..to)?;
            // SAFETY: the instruction set is the caller's duty.
            unsafe { V::last_slash(before) }.map(|at| from + at)
        };
        if self.missing > end {
            // Nothing is known to be missing: the whole rest, or for a walk its parent first.
            return if walk_only { slash_before(end).or(Some(end)) } else { Some(end) };
        }
        if self.missing == end {
            return slash_before(end);
        }
        let middle = from.midpoint(self.missing);
        let slash_behind = || {
            let behind = self.path.get(middle..self.missing)?;
            behind.iter().position(|&byte| byte == b'/').map(|at| middle + at)
        };
        slash_before(middle).or_else(slash_behind)
    }
}

/// Whether the path has no NUL, no empty component within, and none that is `.` or `..`.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn is_plain<V: Vectors>(path: &[u8]) -> bool {
    // Hidden files look odd, too.
    // SAFETY: the instruction set is the caller's duty.
    let odd = unsafe { V::looks_odd(path) } || path[0] == b'.';
    !odd || is_plain_by_component(path)
}

/// As [`is_plain`], a component at a time.
fn is_plain_by_component(path: &[u8]) -> bool {
    let odd = |component: &[u8]| matches!(component, b"" | b"." | b"..") || component.contains(&0);
    !path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/').any(odd)
}
