//! Random numbers that follow from a seed and a position: any of them at once, on any thread.

/// Number `position` of the seed's stream (SplitMix64).
pub fn at(seed: u64, position: u64) -> u64 {
    let mut x = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// `random` brought into `0..n`; 0 when `n` is 0.
pub fn below(random: u64, n: u64) -> u64 {
    ((u128::from(random) * u128::from(n)) >> 64) as u64
}

/// Whether a random number falls into this share.
pub fn hits(random: u64, share: f64) -> bool {
    (random as f64) < share * u64::MAX as f64
}

/// Numbers one after another.
#[derive(Debug, Clone)]
pub struct Stream {
    seed: u64,
    position: u64,
}

impl Stream {
    /// A stream of its own for every seed and number.
    pub fn new(seed: u64, number: u64) -> Stream {
        Stream { seed: at(seed, number), position: 0 }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.position += 1;
        at(self.seed, self.position)
    }

    /// The next number, in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        below(self.next_u64(), n as u64) as usize
    }

    /// Whether the next number falls into this share.
    pub fn hits(&mut self, share: f64) -> bool {
        hits(self.next_u64(), share)
    }
}
