//! The records of a data stream that a caller has created, each kept for the stream's retention.
//!
//! They are in memory, within a limit of all data streams together. A record leaves it when its retention ends, and not before: until
//! then, a full memory refuses further records.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::interval;

use super::intake::{IncomingRecord, PutError};
use super::receipt::cost;
use firehose_model::batch::MB;
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::decoded_bytes;

const HOUR_MS: i64 = 3_600_000;
const EXPIRY: Duration = Duration::from_secs(1);

/// The memory for the records of data streams. Clones share it.
#[derive(Debug, Clone)]
pub struct RetentionMemory(Arc<Memory>);

#[derive(Debug)]
struct Memory {
    max_bytes: usize,
    bytes: AtomicUsize,
    /// Reported once, until half of the memory is free again.
    is_full: AtomicBool,
}

impl RetentionMemory {
    /// Memory for this many bytes: base64, partition keys, and about 200 bytes a record.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Memory { max_bytes, bytes: AtomicUsize::new(0), is_full: AtomicBool::new(false) }))
    }

    fn reserve(&self, bytes: usize) -> bool {
        let Memory { max_bytes, bytes: held, is_full } = &*self.0;
        let more = |held: usize| held.checked_add(bytes).filter(|held| held <= max_bytes);
        let is_reserved = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if !is_reserved && !is_full.swap(true, Ordering::Relaxed) {
            let max_mb = max_bytes / MB;
            tracing::warn!(
                "the records of data streams take all of their {max_mb} MB (`--retention-mb`): further ones are refused until the \
                 retention of older ones ends, or a stream is deleted"
            );
        }
        is_reserved
    }

    fn release(&self, bytes: usize) {
        let Memory { max_bytes, bytes: held, is_full } = &*self.0;
        let before = held.fetch_sub(bytes, Ordering::Relaxed);
        // Not at each record that expires.
        if before.saturating_sub(bytes) <= max_bytes / 2 {
            is_full.store(false, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
pub(crate) struct RetainedRecord {
    /// When it was put, in milliseconds since 1970. It does not decrease within a stream.
    pub(crate) arrival_ms: i64,
    pub(crate) partition_key: String,
    /// Valid base64.
    pub(crate) data: String,
}

impl RetainedRecord {
    fn cost(&self) -> usize {
        cost(&self.data, &self.partition_key)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The oldest record.
    TrimHorizon,
    /// After the newest record.
    Latest,
    /// The first record with this number or a greater one.
    Number(u64),
    /// The first record that was put at this time or later, in milliseconds since 1970.
    Time(i64),
}

/// The most of one read, of which the first record is always a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadLimits {
    pub(crate) records: usize,
    /// Of data before base64.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct ShardRecords {
    pub(crate) records: Vec<(u64, Arc<RetainedRecord>)>,
    /// Where it began: after the given position if records from there on have expired.
    pub(super) start: u64,
    /// Where the next read continues.
    pub(crate) next: u64,
    /// How old the next record is; 0 if there is none.
    pub(crate) behind_ms: i64,
}

#[derive(Debug)]
pub(crate) struct Retention {
    memory: RetentionMemory,
    kept: Mutex<RetainedShards>,
    /// Whether the stream accepts no more records. Readers are notified of new records, too.
    is_closed: watch::Sender<bool>,
}

#[derive(Debug)]
struct RetainedShards {
    shards: Vec<Shard>,
    /// The number of the next record, and the least one that has not expired.
    next: u64,
    unexpired: u64,
    last_arrival_ms: i64,
    hours: u32,
}

#[derive(Debug, Default)]
struct Shard {
    /// With their numbers. Neither these nor the arrival times decrease.
    records: VecDeque<(u64, Arc<RetainedRecord>)>,
    /// Less than it are the numbers of expired records.
    unexpired: u64,
}

impl Shard {
    /// The index of the first record from a number on.
    fn index(&self, from: u64) -> usize {
        self.records.partition_point(|(number, _)| *number < from)
    }

    fn has(&self, number: u64) -> bool {
        self.records.get(self.index(number)).is_some_and(|(found, _)| *found == number)
    }

    /// How many records there are from a position on and before an end.
    fn unread(&self, from: u64, end: u64) -> usize {
        self.index(end).saturating_sub(self.index(from))
    }
}

impl Retention {
    /// Of a stream with this number of shards. Numbers begin with the clock, so that they differ from those of an earlier run.
    pub(super) fn new(shards: u32, hours: u32, memory: RetentionMemory) -> Arc<Self> {
        let next = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let shards = (0..shards).map(|_| Shard::default()).collect();
        let kept = RetainedShards { shards, next, unexpired: next, last_arrival_ms: 0, hours };
        Arc::new(Self { memory, kept: Mutex::new(kept), is_closed: watch::Sender::new(false) })
    }

    /// Removes records when their retention ends, as long as the stream exists. Others may need the memory.
    pub(super) async fn expire_regularly(retention: Weak<Self>) {
        let mut ticks = interval(EXPIRY);
        loop {
            ticks.tick().await;
            let Some(retention) = retention.upgrade() else { return };
            retention.expire(&mut retention.kept(), None, Timestamp::now().as_millisecond());
        }
    }

    /// Accepts records with a shard in their order, each with its own result: its shard and its number.
    pub(super) fn put(
        &self,
        entries: impl IntoIterator<Item = Result<IncomingRecord, PutError>>,
        now_ms: i64,
    ) -> Vec<Result<(ShardId, u64), PutError>> {
        let mut kept = self.kept();
        self.expire(&mut kept, None, now_ms);
        let (is_closed, before) = (*self.is_closed.borrow(), kept.next);
        let arrival_ms = now_ms.max(kept.last_arrival_ms);
        kept.last_arrival_ms = arrival_ms;
        let results = entries.into_iter().map(|entry| {
            let IncomingRecord { data, shard } = entry?;
            let (shard, partition_key) = shard.filter(|_| !is_closed).ok_or(PutError::Unavailable)?;
            let number = kept.next;
            let Shard { records, .. } = kept.shards.get_mut(shard.0 as usize).ok_or(PutError::Unavailable)?;
            let record = RetainedRecord { arrival_ms, partition_key, data };
            if !self.memory.reserve(record.cost()) {
                return Err(PutError::RetentionFull);
            }
            records.push_back((number, Arc::new(record)));
            kept.next += 1;
            Ok((shard, number))
        });
        let results = results.collect();
        self.is_closed.send_if_modified(|_| kept.next > before);
        results
    }

    pub(crate) fn read(&self, shard: ShardId, from: u64, limits: ReadLimits, now_ms: i64) -> ShardRecords {
        let mut kept = self.kept();
        self.expire(&mut kept, Some(shard), now_ms);
        let found = kept.shards.get(shard.0 as usize);
        let start = found.map_or(from, |shard| from.max(shard.unexpired));
        let mut read = ShardRecords { records: Vec::new(), start, next: start, behind_ms: 0 };
        let mut bytes = 0;
        for (number, record) in found.into_iter().flat_map(|shard| shard.records.range(shard.index(start)..)) {
            bytes += decoded_bytes(&record.data);
            let is_over = read.records.len() >= limits.records || bytes > limits.bytes;
            if is_over && !read.records.is_empty() {
                // 0 would mean that there are no more.
                read.behind_ms = (now_ms - record.arrival_ms).max(1);
                break;
            }
            read.records.push((*number, Arc::clone(record)));
            read.next = number + 1;
        }
        read
    }

    pub(crate) fn position(&self, shard: ShardId, start: Start) -> u64 {
        let kept = self.kept();
        let shard = kept.shards.get(shard.0 as usize);
        match start {
            Start::TrimHorizon => 0,
            Start::Latest => kept.next,
            Start::Number(number) => number,
            Start::Time(ms) => {
                let earlier = |(_, record): &(u64, Arc<RetainedRecord>)| record.arrival_ms < ms;
                let found = shard.and_then(|shard| shard.records.get(shard.records.partition_point(earlier)));
                found.map_or(kept.next, |(number, _)| *number)
            }
        }
    }

    /// Whether a number is that of a record of this shard, or 0 for the start of the shard. Records that have expired, and those of an
    /// earlier run, leave nothing: every number from the creation of the stream on may be one of theirs, also one of another shard.
    pub(crate) fn has(&self, shard: ShardId, number: u64, created: Timestamp) -> bool {
        let kept = self.kept();
        let Some(shard) = kept.shards.get(shard.0 as usize) else { return false };
        // Numbers are microseconds of the clock.
        let first = u64::try_from(created.as_microsecond()).unwrap_or_default();
        number == 0 || (first..kept.unexpired).contains(&number) || shard.has(number)
    }

    pub(crate) fn hours(&self) -> u32 {
        self.kept().hours
    }

    pub(crate) fn set_hours(&self, hours: u32) {
        self.kept().hours = hours;
    }

    /// Accepts nothing more. Readers read what there is.
    pub(crate) fn close(&self) {
        // A put that is in progress is finished first.
        let _kept = self.kept();
        self.is_closed.send_replace(true);
    }

    pub(crate) async fn readers_finished(&self) {
        self.is_closed.closed().await;
    }

    /// A reader, which starts at the returned position. Later records have numbers from `least` on.
    pub(super) fn reader(&self, least: u64) -> (watch::Receiver<bool>, u64) {
        let mut kept = self.kept();
        kept.next = kept.next.max(least);
        (self.is_closed.subscribe(), kept.next)
    }

    /// The next shard after this one, in a circle, with records for a reader with these positions and this end, or with expired ones.
    pub(super) fn unread(&self, positions: &BTreeMap<ShardId, u64>, after: ShardId, end: u64) -> Option<ShardId> {
        let kept = self.kept();
        let is_unread = |shard: &ShardId, from: u64| {
            let shard = kept.shards.get(shard.0 as usize);
            shard.is_some_and(|shard| shard.unexpired > from || shard.unread(from, end) > 0)
        };
        let later = positions.range((Bound::Excluded(after), Bound::Unbounded));
        let found = later.chain(positions.range(..=after)).find(|&(shard, from)| is_unread(shard, *from));
        found.map(|(shard, _)| *shard)
    }

    /// How many records there are for a reader with these positions and this end.
    pub(super) fn lag(&self, positions: &BTreeMap<ShardId, u64>, end: u64) -> u64 {
        let kept = self.kept();
        let of = |shard: &ShardId, from| kept.shards.get(shard.0 as usize).map_or(0, |shard| shard.unread(from, end));
        positions.iter().map(|(shard, from)| of(shard, *from) as u64).sum()
    }

    pub(super) fn next(&self) -> u64 {
        self.kept().next
    }

    /// Removes the records of one shard, or of all, whose retention has ended.
    fn expire(&self, kept: &mut RetainedShards, only: Option<ShardId>, now_ms: i64) {
        let RetainedShards { shards, unexpired, hours, .. } = kept;
        let oldest_ms = now_ms - i64::from(*hours) * HOUR_MS;
        let mut bytes = 0;
        let (skip, take) = only.map_or((0, usize::MAX), |shard| (shard.0 as usize, 1));
        for shard in shards.iter_mut().skip(skip).take(take) {
            let records = &mut shard.records;
            let count = records.partition_point(|(_, record)| record.arrival_ms < oldest_ms);
            for (number, record) in records.drain(..count) {
                shard.unexpired = number + 1;
                *unexpired = (*unexpired).max(number + 1);
                bytes += record.cost();
            }
            if count > 0 && records.len() < records.capacity() / 4 {
                records.shrink_to(records.len() * 2);
            }
        }
        if bytes > 0 {
            self.memory.release(bytes);
        }
    }

    fn kept(&self) -> MutexGuard<'_, RetainedShards> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records of a deleted stream.
impl Drop for Retention {
    fn drop(&mut self) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.memory.release(kept.shards.iter().flat_map(|shard| &shard.records).map(|(_, record)| record.cost()).sum());
    }
}

#[cfg(test)]
mod tests;
