//! Records as they are accepted, or as their outcomes are known.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Payload, RecordStatus};
use super::search::{Matcher, RecordQuery, RecordRow};
use super::store::RecentRecords;

/// The records that are read at once.
const CHUNK: usize = 256;

/// Which records are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TapFilter {
    /// Accepted records, as they were put.
    #[default]
    In,
    /// Records that the function returned as `Ok`. Without a function, all, as they were put.
    Out,
    /// Records that failed.
    Failed,
}

/// Follows the records of one stream from now on.
#[derive(Debug)]
pub struct Follower {
    which: TapFilter,
    query: RecordQuery,
    /// The last number, or the last outcome.
    position: u64,
}

/// A followed record, or the number of those that were displaced before they were read.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum FollowedRecord {
    /// A record.
    Record {
        /// As in a list.
        #[serde(flatten)]
        row: Box<RecordRow>,
        /// What was put, or what the function returned.
        data: Payload,
    },
    /// More records came at once than are kept, or the follower is slow. Those that it would not follow count, too.
    Missed {
        /// How many.
        missed: u64,
    },
}

impl RecentRecords {
    /// `text` is a part of the id, of the original bytes, or of the output.
    #[must_use]
    pub fn follow(&self, which: TapFilter, text: Option<String>) -> Follower {
        let kept = self.kept();
        let position = if which == TapFilter::In { kept.newest } else { kept.newest_outcome };
        Follower { which, query: RecordQuery { text, ..RecordQuery::default() }, position }
    }

    /// The next records, which are none if there are none yet.
    pub fn next(&self, follower: &mut Follower) -> Vec<FollowedRecord> {
        loop {
            let before = follower.position;
            let (entries, missed) = self.next_entries(follower);
            let matcher = Matcher::new(&follower.query);
            let missed = (missed > 0).then_some(FollowedRecord::Missed { missed });
            let entries = entries.iter().filter(|entry| matcher.matches(entry));
            let records: Vec<_> = missed.into_iter().chain(entries.map(|entry| follower.which.record(entry))).collect();
            if follower.position == before || !records.is_empty() {
                return records;
            }
        }
    }

    fn next_entries(&self, follower: &mut Follower) -> (Vec<Entry>, u64) {
        let kept = self.kept();
        let (mut entries, mut missed) = (Vec::new(), 0);
        let numbers: Vec<u64> = if follower.which == TapFilter::In {
            let last = kept.newest.min(follower.position.saturating_add(CHUNK as u64));
            let numbers = (follower.position + 1..=last).collect();
            follower.position = last;
            numbers
        } else {
            let (numbers, displaced) = kept.outcomes_after(follower.position, CHUNK);
            let numbers: Vec<u64> = numbers.collect();
            missed += displaced;
            follower.position += displaced + numbers.len() as u64;
            numbers
        };
        for number in numbers {
            match kept.get(number) {
                Some(entry) if follower.which.includes(entry) => entries.push(entry.clone()),
                Some(_) => {}
                None => missed += 1,
            }
        }
        (entries, missed)
    }
}

impl TapFilter {
    fn includes(self, entry: &Entry) -> bool {
        match self {
            Self::In => entry.part_of.is_none(),
            Self::Out => matches!(entry.status(), RecordStatus::Waiting | RecordStatus::Delivered),
            Self::Failed => entry.status() == RecordStatus::Failed,
        }
    }

    fn record(self, entry: &Entry) -> FollowedRecord {
        let output = entry.output.as_ref().filter(|_| self == Self::Out);
        let data = output.unwrap_or(&entry.original).clone();
        FollowedRecord::Record { row: Box::new(RecordRow::of(entry)), data }
    }
}
