//! The key of an entry: NH over its canonical path, then a strongly universal finish.
//!
//! The path, zero-padded, is read in units of 8 bytes; unit `u` holds the little-endian words `w0`, `w1`. Lane `j` of
//! three sums `(w0 + K[j][2u]) * (w1 + K[j][2u + 1])` in 64 bits (the additions wrap at 32 bits), and word `j` of the
//! key is the top half of `lo(sum) * A[j] + hi(sum) * B[j] + C[j]` mod 2^64. `K`, `A`, `B`, `C` are secret random words.
//! The bound on collisions is proved in `docs/hash.md`. Sources: NH is from UMAC (Black et al., CRYPTO '99; RFC 4418), the
//! finish is multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014).

use crate::layout::{self, DirRecord};

const LANES: usize = layout::LANES as usize;
const LANE_WORDS: usize = layout::KEY_LANE_WORDS as usize;
const UNIT_BYTES: usize = layout::UNIT_BYTES as usize;
const UNIT_MASK: usize = layout::KEY_UNITS as usize - 1;

/// The secret words of the hash, borrowed: position keys of three lanes, then the finish.
#[derive(Debug, Clone, Copy)]
pub struct HashKey<'a> {
    words: &'a [u32; layout::KEY_WORDS as usize],
}

impl<'a> HashKey<'a> {
    /// The key in these words; `None` unless there are exactly KEY_WORDS.
    pub fn new(words: &'a [u32]) -> Option<HashKey<'a>> {
        Some(HashKey { words: words.try_into().ok()? })
    }

    /// The key in this array.
    pub const fn of(words: &'a [u32; layout::KEY_WORDS as usize]) -> HashKey<'a> {
        HashKey { words }
    }

    /// Its words: position keys of lane 0, 1, 2, then the finish.
    pub const fn words(self) -> &'a [u32; layout::KEY_WORDS as usize] {
        self.words
    }

    /// The two position keys of `unit` in `lane`. Units wrap at 8 KiB, which no path reaches.
    #[inline]
    fn position(self, lane: usize, unit: usize) -> (u32, u32) {
        let word = lane * LANE_WORDS + 2 * (unit & UNIT_MASK);
        (self.words[word], self.words[word + 1])
    }

    /// A, B and C of `lane`.
    #[inline]
    fn finish(self, lane: usize) -> [u64; 3] {
        let word = layout::KEY_FINISH as usize + lane * layout::KEY_FINISH_WORDS as usize;
        std::array::from_fn(|i| {
            u64::from(self.words[word + 2 * i]) | u64::from(self.words[word + 2 * i + 1]) << 32
        })
    }
}

/// Draws a new key from the operating system's generator.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn random_key() -> Result<Vec<u32>, getrandom::Error> {
    let mut words = vec![0; layout::KEY_WORDS as usize];
    getrandom::fill(bytemuck::cast_slice_mut(&mut words))?;
    Ok(words)
}

/// The fingerprint of an entry's canonical path: 94 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The words; the two lowest bits of the third are zero, since a slot keeps the kind there.
    pub words: [u32; LANES],
}

/// A hash underway: everything there is to know of the bytes so far in order to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// Sums over whole units.
    pub sums: [u64; LANES],
    /// The bytes of the unit that is not whole yet, zero-padded, first byte lowest.
    pub tail: u64,
    /// Bytes so far, those of the tail included.
    pub length: u32,
}

impl State {
    /// The state of the empty string: the root's.
    pub const EMPTY: State = State { sums: [0; LANES], tail: 0, length: 0 };

    /// The state that a directory begins anew from when its canonical path is too long, or its place is still
    /// another's origin: a NUL, which no path holds, and its inode.
    pub fn salted(inode: u32) -> State {
        State { tail: u64::from(inode) << 8, length: 5, ..State::EMPTY }
    }

    /// The state that a directory's record holds.
    #[inline]
    pub fn of(record: &DirRecord) -> State {
        let wide = |lo: u32, hi: u32| u64::from(lo) | u64::from(hi) << 32;
        State {
            sums: [
                wide(record.sum0_lo, record.sum0_hi),
                wide(record.sum1_lo, record.sum1_hi),
                wide(record.sum2_lo, record.sum2_hi),
            ],
            tail: wide(record.tail_lo, record.tail_hi),
            length: record.length,
        }
    }

    /// The record of a directory with this state.
    pub fn record(&self, inode: u32, parent: u32, flags: u32) -> DirRecord {
        let [(sum0_lo, sum0_hi), (sum1_lo, sum1_hi), (sum2_lo, sum2_hi)] = self.sums.map(halves);
        let (tail_lo, tail_hi) = halves(self.tail);
        DirRecord {
            sum0_lo,
            sum0_hi,
            sum1_lo,
            sum1_hi,
            sum2_lo,
            sum2_hi,
            tail_lo,
            tail_hi,
            length: self.length,
            parent,
            flags,
            inode,
        }
    }

    /// Continues over a slash and `name`: the state of an entry below the directory of this state.
    #[inline]
    pub fn child(mut self, key: HashKey<'_>, name: &[u8]) -> State {
        self.push(key, b"/");
        self.push(key, name);
        self
    }

    /// Continues over `bytes`.
    #[inline]
    pub fn push(&mut self, key: HashKey<'_>, bytes: &[u8]) {
        // Bits of the unit that is not whole yet: each eight bytes that come fill it, and leave as many.
        let pending = 8 * (self.length % layout::UNIT_BYTES);
        let mut unit = self.length as usize / UNIT_BYTES;
        let (words, rest) = bytes.as_chunks::<UNIT_BYTES>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            self.sums = add_unit(self.sums, key, unit, self.tail | word << pending);
            self.tail = above(word, 64 - pending);
            unit += 1;
        }
        let last = load(rest);
        self.tail |= last << pending;
        if pending as usize / 8 + rest.len() >= UNIT_BYTES {
            self.sums = add_unit(self.sums, key, unit, self.tail);
            self.tail = above(last, 64 - pending);
        }
        // The length of a damaged record may wrap.
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }

    /// The key of the bytes so far.
    #[inline]
    pub fn finish(&self, key: HashKey<'_>) -> Key {
        let length = self.length as usize;
        let sums = match length % UNIT_BYTES {
            0 => self.sums,
            _ => add_unit(self.sums, key, length / UNIT_BYTES, self.tail),
        };
        let mut words: [u32; LANES] = std::array::from_fn(|lane| {
            let [a, b, c] = key.finish(lane);
            let (lo, hi) = halves(sums[lane]);
            let mixed =
                u64::from(lo).wrapping_mul(a).wrapping_add(u64::from(hi).wrapping_mul(b)).wrapping_add(c);
            halves(mixed).1
        });
        words[LANES - 1] &= !layout::KIND_MASK;
        Key { words }
    }
}

/// Adds one unit to the three sums.
#[inline]
fn add_unit(sums: [u64; LANES], key: HashKey<'_>, unit: usize, bytes: u64) -> [u64; LANES] {
    let (w0, w1) = halves(bytes);
    std::array::from_fn(|lane| {
        let (k0, k1) = key.position(lane, unit);
        let product = u64::from(w0.wrapping_add(k0)) * u64::from(w1.wrapping_add(k1));
        sums[lane].wrapping_add(product)
    })
}

/// Fewer than 8 bytes as a zero-padded unit, first byte lowest.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    let n = bytes.len();
    // Two halves that may overlap instead of a loop.
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << (8 * (n - 4));
    }
    let at = |i: usize| u64::from(bytes[i]) << (8 * i);
    if n == 0 { 0 } else { at(0) | at(n / 2) | at(n - 1) }
}

/// The bits of a word from this one on; none from 64 on.
#[inline]
fn above(word: u64, bit: u32) -> u64 {
    word.checked_shr(bit).unwrap_or(0)
}

#[inline]
fn halves(wide: u64) -> (u32, u32) {
    (wide as u32, (wide >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Found by fuzzing: a length that only a damaged record holds.
    #[test]
    fn a_length_that_wraps_is_no_panic() {
        let words = [1; layout::KEY_WORDS as usize];
        let key = HashKey::of(&words);
        let record = DirRecord { length: u32::MAX, ..State::EMPTY.record(0, 0, 0) };
        let state = State::of(&record).child(key, b"a name");
        assert_eq!(state.length, 6);
        let _ = state.finish(key);
    }

    /// The definition, word for word, over arbitrary-precision-free plain loops.
    fn key_by_definition(words: &[u32], bytes: &[u8]) -> Key {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().div_ceil(8) * 8, 0);
        let word = |i: usize| u32::from_le_bytes(padded[4 * i..4 * i + 4].try_into().unwrap());
        let mut key = [0u32; 3];
        for (j, out) in key.iter_mut().enumerate() {
            let mut sum = 0u128;
            for u in 0..padded.len() / 8 {
                let a = word(2 * u).wrapping_add(words[j * 2048 + 2 * u]);
                let b = word(2 * u + 1).wrapping_add(words[j * 2048 + 2 * u + 1]);
                sum += u128::from(a) * u128::from(b);
            }
            let sum = sum as u64;
            let at = |i: usize| {
                let w = 6144 + 6 * j + 2 * i;
                u128::from(words[w]) | u128::from(words[w + 1]) << 32
            };
            let mixed = u128::from(sum as u32) * at(0) + u128::from(sum >> 32) * at(1) + at(2);
            *out = (mixed as u64 >> 32) as u32;
        }
        key[2] &= !3;
        Key { words: key }
    }

    proptest! {
        #[test]
        fn states_continue_as_defined(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0usize..300, 0..5)) {
            let words = random_key().unwrap();
            let key = HashKey::new(&words).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut state = State::EMPTY;
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                state.push(key, &bytes[from..cut]);
                state = State::of(&state.record(1, 2, 3));
                from = cut;
            }
            prop_assert_eq!(state.length as usize, bytes.len());
            prop_assert_eq!(state.finish(key), key_by_definition(&words, &bytes));
        }
    }

    #[test]
    fn salted_states_are_the_string_that_they_stand_for() {
        let words = random_key().unwrap();
        let key = HashKey::new(&words).unwrap();
        let mut state = State::EMPTY;
        state.push(key, &[0, 0x78, 0x56, 0x34, 0x12]);
        assert_eq!(state, State::salted(0x1234_5678));
    }

    #[test]
    fn a_key_has_a_fixed_number_of_words() {
        assert!(HashKey::new(&[0; 6161]).is_none());
        assert!(HashKey::new(&[0; 6162]).is_some());
    }
}
