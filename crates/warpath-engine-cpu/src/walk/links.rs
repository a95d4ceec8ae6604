//! Where links lead: four reads one after the other, each of an array that the cache may not hold.

use crate::block::Query;
use crate::isa::{Job, Vectors};
use crate::probes::Answer;
use std::ptr::from_ref;
use warpath_core::layout::LinkRecord;
use warpath_core::resolve;

/// Bytes of records that the second-level cache keeps without being asked.
const CACHED: usize = 1 << 19;

/// The links among some answers.
///
/// As a job: brings their records into the cache, then those of the directories that they lead to. Both loops are short enough for the
/// processor to be at many links at once; to follow a link takes so much code that it would wait for one after the other.
pub(super) struct Links<'a> {
    pub query: &'a Query<'a>,
    pub answers: &'a [Answer],
    /// Which of the answers are links.
    pub places: &'a [u16],
}

impl Job for Links<'_> {
    #[inline(always)]
    unsafe fn run<V: Vectors>(self) {
        let tables = self.query.tables;
        if size_of_val(tables.links) + size_of_val(tables.dirs) <= CACHED {
            return;
        }
        for &place in self.places {
            if let Some(link) = self.record(place) {
                V::prefetch(from_ref(link).cast());
            }
        }
        for &place in self.places {
            if let Some(target) = self.record(place).and_then(|link| resolve::dir_record(tables, link.inode))
            {
                V::prefetch(from_ref(target).cast());
            }
        }
    }
}

impl Links<'_> {
    /// The record of the link that was found here.
    #[inline(always)]
    fn record(&self, place: u16) -> Option<&LinkRecord> {
        let answer = self.answers.get(usize::from(place))?;
        resolve::link_record(self.query.tables, Some(self.query.plan), answer.inode())
    }
}
