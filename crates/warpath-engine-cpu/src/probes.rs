//! Many probes on the way at once, and none that waits for memory.
//!
//! A path's home line is asked for [`AHEAD`] paths before it is read. One probe in ten goes beyond its home line; to read the next
//! line at once would wait for memory each time, which cost as much as all the rest of a lookup. So the next line is only asked for,
//! and read after the whole block.

use crate::block::{BLOCK_PATHS, Query};
use crate::isa::{InLine, Vectors};
use warpath_core::hash::Key;
use warpath_core::layout::Slot;

/// Paths between a path's hash and its probe: long enough for its line to come from memory.
const AHEAD: usize = 32;

/// What is asked, and what the answers are for. No closures: code that is not inlined loses the instruction set.
pub(crate) trait Stage<V: Vectors> {
    /// Number of questions, at most BLOCK_PATHS.
    fn len(&self) -> usize;

    /// The key of question `i`, its home line asked for; `None` when there is nothing to ask, which is answered at once
    /// as "not there". A note of 16 bits comes back with the answer.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn ask(&mut self, i: usize) -> Option<(Key, u16)>;

    /// Takes the slot of question `i`, or that there is none. Answers come in any order.
    fn answer(&mut self, i: usize, note: u16, slot: Option<&Slot>);
}

/// A probe that has gone beyond its home line.
#[derive(Clone, Copy)]
struct Far {
    key: Key,
    line: u32,
    i: u16,
    note: u16,
}

const NOWHERE: Far = Far { key: Key { words: [0; 3] }, line: 0, i: 0, note: 0 };

/// Asks every question of a stage and hands over every answer.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn run<V: Vectors, T: Stage<V>>(query: &Query<'_>, stage: &mut T) {
    let mut ring = [None; AHEAD];
    let mut far = [NOWHERE; BLOCK_PATHS];
    let mut n_far = 0;
    for step in 0..stage.len() + AHEAD {
        let place: &mut Option<(Key, u16)> = &mut ring[step % AHEAD];
        if step >= AHEAD {
            let i = step - AHEAD;
            match *place {
                None => stage.answer(i, 0, None),
                Some((key, note)) => {
                    let line = query.home_line(&key);
                    // SAFETY: the instruction set is the caller's duty.
                    match unsafe { query.read::<V>(line, &key) } {
                        Read::Is(slot) => stage.answer(i, note, Some(slot)),
                        Read::Missing => stage.answer(i, note, None),
                        Read::Next(line) => {
                            if let Some(place) = far.get_mut(n_far) {
                                *place = Far { key, line: line as u32, i: i as u16, note };
                                n_far += 1;
                            }
                        }
                    }
                }
            }
        }
        if step < stage.len() {
            // SAFETY: as above.
            *place = unsafe { stage.ask(step) };
        }
    }
    // Each round reads one more line of every probe that is not through. Tables that nobody verified may have no end.
    for _ in 0..query.tables.params.probe_limit {
        let mut n_left = 0;
        for at in 0..n_far {
            let probe = far[at];
            // SAFETY: as above.
            match unsafe { query.read::<V>(probe.line as usize, &probe.key) } {
                Read::Is(slot) => stage.answer(usize::from(probe.i), probe.note, Some(slot)),
                Read::Missing => stage.answer(usize::from(probe.i), probe.note, None),
                Read::Next(line) => {
                    far[n_left] = Far { line: line as u32, ..probe };
                    n_left += 1;
                }
            }
        }
        n_far = n_left;
        if n_far == 0 {
            return;
        }
    }
    for probe in &far[..n_far] {
        stage.answer(usize::from(probe.i), probe.note, None);
    }
}

/// What a line says of a key, and where to go on.
pub(crate) enum Read<'a> {
    /// The key's slot.
    Is(&'a Slot),
    /// The key is not in the table.
    Missing,
    /// The line is full of others; this is the next one, asked for.
    Next(usize),
}

impl<'a> Query<'a> {
    /// Reads one line of a key's probe.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn read<V: Vectors>(&self, line: usize, key: &Key) -> Read<'a> {
        let Some(slots) = self.lines.get(line) else { return Read::Missing };
        // SAFETY: the instruction set is the caller's duty.
        match unsafe { V::find_in_line(slots, key) } {
            InLine::Found(at) => slots.get(at).map_or(Read::Missing, Read::Is),
            InLine::Missing => Read::Missing,
            InLine::Next => {
                let next = if line + 1 == self.lines.len() { 0 } else { line + 1 };
                V::prefetch(self.lines[next].as_ptr());
                Read::Next(next)
            }
        }
    }
}
