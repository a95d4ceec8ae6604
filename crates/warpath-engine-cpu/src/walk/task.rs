//! One path that is walked: what is known of it, and what to ask next.

use crate::block::{Block, Query};
use crate::isa::{Marks, Vectors};
use crate::probes::{Answer, Piece};
use crate::source::Source;
use warpath_core::hash::State;
use warpath_core::{InodeId, LookupError, Outcome, layout, resolve};

/// What became of a path that was to be walked.
pub(super) enum Begun {
    /// Its first prefix is to be asked for.
    Underway,
    /// It was answered without a probe.
    Answered(Outcome),
    /// The scalar twin has to walk it.
    Odd,
}

/// A path that is walked. All places are offsets in the path as given.
pub(super) struct Task<'p> {
    /// Its number in the batch.
    pub number: usize,
    /// The path, slashes at its end left out.
    path: &'p [u8],
    /// A slash at its end demands a directory.
    wants_directory: bool,
    /// What `path[base..]` continues: where the path began, or where a link has led.
    state: Option<State>,
    base: u16,
    /// `path[..exists]` is known to exist and is directory `directory`.
    exists: u16,
    directory: InodeId,
    /// `path[..missing]` is known not to be an entry's path; behind the end when nothing is known to be missing.
    missing: u16,
    /// The prefix that is asked for ends here.
    asked: u16,
    links: u32,
    /// A bit for each byte that is a slash, of a path of at most [`Marks::MAX`] bytes.
    slashes: u128,
}

impl<'p> Task<'p> {
    pub const IDLE: Task<'p> = Task {
        number: 0,
        path: &[],
        wants_directory: false,
        state: None,
        base: 0,
        exists: 0,
        directory: 0,
        missing: 0,
        asked: 0,
        links: 0,
        slashes: 0,
    };

    /// Makes this the task of a path and chooses its first prefix.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn begin<V: Vectors, S: Source>(
        &mut self,
        query: &Query<'_>,
        block: &Block<'p, S>,
        number: usize,
    ) -> Begun {
        let path = block.path(number);
        let (Some(start), false) = (query.start(), query.is_strict()) else { return Begun::Odd };
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
        let rest = &path[from..end];
        let is_plain = if end <= Marks::MAX {
            // SAFETY: the instruction set is the caller's duty; the path is short enough.
            let marks = unsafe { V::marks(rest) };
            self.slashes = marks.slashes << from;
            // Hidden files look odd, too.
            !(marks.odd | (rest[0] == b'.')) || is_plain(rest)
        } else {
            is_plain(rest)
        };
        let absolute = rest[0] == b'/';
        if !is_plain || absolute && (from > 0 || query.plan.flags & layout::QUERY_BENEATH != 0) {
            return Begun::Odd;
        }
        // Directories on the way deeper than MAX_PATH would have states of their own.
        if !absolute && start.length as usize + rest.len() > layout::MAX_PATH as usize {
            return Begun::Odd;
        }
        self.number = number;
        self.path = &path[..end];
        self.wants_directory = end < path.len();
        (self.state, self.directory) =
            if absolute { (None, layout::ROOT) } else { (Some(*start), query.plan.start) };
        self.base = from as u16;
        self.exists = from as u16;
        self.links = 0;
        let as_written = from == 0 && !self.wants_directory;
        let is_known_missing = as_written && !query.is_walk_only();
        self.missing = self.end() + u16::from(!is_known_missing);
        match self.ask_next(query) {
            None => Begun::Underway,
            Some(outcome) => Begun::Answered(outcome),
        }
    }

    /// Where the path ends.
    #[inline(always)]
    fn end(&self) -> u16 {
        self.path.len() as u16
    }

    /// The prefix that is asked for.
    #[inline(always)]
    pub fn piece(&self) -> Piece<'_> {
        let bytes = self.path.get(usize::from(self.base)..usize::from(self.asked)).unwrap_or_default();
        // Both were measured before.
        Piece::new(self.state.as_ref(), bytes).unwrap_or(Piece::NOTHING)
    }

    /// There is no such entry: asks for a shorter prefix.
    #[inline(always)]
    pub fn miss(&mut self, query: &Query<'_>) -> Option<Outcome> {
        self.missing = self.asked;
        self.ask_next(query)
    }

    /// It is a directory: asks for a longer prefix, unless that was the whole path.
    #[inline(always)]
    pub fn enter(&mut self, query: &Query<'_>, answer: Answer) -> Option<Outcome> {
        if self.asked == self.end() {
            return Some(Ok(answer.inode()));
        }
        self.exists = self.asked;
        self.directory = answer.inode();
        self.ask_next(query)
    }

    /// It is neither directory nor link, or a link at the end that is not to lead to a directory: the walk ends here.
    #[inline(always)]
    pub fn end_at(&self, query: &Query<'_>, answer: Answer) -> Outcome {
        if self.asked == self.end() && !self.wants_directory {
            resolve::final_entry(query.tables, query.plan, &answer.slot(), self.links)
        } else {
            Err(LookupError::NotADirectory)
        }
    }

    /// It is a link: goes on where it leads, unless it is the answer.
    #[inline(always)]
    pub fn follow(&mut self, query: &Query<'_>, answer: Answer) -> Option<Outcome> {
        let last = self.asked == self.end();
        if last && !self.wants_directory {
            return Some(self.end_at(query, answer));
        }
        let link = match resolve::follow(query.tables, query.plan, &answer.slot(), &mut self.links) {
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
        let rest = self.path.get(usize::from(self.asked)..).unwrap_or_default();
        if record.length as usize + rest.len() > layout::MAX_PATH as usize {
            // Too deep for one state: the scalar twin changes states on the way.
            let (inode, directory) = (link.inode, self.wants_directory);
            return Some(resolve::walk_from(query.tables, query.plan, inode, rest, directory, self.links));
        }
        self.state = Some(State::of(record));
        self.base = self.asked;
        self.exists = self.asked;
        self.directory = link.inode;
        self.missing = self.end() + 1;
        self.ask_next(query)
    }

    /// Chooses the next prefix, or says how the path ends when there is none between what exists and what is missing.
    #[inline(always)]
    fn ask_next(&mut self, query: &Query<'_>) -> Option<Outcome> {
        if self.missing > self.end() {
            // Nothing is known to be missing: the whole rest, or for a walk its parent first.
            self.asked = self.end();
            if query.is_walk_only()
                && let Some(slash) = self.last_slash()
            {
                self.asked = slash;
            }
            return None;
        }
        let slash = if self.missing == self.end() { self.last_slash() } else { self.middle_slash() };
        match slash {
            Some(slash) => {
                self.asked = slash;
                None
            }
            None => Some(Err(self.error(query))),
        }
    }

    /// Why the path ends behind the directory that exists.
    #[inline(always)]
    fn error(&self, query: &Query<'_>) -> LookupError {
        if self.missing - self.exists > layout::MAX_NAME as u16
            && self.missing_name().len() > layout::MAX_NAME as usize
        {
            LookupError::NameTooLong
        } else {
            resolve::missing(query.tables, self.directory)
        }
    }

    /// The last slash between what exists and what is missing, or the end.
    #[inline(always)]
    fn last_slash(&self) -> Option<u16> {
        if self.path.len() > Marks::MAX {
            let between = self.between();
            return between.iter().rposition(|&byte| byte == b'/').map(|at| self.exists + 1 + at as u16);
        }
        let slashes = self.slashes_between();
        (slashes != 0).then(|| self.exists + 1 + slashes.ilog2() as u16)
    }

    /// A slash near the middle between what exists and what is missing.
    #[inline(always)]
    fn middle_slash(&self) -> Option<u16> {
        let half = (self.missing - self.exists) / 2;
        if self.path.len() > Marks::MAX {
            let (before, behind) = self.between().split_at_checked(usize::from(half))?;
            let at = before.iter().rposition(|&byte| byte == b'/');
            let at =
                at.or_else(|| behind.iter().position(|&byte| byte == b'/').map(|at| usize::from(half) + at));
            return at.map(|at| self.exists + 1 + at as u16);
        }
        let slashes = self.slashes_between();
        let before = slashes & ((1 << half) - 1);
        let at = if before != 0 { before.ilog2() } else { slashes.trailing_zeros() };
        (slashes != 0).then(|| self.exists + 1 + at as u16)
    }

    /// The bytes between what exists and what is missing, the slash behind what exists left out.
    fn between(&self) -> &'p [u8] {
        let to = usize::from(self.missing.min(self.end()));
        self.path.get(usize::from(self.exists) + 1..to).unwrap_or_default()
    }

    /// The name behind what exists.
    fn missing_name(&self) -> &'p [u8] {
        let name = self.path.get(usize::from(self.exists)..usize::from(self.missing)).unwrap_or_default();
        name.strip_prefix(b"/").unwrap_or(name)
    }

    /// A bit for each byte of [`Task::between`] that is a slash, of a path of at most [`Marks::MAX`] bytes.
    #[inline(always)]
    fn slashes_between(&self) -> u128 {
        let to = self.missing.min(self.end());
        // Neither end is 0 or beyond 127 here.
        let before = u128::MAX >> ((Marks::MAX as u16 - to) % Marks::MAX as u16);
        (self.slashes & before) >> (self.exists % Marks::MAX as u16) >> 1
    }
}

/// Whether the path has no NUL, no empty component within, and none that is `.` or `..`.
fn is_plain(path: &[u8]) -> bool {
    let odd = |component: &[u8]| matches!(component, b"" | b"." | b"..") || component.contains(&0);
    !path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/').any(odd)
}
