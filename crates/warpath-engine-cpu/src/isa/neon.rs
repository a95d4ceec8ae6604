//! 128-bit vectors: two units at a time, the bytes behind them one unit at a time.

use super::portable::{Portable, add_unit, pad};
use super::{Job, Marks, Vectors};
use crate::probes::Asked;
use std::arch::aarch64::*;
use warpath_core::hash::HashKey;
use warpath_core::layout::{KEY_LANE_WORDS, Slot};

#[derive(Clone, Copy)]
pub(crate) struct Neon;

/// Does a job.
///
/// # Safety
/// The CPU has NEON.
#[inline(never)]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn run<J: Job>(job: J) {
    // SAFETY: the instruction set is the caller's duty.
    unsafe { job.run::<Neon>() }
}

const LANE_WORDS: usize = KEY_LANE_WORDS as usize;

impl Vectors for Neon {
    #[inline(always)]
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3] {
        let (blocks, rest) = bytes.as_chunks::<16>();
        // SAFETY: the caller has the feature. Blocks are 16 bytes, and the position keys of their units are within the key.
        let mut sums = unsafe {
            let words = key.words().as_ptr().add(2 * first_unit);
            let mut sums = [vdupq_n_u64(0); 3];
            for (i, block) in blocks.iter().enumerate() {
                let block = vreinterpretq_u32_u8(vld1q_u8(block.as_ptr()));
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let keys = vld1q_u32(words.add(lane * LANE_WORDS + 4 * i));
                    let added = vaddq_u32(block, keys);
                    let low = vget_low_u32(vuzp1q_u32(added, added));
                    let high = vget_low_u32(vuzp2q_u32(added, added));
                    *sum = vmlal_u32(*sum, low, high);
                }
            }
            sums.map(|sum| vaddvq_u64(sum))
        };
        let (units, last) = rest.as_chunks::<8>();
        let at = first_unit + 2 * blocks.len();
        for unit in units {
            add_unit(&mut sums, key, at, u64::from_le_bytes(*unit));
        }
        if !last.is_empty() {
            add_unit(&mut sums, key, at + units.len(), pad(last));
        }
        sums
    }

    #[inline(always)]
    unsafe fn matches(line: &[Slot; 4], asked: &Asked) -> u32 {
        // SAFETY: portable code needs no feature.
        unsafe { Portable::matches(line, asked) }
    }

    #[inline(always)]
    unsafe fn marks(path: &[u8]) -> Marks {
        // SAFETY: portable code needs no feature.
        unsafe { Portable::marks(path) }
    }

    #[inline(always)]
    unsafe fn run_apart<J: Job>(job: J) {
        // SAFETY: the instruction set is the caller's duty.
        unsafe { run(job) }
    }
}
