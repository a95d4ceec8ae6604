//! Eight keys at once. The first 128 bytes of each path are multiplied without a branch, whatever its length, since a branch on
//! the length of a random path is mispredicted; then the eight paths' sums are added up and finished together, a path an element.

use super::{Avx512, LANE_WORDS, products};
use crate::block::Query;
use crate::hash;
use crate::probes::{Asked, GROUP, Piece, Questions};
use std::arch::x86_64::*;
use warpath_core::hash::{HashKey, State};
use warpath_core::layout::{KEY_FINISH, KEY_FINISH_WORDS, KIND_MASK, UNIT_BYTES};

/// A vector for each lane of the hash.
type Lanes = [__m512i; 3];

const UNIT: usize = UNIT_BYTES as usize;

/// Bytes, pending ones included, that are hashed without a branch.
const SHORT: usize = 128;

/// The keys and home lines of the questions from number `first` on.
///
/// # Safety
/// The CPU has the features of [`super::run`].
#[inline(always)]
pub(super) unsafe fn ask<'p, Q: Questions<'p>>(
    query: &Query<'_>,
    questions: &mut Q,
    first: usize,
    asked: &mut [Asked; GROUP],
) {
    let mut pieces = [Piece::NOTHING; GROUP];
    let mut short = true;
    // Looked at as they come: vectors that are read back from words just written wait until those have left the pipeline.
    for (i, piece) in pieces.iter_mut().enumerate() {
        *piece = questions.piece(first + i);
        short &= piece.state().is_none() & (piece.bytes().len() <= SHORT);
    }
    // SAFETY: the caller has the features.
    unsafe {
        if short {
            ask_short(query, &pieces, asked);
        } else {
            ask_any(query, &pieces, asked);
        }
    }
}

/// As [`ask`], of short paths from the root. No calls within: around them all vectors would be kept in memory.
#[inline(always)]
unsafe fn ask_short(query: &Query<'_>, pieces: &[Piece<'_>; GROUP], asked: &mut [Asked; GROUP]) {
    let key = query.tables.key;
    let [a, b, c, d, e, f, g, h] = pieces;
    // SAFETY: the caller has the features.
    unsafe {
        let keys = [first_keys(key, 0), first_keys(key, 1)];
        // In this order each path's key ends up at its own number.
        let p0 = interleave(sums_from_root(&keys, a), sums_from_root(&keys, e));
        let p1 = interleave(sums_from_root(&keys, b), sums_from_root(&keys, f));
        let low = fold(p0, p1);
        let p2 = interleave(sums_from_root(&keys, c), sums_from_root(&keys, g));
        let p3 = interleave(sums_from_root(&keys, d), sums_from_root(&keys, h));
        finish(query, fold(low, fold(p2, p3)), asked);
    }
}

/// As [`ask`], of any pieces.
///
/// # Safety
/// The CPU has the features of [`super::run`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,bmi2,popcnt,lzcnt")]
unsafe fn ask_any(query: &Query<'_>, pieces: &[Piece<'_>; GROUP], asked: &mut [Asked; GROUP]) {
    let key = query.tables.key;
    let mut pairs = [[_mm512_setzero_si512(); 3]; GROUP / 2];
    for (i, pair) in pairs.iter_mut().enumerate() {
        // SAFETY: the caller has the features.
        *pair = unsafe { interleave(sums(key, &pieces[i]), sums(key, &pieces[i + GROUP / 2])) };
    }
    let [p0, p1, p2, p3] = pairs;
    // SAFETY: as above.
    unsafe { finish(query, fold(fold(p0, p1), fold(p2, p3)), asked) };
}

/// The position keys of the first or second 64 bytes.
#[inline(always)]
unsafe fn first_keys(key: HashKey<'_>, block: usize) -> Lanes {
    // SAFETY: the caller has the features; a lane has 2048 words.
    unsafe {
        let words = key.words().as_ptr().add(16 * block);
        [
            _mm512_loadu_si512(words.cast()),
            _mm512_loadu_si512(words.add(LANE_WORDS).cast()),
            _mm512_loadu_si512(words.add(2 * LANE_WORDS).cast()),
        ]
    }
}

/// The sums of a short path from the root, still spread over each vector.
#[inline(always)]
unsafe fn sums_from_root(keys: &[Lanes; 2], piece: &Piece<'_>) -> Lanes {
    let n = piece.bytes().len().min(SHORT);
    // SAFETY: the caller has the features; masked loads touch only the path's bytes.
    unsafe {
        let bytes = piece.bytes().as_ptr();
        let units = _bzhi_u32(!0, n.div_ceil(UNIT) as u32);
        let first = _mm512_maskz_loadu_epi8(_bzhi_u64(!0, n as u32), bytes.cast());
        let second = _mm512_maskz_loadu_epi8(
            _bzhi_u64(!0, n.saturating_sub(64) as u32),
            bytes.wrapping_add(64).cast(),
        );
        let mut sums = [_mm512_setzero_si512(); 3];
        for (lane, sum) in sums.iter_mut().enumerate() {
            // Units behind the end add nothing.
            *sum = _mm512_add_epi64(
                _mm512_maskz_mov_epi64(units as u8, products(first, keys[0][lane])),
                _mm512_maskz_mov_epi64((units >> 8) as u8, products(second, keys[1][lane])),
            );
        }
        sums
    }
}

/// The sums of any piece, still spread over each vector.
#[inline(always)]
unsafe fn sums(key: HashKey<'_>, piece: &Piece<'_>) -> Lanes {
    let state = piece.state().unwrap_or(&State::EMPTY);
    let pending = state.length as usize % UNIT;
    let n = pending + piece.bytes().len();
    // SAFETY: the caller has the features. Masked loads touch only the path's bytes, none of the pending ones that are thought before it,
    // and position keys of units that the piece has.
    unsafe {
        if n > SHORT {
            return sums_of_long(key, piece);
        }
        let bytes = piece.bytes().as_ptr().wrapping_sub(pending);
        let low = _bzhi_u64(!0, n as u32) >> pending << pending;
        let tail = _mm512_zextsi128_si512(_mm_cvtsi64_si128(state.tail as i64));
        let first = _mm512_or_si512(_mm512_maskz_loadu_epi8(low, bytes.cast()), tail);
        let second = _mm512_maskz_loadu_epi8(
            _bzhi_u64(!0, n.saturating_sub(64) as u32),
            bytes.wrapping_add(64).cast(),
        );
        let units = _bzhi_u32(!0, n.div_ceil(UNIT) as u32);
        let words = key.words().as_ptr().wrapping_add(2 * (state.length as usize / UNIT));
        let mut sums = [_mm512_setzero_si512(); 3];
        for (lane, sum) in sums.iter_mut().enumerate() {
            let words = words.wrapping_add(lane * LANE_WORDS);
            // Words that are masked away are zero on both sides, and so is their product.
            let first_keys = _mm512_maskz_loadu_epi64(units as u8, words.cast());
            let second_keys = _mm512_maskz_loadu_epi64((units >> 8) as u8, words.wrapping_add(16).cast());
            let before = _mm512_zextsi128_si512(_mm_cvtsi64_si128(state.sums[lane] as i64));
            let both = _mm512_add_epi64(products(first, first_keys), products(second, second_keys));
            *sum = _mm512_add_epi64(before, both);
        }
        sums
    }
}

/// As [`sums`], of a piece that is longer than most: added up already.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,bmi2,popcnt,lzcnt")]
unsafe fn sums_of_long(key: HashKey<'_>, piece: &Piece<'_>) -> Lanes {
    // SAFETY: the caller has the features.
    let [s0, s1, s2] = unsafe { hash::sums_of::<Avx512>(key, piece) }.map(|sum| sum as i64);
    [
        _mm512_zextsi128_si512(_mm_cvtsi64_si128(s0)),
        _mm512_zextsi128_si512(_mm_cvtsi64_si128(s1)),
        _mm512_zextsi128_si512(_mm_cvtsi64_si128(s2)),
    ]
}

/// Two paths' sums in one vector: the first path's in even halves of each 128 bits, the other's in odd ones.
#[inline(always)]
unsafe fn interleave(a: Lanes, b: Lanes) -> Lanes {
    let mut both = a;
    for (lane, both) in both.iter_mut().enumerate() {
        // SAFETY: the caller has the features.
        *both = unsafe {
            _mm512_add_epi64(_mm512_unpacklo_epi64(a[lane], b[lane]), _mm512_unpackhi_epi64(a[lane], b[lane]))
        };
    }
    both
}

/// Halves what each path's sums are spread over, and puts twice as many paths in a vector: those of `a` first.
#[inline(always)]
unsafe fn fold(a: Lanes, b: Lanes) -> Lanes {
    let mut both = a;
    for (lane, both) in both.iter_mut().enumerate() {
        // SAFETY: the caller has the features.
        *both = unsafe {
            _mm512_add_epi64(
                _mm512_shuffle_i64x2::<0b10_00_10_00>(a[lane], b[lane]),
                _mm512_shuffle_i64x2::<0b11_01_11_01>(a[lane], b[lane]),
            )
        };
    }
    both
}

/// The keys of these sums, a path an element in the order 0, 4, 1, 5, 2, 6, 3, 7, and their home lines.
#[inline(always)]
unsafe fn finish(query: &Query<'_>, sums: Lanes, asked: &mut [Asked; GROUP]) {
    // SAFETY: the caller has the features; a group of questions is two vectors.
    unsafe {
        let high_half = _mm512_set1_epi64(!0xFFFF_FFFF);
        let mut mixed = sums;
        for (lane, mixed) in mixed.iter_mut().enumerate() {
            let [a, b, c] = factors(query.tables.key, lane);
            let low = _mm512_mullo_epi64(_mm512_andnot_si512(high_half, sums[lane]), a);
            let high = _mm512_mullo_epi64(_mm512_srli_epi64::<32>(sums[lane]), b);
            *mixed = _mm512_add_epi64(_mm512_add_epi64(low, high), c);
        }
        let [k0, k1, k2] = mixed;
        let k0 = _mm512_srli_epi64::<32>(k0);
        let k2 = _mm512_and_si512(_mm512_srli_epi64::<32>(k2), _mm512_set1_epi64(i64::from(!KIND_MASK)));
        // The home pair is the upper half of the product, its line half of that.
        let n_pairs = _mm512_set1_epi64(i64::from(query.tables.params.n_pairs));
        let line = _mm512_srli_epi64::<1>(_mm512_mul_epu32(k0, n_pairs));
        let front = _mm512_or_si512(k0, _mm512_and_si512(k1, high_half));
        let back = _mm512_or_si512(k2, _mm512_and_si512(line, high_half));
        let to = asked.as_mut_ptr();
        _mm512_storeu_si512(to.cast(), _mm512_unpacklo_epi64(front, back));
        _mm512_storeu_si512(to.add(4).cast(), _mm512_unpackhi_epi64(front, back));
    }
}

/// A, B and C of a lane.
#[inline(always)]
unsafe fn factors(key: HashKey<'_>, lane: usize) -> Lanes {
    let first = KEY_FINISH as usize + lane * KEY_FINISH_WORDS as usize;
    let mut factors = [0i64; 3];
    for (i, factor) in factors.iter_mut().enumerate() {
        let at = first + 2 * i;
        *factor = (u64::from(key.words()[at]) | u64::from(key.words()[at + 1]) << 32) as i64;
    }
    let [a, b, c] = factors;
    // SAFETY: the caller has the features.
    unsafe { [_mm512_set1_epi64(a), _mm512_set1_epi64(b), _mm512_set1_epi64(c)] }
}
