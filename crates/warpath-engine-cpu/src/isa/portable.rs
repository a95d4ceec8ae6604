//! Plain Rust: what the vector code must agree with.

use super::{Job, Marks, Vectors};
use crate::probes::Asked;
use warpath_core::hash::HashKey;
use warpath_core::layout::{KEY_LANE_WORDS, KIND_MASK, Slot};

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
    unsafe fn matches(line: &[Slot; 4], asked: &Asked) -> u32 {
        let [k0, k1, k2] = asked.words;
        let mut bits = 0;
        for (i, slot) in line.iter().enumerate() {
            let differing = (slot.key0 ^ k0) | (slot.key1 ^ k1) | ((slot.key2_kind ^ k2) & !KIND_MASK);
            bits |= u32::from(differing == 0) << (2 * i);
        }
        bits
    }

    #[inline(always)]
    unsafe fn marks(path: &[u8]) -> Marks {
        let [mut slashes, mut dots, mut nuls] = [0; 3];
        for (i, &byte) in path.iter().take(Marks::MAX).enumerate() {
            slashes |= u128::from(byte == b'/') << i;
            dots |= u128::from(byte == b'.') << i;
            nuls |= u128::from(byte == 0) << i;
        }
        Marks::new(slashes, dots, nuls)
    }

    #[inline(never)]
    unsafe fn run_apart<J: Job>(job: J) {
        // SAFETY: plain Rust runs everywhere.
        unsafe { job.run::<Portable>() }
    }

    #[inline(always)]
    fn prefetch(_line: *const u8) {}
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
