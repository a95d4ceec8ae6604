//! Many probes on the way at once, none that waits for memory, and no branch on what a probe finds.
//!
//! Questions are asked in groups of [`GROUP`], so that vectors can finish eight hashes at once, and a group's home lines are read
//! [`AHEAD`] groups after they were asked for. What a line says is random, so a branch on it would be mispredicted: the
//! answer is stored whatever it is, and the number of a question that has to look beyond its home line goes to a list. That list is worked
//! off at the end: it is one hit in ten, and to wait for each next line would cost as much as all the rest.

use crate::block::Query;
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

/// Where there is no text: as many bytes as vectors read of a short path.
static NOWHERE: [u8; 128] = [0; 128];

/// What to look for: the string that a state stands for, continued by some bytes. There are position keys for all of it.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    state: Option<&'a State>,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// The empty string, at an address that can be read: a masked load of nothing from one that can't takes the processor 100 ns.
    pub const NOTHING: Piece<'static> = Piece { state: None, bytes: NOWHERE.split_at(0).0 };

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
    /// Number of questions, at most those of a block.
    fn len(&self) -> usize;

    /// What question `i` looks for; nothing where there is no such question.
    fn piece(&mut self, i: usize) -> Piece<'p>;
}

/// The questions of a block and what was found, by number.
pub(crate) struct Probes<const N: usize> {
    asked: [Asked; N],
    answers: [Answer; N],
    /// Questions whose key is not in its home line, but may be in the next: that one is full.
    open: [u16; N],
    /// The lines that those were read from last. Not kept beside the key, which is read as a vector: one that was written in parts
    /// has to leave the pipeline first.
    lines: [u32; N],
}

impl<const N: usize> Probes<N> {
    pub fn new() -> Probes<N> {
        Probes { asked: [Asked::default(); N], answers: [Answer::MISSING; N], open: [0; N], lines: [0; N] }
    }

    /// The answers, in the order of the questions.
    pub fn answers(&self) -> &[Answer; N] {
        &self.answers
    }

    /// The same, for whoever sorts them.
    pub fn answers_mut(&mut self) -> &mut [Answer; N] {
        &mut self.answers
    }

    /// Makes this question one without an answer.
    pub fn forget(&mut self, number: u16) {
        self.answers[usize::from(number) % N] = Answer::MISSING;
    }

    /// Asks every question and notes every answer.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn run<'p, V: Vectors, Q: Questions<'p>>(&mut self, query: &Query<'_>, questions: &mut Q) {
        let n = questions.len().min(N);
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
                    let asked = &self.asked[number];
                    // SAFETY: as above.
                    let (found, answer) = unsafe { query.find_in::<V>(asked.line, asked) };
                    self.answers[number] = answer;
                    self.open[n_open % N] = number as u16;
                    n_open += usize::from(!found);
                }
            }
        }
        // SAFETY: as above.
        unsafe { self.read_on::<V>(query, n_open) };
    }

    /// Goes on with the open questions.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn read_on<V: Vectors>(&mut self, query: &Query<'_>, mut n_open: usize) {
        let n_missed = std::mem::take(&mut n_open);
        for at in 0..n_missed {
            let number = self.open[at];
            let line = self.asked[usize::from(number) % N].line;
            self.open[n_open] = number;
            self.lines[n_open] = line;
            n_open += usize::from(!query.has_room(line));
        }
        // Each round reads one more line of every probe that is not through. Tables that nobody verified may have no end.
        for _ in 0..query.tables.params.probe_limit {
            if n_open == 0 {
                return;
            }
            for line in &mut self.lines[..n_open] {
                *line = query.next_line(*line);
                query.prefetch::<V>(*line);
            }
            let mut n_left = 0;
            for at in 0..n_open {
                let (number, line) = (self.open[at], self.lines[at]);
                let asked = &self.asked[usize::from(number) % N];
                // SAFETY: the instruction set is the caller's duty.
                let (found, answer) = unsafe { query.find_in::<V>(line, asked) };
                self.answers[usize::from(number) % N] = answer;
                self.open[n_left] = number;
                self.lines[n_left] = line;
                n_left += usize::from(!found & !query.has_room(line));
            }
            n_open = n_left;
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

    /// What a line holds: whether a question's key is there, and the answer, which is missing if it is not.
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
        let found = matches != 0;
        (found, Answer(Answer::of(&line[at % line.len()]).0 | u64::from(found).wrapping_sub(1)))
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
