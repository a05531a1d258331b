//! One object into the storage, however often that takes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use uuid::Uuid;

use super::clicks::Clicks;
use super::ledger::Ledger;
use super::object::{Kind, Object, Stored};
use super::settings::{Source, StreamSettings};
use super::turns::Turn;
use super::watched::Watched;
use firehose_model::prefix::{Compression, Partition, object_name};
use object_storage::{Bucket, BucketError, gzip};

/// How many objects are stored at once.
const AT_ONCE: usize = 16;

/// The first pause after a storage that refused.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest: short, because somebody waits for it here. Firehose tries for 24 hours (Firehose developer guide, "Understand
/// data delivery in Amazon Data Firehose"); this one, for as long as it runs.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The way into the storage.
pub(super) struct Uploads {
    settings: StreamSettings,
    bucket: Arc<Bucket>,
    ledger: Arc<Ledger>,
    watched: Arc<Watched>,
    free: Semaphore,
}

impl Uploads {
    /// The way of a stream's objects into a bucket.
    pub(super) fn new(
        settings: StreamSettings,
        bucket: Arc<Bucket>,
        ledger: Arc<Ledger>,
        watched: Arc<Watched>,
    ) -> Self {
        Self { settings, bucket, ledger, watched, free: Semaphore::new(AT_ONCE) }
    }

    /// Whether one object of a place is stored after the other: what came by shards has an order. AWS promises none.
    pub(super) fn are_in_order(&self) -> bool {
        self.settings.source != Source::DirectPut
    }

    /// Stores one object when it is its turn, and settles its records.
    pub(super) async fn store(&self, object: Object, mut turn: Option<Turn>) {
        let Object { kind, partition, oldest_ms, bytes, receipts, faults } = object;
        // An assumption: nobody has told whether error objects are compressed.
        let compression = if let Kind::Error(_) = kind { Compression::None } else { self.settings.compression };
        let path = self.path(kind, &partition, oldest_ms, compression);
        let (records, size) = (receipts.len(), bytes.len());
        let (body, clicks) = prepare(bytes.into(), kind, compression).await;
        if let Some(turn) = &mut turn {
            turn.come().await;
        }
        let path = self.put(&path, body).await;
        self.ledger.settle(receipts);
        self.watched.stored(Stored { path, kind, records, bytes: size, faults }, clicks);
    }

    fn path(&self, kind: Kind, partition: &Partition, oldest_ms: i64, compression: Compression) -> String {
        let oldest = Timestamp::from_millisecond(oldest_ms).unwrap_or_default();
        let StreamSettings { name, prefix, error_prefix, backup_prefix, .. } = &self.settings;
        let evaluated = match (kind, backup_prefix) {
            (Kind::Error(output_type), _) => error_prefix.evaluate(oldest, output_type, Uuid::new_v4),
            (Kind::Backup, Some(backup)) => backup.evaluate(oldest, partition, Uuid::new_v4),
            // Without a backup prefix there is no backup.
            (Kind::Delivered, _) | (Kind::Backup, None) => prefix.evaluate(oldest, partition, Uuid::new_v4),
        };
        object_name(&evaluated, name, oldest, Uuid::new_v4(), compression)
    }

    /// Until the storage takes it; gives its key there. What it refuses does not keep what it would take.
    async fn put(&self, path: &str, body: Bytes) -> String {
        self.watched.putting();
        let mut pause = FIRST_PAUSE;
        let mut refused = false;
        let key = loop {
            let error = match self.attempt(path, body.clone()).await {
                Ok(key) => break key,
                Err(error) => error,
            };
            // In the end uploads are cut off, and there is nothing wrong with the storage.
            if self.ledger.is_given_up() {
                return std::future::pending().await;
            }
            if !refused && self.watched.refused(&error.to_string()) {
                tracing::warn!("{error}; it is tried again until it works");
            }
            refused = true;
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        };
        if refused && self.watched.taken() {
            tracing::info!("the storage takes objects again");
        }
        key
    }

    async fn attempt(&self, path: &str, body: Bytes) -> Result<String, BucketError> {
        // Never closed.
        let _permit = self.free.acquire().await;
        self.bucket.put(path, body).await
    }
}

/// An object's bytes as they are stored, and what they tell. Off the threads that serve requests: a large object takes a while.
async fn prepare(bytes: Bytes, kind: Kind, compression: Compression) -> (Bytes, Clicks) {
    let copy = bytes.clone();
    let prepared = spawn_blocking(move || {
        let clicks = if kind == Kind::Delivered { Clicks::of(&copy) } else { Clicks::default() };
        match compression {
            Compression::None => Ok((copy, clicks)),
            Compression::Gzip => gzip(&copy).map(|compressed| (compressed, clicks)),
        }
    });
    match prepared.await {
        Ok(Ok(prepared)) => prepared,
        // Compressing in memory does not fail; if it did, plain records would be better than none.
        _ => (bytes, Clicks::default()),
    }
}
