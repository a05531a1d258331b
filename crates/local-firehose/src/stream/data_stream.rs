//! The data stream that a delivery stream reads. A record is in both at once: nobody else reads the data stream here.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;

use super::receipt::Accepted;
use super::settings::{DataStreamSettings, Source};
use super::{Stream, Unavailable};
use firehose_model::kinesis::data_stream_arn;
use firehose_model::kinesis::shard::{Shard, Shards};

/// What a shard takes in a second, data and partition keys (Kinesis developer guide, "Quotas and limits"), also on demand.
const BYTES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(1024 * 1024 - 1);

/// The same in records.
const RECORDS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// A data stream. Its clones are the same one.
#[derive(Debug, Clone)]
pub struct DataStream(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    delivery: Stream,
    settings: DataStreamSettings,
    shards: Shards,
    /// What each shard takes.
    limits: Vec<Limit>,
    /// Held from a record's number on until its place in the order is sure.
    numbering: Mutex<()>,
}

/// A record on its way into a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToShard {
    /// Base64 that has been checked.
    pub data: String,
    /// The size of data and partition key: not more than the largest record.
    pub bytes: usize,
    /// What tells records that belong together.
    pub partition_key: String,
    /// What tells the shard.
    pub hash_key: u128,
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The shard.
    pub shard: Shard,
    /// Its place in it.
    pub sequence_number: String,
}

/// Why a record is in no shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPlaced {
    /// The shard takes no more at the moment.
    Throttled(Shard),
    /// The stream is stopping, or its state can't be written.
    Unavailable,
}

impl From<Unavailable> for NotPlaced {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl DataStream {
    /// The one that a delivery stream reads, if it reads one.
    #[must_use]
    pub fn read_by(delivery: &Stream) -> Option<Self> {
        let Source::Kinesis(settings) = &delivery.settings().source else { return None };
        let shards = settings.shards();
        let limits = shards.iter().map(|_| Limit::new()).collect();
        let (delivery, settings, numbering) = (delivery.clone(), settings.clone(), Mutex::default());
        Some(Self(Arc::new(Parts { delivery, settings, shards, limits, numbering })))
    }

    /// Its name, which is the delivery stream's, too.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.delivery.name()
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        data_stream_arn(self.name())
    }

    /// When it started.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.0.delivery.since()
    }

    /// What it was told to be.
    #[must_use]
    pub fn settings(&self) -> &DataStreamSettings {
        &self.0.settings
    }

    /// Its shards.
    #[must_use]
    pub fn shards(&self) -> Shards {
        self.0.shards
    }

    /// Puts records, those of one call in their order: tells where each of them is, or why it is nowhere.
    pub async fn put(&self, records: Vec<ToShard>) -> Vec<Result<Placed, NotPlaced>> {
        let parts = &*self.0;
        let kept = {
            let _numbering = parts.numbering.lock().unwrap_or_else(PoisonError::into_inner);
            let now_ms = Timestamp::now().as_millisecond();
            let accepted = records.into_iter().map(move |record| parts.accept(record, now_ms));
            parts.delivery.keep(accepted, |record| Placed {
                // Each record of a data stream has one.
                shard: record.shard().unwrap_or(Shard(0)),
                sequence_number: record.sequence_number().to_owned(),
            })
        };
        kept.await
    }
}

impl Parts {
    /// A backlog that is full is told as a shard that is: producers know to wait then. Kinesis itself has none, because it
    /// keeps all records for a day.
    fn accept(&self, record: ToShard, now_ms: i64) -> Result<Accepted, NotPlaced> {
        let ToShard { data, bytes, partition_key, hash_key } = record;
        let shard = self.shards.of(hash_key);
        let in_rate = self.limits.get(shard.0 as usize).is_some_and(|limit| limit.take(bytes));
        let accepted = in_rate.then(|| self.delivery.0.ledger.accept_from(shard, partition_key, data, now_ms));
        accepted.flatten().ok_or(NotPlaced::Throttled(shard))
    }
}

/// What one shard takes.
#[derive(Debug)]
struct Limit {
    records: DefaultDirectRateLimiter,
    bytes: DefaultDirectRateLimiter,
}

impl Limit {
    fn new() -> Self {
        Self {
            records: RateLimiter::direct(Quota::per_second(RECORDS_PER_SECOND)),
            bytes: RateLimiter::direct(Quota::per_second(BYTES_PER_SECOND)),
        }
    }

    /// Whether a record is within it.
    fn take(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).ok().and_then(NonZeroU32::new);
        self.records.check().is_ok() && bytes.is_none_or(|bytes| matches!(self.bytes.check_n(bytes), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests;
