//! Short byte strings in one array.

use crate::column::Column;

/// Reference to no string.
pub(super) const NO_TEXT: u32 = u32::MAX;

/// Strings begin at even offsets, so 32 bits reach 8 GiB.
const ALIGN: usize = 2;

/// Fewer dead bytes than this are left alone.
const MIN_DEAD: usize = 1 << 12;

/// Strings, each `[length, PREFIX bytes][bytes]` from an even offset on, referred to by half that offset.
#[derive(Debug, Clone, Default)]
pub(super) struct Arena<const PREFIX: usize> {
    pub(super) bytes: Column<u8>,
    pub(super) dead: usize,
}

impl<const PREFIX: usize> Arena<PREFIX> {
    pub fn with_capacity(n_bytes: usize) -> Self {
        Arena { bytes: Column::with_capacity(n_bytes), dead: 0 }
    }

    /// Appends a string. `None` when 8 GiB are full. The text fits the prefix: callers have checked.
    #[inline]
    pub fn insert(&mut self, text: &[u8]) -> Option<u32> {
        let at = u32::try_from(self.bytes.len() / ALIGN).ok().filter(|&at| at != NO_TEXT)?;
        let length = (text.len() as u32).to_le_bytes();
        self.bytes.extend_from_slice(&length[..PREFIX]);
        self.bytes.extend_from_slice(text);
        if !(PREFIX + text.len()).is_multiple_of(ALIGN) {
            self.bytes.push(0);
        }
        Some(at)
    }

    /// The string; empty for [`NO_TEXT`].
    #[inline]
    pub fn get(&self, at: u32) -> &[u8] {
        let Some(rest) = self.bytes.get(at as usize * ALIGN..) else { return &[] };
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else { return &[] };
        let length = prefix.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        rest.get(..length).unwrap_or_default()
    }

    /// Says that nobody refers to the string any more.
    pub fn free(&mut self, at: u32) {
        if at != NO_TEXT {
            self.dead += (PREFIX + self.get(at).len()).next_multiple_of(ALIGN);
        }
    }

    /// Whether more than half of the bytes are dead.
    pub fn wants_compaction(&self) -> bool {
        self.dead > MIN_DEAD && self.dead > self.bytes.len() / 2
    }

    /// Drops the dead strings and renews every reference, in the order given. References to
    /// [`NO_TEXT`] stay.
    pub fn compact<'a>(&mut self, references: impl Iterator<Item = &'a mut u32>) {
        let room = self.bytes.len() - self.dead.min(self.bytes.len());
        let mut kept = Self::with_capacity(room);
        for at in references.filter(|at| **at != NO_TEXT) {
            // It fits: it fitted with the dead ones.
            *at = kept.insert(self.get(*at)).unwrap_or(NO_TEXT);
        }
        *self = kept;
    }

    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub fn memory(&self) -> usize {
        self.bytes.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_compaction() {
        let mut arena = Arena::<2>::default();
        let mut references: Vec<u32> =
            (0..1000usize).map(|i| arena.insert(&vec![i as u8; i]).unwrap()).collect();
        references.push(NO_TEXT);
        for (i, at) in references.iter_mut().enumerate().filter(|(i, _)| i % 3 != 0 && *i < 1000) {
            assert_eq!(arena.get(*at), vec![i as u8; i]);
            arena.free(*at);
            *at = NO_TEXT;
        }
        assert!(arena.wants_compaction());
        arena.compact(references.iter_mut());
        assert!(!arena.wants_compaction());
        for (i, at) in references.iter().enumerate().filter(|(i, _)| i % 3 == 0 && *i < 1000) {
            assert_eq!(arena.get(*at), vec![i as u8; i]);
        }
        assert_eq!(arena.get(NO_TEXT), b"");
    }
}
