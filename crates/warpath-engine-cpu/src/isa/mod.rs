//! The instruction set: chosen once, at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::block::Query;
use crate::probes::{Asked, GROUP, Questions};
use warpath_core::hash::HashKey;
use warpath_core::layout::Slot;

/// Work that is compiled for every instruction set. Its code is inlined into the one function of each that has the features.
pub(crate) trait Job {
    /// Does it.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn run<V: Vectors>(self);
}

/// What differs between instruction sets. Every implementation gives the same bits.
pub(crate) trait Vectors: Copy {
    /// The three lanes' sums over `bytes`, zero-padded to whole units, with the position keys from `first_unit` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and `first_unit` plus the units of `bytes` is at most KEY_UNITS.
    unsafe fn sums(key: HashKey<'_>, first_unit: usize, bytes: &[u8]) -> [u64; 3];

    /// The keys and home lines of a group of questions, those from number `first` on.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    #[inline(always)]
    unsafe fn ask<'p, Q: Questions<'p>>(
        query: &Query<'_>,
        questions: &mut Q,
        first: usize,
        asked: &mut [Asked; GROUP],
    ) {
        for (i, asked) in asked.iter_mut().enumerate() {
            // SAFETY: the instruction set is the caller's duty.
            *asked = unsafe { query.ask::<Self>(&questions.piece(first + i)) };
        }
    }

    /// Which of a line's slots hold the key: bit `2 * i` for slot `i`. No branch; an empty slot may be among them where nobody
    /// verified the tables.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn matches(line: &[Slot; 4], asked: &Asked) -> u32;

    /// What a path of at most [`Marks::MAX`] bytes is made of.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn marks(path: &[u8]) -> Marks;

    /// Does a job in a function of its own, with the instruction set: the loops around it keep the registers for themselves.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn run_apart<J: Job>(job: J);

    /// Asks for the line of this address to be brought into the cache, if there is one.
    #[inline(always)]
    fn prefetch(line: *const u8) {
        prefetch(line);
    }
}

/// Asks for the line of this address to be brought into the cache, if there is one; any address will do. Nothing where the processor's
/// word for it is not known.
#[inline(always)]
pub fn prefetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction; a prefetch of any address is harmless.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) line, options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = line;
}

/// Where the slashes of a path are, and whether it may have components that are no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A bit for each byte that is a slash.
    pub slashes: u128,
    /// Whether there is a NUL, or a slash before a slash or a dot.
    pub odd: bool,
}

impl Marks {
    /// Bytes of the longest path that marks describe.
    pub const MAX: usize = 128;

    /// From a bit for each byte that is a slash, a dot, a NUL.
    #[inline(always)]
    pub fn new(slashes: u128, dots: u128, nuls: u128) -> Marks {
        Marks { slashes, odd: nuls | (slashes & (slashes | dots) >> 1) != 0 }
    }
}

/// An instruction set that the engine has code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, everywhere.
    Portable,
    /// 256-bit vectors of x86-64.
    Avx2,
    /// 512-bit vectors of x86-64 (F, BW, DQ), with byte masks.
    Avx512,
    /// 128-bit vectors of AArch64.
    Neon,
}

/// What every processor with AVX2 has, and a hypervisor may hide.
#[cfg(target_arch = "x86_64")]
fn counts_bits() -> bool {
    is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("lzcnt")
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
            Isa::Avx2 => is_x86_feature_detected!("avx2") && counts_bits(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && counts_bits()
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

    /// Does a job with it. What this machine lacks is done by portable code.
    pub(crate) fn run<J: Job>(self, job: J) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx512::run(job) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if self.is_available() => {
                // SAFETY: the machine has the features.
                unsafe { avx2::run(job) }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon if self.is_available() => {
                // SAFETY: the machine has the feature.
                unsafe { neon::run(job) }
            }
            _ => {
                // SAFETY: plain Rust runs everywhere.
                unsafe { job.run::<portable::Portable>() }
            }
        }
    }
}
