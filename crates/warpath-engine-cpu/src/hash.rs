//! The core's hash, with vectors.

use crate::isa::Vectors;
use crate::probes::Piece;
use warpath_core::hash::{HashKey, Key};
use warpath_core::layout::{KEY_FINISH, KEY_FINISH_WORDS, KIND_MASK, UNIT_BYTES};

const UNIT: usize = UNIT_BYTES as usize;

/// The key of a piece.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn key_of<V: Vectors>(key: HashKey<'_>, piece: &Piece<'_>) -> Key {
    // SAFETY: the instruction set is the caller's duty.
    finish(key, unsafe { sums_of::<V>(key, piece) })
}

/// The sums over a piece and what it continues, the last unit included.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn sums_of<V: Vectors>(key: HashKey<'_>, piece: &Piece<'_>) -> [u64; 3] {
    let bytes = piece.bytes();
    let Some(state) = piece.state() else {
        // SAFETY: a piece fits; the instruction set is the caller's duty.
        return unsafe { V::sums(key, 0, bytes) };
    };
    let length = state.length as usize;
    let pending = length % UNIT;
    let mut sums = state.sums;
    let (first, rest) = bytes.split_at(bytes.len().min((UNIT - pending) % UNIT));
    if pending > 0 {
        let mut unit = state.tail.to_le_bytes();
        unit[pending..pending + first.len()].copy_from_slice(first);
        // SAFETY: as above: the unit at hand is within the key, as is the string's end.
        add(&mut sums, unsafe { V::sums(key, length / UNIT, &unit) });
    }
    // SAFETY: as above.
    add(&mut sums, unsafe { V::sums(key, length.div_ceil(UNIT), rest) });
    sums
}

#[inline(always)]
fn add(sums: &mut [u64; 3], more: [u64; 3]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.wrapping_add(more);
    }
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
