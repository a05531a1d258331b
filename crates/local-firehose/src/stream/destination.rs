//! The destination buffer: collects records into objects by size and time, one open object for each kind and partition.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::event::{Kind, StreamEvent};
use super::receipt::Receipt;
use super::settings::{Buffering, Source};
use super::uploader::{Object, Sequencer, Slot, Uploader};
use firehose_model::delivery::ErrorCode;
use firehose_model::error_object::ErrorLine;
use firehose_model::event::Record;
use firehose_model::prefix::{MAX_ACTIVE_PARTITIONS, Partition};

#[derive(Debug)]
pub(super) struct Item {
    slot: Slot,
    /// Empty of a part of a compressed record whose error line is written already.
    bytes: Vec<u8>,
    arrival_ms: i64,
    receipt: Receipt,
    code: Option<ErrorCode>,
    /// Of a record with a partition, which may exceed the limit of active partitions.
    original: Option<Record>,
}

impl Item {
    pub(super) fn delivered(record: Record, bytes: Vec<u8>, partition: Partition, receipt: Receipt) -> Self {
        let arrival_ms = record.arrival_ms;
        let original = (partition != Partition::default()).then_some(record);
        Self { slot: Slot { kind: Kind::Delivered, partition }, bytes, arrival_ms, receipt, code: None, original }
    }

    pub(super) fn failed(
        record: &Record,
        code: ErrorCode,
        attempts: u32,
        end_ms: i64,
        function_arn: &str,
        receipt: Receipt,
    ) -> Self {
        let mut bytes = Vec::new();
        if receipt.fails_first() {
            let line = ErrorLine::new(record, code, attempts, end_ms, function_arn);
            bytes.reserve(record.data.len() + 512);
            // Serializing numbers and strings into memory does not fail.
            let _written = serde_json::to_writer(&mut bytes, &line);
            bytes.push(b'\n');
        }
        let slot = Slot { kind: Kind::Error(code.output_type()), partition: Partition::default() };
        Self { slot, bytes, arrival_ms: record.arrival_ms, receipt, code: Some(code), original: None }
    }

    pub(super) fn bytes_of(items: &[Self]) -> usize {
        items.iter().map(|item| item.bytes.len()).sum()
    }

    /// That an aggregated record is there as its user records is an assumption: Firehose de-aggregates before it delivers to a destination
    /// (Kinesis developer guide, "Use the KPL with Amazon Data Firehose").
    pub(super) fn backup(record: &Record, receipt: Receipt) -> Self {
        // The base64 was validated when the record was accepted.
        let decoded = |record: &Record| STANDARD.decode(&record.data).unwrap_or_default();
        let bytes = record
            .user_records()
            .map_or_else(|_| decoded(record), |records| records.iter().flat_map(decoded).collect());
        let slot = Slot { kind: Kind::Backup, partition: Partition::default() };
        Self { slot, bytes, arrival_ms: record.arrival_ms, receipt, code: None, original: None }
    }
}

pub(super) struct Destination {
    uploader: Arc<Uploader>,
    open: HashMap<Slot, Object>,
    order: HashMap<Slot, Sequencer>,
    in_flight: JoinSet<()>,
}

impl Destination {
    pub(super) fn new(uploader: Uploader) -> Self {
        Self { uploader: Arc::new(uploader), open: HashMap::new(), order: HashMap::new(), in_flight: JoinSet::new() }
    }

    pub(super) async fn run(mut self, mut items: mpsc::UnboundedReceiver<Vec<Item>>) {
        loop {
            let due = self.due();
            let mut records = 0;
            tokio::select! {
                biased;
                items = items.recv() => match items {
                    Some(items) => {
                        records = items.len();
                        for item in items {
                            self.add(item);
                        }
                    }
                    None => break,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = self.uploader.context.backlog.decompression_blocked.notified() => self.store(|_| true),
                Some(_finished) = self.in_flight.join_next() => {}
            }
            self.store(|object| object.due <= Instant::now());
            self.uploader.context.stats.record(StreamEvent::Opened { records, due: self.due() });
        }
        self.store(|_| true);
        self.uploader.context.stats.record(StreamEvent::Opened { records: 0, due: None });
        while self.in_flight.join_next().await.is_some() {}
    }

    fn add(&mut self, item: Item) {
        let Item { slot, bytes, arrival_ms, receipt, code, .. } = self.within_partition_limit(item);
        let context = &self.uploader.context;
        if let Some(code) = code.filter(|_| bytes.is_empty()) {
            context.stats.record(StreamEvent::FailedAgain { code: code.code() });
            return context.backlog.settle(vec![receipt]);
        }
        let Buffering { bytes: size, interval } = context.settings.destination_buffer;
        let due = Instant::now() + interval;
        let object = self.open.entry(slot).or_insert_with(|| Object::new(due, arrival_ms));
        object.push(&bytes, arrival_ms, receipt, code);
        if object.bytes.len() >= size {
            self.store(|object| object.bytes.len() >= size);
        }
    }

    fn within_partition_limit(&self, item: Item) -> Item {
        let Some(record) = &item.original else { return item };
        let partitions = self.open.keys().filter(|slot| slot.kind == Kind::Delivered).count();
        if partitions < MAX_ACTIVE_PARTITIONS || self.open.contains_key(&item.slot) {
            return item;
        }
        let context = &self.uploader.context;
        let end_ms = Timestamp::now().as_millisecond();
        let arn = context.settings.arn_of_function().unwrap_or_default();
        context.records.fail(&item.receipt, record, ErrorCode::TooManyPartitions);
        let failed = Item::failed(record, ErrorCode::TooManyPartitions, 1, end_ms, &arn, item.receipt);
        context.stats.record(StreamEvent::Replaced { before: item.bytes.len(), after: failed.bytes.len() });
        failed
    }

    fn due(&self) -> Option<Instant> {
        self.open.values().map(|object| object.due).min()
    }

    fn store(&mut self, ready: impl Fn(&Object) -> bool) {
        // Keeps the order of a shard. AWS promises no order.
        let is_ordered = self.uploader.context.settings.source != Source::DirectPut;
        for (slot, object) in self.open.extract_if(|_, object| ready(object)) {
            let uploader = Arc::clone(&self.uploader);
            let ticket = is_ordered.then(|| self.order.entry(slot.clone()).or_default().next());
            self.in_flight.spawn(async move { uploader.store(slot, object, ticket).await });
        }
        self.order.retain(|_, sequencer| !sequencer.is_idle());
    }
}

#[cfg(test)]
mod tests;
