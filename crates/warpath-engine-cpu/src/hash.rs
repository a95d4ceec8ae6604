//! The core's hash, with vectors.

use crate::isa::Vectors;
use warpath_core::hash::{HashKey, Key, State};
use warpath_core::layout::{KEY_FINISH, KEY_FINISH_WORDS, KEY_UNITS, KIND_MASK, UNIT_BYTES};

const UNIT: usize = UNIT_BYTES as usize;

/// The key of the string that `state` stands for, continued by `bytes`.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn key_of<V: Vectors>(key: HashKey<'_>, state: &State, bytes: &[u8]) -> Key {
    if state.length == 0 && bytes.len() <= KEY_UNITS as usize * UNIT {
        // SAFETY: the units fit; the instruction set is the caller's duty.
        return finish(key, unsafe { V::sums(key, 0, bytes) });
    }
    let length = state.length as usize;
    if length > KEY_UNITS as usize * UNIT || length + bytes.len() > KEY_UNITS as usize * UNIT {
        // No path gets here; a record that nobody verified may.
        let mut state = *state;
        state.push(key, bytes);
        return state.finish(key);
    }
    let pending = length % UNIT;
    let mut sums = state.sums;
    let mut add = |more: [u64; 3]| {
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = sum.wrapping_add(more);
        }
    };
    let (first, rest) = bytes.split_at(bytes.len().min((UNIT - pending) % UNIT));
    if pending > 0 {
        let mut unit = state.tail.to_le_bytes();
        unit[pending..pending + first.len()].copy_from_slice(first);
        // SAFETY: the unit at hand is within the key, as is the string's end.
        add(unsafe { V::sums(key, length / UNIT, &unit) });
    }
    // SAFETY: the string's end is within the key.
    add(unsafe { V::sums(key, length.div_ceil(UNIT), rest) });
    finish(key, sums)
}

/// The key of these sums.
#[inline(always)]
fn finish(key: HashKey<'_>, sums: [u64; 3]) -> Key {
    let words = key.words();
    let wide = |at: usize| u64::from(words[at]) | u64::from(words[at + 1]) << 32;
    let mut out: [u32; 3] = std::array::from_fn(|lane| {
        let at = (KEY_FINISH + lane as u32 * KEY_FINISH_WORDS) as usize;
        let (low, high) = (sums[lane] & 0xFFFF_FFFF, sums[lane] >> 32);
        let mixed = low
            .wrapping_mul(wide(at))
            .wrapping_add(high.wrapping_mul(wide(at + 2)))
            .wrapping_add(wide(at + 4));
        (mixed >> 32) as u32
    });
    out[2] &= !KIND_MASK;
    Key { words: out }
}
