//! Lambda buffers, by size, count and time: one for Direct PUT, and one for each shard, so that no shard waits for another.
//!
//! A shard has one invocation at once, so that its records are delivered in their order, however often an event is retried. AWS is
//! looser: it has up to five outstanding invocations per shard (Firehose quotas), and promises no order of what is delivered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::destination::Item;
use super::event::StreamEvent;
use super::invoker::Invoker;
use super::receipt::{Accepted, Receipt};
use firehose_model::batch::{Batcher, Limits};
use firehose_model::event::Event;
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::decoded_bytes;

/// The wait for memory for decompressed data.
const PAUSE: Duration = Duration::from_millis(20);

/// Each buffer runs in a task of its own from its first record on.
pub(super) struct ShardBuffers {
    invoker: Arc<Invoker>,
    concurrency: Arc<Semaphore>,
    buffers: HashMap<Option<ShardId>, mpsc::UnboundedSender<Vec<Accepted>>>,
    tasks: JoinSet<()>,
}

impl ShardBuffers {
    pub(super) fn new(invoker: Invoker) -> Self {
        let concurrency = Arc::new(Semaphore::new(invoker.context.settings.concurrency));
        Self { invoker: Arc::new(invoker), concurrency, buffers: HashMap::new(), tasks: JoinSet::new() }
    }

    pub(super) async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
        while let Some(records) = accepted.recv().await {
            if self.invoker.context.settings.backup_prefix.is_some() {
                self.back_up(&records);
            }
            let mut by_shard: BTreeMap<_, Vec<Accepted>> = BTreeMap::new();
            for accepted in records {
                by_shard.entry(accepted.record.shard()).or_default().push(accepted);
            }
            for (shard, records) in by_shard {
                // A buffer lives until it is dropped here.
                let _panicked = self.buffer(shard).send(records);
            }
        }
        self.buffers.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    /// The source backup gets every record as it was put (Firehose API reference, "S3BackupMode"), aggregated ones as their user records.
    fn back_up(&self, records: &[Accepted]) {
        let copies: Vec<Item> =
            records.iter().map(|Accepted { record, receipt }| Item::backup(record, receipt.duplicate())).collect();
        let Invoker { context, destination, .. } = &*self.invoker;
        context.stats.record(StreamEvent::BackedUp { records: copies.len(), bytes: Item::bytes_of(&copies) });
        let _stopped = destination.send(copies);
    }

    fn buffer(&mut self, shard: Option<ShardId>) -> &mpsc::UnboundedSender<Vec<Accepted>> {
        self.buffers.entry(shard).or_insert_with(|| {
            let (sender, records) = mpsc::unbounded_channel();
            let buffer = Buffer::new(shard, Arc::clone(&self.invoker), Arc::clone(&self.concurrency));
            self.tasks.spawn(buffer.run(records));
            sender
        })
    }
}

struct Buffer {
    shard: Option<ShardId>,
    batcher: Batcher,
    receipts: Vec<Receipt>,
    due: Option<Instant>,
    own_permits: Arc<Semaphore>,
    stream_permits: Arc<Semaphore>,
    in_flight: JoinSet<()>,
    invoker: Arc<Invoker>,
}

impl Buffer {
    fn new(shard: Option<ShardId>, invoker: Arc<Invoker>, stream_permits: Arc<Semaphore>) -> Self {
        let settings = &invoker.context.settings;
        let concurrency = if shard.is_some() { 1 } else { settings.concurrency };
        let limits = Limits { bytes: settings.buffer.bytes, records: settings.buffer_records };
        Self {
            shard,
            batcher: Batcher::new(limits, settings.identity()),
            receipts: Vec::new(),
            due: None,
            own_permits: Arc::new(Semaphore::new(concurrency)),
            stream_permits,
            in_flight: JoinSet::new(),
            invoker,
        }
    }

    async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
        loop {
            let due = self.due.unwrap_or_else(Instant::now);
            tokio::select! {
                // Records that are there already go along with what is due.
                biased;
                records = accepted.recv() => match records {
                    Some(records) => self.add(records).await,
                    None => break,
                },
                () = sleep_until(due), if self.due.is_some() => self.flush().await,
                () = self.invoker.context.backlog.decompression_blocked.notified(), if self.due.is_some() => self.flush().await,
                Some(_finished) = self.in_flight.join_next() => {}
            }
        }
        self.flush().await;
        while self.in_flight.join_next().await.is_some() {}
    }

    async fn add(&mut self, records: Vec<Accepted>) {
        for accepted in records {
            if accepted.record.may_be_aggregated() {
                for user_record in self.invoker.deaggregate(accepted).await {
                    self.prepare(user_record).await;
                }
            } else {
                self.prepare(accepted).await;
            }
        }
        self.report_due();
    }

    async fn prepare(&mut self, accepted: Accepted) {
        let context = Arc::clone(&self.invoker.context);
        let processors = &context.settings.processors;
        if !processors.decompression && processors.deaggregation.is_none() {
            return self.push(accepted).await;
        }
        while processors.decompression && !context.backlog.reserve_decompressed() {
            // The memory is perhaps that of this buffer's own records.
            self.flush().await;
            context.backlog.decompression_blocked.notify_waiters();
            sleep(PAUSE).await;
        }
        let mut parts = self.invoker.prepare(accepted).await;
        if processors.decompression {
            context.backlog.hold_decompressed(&mut parts);
        }
        for part in parts {
            self.push(part).await;
        }
    }

    async fn push(&mut self, Accepted { record, receipt }: Accepted) {
        if let Some(event) = self.batcher.push(record) {
            self.invoke(event).await;
        }
        self.receipts.push(receipt);
        self.due.get_or_insert_with(|| Instant::now() + self.invoker.context.settings.buffer.interval);
        if self.batcher.is_full() {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        if let Some(event) = self.batcher.take() {
            self.invoke(event).await;
        }
        self.due = None;
        self.report_due();
    }

    /// Until the limits allow it, new records wait in the channel.
    async fn invoke(&mut self, event: Event) {
        let receipts = std::mem::take(&mut self.receipts);
        self.due = None;
        // The semaphores are never closed. The own permit comes first: a buffer that waits for it holds none of the stream's.
        let own: Option<OwnedSemaphorePermit> = Arc::clone(&self.own_permits).acquire_owned().await.ok();
        let streams = Arc::clone(&self.stream_permits).acquire_owned().await.ok();
        let invoker = Arc::clone(&self.invoker);
        let bytes = event.records.iter().map(|record| decoded_bytes(&record.data)).sum();
        let batch = invoker.start_batch(&receipts);
        let started =
            StreamEvent::InvocationStarted { shard: self.shard, batch: batch.number, records: receipts.len(), bytes };
        invoker.context.stats.record(started);
        self.in_flight.spawn(async move {
            invoker.run(event, receipts, batch).await;
            drop((own, streams));
        });
    }

    fn report_due(&self) {
        self.invoker.context.stats.record(StreamEvent::BufferDue { shard: self.shard, due: self.due });
    }
}

#[cfg(test)]
mod tests;
