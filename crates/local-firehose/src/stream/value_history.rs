//! How often the values of fields were delivered in each of the last 15 minutes, for a ranking over time.
//!
//! Idle time takes no memory. A stream with four counted fields takes at most 2.4 MB: 15 buckets of 200 values each, and about 200 bytes for a
//! value of 128 bytes with its count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::event::StreamEvent;
use super::value_counts::{ValueCounts, add};

const BUCKET_MS: i64 = 60_000;
const BUCKETS: u8 = 15;

/// The most values of a field in a ranking.
const MAX_RANKED: usize = 20;

#[derive(Debug, Default)]
pub(super) struct ValueHistory {
    /// Those with a value, oldest first.
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The number of its minute since 1970.
    slot: i64,
    counts: ValueCounts,
}

/// The most frequent values of each counted field that occurred in the last 15 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueRanking {
    /// The time of a bucket in milliseconds.
    pub bucket_ms: i64,
    /// When each bucket begins, in milliseconds since 1970, oldest first. The last one is that of this moment, and not complete.
    pub at_ms: Vec<i64>,
    /// The values of each field, most frequent first.
    pub fields: BTreeMap<String, Vec<RankedValue>>,
}

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RankedValue {
    /// The value.
    pub value: String,
    /// The delivered records that have it, in each bucket.
    pub counts: Vec<u64>,
}

impl ValueHistory {
    pub(super) fn record(&mut self, event: &StreamEvent, now_ms: i64) {
        let StreamEvent::Stored { values: ValueCounts(fields), .. } = event else { return };
        for (field, values) in fields.iter().filter(|(_, values)| !values.is_empty()) {
            let counts = self.bucket(now_ms).counts.0.entry(field.clone()).or_default();
            for (value, count) in values {
                add(counts, value, *count);
            }
        }
    }

    /// If the clock is set back, the buckets after its time are dropped.
    fn bucket(&mut self, now_ms: i64) -> &mut Bucket {
        let slot = now_ms.div_euclid(BUCKET_MS);
        while self.buckets.back().is_some_and(|newest| newest.slot > slot) {
            self.buckets.pop_back();
        }
        while self.buckets.front().is_some_and(|oldest| oldest.slot <= slot - i64::from(BUCKETS)) {
            self.buckets.pop_front();
        }
        if self.buckets.back().is_none_or(|newest| newest.slot < slot) {
            self.buckets.push_back(Bucket { slot, ..Bucket::default() });
        }
        let newest = self.buckets.len() - 1;
        &mut self.buckets[newest]
    }

    pub(super) fn ranking(&self, now_ms: i64) -> ValueRanking {
        let last = now_ms.div_euclid(BUCKET_MS);
        let slots = last - i64::from(BUCKETS) + 1..=last;
        let mut fields: BTreeMap<&String, BTreeMap<&String, Vec<u64>>> = BTreeMap::new();
        for (index, slot) in slots.clone().enumerate() {
            let Some(bucket) = self.buckets.iter().find(|bucket| bucket.slot == slot) else { continue };
            for (field, values) in &bucket.counts.0 {
                let ranked = fields.entry(field).or_default();
                for (value, count) in values {
                    ranked.entry(value).or_insert_with(|| vec![0; BUCKETS.into()])[index] = *count;
                }
            }
        }
        ValueRanking {
            bucket_ms: BUCKET_MS,
            at_ms: slots.map(|slot| slot * BUCKET_MS).collect(),
            fields: fields.into_iter().map(|(field, values)| (field.clone(), ranked(values))).collect(),
        }
    }
}

/// The most frequent values of each period, by their counts in all of the time. Those of the same count are in alphabetical order.
fn ranked(values: BTreeMap<&String, Vec<u64>>) -> Vec<RankedValue> {
    let mut values: Vec<_> = values.into_iter().collect();
    let count = |counts: &[u64], minutes: usize| counts.iter().rev().take(minutes).sum::<u64>();
    let mut kept = BTreeSet::new();
    for minutes in [1, 5, BUCKETS.into()] {
        values.sort_by_key(|(value, counts)| (std::cmp::Reverse(count(counts, minutes)), *value));
        let frequent = values.iter().take(MAX_RANKED).filter(|(_, counts)| count(counts, minutes) > 0);
        kept.extend(frequent.map(|(value, _)| *value));
    }
    values.retain(|(value, _)| kept.contains(value));
    values.into_iter().map(|(value, counts)| RankedValue { value: value.clone(), counts }).collect()
}

#[cfg(test)]
mod tests;
