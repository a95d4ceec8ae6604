//! 256-bit vectors: four units at a time, the last whole ones under a mask, the bytes behind them one by one.

use super::portable::{add_unit, pad};
use super::{Job, Marks, Vectors};
use crate::probes::Asked;
use std::arch::x86_64::*;
use std::ptr::from_ref;
use warpath_core::hash::HashKey;
use warpath_core::layout::{KEY_LANE_WORDS, KIND_MASK, Slot};

#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Does a job.
///
/// # Safety
/// The CPU has AVX2 and BMI2.
#[inline(never)]
#[target_feature(enable = "avx2,bmi2,popcnt,lzcnt")]
pub(crate) unsafe fn run<J: Job>(job: J) {
    // SAFETY: the instruction set is the caller's duty.
    unsafe { job.run::<Avx2>() }
}

const LANE_WORDS: usize = KEY_LANE_WORDS as usize;

/// A window of four that begins at `4 - n` takes the first `n` units of a block.
const UNIT_MASKS: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

impl Vectors for Avx2 {
    #[inline(always)]
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3] {
        // SAFETY: the caller has the features. Whole blocks lie within `bytes`; masked loads touch only whole units of it, and the
        // position keys of the same units. A mask window of four lies within the eight masks.
        unsafe {
            let words = key.words().as_ptr().add(2 * first_unit);
            let mut sums = [_mm256_setzero_si256(); 3];
            let n_whole = bytes.len() & !31;
            let mut at = 0;
            while at < n_whole {
                let block = _mm256_loadu_si256(bytes.as_ptr().add(at).cast());
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let keys = _mm256_loadu_si256(words.add(lane * LANE_WORDS + at / 4).cast());
                    *sum = _mm256_add_epi64(*sum, products(block, keys));
                }
                at += 32;
            }
            let n_units = (bytes.len() - at) / 8;
            let mask = _mm256_loadu_si256(UNIT_MASKS.as_ptr().add(4 - n_units).cast());
            let block = _mm256_maskload_epi64(bytes.as_ptr().add(at).cast(), mask);
            for (lane, sum) in sums.iter_mut().enumerate() {
                // Words masked away are zero in both, and so is their product.
                let keys = _mm256_maskload_epi64(words.add(lane * LANE_WORDS + at / 4).cast(), mask);
                *sum = _mm256_add_epi64(*sum, products(block, keys));
            }
            let mut sums = reduce(sums);
            let n_bytes = bytes.len() % 8;
            if n_bytes > 0 {
                let whole = bytes.len() - n_bytes;
                let unit = match bytes.len() {
                    0..8 => pad(bytes),
                    // The last 8 bytes in one load, those that belong to the unit before shifted out.
                    n => {
                        bytes.as_ptr().add(n - 8).cast::<u64>().read_unaligned().to_le() >> (64 - 8 * n_bytes)
                    }
                };
                add_unit(&mut sums, key, first_unit + whole / 8, unit);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn matches(line: &[Slot; 4], asked: &Asked) -> u32 {
        // SAFETY: the caller has the features; a line is 64 bytes, a question 16.
        unsafe {
            let wanted = _mm256_broadcastsi128_si256(_mm_load_si128(from_ref(asked).cast()));
            let low = _mm256_loadu_si256(line.as_ptr().cast());
            let high = _mm256_loadu_si256(line.as_ptr().add(2).cast());
            let equal = equal_halves(low, wanted) | equal_halves(high, wanted) << 4;
            equal & equal >> 1 & 0x55
        }
    }

    #[inline(always)]
    unsafe fn marks(path: &[u8]) -> Marks {
        let n = path.len().min(Marks::MAX);
        let mut short = [0; 32];
        let (block, n_block) = match path.get(..32) {
            Some(_) => (path.as_ptr(), 32),
            None => {
                short[..n].copy_from_slice(&path[..n]);
                (short.as_ptr(), n)
            }
        };
        // SAFETY: the caller has the features. The first block is 32 bytes of the path or of the copy, and each further one ends within
        // the path; the last overlaps the one before, whose bits it repeats.
        unsafe {
            let [mut slashes, mut dots, mut nuls] = marks_of(block);
            nuls &= (1 << n_block) - 1;
            let mut at = n_block;
            while at < n {
                let first = at.min(n - 32);
                let more = marks_of(path.as_ptr().add(first));
                slashes |= more[0] << first;
                dots |= more[1] << first;
                nuls |= more[2] << first;
                at += 32;
            }
            Marks::new(slashes, dots, nuls)
        }
    }

    #[inline(always)]
    unsafe fn run_apart<J: Job>(job: J) {
        // SAFETY: the instruction set is the caller's duty.
        unsafe { run(job) }
    }
}

/// All ones in each byte that is this one.
#[inline(always)]
unsafe fn equal_bytes(block: __m256i, byte: u8) -> __m256i {
    // SAFETY: the caller has the features.
    unsafe { _mm256_cmpeq_epi8(block, _mm256_set1_epi8(byte as i8)) }
}

/// A bit for each half of two slots: whether it equals the key's, inode and kind left out.
#[inline(always)]
unsafe fn equal_halves(slots: __m256i, wanted: __m256i) -> u32 {
    // SAFETY: the caller has the features.
    unsafe {
        let compared = _mm256_set_epi64x(!KIND_MASK as i64, -1, !KIND_MASK as i64, -1);
        let differing = _mm256_and_si256(_mm256_xor_si256(slots, wanted), compared);
        let equal = _mm256_cmpeq_epi64(differing, _mm256_setzero_si256());
        _mm256_movemask_pd(_mm256_castsi256_pd(equal)) as u32
    }
}

/// A bit for each of 32 bytes that is a slash, a dot, a NUL.
#[inline(always)]
unsafe fn marks_of(bytes: *const u8) -> [u128; 3] {
    // SAFETY: the caller has the features, and 32 bytes there.
    unsafe {
        let block = _mm256_loadu_si256(bytes.cast());
        let slashes = _mm256_movemask_epi8(equal_bytes(block, b'/')) as u32;
        let dots = _mm256_movemask_epi8(equal_bytes(block, b'.')) as u32;
        let nuls = _mm256_movemask_epi8(equal_bytes(block, 0)) as u32;
        [slashes.into(), dots.into(), nuls.into()]
    }
}

/// `(w0 + k0) * (w1 + k1)` of each unit.
#[inline(always)]
unsafe fn products(block: __m256i, keys: __m256i) -> __m256i {
    // SAFETY: the caller has the features.
    unsafe {
        let words = _mm256_add_epi32(block, keys);
        _mm256_mul_epu32(words, _mm256_srli_epi64::<32>(words))
    }
}

/// The sum over the units of each lane.
#[inline(always)]
unsafe fn reduce(sums: [__m256i; 3]) -> [u64; 3] {
    // SAFETY: the caller has the features.
    unsafe {
        let [s0, s1, s2] = sums;
        let both = _mm256_add_epi64(_mm256_unpacklo_epi64(s0, s1), _mm256_unpackhi_epi64(s0, s1));
        let both = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
        let last = _mm_add_epi64(_mm256_castsi256_si128(s2), _mm256_extracti128_si256::<1>(s2));
        let last = _mm_add_epi64(last, _mm_unpackhi_epi64(last, last));
        [_mm_cvtsi128_si64(both) as u64, _mm_extract_epi64::<1>(both) as u64, _mm_cvtsi128_si64(last) as u64]
    }
}
