//! 512-bit vectors: eight units at a time, the last ones under a byte mask, so nothing outside a path is read.

mod group;

use super::{Job, Marks, Vectors};
use crate::block::Query;
use crate::probes::{Asked, GROUP, Questions};
use std::arch::x86_64::*;
use std::ptr::from_ref;
use warpath_core::hash::HashKey;
use warpath_core::layout::{KEY_LANE_WORDS, KIND_MASK, Slot};

#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Does a job.
///
/// # Safety
/// The CPU has AVX-512 F, BW and DQ, and BMI2.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,bmi2,popcnt,lzcnt")]
pub(crate) unsafe fn run<J: Job>(job: J) {
    // SAFETY: the instruction set is the caller's duty.
    unsafe { job.run::<Avx512>() }
}

const LANE_WORDS: usize = KEY_LANE_WORDS as usize;

impl Vectors for Avx512 {
    #[inline(always)]
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3] {
        // SAFETY: the caller has the features. Whole blocks and the masked rest lie within `bytes`. A block of position keys
        // begins at a unit below KEY_UNITS, and 64 bytes from there are within the key even in the last lane, whose 2048 words
        // are followed by the 18 of the finish.
        unsafe {
            let words = key.words().as_ptr().add(2 * first_unit);
            let mut sums = [_mm512_setzero_si512(); 3];
            let mut at = 0;
            while bytes.len() - at > 64 {
                let block = _mm512_loadu_si512(bytes.as_ptr().add(at).cast());
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let keys = _mm512_loadu_si512(words.add(lane * LANE_WORDS + at / 4).cast());
                    *sum = _mm512_add_epi64(*sum, products(block, keys));
                }
                at += 64;
            }
            let rest = bytes.len() - at;
            let block = _mm512_maskz_loadu_epi8(_bzhi_u64(!0, rest as u32), bytes.as_ptr().add(at).cast());
            let units = _bzhi_u32(!0, rest.div_ceil(8) as u32) as u8;
            for (lane, sum) in sums.iter_mut().enumerate() {
                let keys = _mm512_loadu_si512(words.add(lane * LANE_WORDS + at / 4).cast());
                *sum = _mm512_mask_add_epi64(*sum, units, *sum, products(block, keys));
            }
            reduce(sums)
        }
    }

    #[inline(always)]
    unsafe fn ask<'p, Q: Questions<'p>>(
        query: &Query<'_>,
        questions: &mut Q,
        first: usize,
        asked: &mut [Asked; GROUP],
    ) {
        // SAFETY: the instruction set is the caller's duty.
        unsafe { group::ask(query, questions, first, asked) }
    }

    #[inline(always)]
    unsafe fn matches(line: &[Slot; 4], asked: &Asked) -> u32 {
        // SAFETY: the caller has the features; a line is 64 bytes, a question 16.
        unsafe {
            let slots = _mm512_loadu_si512(line.as_ptr().cast());
            let wanted = _mm512_broadcast_i32x4(_mm_load_si128(from_ref(asked).cast()));
            // Inode and kind are left out.
            let compared = _mm512_broadcast_i32x4(_mm_set_epi64x(!KIND_MASK as i64, -1));
            let equal = u32::from(_mm512_testn_epi64_mask(_mm512_xor_si512(slots, wanted), compared));
            equal & equal >> 1 & 0x55
        }
    }

    #[inline(always)]
    unsafe fn marks(path: &[u8]) -> Marks {
        let n = path.len().min(Marks::MAX) as u32;
        // SAFETY: the caller has the features. Masked loads touch only the path's bytes.
        unsafe {
            let (low, high) = (_bzhi_u64(!0, n), _bzhi_u64(!0, n.saturating_sub(64)));
            let first = _mm512_maskz_loadu_epi8(low, path.as_ptr().cast());
            let second = _mm512_maskz_loadu_epi8(high, path.as_ptr().wrapping_add(64).cast());
            Marks::new(
                wide(equal_bytes(first, b'/'), equal_bytes(second, b'/')),
                wide(equal_bytes(first, b'.'), equal_bytes(second, b'.')),
                wide(equal_bytes(first, 0) & low, equal_bytes(second, 0) & high),
            )
        }
    }

    #[inline(always)]
    unsafe fn run_apart<J: Job>(job: J) {
        // SAFETY: the instruction set is the caller's duty.
        unsafe { run(job) }
    }
}

#[inline(always)]
fn wide(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// A bit for each byte that is this one.
#[inline(always)]
unsafe fn equal_bytes(block: __m512i, byte: u8) -> u64 {
    // SAFETY: the caller has the features.
    unsafe { _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8)) }
}

/// `(w0 + k0) * (w1 + k1)` of each unit.
#[inline(always)]
unsafe fn products(block: __m512i, keys: __m512i) -> __m512i {
    // SAFETY: the caller has the features.
    unsafe {
        let words = _mm512_add_epi32(block, keys);
        _mm512_mul_epu32(words, _mm512_srli_epi64::<32>(words))
    }
}

/// The sum over the units of each lane.
#[inline(always)]
unsafe fn reduce(sums: [__m512i; 3]) -> [u64; 3] {
    // SAFETY: the caller has the features.
    unsafe {
        let [s0, s1, s2] = sums;
        let both = _mm512_add_epi64(_mm512_unpacklo_epi64(s0, s1), _mm512_unpackhi_epi64(s0, s1));
        let both = _mm256_add_epi64(_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64::<1>(both));
        let both = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
        let last = _mm256_add_epi64(_mm512_castsi512_si256(s2), _mm512_extracti64x4_epi64::<1>(s2));
        let last = _mm_add_epi64(_mm256_castsi256_si128(last), _mm256_extracti128_si256::<1>(last));
        let last = _mm_add_epi64(last, _mm_unpackhi_epi64(last, last));
        [_mm_cvtsi128_si64(both) as u64, _mm_extract_epi64::<1>(both) as u64, _mm_cvtsi128_si64(last) as u64]
    }
}
