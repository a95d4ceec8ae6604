//! 256-bit vectors: four units at a time, the last whole ones under a mask, the bytes behind them one by one.

use super::portable::{add_unit, pad};
use super::{InLine, Vectors};
use crate::block::{self, Query};
use crate::source::Source;
use std::arch::x86_64::*;
use warpath_core::OutcomesMut;
use warpath_core::hash::{HashKey, Key};
use warpath_core::index::{Plan, TablesView};
use warpath_core::layout::{KEY_LANE_WORDS, KIND_MASK, Slot};

#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Resolves paths.
///
/// # Safety
/// The CPU has AVX2 and BMI2.
#[target_feature(enable = "avx2,bmi2,popcnt,lzcnt")]
pub(crate) unsafe fn run<S: Source>(tables: &TablesView<'_>, plan: &Plan, source: S, out: OutcomesMut<'_>) {
    block::run::<Avx2, S>(tables, plan, source, out);
}

/// Writes the keys of whole paths.
///
/// # Safety
/// The CPU has AVX2 and BMI2.
#[target_feature(enable = "avx2,bmi2,popcnt,lzcnt")]
pub(crate) unsafe fn keys<S: Source>(query: &Query<'_>, source: S, keys: &mut [[u32; 3]]) {
    // SAFETY: the instruction set is the caller's duty.
    unsafe { crate::keys::run::<Avx2, S>(query, source, keys) }
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
    unsafe fn find_in_line(line: &[Slot; 4], key: &Key) -> InLine {
        // SAFETY: the caller has the features; a line is 64 bytes.
        unsafe {
            let [k0, k1, k2] = key.words.map(|word| word as i32);
            let wanted = _mm256_broadcastsi128_si256(_mm_setr_epi32(k0, k1, k2, 0));
            let compared = _mm256_broadcastsi128_si256(_mm_setr_epi32(-1, -1, !(KIND_MASK as i32), 0));
            // No closures here: code that is not inlined loses the instruction set.
            let low = _mm256_loadu_si256(line.as_ptr().cast());
            let high = _mm256_loadu_si256(line.as_ptr().add(2).cast());
            let same = equal_words(low, wanted, compared) | equal_words(high, wanted, compared) << 8;
            let ones = _mm256_set1_epi32(-1);
            let empty = equal_words(low, ones, ones) | equal_words(high, ones, ones) << 8;
            InLine::of_words(same, empty)
        }
    }

    #[inline(always)]
    unsafe fn looks_odd(bytes: &[u8]) -> bool {
        let n = bytes.len();
        if n < 33 {
            // SAFETY: portable code needs no feature.
            return unsafe { super::portable::Portable::looks_odd(bytes) };
        }
        // SAFETY: the caller has the features. Each step reads 32 bytes from `at` and from `at + 1`, and `at + 33 <= n`; the last
        // step overlaps the one before.
        unsafe {
            let mut odd = _mm256_setzero_si256();
            let mut at = 0;
            loop {
                let block = _mm256_loadu_si256(bytes.as_ptr().add(at).cast());
                let next = _mm256_loadu_si256(bytes.as_ptr().add(at + 1).cast());
                let dotted = _mm256_or_si256(equal_bytes(next, b'/'), equal_bytes(next, b'.'));
                odd = _mm256_or_si256(odd, _mm256_and_si256(equal_bytes(block, b'/'), dotted));
                odd = _mm256_or_si256(odd, equal_bytes(block, 0));
                if at + 33 == n {
                    break;
                }
                at = (at + 32).min(n - 33);
            }
            _mm256_testz_si256(odd, odd) == 0 || bytes[n - 1] == 0
        }
    }

    #[inline(always)]
    unsafe fn last_slash(bytes: &[u8]) -> Option<usize> {
        let mut end = bytes.len();
        while end >= 32 {
            // SAFETY: the caller has the features; the 32 bytes before `end` are there.
            let slashes = unsafe {
                let block = _mm256_loadu_si256(bytes.as_ptr().add(end - 32).cast());
                _mm256_movemask_epi8(equal_bytes(block, b'/')) as u32
            };
            if slashes != 0 {
                return Some(end - 32 + slashes.ilog2() as usize);
            }
            end -= 32;
        }
        bytes[..end].iter().rposition(|&byte| byte == b'/')
    }

    #[inline(always)]
    fn prefetch(line: *const Slot) {
        // SAFETY: a prefetch of any address is harmless.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
}

/// All ones in each byte that is this one.
#[inline(always)]
unsafe fn equal_bytes(block: __m256i, byte: u8) -> __m256i {
    // SAFETY: the caller has the features.
    unsafe { _mm256_cmpeq_epi8(block, _mm256_set1_epi8(byte as i8)) }
}

/// A bit for each of eight words: whether they are equal where `compared` has ones.
#[inline(always)]
unsafe fn equal_words(words: __m256i, wanted: __m256i, compared: __m256i) -> u32 {
    // SAFETY: the caller has the features.
    unsafe {
        let differing = _mm256_and_si256(_mm256_xor_si256(words, wanted), compared);
        let equal = _mm256_cmpeq_epi32(differing, _mm256_setzero_si256());
        _mm256_movemask_ps(_mm256_castsi256_ps(equal)) as u32
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
