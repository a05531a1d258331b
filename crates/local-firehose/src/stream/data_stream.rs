//! Data streams: those that are configured with the delivery stream that reads them, and those that callers create.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use serde::Serialize;

use super::delivery_stream::DeliveryStream;
use super::intake::{IncomingRecord, PutError};
use super::notices::Notices;
use super::reader::Reader;
use super::refusal_reports::RefusalReports;
use super::refusals::{RefusalReason, RefusedBy, RefusedRecords};
use super::retention::{Retention, RetentionMemory};
use super::settings::{DataStreamSettings, Source};
use firehose_model::event::Record;
use firehose_model::kinesis::shard::ShardId;

/// The write limit of a shard, data and partition keys, also on demand (Kinesis developer guide, "Quotas and limits").
const BYTES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(1024 * 1024 - 1);
const RECORDS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// A data stream. Clones share it.
#[derive(Debug, Clone)]
pub struct DataStream {
    /// When it was created.
    pub created: Timestamp,
    /// Its settings.
    pub settings: DataStreamSettings,
    name: Arc<str>,
    limits: Arc<[ShardLimit]>,
    records: Records,
}

#[derive(Debug, Clone)]
enum Records {
    /// In the backlog of the only reader, which has the same name, until they are delivered.
    Delivery(DeliveryStream),
    Retained {
        retention: Arc<Retention>,
        stats: Arc<Stats>,
    },
}

/// Of a stream without a delivery stream of its own.
#[derive(Debug)]
struct Stats {
    accepted: AtomicU64,
    refused: Mutex<RefusedRecords>,
    reports: Arc<RefusalReports>,
}

/// The records that a data stream, which a caller has created, has accepted and refused.
#[derive(Debug, Clone, Serialize)]
pub struct DataStreamSnapshot {
    /// Its name.
    pub data_stream: String,
    /// Accepted records.
    pub accepted: u64,
    /// Refused records by reason.
    pub refused_by_reason: RefusedRecords,
}

/// A record of `PutRecord` or `PutRecords`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEntry {
    /// Valid base64.
    pub data: String,
    /// The size of data and partition key, at most that of the largest record.
    pub bytes: usize,
    /// The partition key.
    pub partition_key: String,
    /// Selects the shard.
    pub hash_key: u128,
}

/// The result of an accepted record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutResult {
    /// The shard.
    pub shard: ShardId,
    /// The sequence number in the shard.
    pub sequence_number: String,
}

impl DataStream {
    /// The data stream that is configured with a delivery stream, and has its name. It has no other readers, and keeps no records.
    #[must_use]
    pub fn read_by(delivery: &DeliveryStream) -> Option<Self> {
        let of_delivery = delivery.settings();
        let Source::Kinesis(settings) = &of_delivery.source else { return None };
        let (created, records) = (delivery.started, Records::Delivery(delivery.clone()));
        Some(Self::new(delivery.name(), created, settings.clone(), records))
    }

    /// A data stream that keeps its records for a number of hours. Delivery streams and other consumers may read it.
    #[must_use]
    pub fn retained(
        name: &str,
        created: Timestamp,
        settings: DataStreamSettings,
        hours: u32,
        memory: RetentionMemory,
        notices: Notices,
    ) -> Self {
        let retention = Retention::new(settings.shards().count(), hours, memory);
        tokio::spawn(Retention::expire_regularly(Arc::downgrade(&retention)));
        let reports = Arc::new(RefusalReports::new(RefusedBy::DataStream(name.to_owned()), notices));
        let stats = Arc::new(Stats { accepted: AtomicU64::new(0), refused: Mutex::default(), reports });
        Self::new(name, created, settings, Records::Retained { retention, stats })
    }

    fn new(name: &str, created: Timestamp, settings: DataStreamSettings, records: Records) -> Self {
        let limits = settings.shards().iter().map(|_| ShardLimit::new(&DefaultClock::default())).collect();
        Self { created, settings, name: name.into(), limits, records }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The records of a stream that a caller has created.
    pub(crate) fn retention(&self) -> Option<&Arc<Retention>> {
        match &self.records {
            Records::Delivery(_) => None,
            Records::Retained { retention, .. } => Some(retention),
        }
    }

    #[cfg(test)]
    pub(crate) fn shares_limits_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.limits, &other.limits)
    }

    /// Lets a delivery stream read the records that are put from now on. A configured data stream has its reader, and gets no other.
    pub fn attach(&self, delivery: &DeliveryStream) {
        if let Records::Retained { retention, .. } = &self.records {
            let label = format!("{}: the data stream {}", delivery.name(), self.name);
            let (retention, intake) = (Arc::clone(retention), Arc::clone(&delivery.intake));
            // It reads one at most.
            let _another = delivery.reader.set(Reader::start(label, retention, self.settings.shards(), intake));
        }
    }

    /// Whether a sequence number is that of a record of this stream, or of the start of one of its shards.
    #[must_use]
    pub fn has_sequence_number(&self, text: &str) -> bool {
        let Some((shard, number)) = ShardId::of_sequence_number(text) else { return false };
        shard.0 < self.settings.shards().count()
            && match &self.records {
                // Delivered records leave nothing.
                Records::Delivery(delivery) => number < delivery.intake.next(),
                Records::Retained { retention, .. } => retention.has(shard, number, self.created),
            }
    }

    /// Counts records for this stream that were refused before they were put.
    pub fn refuse(&self, records: u64, reason: RefusalReason) {
        match &self.records {
            Records::Delivery(delivery) => delivery.refuse(records, reason),
            Records::Retained { stats, .. } => stats.refuse(&RefusedRecords::new(records, reason)),
        }
    }

    /// Its records, unless it is configured with a delivery stream: that has them in its snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<DataStreamSnapshot> {
        let Records::Retained { stats, .. } = &self.records else { return None };
        let accepted = stats.accepted.load(Ordering::Relaxed);
        let refused_by_reason = stats.refused().clone();
        Some(DataStreamSnapshot { data_stream: self.name().to_owned(), accepted, refused_by_reason })
    }

    /// Puts records, those of one call in their order.
    pub async fn put(&self, records: Vec<PutEntry>) -> Vec<Result<PutResult, PutError>> {
        let entries = records.into_iter().map(|record| self.entry(record));
        match &self.records {
            Records::Delivery(delivery) => {
                let result = |record: &Record| PutResult {
                    // Each record of a data stream has one.
                    shard: record.shard().unwrap_or(ShardId(0)),
                    sequence_number: record.sequence_number().to_owned(),
                };
                delivery.intake.put(entries, result).await
            }
            Records::Retained { retention, stats } => {
                let results = retention.put(entries, Timestamp::now().as_millisecond());
                stats.count(&results);
                let placed = |(shard, number): (ShardId, u64)| PutResult {
                    shard,
                    sequence_number: shard.sequence_number(number),
                };
                results.into_iter().map(|result| result.map(placed)).collect()
            }
        }
    }

    /// Within the limits of its shard.
    fn entry(&self, PutEntry { data, bytes, partition_key, hash_key }: PutEntry) -> Result<IncomingRecord, PutError> {
        let shard = self.settings.shards().of(hash_key);
        if self.limits.get(shard.0 as usize).is_none_or(|limit| !limit.take(bytes)) {
            return Err(PutError::Throttled(shard));
        }
        Ok(IncomingRecord { data, shard: Some((shard, partition_key)) })
    }
}

impl Stats {
    fn count<T>(&self, results: &[Result<T, PutError>]) {
        let refused = RefusedRecords::of(results);
        self.accepted.fetch_add(results.len() as u64 - refused.total(), Ordering::Relaxed);
        self.refuse(&refused);
    }

    fn refuse(&self, refused: &RefusedRecords) {
        self.refused().extend(refused);
        self.reports.add(refused);
    }

    fn refused(&self) -> MutexGuard<'_, RefusedRecords> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct ShardLimit<C: Clock = DefaultClock> {
    records: Limiter<C>,
    bytes: Limiter<C>,
}

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl<C: Clock + Clone> ShardLimit<C> {
    fn new(clock: &C) -> Self {
        let limiter = |limit| RateLimiter::direct_with_clock(Quota::per_second(limit), clock.clone());
        Self { records: limiter(RECORDS_PER_SECOND), bytes: limiter(BYTES_PER_SECOND) }
    }

    fn take(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).ok().and_then(NonZeroU32::new);
        self.records.check().is_ok() && bytes.is_none_or(|bytes| matches!(self.bytes.check_n(bytes), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests;
