//! Many probes on the way at once, none that waits for memory, and no branch on what a probe finds.
//!
//! Questions are asked in groups of [`GROUP`], so that vectors can finish eight hashes at once, and a group's home lines are read
//! [`AHEAD`] groups after they were asked for. What a line says is random, so a branch on it would be mispredicted: the
//! answer is stored whatever it is, and the number of a question without one goes to a list. That list is worked off at the end: one
//! probe in ten goes beyond its home line, and to wait for each next line would cost as much as all the rest.

use crate::block::{BLOCK_PATHS, Query};
use crate::hash;
use crate::isa::Vectors;
use warpath_core::hash::{Key, State};
use warpath_core::layout::{self, Slot};
use warpath_core::probe::home_pair;

const MAX_PATH: usize = layout::MAX_PATH as usize;

/// Questions that are asked at once.
pub(crate) const GROUP: usize = 8;

/// Groups between the hash of a path and the read of its line: long enough for the line to come from memory.
const AHEAD: usize = 8;

/// What to look for: the string that a state stands for, continued by some bytes. There are position keys for all of it.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    state: Option<&'a State>,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// The empty string.
    pub const NOTHING: Piece<'static> = Piece { state: None, bytes: &[] };

    /// These bytes, from the root's empty state on where there is no other; `None` of more than a path and a start directory have.
    #[inline(always)]
    pub fn new(state: Option<&'a State>, bytes: &'a [u8]) -> Option<Piece<'a>> {
        // Position keys are for twice as many bytes and a slash. With a record that nobody verified the state may have any length.
        let fits = bytes.len() <= MAX_PATH && state.is_none_or(|state| state.length as usize <= MAX_PATH + 1);
        fits.then_some(Piece { state, bytes })
    }

    /// What the bytes continue; `None` for the empty string, where absolute paths begin.
    #[inline(always)]
    pub fn state(&self) -> Option<&'a State> {
        self.state
    }

    #[inline(always)]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A question underway.
#[derive(Clone, Copy, Default)]
#[repr(C, align(16))]
pub(crate) struct Asked {
    /// The key's words.
    pub words: [u32; 3],
    /// The line where the key belongs.
    pub line: u32,
}

/// What was found: a slot without its key, in one word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer(u64);

impl Answer {
    pub const MISSING: Answer = Answer(u64::MAX);

    #[inline(always)]
    pub fn of(slot: &Slot) -> Answer {
        Answer(u64::from(slot.inode) << 32 | u64::from(slot.key2_kind))
    }

    #[inline(always)]
    pub fn inode(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    pub fn kind(self) -> u32 {
        self.0 as u32 & layout::KIND_MASK
    }

    /// Whether there is no such entry. Empty slots of tables that nobody verified are no entries either.
    #[inline(always)]
    pub fn is_missing(self) -> bool {
        self.inode() == layout::INVALID_INODE
    }

    /// A slot of this inode and kind.
    #[inline(always)]
    pub fn slot(self) -> Slot {
        Slot { key0: 0, key1: 0, key2_kind: self.kind(), inode: self.inode() }
    }
}

/// What is asked. No closures: code that is not inlined loses the instruction set.
pub(crate) trait Questions<'p> {
    /// Number of questions, at most BLOCK_PATHS.
    fn len(&self) -> usize;

    /// What question `i` looks for; nothing where there is no such question.
    fn piece(&mut self, i: usize) -> Piece<'p>;
}

/// The questions of a block and what was found, by number.
pub(crate) struct Probes {
    asked: [Asked; BLOCK_PATHS],
    answers: [Answer; BLOCK_PATHS],
    /// Questions that their home line did not answer.
    open: [u16; BLOCK_PATHS],
    /// The lines that those are read from next. Not kept beside the key, which is read as a vector: one that was written in parts
    /// has to leave the pipeline first.
    lines: [u32; BLOCK_PATHS],
}

impl Probes {
    pub fn new() -> Probes {
        Probes {
            asked: [Asked::default(); BLOCK_PATHS],
            answers: [Answer::MISSING; BLOCK_PATHS],
            open: [0; BLOCK_PATHS],
            lines: [0; BLOCK_PATHS],
        }
    }

    /// The answers, in the order of the questions.
    pub fn answers(&self) -> &[Answer; BLOCK_PATHS] {
        &self.answers
    }

    /// Makes this question one without an answer.
    pub fn forget(&mut self, number: u16) {
        self.answers[usize::from(number) % BLOCK_PATHS] = Answer::MISSING;
    }

    /// Asks every question and notes every answer.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn run<'p, V: Vectors, Q: Questions<'p>>(&mut self, query: &Query<'_>, questions: &mut Q) {
        let n = questions.len().min(BLOCK_PATHS);
        let n_groups = n.div_ceil(GROUP);
        let mut n_open = 0;
        for step in 0..n_groups + AHEAD {
            if step < n_groups {
                let first = step * GROUP;
                let Some(asked) = self.asked[first..].first_chunk_mut::<GROUP>() else { break };
                // SAFETY: the instruction set is the caller's duty.
                unsafe { V::ask(query, questions, first, asked) };
                for asked in asked {
                    query.prefetch::<V>(asked.line);
                }
            }
            if step >= AHEAD {
                let first = (step - AHEAD) * GROUP;
                for number in first..(first + GROUP).min(n) {
                    // SAFETY: as above.
                    let (found, answer) = unsafe { query.find::<V>(&self.asked[number]) };
                    self.answers[number] = answer;
                    self.open[n_open % BLOCK_PATHS] = number as u16;
                    n_open += usize::from(!found);
                }
            }
        }
        // SAFETY: as above.
        unsafe { self.read_on::<V>(query, n_open) };
    }

    /// Goes on with the questions that their home line did not answer: each is missing where the line has room, else beyond it.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn read_on<V: Vectors>(&mut self, query: &Query<'_>, n_open: usize) {
        let mut n_far = 0;
        for at in 0..n_open {
            let number = self.open[at];
            self.forget(number);
            let line = self.asked[usize::from(number) % BLOCK_PATHS].line;
            self.open[n_far] = number;
            self.lines[n_far] = line;
            n_far += usize::from(!query.has_room(line));
        }
        // Each round reads one more line of every probe that is not through. Tables that nobody verified may have no end.
        for _ in 0..query.tables.params.probe_limit {
            if n_far == 0 {
                return;
            }
            for line in &mut self.lines[..n_far] {
                *line = query.next_line(*line);
                query.prefetch::<V>(*line);
            }
            let mut n_left = 0;
            for at in 0..n_far {
                let (number, line) = (self.open[at], self.lines[at]);
                let asked = &self.asked[usize::from(number) % BLOCK_PATHS];
                // SAFETY: the instruction set is the caller's duty.
                let (found, answer) = unsafe { query.find_in::<V>(line, asked) };
                self.answers[usize::from(number) % BLOCK_PATHS] =
                    if found { answer } else { Answer::MISSING };
                self.open[n_left] = number;
                self.lines[n_left] = line;
                n_left += usize::from(!found & !query.has_room(line));
            }
            n_far = n_left;
        }
    }
}

impl Query<'_> {
    /// The key and home line of a piece.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn ask<V: Vectors>(&self, piece: &Piece<'_>) -> Asked {
        // SAFETY: the instruction set is the caller's duty.
        let Key { words } = unsafe { hash::key_of::<V>(self.tables.key, piece) };
        Asked { words, line: home_pair(words[0], self.tables.params.n_pairs) / 2 }
    }

    /// Asks for a line to be brought into the cache.
    #[inline(always)]
    pub fn prefetch<V: Vectors>(&self, line: u32) {
        V::prefetch(self.lines.as_ptr().wrapping_add(line as usize).cast());
    }

    /// What a question's home line holds: whether its key is there, and if so, the answer.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn find<V: Vectors>(&self, asked: &Asked) -> (bool, Answer) {
        // SAFETY: the instruction set is the caller's duty.
        unsafe { self.find_in::<V>(asked.line, asked) }
    }

    /// As [`Query::find`], in any line.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn find_in<V: Vectors>(&self, line: u32, asked: &Asked) -> (bool, Answer) {
        let Some(line) = self.lines.get(line as usize) else { return (false, Answer::MISSING) };
        // SAFETY: the instruction set is the caller's duty.
        let matches = unsafe { V::matches(line, asked) };
        // The last slot where none matches, so that there is something to read.
        let at = (matches | 1 << 6).trailing_zeros() as usize / 2;
        (matches != 0, Answer::of(&line[at % line.len()]))
    }

    /// Whether a key that belongs in this line and is not there is nowhere: a pair fills its first slot first.
    #[inline(always)]
    pub fn has_room(&self, line: u32) -> bool {
        self.lines.get(line as usize).is_none_or(|line| line[1].is_empty() | line[3].is_empty())
    }

    /// The line that is read after this one.
    #[inline(always)]
    pub fn next_line(&self, line: u32) -> u32 {
        if line as usize + 1 < self.lines.len() { line + 1 } else { 0 }
    }
}
