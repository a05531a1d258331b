//! The Lambda buffer: accepted records into events, by size, count and time, as many events at once as the function may have.
//!
//! A shard has one event at once, so that what becomes of its records comes in their order, whatever an event takes and how
//! often it is tried. AWS is looser: it has up to five outstanding invocations for a shard (Firehose quotas), and promises no
//! order of what is delivered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::destination::Item;
use super::lanes::Lane;
use super::receipt::{Accepted, Receipt};
use super::settings::StreamSettings;
use super::transform::{Batch, Transform};
use super::watched::Watched;
use firehose_model::batch::{Batcher, Limits, decoded_bytes};

/// The records of the next event, and the events under way.
pub(super) struct Buffer {
    lane: Lane,
    batcher: Batcher,
    receipts: Vec<Receipt>,
    interval: Duration,
    /// When the first record of the buffer has waited long enough.
    due: Option<Instant>,
    backup: bool,
    /// For the events of this buffer.
    in_turn: Arc<Semaphore>,
    /// For those of all buffers of the stream.
    free: Arc<Semaphore>,
    under_way: JoinSet<()>,
    transform: Arc<Transform>,
    watched: Arc<Watched>,
}

impl Buffer {
    /// An empty buffer.
    pub(super) fn new(
        settings: &StreamSettings,
        lane: Lane,
        transform: Arc<Transform>,
        free: Arc<Semaphore>,
        watched: Arc<Watched>,
    ) -> Self {
        let at_once = if lane.is_some() { 1 } else { settings.concurrency };
        let limits = Limits { bytes: settings.buffer.bytes, records: settings.buffer_records };
        Self {
            lane,
            batcher: Batcher::new(limits, settings.name.as_str().into()),
            receipts: Vec::new(),
            interval: settings.buffer.interval,
            due: None,
            backup: settings.backup_prefix.is_some(),
            in_turn: Arc::new(Semaphore::new(at_once)),
            free,
            under_way: JoinSet::new(),
            transform,
            watched,
        }
    }

    /// Until nothing comes any more, and all that came is through.
    pub(super) async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
        loop {
            let due = self.due.unwrap_or_else(Instant::now);
            tokio::select! {
                // What is there already goes along with what is due.
                biased;
                records = accepted.recv() => match records {
                    Some(records) => self.take(records).await,
                    None => break,
                },
                () = sleep_until(due), if self.due.is_some() => self.flush().await,
                Some(_done) = self.under_way.join_next() => {}
            }
        }
        self.flush().await;
        while self.under_way.join_next().await.is_some() {}
    }

    async fn take(&mut self, records: Vec<Accepted>) {
        if self.backup {
            let copies = records.iter().map(|Accepted { record, receipt }| Item::backup(record, receipt.second()));
            let copies: Vec<Item> = copies.collect();
            self.watched.backed_up(copies.len(), Item::bytes_of(&copies));
            self.transform.deliver(copies);
        }
        for Accepted { record, receipt } in records {
            if let Some(event) = self.batcher.push(record) {
                let receipts = std::mem::take(&mut self.receipts);
                self.due = None;
                self.dispatch(Batch { event, receipts }).await;
            }
            self.receipts.push(receipt);
            self.due.get_or_insert_with(|| Instant::now() + self.interval);
            if self.batcher.is_full() {
                self.flush().await;
            }
        }
        self.tell();
    }

    async fn flush(&mut self) {
        self.due = None;
        if let Some(event) = self.batcher.take() {
            let receipts = std::mem::take(&mut self.receipts);
            self.dispatch(Batch { event, receipts }).await;
        }
        self.tell();
    }

    /// Hands an event over as soon as another may be under way. Meanwhile the records that come wait outside.
    async fn dispatch(&mut self, batch: Batch) {
        // Never closed. The turn first: who waits for it takes no place.
        let turn: Option<OwnedSemaphorePermit> = Arc::clone(&self.in_turn).acquire_owned().await.ok();
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        let transform = Arc::clone(&self.transform);
        let bytes = batch.event.records().iter().map(|record| decoded_bytes(&record.data)).sum();
        self.watched.dispatched(self.lane, batch.receipts.len(), bytes);
        self.under_way.spawn(async move {
            transform.run(batch).await;
            drop((turn, place));
        });
    }

    fn tell(&self) {
        self.watched.buffer_due(self.lane, self.due);
    }
}

#[cfg(test)]
mod tests;
