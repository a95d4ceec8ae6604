//! The keyed hash that spreads names over a directory's children block.

/// Words of the longest name, 4 bytes each.
const NAME_WORDS: usize = 64;

/// A multilinear hash of names of at most 255 bytes: the upper half of `k + sum(K[i] * word[i])` mod 2^64,
/// mixed. Names hold no NUL, so padding the last word with zeros keeps different names different, and two of
/// them share all 32 bits with probability 2^-32 for whoever does not know the key (Lemire & Kaser,
/// "Strongly universal string hashing is fast", 2014).
///
/// Why not foldhash: the tags lie in index files, so the hash must be the same in every build and process;
/// foldhash promises that for no version, and its fixed seeds let an attacker cancel the secret one.
#[derive(Debug, Clone)]
pub(super) struct NameHash {
    seed: u64,
    offset: u64,
    keys: Box<[u64; NAME_WORDS]>,
}

impl NameHash {
    /// A hash with a key of its own, from the operating system's generator.
    pub fn random() -> NameHash {
        use std::hash::{BuildHasher, RandomState};
        NameHash::with_seed(RandomState::new().hash_one(0_u64))
    }

    /// The hash of a seed, the same everywhere.
    pub fn with_seed(seed: u64) -> NameHash {
        let mut state = seed;
        let offset = split_mix(&mut state);
        NameHash { seed, offset, keys: Box::new(std::array::from_fn(|_| split_mix(&mut state))) }
    }

    /// The seed that the hash was made of.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    #[inline]
    pub fn hash(&self, name: &[u8]) -> u32 {
        let (words, tail) = name.as_chunks::<4>();
        let mut sum = self.offset;
        for (word, key) in words.iter().zip(self.keys.iter()) {
            sum = sum.wrapping_add(key.wrapping_mul(u32::from_le_bytes(*word).into()));
        }
        if let Some(key) = self.keys.get(words.len()) {
            let last = tail.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            sum = sum.wrapping_add(key.wrapping_mul(last));
        }
        mix((sum >> 32) as u32)
    }
}

/// A bijection (murmur3's finaliser): names in sequence would otherwise give hashes in sequence, on which
/// linear probing clusters.
#[inline]
fn mix(mut h: u32) -> u32 {
    h = (h ^ h >> 16).wrapping_mul(0x85EB_CA6B);
    h = (h ^ h >> 13).wrapping_mul(0xC2B2_AE35);
    h ^ h >> 16
}

/// SplitMix64 (Steele et al., OOPSLA '14): independent-looking words from one seed.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_byte_and_the_seed_count() {
        let hash = NameHash::with_seed(1);
        let base = [b'a'; 255];
        let mut seen = HashSet::from([hash.hash(&base)]);
        for i in 0..255 {
            let mut name = base;
            name[i] = b'b';
            assert!(seen.insert(hash.hash(&name)), "byte {i}");
            assert!(seen.insert(hash.hash(&base[..i])), "length {i}");
        }
        assert_ne!(hash.hash(b"x"), NameHash::with_seed(2).hash(b"x"));
        assert_ne!(NameHash::random().hash(b"x"), NameHash::random().hash(b"x"));
    }

    /// Stored tags depend on it: a change here is a change of the file format.
    #[test]
    fn the_hash_of_a_seed_is_fixed() {
        let hash = NameHash::with_seed(7);
        assert_eq!(
            [hash.hash(b""), hash.hash(b"a"), hash.hash(b"libc.so.6")],
            [180198427, 2377216565, 2242842253]
        );
    }
}
