//! The instruction set: chosen once, at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::block::{self, Query};
use crate::keys;
use crate::source::Source;
use warpath_core::OutcomesMut;
use warpath_core::hash::{HashKey, Key};
use warpath_core::index::{Plan, TablesView};
use warpath_core::layout::Slot;

/// What differs between instruction sets. Every implementation gives the same bits.
pub(crate) trait Vectors: Copy {
    /// The three lanes' sums over `bytes`, zero-padded to whole units, with the position keys from `first_unit` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and `first_unit` plus the units of `bytes` is at most KEY_UNITS.
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3];

    /// Where in a line of four slots the key's is, if it is there.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn find_in_line(line: &[Slot; 4], key: &Key) -> InLine;

    /// Whether the bytes hold a NUL, or a slash before a slash or a dot.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn looks_odd(bytes: &[u8]) -> bool;

    /// Where the last slash is.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    #[inline(always)]
    unsafe fn last_slash(bytes: &[u8]) -> Option<usize> {
        bytes.iter().rposition(|&byte| byte == b'/')
    }

    /// Asks for the line to be brought into the cache.
    fn prefetch(line: *const Slot);
}

/// What a line says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InLine {
    /// The key's slot is this one of the four.
    Found(usize),
    /// The key is not in the table: the line has room.
    Missing,
    /// The line is full of others.
    Next,
}

impl InLine {
    /// What a line says, from a bit for each of its sixteen words: whether it equals the key's word (of which the fourth always does), and
    /// whether it is the inode of an empty slot. An empty slot's words don't count, whatever they are.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn of_words(equal: u32, empty: u32) -> InLine {
        let (pairs, empty) = (equal & equal >> 1, empty & 0x8888);
        let found = pairs & pairs >> 2 & 0x1111 & !(empty >> 3);
        if found != 0 {
            InLine::Found(found.trailing_zeros() as usize / 4)
        } else if empty != 0 {
            InLine::Missing
        } else {
            InLine::Next
        }
    }
}

/// An instruction set that the engine has code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, everywhere.
    Portable,
    /// 256-bit vectors of x86-64.
    Avx2,
    /// 512-bit vectors of x86-64 (F, BW), with byte masks.
    Avx512,
    /// 128-bit vectors of AArch64.
    Neon,
}

impl Isa {
    /// Every instruction set, the best first.
    pub const ALL: [Isa; 4] = [Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable];

    /// The best one that this machine has.
    pub fn best() -> Isa {
        Isa::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            _ => false,
        }
    }

    /// Its name, as vendors write it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "AVX2",
            Isa::Avx512 => "AVX-512",
            Isa::Neon => "NEON",
        }
    }

    /// Resolves paths with it. What this machine lacks is done by portable code.
    pub(crate) fn run<S: Source>(
        self,
        tables: &TablesView<'_>,
        plan: &Plan,
        source: S,
        out: OutcomesMut<'_>,
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx512::run(tables, plan, source, out) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx2::run(tables, plan, source, out) }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon if self.is_available() => {
                // SAFETY: the machine has the feature.
                unsafe { neon::run(tables, plan, source, out) }
            }
            _ => block::run::<portable::Portable, S>(tables, plan, source, out),
        }
    }

    /// Writes the keys of whole paths with it. What this machine lacks is done by portable code.
    pub(crate) fn keys<S: Source>(self, query: &Query<'_>, source: S, keys: &mut [[u32; 3]]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx512::keys(query, source, keys) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx2::keys(query, source, keys) }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon if self.is_available() => {
                // SAFETY: the machine has the feature.
                unsafe { neon::keys(query, source, keys) }
            }
            _ => {
                // SAFETY: plain Rust runs everywhere.
                unsafe { keys::run::<portable::Portable, S>(query, source, keys) }
            }
        }
    }
}
