//! The last 15 minutes of a stream, for plots: records by outcome, and the durations of invocations, every 5 seconds.
//!
//! Idle time takes no memory. A stream takes at most 79 KiB: 180 buckets with 92 counts of durations, 368 bytes, and a queue of 56 bytes for
//! each, which has space for 256.

use std::collections::VecDeque;

use serde::Serialize;

use super::event::{Kind, StreamEvent};

const BUCKET_MS: i64 = 5_000;
const BUCKETS: i64 = 180;

#[derive(Debug, Default)]
pub(super) struct History {
    /// Those with an event, oldest first.
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The number of its five seconds since 1970.
    slot: i64,
    accepted: u64,
    delivered: u64,
    dropped: u64,
    failed: u64,
    refused: u64,
    durations: DurationCounts,
}

/// Records per second in the last ten to fifteen seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Rates {
    accepted_per_second: f64,
    delivered_per_second: f64,
    failed_per_second: f64,
    refused_per_second: f64,
}

/// A history as columns: a value for each bucket, oldest first. The last bucket is that of this moment, and not complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryColumns {
    /// The stream's name.
    pub stream: String,
    /// The time of a bucket in milliseconds.
    pub bucket_ms: i64,
    /// When each bucket begins, in milliseconds since 1970.
    pub at_ms: Vec<i64>,
    /// Accepted records.
    pub accepted: Vec<u64>,
    /// Records in objects of the destination.
    pub delivered: Vec<u64>,
    /// Dropped records.
    pub dropped: Vec<u64>,
    /// Records in error objects.
    pub failed: Vec<u64>,
    /// Refused records.
    pub refused: Vec<u64>,
    /// Invocations that the function got.
    pub invocations: Vec<u64>,
    /// The median of their durations in milliseconds, within 10 %. `None` without an invocation.
    pub p50_ms: Vec<Option<f64>>,
    /// The 95th percentile of the same.
    pub p95_ms: Vec<Option<f64>>,
}

impl History {
    pub(super) fn record(&mut self, event: &StreamEvent, now_ms: i64) {
        match event {
            StreamEvent::Accepted { records, .. } => self.bucket(now_ms).accepted += *records as u64,
            StreamEvent::Refused { records, .. } => self.bucket(now_ms).refused += records,
            StreamEvent::Transformed { dropped, .. } => self.bucket(now_ms).dropped += *dropped as u64,
            StreamEvent::FailedAgain { .. } => self.bucket(now_ms).failed += 1,
            StreamEvent::Stored { object, .. } => {
                let bucket = self.bucket(now_ms);
                match object.kind {
                    Kind::Delivered => bucket.delivered += object.records as u64,
                    Kind::Error(_) => bucket.failed += object.records as u64,
                    Kind::Backup => {}
                }
            }
            StreamEvent::Invoked { attempt, .. } => {
                if let Some(milliseconds) = attempt.summary.duration() {
                    self.bucket(now_ms).durations.add(milliseconds);
                }
            }
            _ => {}
        }
    }

    /// If the clock is set back, the buckets after its time are dropped.
    fn bucket(&mut self, now_ms: i64) -> &mut Bucket {
        let slot = now_ms.div_euclid(BUCKET_MS);
        while self.buckets.back().is_some_and(|newest| newest.slot > slot) {
            self.buckets.pop_back();
        }
        while self.buckets.front().is_some_and(|oldest| oldest.slot <= slot - BUCKETS) {
            self.buckets.pop_front();
        }
        if self.buckets.back().is_none_or(|newest| newest.slot < slot) {
            self.buckets.push_back(Bucket { slot, ..Bucket::default() });
        }
        let newest = self.buckets.len() - 1;
        &mut self.buckets[newest]
    }

    /// Of the two buckets before this moment's, and of this moment's.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(super) fn rates(&self, now_ms: i64) -> Rates {
        let first = now_ms.div_euclid(BUCKET_MS) - 2;
        let seconds = (now_ms - first * BUCKET_MS).max(1) as f64 / 1e3;
        let rate = |count: fn(&Bucket) -> u64| {
            let records: u64 = self.buckets.iter().filter(|bucket| bucket.slot >= first).map(count).sum();
            (records as f64 / seconds * 10.0).round() / 10.0
        };
        Rates {
            accepted_per_second: rate(|bucket| bucket.accepted),
            delivered_per_second: rate(|bucket| bucket.delivered),
            failed_per_second: rate(|bucket| bucket.failed),
            refused_per_second: rate(|bucket| bucket.refused),
        }
    }

    pub(super) fn columns(&self, stream: &str, now_ms: i64) -> HistoryColumns {
        let last = now_ms.div_euclid(BUCKET_MS);
        let slots = || last - BUCKETS + 1..=last;
        let mut known = self.buckets.iter().peekable();
        let empty = Bucket::default();
        let buckets: Vec<&Bucket> = slots()
            .map(|slot| {
                while known.next_if(|bucket| bucket.slot < slot).is_some() {}
                known.next_if(|bucket| bucket.slot == slot).unwrap_or(&empty)
            })
            .collect();
        let counts = |count: fn(&Bucket) -> u64| buckets.iter().map(|bucket| count(bucket)).collect();
        let percentiles = |part| buckets.iter().map(|bucket| bucket.durations.percentile(part)).collect();
        HistoryColumns {
            stream: stream.to_owned(),
            bucket_ms: BUCKET_MS,
            at_ms: slots().map(|slot| slot * BUCKET_MS).collect(),
            accepted: counts(|bucket| bucket.accepted),
            delivered: counts(|bucket| bucket.delivered),
            dropped: counts(|bucket| bucket.dropped),
            failed: counts(|bucket| bucket.failed),
            refused: counts(|bucket| bucket.refused),
            invocations: counts(|bucket| bucket.durations.count()),
            p50_ms: percentiles(50),
            p95_ms: percentiles(95),
        }
    }
}

/// Durations on a logarithmic scale: each bound is the fourth root of two, or 19 %, above the one before. So the geometric mean of two
/// bounds is within 9.1 % of each duration between them.
#[derive(Debug, Default)]
struct DurationCounts(Option<Box<[u32; DURATIONS as usize]>>);

/// From 0.1 ms to 839 s; Firehose waits for 300 s at most. What is outside counts in the first or the last one.
const DURATIONS: u8 = 92;
const LEAST_MS: f64 = 0.1;
const PER_DOUBLING: f64 = 4.0;

impl DurationCounts {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
    fn add(&mut self, milliseconds: f64) {
        let index = ((milliseconds / LEAST_MS).log2() * PER_DOUBLING).clamp(0.0, f64::from(DURATIONS - 1)) as usize;
        let counts = self.0.get_or_insert_with(|| Box::new([0; DURATIONS as usize]));
        counts[index] = counts[index].saturating_add(1);
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|counts| counts.iter().copied().map(u64::from))
    }

    fn count(&self) -> u64 {
        self.counts().sum()
    }

    /// By the nearest rank.
    fn percentile(&self, percent: u64) -> Option<f64> {
        let rank = (self.count() * percent).div_ceil(100);
        let cumulative = self.counts().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        let index = cumulative.zip(0..DURATIONS).find(|(sum, _)| *sum >= rank.max(1)).map(|(_, index)| index)?;
        let milliseconds = LEAST_MS * ((f64::from(index) + 0.5) / PER_DOUBLING).exp2();
        Some((milliseconds * 1e3).round() / 1e3)
    }
}

#[cfg(test)]
mod tests;
