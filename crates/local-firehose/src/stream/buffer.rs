//! A Lambda buffer: collects records into events by size, count and time, and has them invoked.
//!
//! A shard has one invocation at once, so that its records are delivered in their order, however often an event is retried. AWS is
//! looser: it has up to five outstanding invocations per shard (Firehose quotas), and promises no order of what is delivered.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::invoker::{Batch, Invoker};
use super::receipt::{Accepted, Receipt};
use super::stats::StreamEvent;
use firehose_model::batch::{Batcher, Limits};
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::decoded_bytes;

/// The records of the next event, and the events in flight.
pub(super) struct Buffer {
    shard: Option<ShardId>,
    batcher: Batcher,
    receipts: Vec<Receipt>,
    /// When the buffer is flushed, if it is not full before.
    due: Option<Instant>,
    /// Limits the invocations of this buffer.
    own_permits: Arc<Semaphore>,
    /// Limits the invocations of all buffers of the stream.
    stream_permits: Arc<Semaphore>,
    in_flight: JoinSet<()>,
    invoker: Arc<Invoker>,
}

impl Buffer {
    pub(super) fn new(shard: Option<ShardId>, invoker: Arc<Invoker>, stream_permits: Arc<Semaphore>) -> Self {
        let settings = &invoker.context.settings;
        let concurrency = if shard.is_some() { 1 } else { settings.concurrency };
        let limits = Limits { bytes: settings.buffer.bytes, records: settings.buffer_records };
        Self {
            shard,
            batcher: Batcher::new(limits, settings.name.as_str().into()),
            receipts: Vec::new(),
            due: None,
            own_permits: Arc::new(Semaphore::new(concurrency)),
            stream_permits,
            in_flight: JoinSet::new(),
            invoker,
        }
    }

    /// Runs until the channel is closed and all records are processed.
    pub(super) async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
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
                Some(_finished) = self.in_flight.join_next() => {}
            }
        }
        self.flush().await;
        while self.in_flight.join_next().await.is_some() {}
    }

    async fn add(&mut self, records: Vec<Accepted>) {
        for Accepted { record, receipt } in records {
            if let Some(event) = self.batcher.push(record) {
                let receipts = std::mem::take(&mut self.receipts);
                self.due = None;
                self.invoke(Batch { event, receipts }).await;
            }
            self.receipts.push(receipt);
            self.due.get_or_insert_with(|| Instant::now() + self.invoker.context.settings.buffer.interval);
            if self.batcher.is_full() {
                self.flush().await;
            }
        }
        self.report_due();
    }

    async fn flush(&mut self) {
        self.due = None;
        if let Some(event) = self.batcher.take() {
            let receipts = std::mem::take(&mut self.receipts);
            self.invoke(Batch { event, receipts }).await;
        }
        self.report_due();
    }

    /// Starts an invocation as soon as the limits allow. Until then new records wait in the channel.
    async fn invoke(&mut self, batch: Batch) {
        // The semaphores are never closed. The own permit comes first: a buffer that waits for it holds none of the stream's.
        let own: Option<OwnedSemaphorePermit> = Arc::clone(&self.own_permits).acquire_owned().await.ok();
        let streams = Arc::clone(&self.stream_permits).acquire_owned().await.ok();
        let invoker = Arc::clone(&self.invoker);
        let bytes = batch.event.records().iter().map(|record| decoded_bytes(&record.data)).sum();
        let records = batch.receipts.len();
        invoker.context.stats.record(StreamEvent::InvocationStarted { shard: self.shard, records, bytes });
        self.in_flight.spawn(async move {
            invoker.run(batch).await;
            drop((own, streams));
        });
    }

    fn report_due(&self) {
        self.invoker.context.stats.record(StreamEvent::BufferDue { shard: self.shard, due: self.due });
    }
}

#[cfg(test)]
mod tests;
