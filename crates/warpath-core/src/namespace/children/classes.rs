//! Sizes of children blocks.

use super::tags::GROUP;

/// Slots of the blocks without gaps, by class. Class 0 is no block.
const PACKED: [usize; 12] = [0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32];
/// The largest block without gaps.
const MAX_PACKED: usize = 32;
/// Classes in all: the last has 2^32 slots or more, which no array of ours reaches.
pub(in crate::namespace) const N_CLASSES: usize = 118;

/// Slots of a block of a class: from 48 on four steps a doubling.
pub(super) const fn capacity(class: usize) -> usize {
    if class < PACKED.len() {
        return PACKED[class];
    }
    match class - PACKED.len() {
        0 => 3 * GROUP,
        step => ((4 + (step - 1) % 4) << ((step - 1) / 4)) * GROUP,
    }
}

/// The most used slots of a block of a class.
pub(super) const fn room(class: usize) -> usize {
    if is_packed(class) { capacity(class) } else { capacity(class) / 8 * 7 }
}

pub(super) const fn is_packed(class: usize) -> bool {
    class < PACKED.len()
}

/// The smallest class with room for `n` entries.
pub(super) fn class_for(n: usize) -> usize {
    let mut class = match n {
        0..=MAX_PACKED => 0,
        // Below the answer, by a doubling at most.
        _ => PACKED.len() + (n / (4 * GROUP)).max(1).ilog2() as usize * 4,
    };
    while class + 1 < N_CLASSES && room(class) < n {
        class += 1;
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_smallest_with_room() {
        for n in (0..10_000).chain((10_000..100_000_000).step_by(99_991)) {
            let class = class_for(n);
            assert!(room(class) >= n, "{n}");
            assert!(class == 0 || room(class - 1) < n, "{n}");
            assert!(capacity(class) <= n.max(1) * 2, "{n}");
        }
        assert!(capacity(N_CLASSES - 1) >= u32::MAX as usize);
        assert!((1..N_CLASSES).all(|class| capacity(class - 1) < capacity(class)));
    }
}
