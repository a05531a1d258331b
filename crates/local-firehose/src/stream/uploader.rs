//! Uploads objects, and retries until the storage accepts them.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::context::Context;
use super::object::{Kind, Object, Slot};
use super::sequencer::Ticket;
use super::settings::{Source, StreamSettings};
use super::stats::{ObjectSummary, StreamEvent};
use super::values::ValueCounts;
use crate::outage::{Outage, Waiting};
use firehose_model::prefix::{Compression, object_name};
use object_storage::{Bucket, BucketError, gzip};

const CONCURRENCY: usize = 16;

pub(super) struct Uploader {
    pub(super) context: Arc<Context>,
    bucket: Arc<Bucket>,
    outage: Outage,
    concurrency: Semaphore,
}

impl Uploader {
    pub(super) fn new(context: Arc<Context>, bucket: Arc<Bucket>) -> Self {
        Self { context, bucket, outage: Outage::default(), concurrency: Semaphore::new(CONCURRENCY) }
    }

    /// Whether the objects of a prefix are uploaded one after the other, to keep the order of a shard. AWS promises no order.
    pub(super) fn is_ordered(&self) -> bool {
        self.context.settings.source != Source::DirectPut
    }

    /// Uploads one object after those before its ticket, and settles its records.
    pub(super) async fn store(&self, slot: Slot, object: Object, mut ticket: Option<Ticket>) {
        let Object { oldest_ms, bytes, receipts, failed_by_code, .. } = object;
        let kind = slot.kind;
        let Context { settings, backlog, stats, .. } = &*self.context;
        // That error objects are not compressed is an assumption: no source says so.
        let compression = if let Kind::Error(_) = kind { Compression::None } else { settings.compression };
        let path = self.path(&slot, oldest_ms, compression);
        let (records, size) = (receipts.len(), bytes.len());
        let count_fields = if kind == Kind::Delivered { settings.count_fields.clone() } else { Vec::new() };
        let (body, values) = prepare(bytes.into(), count_fields, compression).await;
        if let Some(ticket) = &mut ticket {
            ticket.wait().await;
        }
        let path = self.put(&path, body).await;
        backlog.settle(receipts);
        let at_ms = Timestamp::now().as_millisecond();
        let object = ObjectSummary { path, kind: kind.name(), records, bytes: size, at_ms };
        stats.record(StreamEvent::Stored { kind, object, failed_by_code, values });
    }

    fn path(&self, Slot { kind, partition }: &Slot, oldest_ms: i64, compression: Compression) -> String {
        let oldest = Timestamp::from_millisecond(oldest_ms).unwrap_or_default();
        let StreamSettings { name, prefix, error_prefix, backup_prefix, .. } = &self.context.settings;
        let evaluated = match (kind, backup_prefix) {
            (Kind::Error(output_type), _) => error_prefix.evaluate(oldest, *output_type, Uuid::new_v4),
            (Kind::Backup, Some(backup)) => backup.evaluate(oldest, partition, Uuid::new_v4),
            // Without a backup prefix there is no backup.
            (Kind::Delivered, _) | (Kind::Backup, None) => prefix.evaluate(oldest, partition, Uuid::new_v4),
        };
        object_name(&evaluated, name, oldest, Uuid::new_v4(), compression)
    }

    /// Returns the object's key in the storage. A delay holds no permit: other objects are uploaded meanwhile. Firehose retries for 24 hours
    /// (Firehose developer guide, "Understand data delivery in Amazon Data Firehose"), this one for as long as it runs.
    async fn put(&self, path: &str, body: Bytes) -> String {
        let Context { backlog, stats, .. } = &*self.context;
        stats.record(StreamEvent::UploadStarted);
        let mut waiting: Option<Waiting<'_>> = None;
        let key = loop {
            let error = match self.attempt(path, body.clone()).await {
                Ok(key) => break key,
                Err(error) => error,
            };
            // The exit of the process aborts uploads. The storage is not at fault then.
            if backlog.is_abandoned() {
                return std::future::pending().await;
            }
            if waiting.is_none() {
                stats.record(StreamEvent::UploadRefused { error: error.to_string() });
            }
            let report = || tracing::warn!("{error}; retrying until it succeeds");
            waiting.get_or_insert_with(|| self.outage.begin(report)).pause().await;
        };
        if let Some(waiting) = waiting {
            stats.record(StreamEvent::UploadRecovered);
            if waiting.end() {
                tracing::info!("the storage accepts objects again");
            }
        }
        key
    }

    async fn attempt(&self, path: &str, body: Bytes) -> Result<String, BucketError> {
        // Never closed.
        let _permit = self.concurrency.acquire().await;
        self.bucket.put(path, body).await
    }
}

/// Compresses an object and counts its values, on a thread where it delays no request.
async fn prepare(bytes: Bytes, count_fields: Vec<String>, compression: Compression) -> (Bytes, ValueCounts) {
    let copy = bytes.clone();
    let prepared = spawn_blocking(move || {
        let values = ValueCounts::of(&copy, &count_fields);
        match compression {
            Compression::None => Ok((copy, values)),
            Compression::Gzip => gzip(&copy).map(|compressed| (compressed, values)),
        }
    });
    match prepared.await {
        Ok(Ok(prepared)) => prepared,
        // Compression in memory does not fail. If it did, plain records would be better than none.
        _ => (bytes, ValueCounts::default()),
    }
}
