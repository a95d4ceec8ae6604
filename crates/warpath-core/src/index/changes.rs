//! What changed since a version: ranges of each array, so that a device copies only those.

use std::collections::VecDeque;
use std::ops::Range;

/// Ranges of elements that changed, by array; each list is sorted and its ranges don't touch.
///
/// An array may have grown: elements behind a copy's end are always covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of the slots.
    pub slots: Vec<Range<usize>>,
    /// Of the inode blocks.
    pub blocks: Vec<Range<usize>>,
    /// Of the directory records.
    pub dirs: Vec<Range<usize>>,
    /// Of the link records.
    pub links: Vec<Range<usize>>,
}

/// The arrays that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Array {
    Slots,
    Blocks,
    Dirs,
    Links,
}

/// Elements written at this distance are copied as one range: a gap of this many costs less than a copy more.
const GAP: usize = 16;

/// More single writes than this are forgotten, oldest version first; a copy that old is made anew.
const LOG_LIMIT: usize = 1 << 18;

/// Which elements each version wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog {
    writes: VecDeque<(u64, Array, usize)>,
    /// Versions up to this one are no longer known.
    forgotten: u64,
}

impl ChangeLog {
    /// Notes that `version` writes this element.
    pub fn note(&mut self, version: u64, array: Array, element: usize) {
        if self.writes.back() == Some(&(version, array, element)) {
            return;
        }
        self.writes.push_back((version, array, element));
        while self.writes.len() > LOG_LIMIT {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((version, ..)) = self.writes.pop_front() {
            self.forgotten = self.forgotten.max(version);
        }
    }

    /// Notes that `version` changes everything.
    pub fn forget(&mut self, version: u64) {
        self.writes.clear();
        self.forgotten = version;
    }

    /// Notes what the versions after `since` wrote, as `newer` knows it.
    pub fn extend(&mut self, newer: &ChangeLog, since: u64) {
        let first = newer.writes.partition_point(|(version, ..)| *version <= since);
        self.writes.extend(newer.writes.range(first..));
        while self.writes.len() > LOG_LIMIT {
            self.forget_oldest();
        }
    }

    /// What the versions after `since` wrote; `None` when that is no longer known.
    pub fn since(&self, since: u64) -> Option<Changes> {
        if since < self.forgotten {
            return None;
        }
        let first = self.writes.partition_point(|(version, ..)| *version <= since);
        let mut elements: [Vec<usize>; 4] = Default::default();
        for &(_, array, element) in self.writes.range(first..) {
            elements[array as usize].push(element);
        }
        let [slots, blocks, dirs, links] = elements.map(ranges);
        Some(Changes { slots, blocks, dirs, links })
    }
}

/// The elements as sorted ranges, small gaps closed.
fn ranges(mut elements: Vec<usize>) -> Vec<Range<usize>> {
    elements.sort_unstable();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for element in elements {
        match ranges.last_mut() {
            Some(range) if element < range.end + GAP => range.end = range.end.max(element + 1),
            _ => ranges.push(element..element + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_merged_and_bounded() {
        let mut log = ChangeLog::default();
        log.note(1, Array::Slots, 40);
        log.note(2, Array::Slots, 3);
        log.note(2, Array::Slots, 10);
        log.note(3, Array::Dirs, 1);
        let changes = log.since(1).unwrap();
        assert_eq!((changes.slots.len(), changes.dirs.len()), (1, 1));
        assert_eq!((changes.slots.first(), changes.dirs.first()), (Some(&(3..11)), Some(&(1..2))));
        assert_eq!(log.since(3).unwrap(), Changes::default());
        log.forget(4);
        assert_eq!(log.since(3), None);
        assert_eq!(log.since(4), Some(Changes::default()));
        for element in 0..=LOG_LIMIT {
            log.note(5, Array::Links, 2 * element);
        }
        assert_eq!(log.since(4), None);
        assert!(log.since(5).is_some());
    }
}
