//! Uploads objects, and retries until the storage accepts them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use uuid::Uuid;

use super::backlog::Context;
use super::event::{Kind, ObjectSummary, StreamEvent};
use super::receipt::Receipt;
use super::settings::StreamSettings;
use super::value_counts::ValueCounts;
use crate::outage::{Outage, OutageWait};
use firehose_model::delivery::ErrorCode;
use firehose_model::excerpt::excerpt;
use firehose_model::prefix::{Compression, Partition, object_name};
use object_storage::{Bucket, gzip};

const CONCURRENCY: usize = 16;
/// The most characters of the storage's error.
const ERROR_CHARS: usize = 500;

/// The buckets that a stream writes to. Clones share them.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// Delivered records and error objects.
    pub objects: Arc<Bucket>,
    /// The source backup.
    pub backup: Arc<Bucket>,
}

/// One bucket for everything.
impl From<Arc<Bucket>> for Buckets {
    fn from(bucket: Arc<Bucket>) -> Self {
        Self { backup: Arc::clone(&bucket), objects: bucket }
    }
}

impl Buckets {
    pub(super) fn of(&self, kind: Kind) -> &Arc<Bucket> {
        if kind == Kind::Backup { &self.backup } else { &self.objects }
    }
}

pub(super) struct Uploader {
    pub(super) context: Arc<Context>,
    buckets: Buckets,
    outage: Outage,
    concurrency: Semaphore,
}

impl Uploader {
    pub(super) fn new(context: Arc<Context>, buckets: impl Into<Buckets>) -> Self {
        let (buckets, concurrency) = (buckets.into(), Semaphore::new(CONCURRENCY));
        Self { context, buckets, outage: Outage::default(), concurrency }
    }

    pub(super) async fn store(&self, slot: Slot, object: Object, mut ticket: Option<Ticket>) {
        let Object { oldest_ms, bytes, receipts, ends, failed_by_code, .. } = object;
        let kind = slot.kind;
        let Context { settings, backlog, stats, .. } = &*self.context;
        // That error objects are not compressed is an assumption: no source says so.
        let compression = match kind {
            Kind::Error(_) => Compression::None,
            Kind::Backup => settings.backup_compression,
            Kind::Delivered => settings.compression,
        };
        let path = self.path(&slot, oldest_ms, compression);
        let (records, size) = (receipts.len(), bytes.len());
        let count_fields = if kind == Kind::Delivered { settings.count_fields.clone() } else { Vec::new() };
        let (body, values) = prepare(bytes.into(), count_fields, compression).await;
        if let Some(ticket) = &mut ticket {
            ticket.wait().await;
        }
        let path = self.put(kind, &path, body, compression).await;
        let at_ms = Timestamp::now().as_millisecond();
        let object = ObjectSummary { path, kind, records, bytes: size, at_ms };
        self.context.records.stored(&object, &receipts, &ends);
        backlog.settle(receipts);
        stats.record(StreamEvent::Stored { object, failed_by_code, values });
    }

    fn path(&self, Slot { kind, partition }: &Slot, oldest_ms: i64, compression: Compression) -> String {
        let oldest = Timestamp::from_millisecond(oldest_ms).unwrap_or_default();
        let settings = &*self.context.settings;
        let StreamSettings { name, version, prefix, error_prefix, backup_prefix, time_zone, .. } = settings;
        // The backup has neither a time zone nor an extension (API reference, "S3DestinationConfiguration"). That error objects have the
        // time zone and not the extension is an assumption.
        let zone = if *kind == Kind::Backup { TimeZone::UTC } else { time_zone.clone() };
        let oldest = oldest.to_zoned(zone);
        let (prefix, error_output_type) = match (kind, backup_prefix) {
            (Kind::Error(output_type), _) => (error_prefix, output_type.as_str()),
            (Kind::Backup, Some(backup)) => (backup, ""),
            // Without a backup prefix there is no backup.
            (Kind::Delivered, _) | (Kind::Backup, None) => (prefix, ""),
        };
        let evaluated = prefix.evaluate(&oldest, partition, error_output_type, Uuid::new_v4);
        let extension = settings.file_extension.as_deref().filter(|_| *kind == Kind::Delivered);
        let extension = extension.unwrap_or(compression.extension());
        object_name(&evaluated, (name.as_str(), *version), &oldest, Uuid::new_v4(), extension)
    }

    /// A delay holds no permit: other objects are uploaded meanwhile. Firehose retries for 24 hours (Firehose developer guide,
    /// "Understand data delivery in Amazon Data Firehose"), this one for as long as it runs.
    async fn put(&self, kind: Kind, path: &str, body: Bytes, compression: Compression) -> String {
        let Context { settings, backlog, stats, .. } = &*self.context;
        let name = &settings.name;
        stats.record(StreamEvent::UploadStarted);
        let mut waiting: Option<OutageWait<'_>> = None;
        let key = loop {
            // Never closed.
            let permit = self.concurrency.acquire().await;
            let stored = self.buckets.of(kind).put(path, body.clone(), compression).await;
            drop(permit);
            let error = match stored {
                Ok(key) => break key,
                Err(error) => error,
            };
            // The exit of the process aborts uploads. The storage is not at fault then.
            if backlog.abandoned.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            let is_first = waiting.is_none();
            let cause = excerpt(&error.to_string(), ERROR_CHARS);
            stats.record(StreamEvent::UploadRefused { error: cause, is_first });
            let report = || tracing::warn!("{name}: {error}; retrying until it succeeds");
            waiting.get_or_insert_with(|| self.outage.begin(report)).pause().await;
        };
        if let Some(waiting) = waiting {
            stats.record(StreamEvent::UploadRecovered);
            if waiting.end() {
                tracing::info!("{name}: the storage accepts objects again");
            }
        }
        key
    }
}

/// On a thread where it delays no request.
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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) partition: Partition,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) due: Instant,
    pub(super) oldest_ms: i64,
    /// Before compression, by which Firehose buffers (Firehose API reference, "BufferingHints").
    pub(super) bytes: Vec<u8>,
    pub(super) receipts: Vec<Receipt>,
    /// Where the bytes of each receipt's record end.
    ends: Vec<usize>,
    pub(super) failed_by_code: BTreeMap<&'static str, u64>,
}

impl Object {
    pub(super) fn new(due: Instant, oldest_ms: i64) -> Self {
        let (receipts, ends, failed_by_code) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { due, oldest_ms, bytes: Vec::new(), receipts, ends, failed_by_code }
    }

    /// Firehose adds no delimiter between records.
    pub(super) fn push(&mut self, bytes: &[u8], arrival_ms: i64, receipt: Receipt, code: Option<ErrorCode>) {
        self.oldest_ms = self.oldest_ms.min(arrival_ms);
        self.bytes.extend_from_slice(bytes);
        self.receipts.push(receipt);
        self.ends.push(self.bytes.len());
        if let Some(code) = code {
            *self.failed_by_code.entry(code.code()).or_default() += 1;
        }
    }
}

/// Runs the ends of concurrent tasks in the order in which the tasks began.
#[derive(Debug, Default)]
pub(super) struct Sequencer(Option<oneshot::Receiver<()>>);

#[derive(Debug)]
pub(super) struct Ticket {
    previous: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Sequencer {
    pub(super) fn next(&mut self) -> Ticket {
        let (done, after) = oneshot::channel();
        Ticket { previous: self.0.replace(after), _done: done }
    }

    pub(super) fn is_idle(&mut self) -> bool {
        // A receiver that has resolved must not be polled again.
        let _resolved = self.0.take_if(|previous| previous.try_recv() != Err(TryRecvError::Empty));
        self.0.is_none()
    }
}

impl Ticket {
    pub(super) async fn wait(&mut self) {
        if let Some(previous) = self.previous.take() {
            // Nothing is ever sent: the sender is dropped.
            let _dropped = previous.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tickets_go_on_in_their_order_however_long_each_takes() {
        let (seen, mut order) = mpsc::unbounded_channel();
        let mut sequencer = Sequencer::default();
        for (number, seconds) in [(0, 5), (1, 0), (2, 9), (3, 1)] {
            let (mut ticket, seen) = (sequencer.next(), seen.clone());
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds)).await;
                ticket.wait().await;
                seen.send(number).unwrap();
            });
        }
        drop(seen);
        assert!(!sequencer.is_idle());
        for expected in 0..4 {
            assert_eq!(order.recv().await, Some(expected));
        }
        assert_eq!(order.recv().await, None);
        for _ in 0..2 {
            assert!(sequencer.is_idle() && sequencer.is_idle());
            let mut next = sequencer.next();
            assert!(!sequencer.is_idle());
            next.wait().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_waits_for_the_one_before() {
        let mut sequencer = Sequencer::default();
        assert!(sequencer.is_idle());
        let (mut first, mut second) = (sequencer.next(), sequencer.next());
        first.wait().await;
        assert!(timeout(Duration::from_secs(9), second.wait()).await.is_err());
        drop(first);
    }
}
