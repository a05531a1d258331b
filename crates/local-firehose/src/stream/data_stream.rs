//! The data stream that a delivery stream reads. It has no other consumers, so it keeps no records of its own.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::delivery_stream::DeliveryStream;
use super::intake::{Entry, PutError};
use super::settings::{DataStreamSettings, Source};
use firehose_model::event::Record;
use firehose_model::kinesis::shard::ShardId;

/// The write limit of a shard, data and partition keys, also on demand (Kinesis developer guide, "Quotas and limits").
const BYTES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(1024 * 1024 - 1);
const RECORDS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// A data stream. Clones share it.
#[derive(Debug, Clone)]
pub struct DataStream {
    /// The delivery stream that reads it, and has the same name.
    pub delivery: DeliveryStream,
    /// Its settings.
    pub settings: DataStreamSettings,
    limits: Arc<[ShardLimit]>,
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
    /// The data stream that a delivery stream reads, if it reads one.
    #[must_use]
    pub fn read_by(delivery: &DeliveryStream) -> Option<Self> {
        let of_delivery = delivery.settings();
        let Source::Kinesis(settings) = &of_delivery.source else { return None };
        let limits = settings.shards().iter().map(|_| ShardLimit {
            records: RateLimiter::direct(Quota::per_second(RECORDS_PER_SECOND)),
            bytes: RateLimiter::direct(Quota::per_second(BYTES_PER_SECOND)),
        });
        Some(Self { delivery: delivery.clone(), settings: settings.clone(), limits: limits.collect() })
    }

    /// Its name, which is also the delivery stream's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.delivery.name()
    }

    #[cfg(test)]
    pub(crate) fn shares_limits_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.limits, &other.limits)
    }

    /// Puts records, those of one call in their order.
    pub async fn put(&self, records: Vec<PutEntry>) -> Vec<Result<PutResult, PutError>> {
        let entries = records.into_iter().map(|record| self.entry(record));
        let result = |record: &Record| PutResult {
            // Each record of a data stream has one.
            shard: record.shard().unwrap_or(ShardId(0)),
            sequence_number: record.sequence_number().to_owned(),
        };
        self.delivery.intake.put(entries, result).await
    }

    /// A full backlog throttles, too: producers know how to wait then. Kinesis has no backlog, it stores records for a day.
    fn entry(&self, PutEntry { data, bytes, partition_key, hash_key }: PutEntry) -> Result<Entry, PutError> {
        let shard = self.settings.shards().of(hash_key);
        if self.limits.get(shard.0 as usize).is_none_or(|limit| !limit.take(bytes)) {
            return Err(PutError::Throttled(Some(shard)));
        }
        Ok(Entry { data, shard: Some((shard, partition_key)) })
    }
}

#[derive(Debug)]
struct ShardLimit {
    records: DefaultDirectRateLimiter,
    bytes: DefaultDirectRateLimiter,
}

impl ShardLimit {
    fn take(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).ok().and_then(NonZeroU32::new);
        self.records.check().is_ok() && bytes.is_none_or(|bytes| matches!(self.bytes.check_n(bytes), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests;
