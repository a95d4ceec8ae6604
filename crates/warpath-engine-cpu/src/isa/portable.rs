//! Plain Rust: what the vector code must agree with.

use super::{InLine, Vectors};
use warpath_core::hash::{HashKey, Key};
use warpath_core::layout::{KEY_LANE_WORDS, Slot};
use warpath_core::probe::holds;

#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Vectors for Portable {
    #[inline(always)]
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3] {
        let (units, rest) = bytes.as_chunks::<8>();
        let mut sums = [0; 3];
        for (i, unit) in units.iter().enumerate() {
            add_unit(&mut sums, key, first_unit + i, u64::from_le_bytes(*unit));
        }
        if !rest.is_empty() {
            add_unit(&mut sums, key, first_unit + units.len(), pad(rest));
        }
        sums
    }

    #[inline(always)]
    unsafe fn find_in_line(line: &[Slot; 4], key: &Key) -> InLine {
        match line.iter().position(|slot| holds(slot, key) && !slot.is_empty()) {
            Some(at) => InLine::Found(at),
            None if line.iter().any(Slot::is_empty) => InLine::Missing,
            None => InLine::Next,
        }
    }

    #[inline(always)]
    unsafe fn looks_odd(bytes: &[u8]) -> bool {
        let Some((&last, before)) = bytes.split_last() else { return false };
        // Over all bytes without a branch, so that it vectorises.
        let mut odd = last == 0;
        for (&byte, &next) in before.iter().zip(&bytes[1..]) {
            odd |= (byte == 0) | ((byte == b'/') & ((next == b'/') | (next == b'.')));
        }
        odd
    }

    #[inline(always)]
    fn prefetch(_line: *const Slot) {}
}

/// Fewer than 8 bytes as a zero-padded unit.
#[inline(always)]
pub(super) fn pad(rest: &[u8]) -> u64 {
    let mut unit = [0; 8];
    unit[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(unit)
}

/// Adds one unit to the three sums.
#[inline(always)]
pub(crate) fn add_unit(sums: &mut [u64; 3], key: HashKey<'_>, unit: usize, bytes: u64) {
    for (lane, sum) in sums.iter_mut().enumerate() {
        let word = lane * KEY_LANE_WORDS as usize + 2 * unit;
        let low = (bytes as u32).wrapping_add(key.words()[word]);
        let high = ((bytes >> 32) as u32).wrapping_add(key.words()[word + 1]);
        *sum = sum.wrapping_add(u64::from(low) * u64::from(high));
    }
}
