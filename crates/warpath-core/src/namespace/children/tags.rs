//! One byte of a name's hash for each slot of a children block, and the search for it.

/// Tag of a slot that was never used.
pub(super) const EMPTY: u8 = 0;
/// Tag of a slot whose entry was removed from a full group.
pub(super) const DELETED: u8 = 1;
/// The lowest tag of an entry.
pub(super) const FIRST_TAG: u8 = 2;

pub(super) const GROUP: usize = 16;

/// The tag of a hash. The home group comes from its upper bits, so the two hardly depend on each other.
pub(super) fn tag_of(hash: u32) -> u8 {
    (hash as u8).max(FIRST_TAG)
}

/// The groups of a table in the order in which a hash probes them, from its home on, each once.
fn probe(n_groups: usize, hash: u32) -> impl Iterator<Item = usize> {
    let home = ((u64::from(hash) * n_groups as u64) >> 32) as usize;
    (home..n_groups).chain(0..home)
}

pub(super) fn find_packed(ids: &[u32], tags: &[u8], tag: u8, is_it: impl Fn(u32) -> bool) -> Option<usize> {
    for start in (0..ids.len()).step_by(8) {
        let mut word = [EMPTY; 8];
        let part = &tags[start..ids.len().min(start + 8)];
        word[..part.len()].copy_from_slice(part);
        let mut found = match_word(u64::from_le_bytes(word), tag);
        while found != 0 {
            let slot = start + (found.trailing_zeros() / 8) as usize;
            if is_it(ids[slot]) {
                return Some(slot);
            }
            found &= found - 1;
        }
    }
    None
}

pub(super) fn find_hashed(ids: &[u32], tags: &[u8], hash: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
    let (groups, _) = tags.as_chunks::<GROUP>();
    for group in probe(groups.len(), hash) {
        for (half, mut found) in matches(&groups[group], tag_of(hash)).into_iter().enumerate() {
            while found != 0 {
                let slot = group * GROUP + half * 8 + (found.trailing_zeros() / 8) as usize;
                if is_it(ids[slot]) {
                    return Some(slot);
                }
                found &= found - 1;
            }
        }
        if matches(&groups[group], EMPTY) != [0, 0] {
            return None;
        }
    }
    None
}

/// The first slot on the hash's way that holds no entry. There is one: a table is at most 7/8 full.
pub(super) fn find_gap(tags: &[u8], hash: u32) -> usize {
    let (groups, _) = tags.as_chunks::<GROUP>();
    for group in probe(groups.len(), hash) {
        // Both tags of a gap differ from zero in the lowest bit at most.
        let gaps = matches(&groups[group].map(|tag| tag & !DELETED), EMPTY);
        if let Some(half) = gaps.iter().position(|&found| found != 0) {
            return group * GROUP + half * 8 + (gaps[half].trailing_zeros() / 8) as usize;
        }
    }
    debug_assert!(false, "the table has a gap");
    0
}

/// The slots of a group with this tag: the highest bit of their bytes, eight slots a word.
pub(super) fn matches(group: &[u8; GROUP], tag: u8) -> [u64; 2] {
    let (words, _) = group.as_chunks::<8>();
    [match_word(u64::from_le_bytes(words[0]), tag), match_word(u64::from_le_bytes(words[1]), tag)]
}

/// The highest bit of each byte that equals `tag`, exactly.
fn match_word(word: u64, tag: u8) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let x = word ^ u64::from_ne_bytes([tag; 8]);
    !(((x & LOW) + LOW) | x | LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_exactly() {
        for byte in 0..=255u8 {
            for tag in 0..=255u8 {
                let word = u64::from_le_bytes([byte, 0, 255, byte, tag, 1, 127, 128]);
                let expected: u64 = word
                    .to_le_bytes()
                    .iter()
                    .enumerate()
                    .map(|(i, &b)| if b == tag { 0x80 << (8 * i) } else { 0 })
                    .sum();
                assert_eq!(match_word(word, tag), expected);
            }
        }
    }
}
