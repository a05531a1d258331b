//! The destination buffer: records into objects, by size and time, one for each prefix that is open.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::object::{Kind, Object};
use super::receipt::Receipt;
use super::settings::Buffering;
use super::turns::Turns;
use super::upload::Uploads;
use super::watched::Watched;
use firehose_model::delivery::Fault;
use firehose_model::error_object::ErrorLine;
use firehose_model::event::Record;
use firehose_model::prefix::{MAX_ACTIVE_PARTITIONS, Partition};

/// One record on its way into an object.
#[derive(Debug)]
pub(super) struct Item {
    place: Place,
    bytes: Vec<u8>,
    arrival_ms: i64,
    receipt: Receipt,
    /// Why it failed.
    fault: Option<Fault>,
    /// Of what has a partition, which may be one too many.
    original: Option<Record>,
}

/// Which objects a record may be in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    kind: Kind,
    /// The one there is, without dynamic partitioning.
    partition: Partition,
}

impl Place {
    fn of(kind: Kind) -> Self {
        Self { kind, partition: Partition::default() }
    }
}

impl Item {
    /// What the function made of a record.
    pub(super) fn delivered(record: Record, bytes: Vec<u8>, partition: Partition, receipt: Receipt) -> Self {
        let arrival_ms = record.arrival_ms;
        let original = (partition != Partition::default()).then_some(record);
        Self { place: Place { kind: Kind::Delivered, partition }, bytes, arrival_ms, receipt, fault: None, original }
    }

    /// A record that failed.
    pub(super) fn failed(record: &Record, failure: Failure<'_>, receipt: Receipt) -> Self {
        let Failure { fault, attempts, end_ms, function_arn } = failure;
        let mut bytes = Vec::with_capacity(record.data.len() + 512);
        // Numbers and texts into memory, which can't fail.
        let _written =
            serde_json::to_writer(&mut bytes, &ErrorLine::new(record, fault, attempts, end_ms, function_arn));
        bytes.push(b'\n');
        let place = Place::of(Kind::Error(fault.output_type()));
        Self { place, bytes, arrival_ms: record.arrival_ms, receipt, fault: Some(fault), original: None }
    }

    /// The size of what is to be delivered.
    pub(super) fn bytes_of(items: &[Self]) -> usize {
        items.iter().map(|item| item.bytes.len()).sum()
    }

    /// A record as it came.
    pub(super) fn backup(record: &Record, receipt: Receipt) -> Self {
        // Its base64 was checked when it was accepted.
        let bytes = STANDARD.decode(&record.data).unwrap_or_default();
        Self {
            place: Place::of(Kind::Backup),
            bytes,
            arrival_ms: record.arrival_ms,
            receipt,
            fault: None,
            original: None,
        }
    }
}

/// How a record failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) fault: Fault,
    pub(super) attempts: u32,
    pub(super) end_ms: i64,
    pub(super) function_arn: &'a str,
}

/// The objects that are being filled, and those that are being stored.
pub(super) struct Destination {
    buffer: Buffering,
    function_arn: String,
    open: HashMap<Place, Open>,
    uploads: Arc<Uploads>,
    /// In which objects of one place are stored, where their records have an order.
    order: HashMap<Place, Turns>,
    under_way: JoinSet<()>,
    watched: Arc<Watched>,
}

struct Open {
    object: Object,
    due: Instant,
}

impl Destination {
    /// Nothing is open yet.
    pub(super) fn new(buffer: Buffering, function_arn: String, uploads: Uploads, watched: Arc<Watched>) -> Self {
        let uploads = Arc::new(uploads);
        Self {
            buffer,
            function_arn,
            open: HashMap::new(),
            uploads,
            order: HashMap::new(),
            under_way: JoinSet::new(),
            watched,
        }
    }

    /// Until nothing comes any more, and all that came is stored.
    pub(super) async fn run(mut self, mut items: mpsc::UnboundedReceiver<Vec<Item>>) {
        loop {
            let due = self.due();
            let mut taken = 0;
            tokio::select! {
                biased;
                items = items.recv() => match items {
                    Some(items) => {
                        taken = items.len();
                        for item in items {
                            self.take(item);
                        }
                    }
                    None => break,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                Some(_done) = self.under_way.join_next() => {}
            }
            self.store(|open| open.due <= Instant::now());
            self.watched.opened(taken, self.due());
        }
        self.store(|_| true);
        self.watched.opened(0, None);
        while self.under_way.join_next().await.is_some() {}
    }

    fn take(&mut self, item: Item) {
        let Item { place, bytes, arrival_ms, receipt, fault, .. } = self.placed(item);
        let open = self.open.entry(place).or_insert_with_key(|place| Open {
            object: Object::new(place.kind, place.partition.clone(), arrival_ms),
            due: Instant::now() + self.buffer.interval,
        });
        open.object.push(&bytes, arrival_ms, receipt, fault);
        if open.object.bytes() >= self.buffer.bytes {
            let size = self.buffer.bytes;
            self.store(|open| open.object.bytes() >= size);
        }
    }

    /// A record of one partition too many fails.
    fn placed(&self, item: Item) -> Item {
        let Some(record) = &item.original else { return item };
        let partitions = self.open.keys().filter(|place| place.kind == Kind::Delivered).count();
        if partitions < MAX_ACTIVE_PARTITIONS || self.open.contains_key(&item.place) {
            return item;
        }
        let end_ms = Timestamp::now().as_millisecond();
        let fault = Fault::TooManyPartitions;
        let failure = Failure { fault, attempts: 1, end_ms, function_arn: &self.function_arn };
        let failed = Item::failed(record, failure, item.receipt);
        self.watched.rewritten(item.bytes.len(), failed.bytes.len());
        failed
    }

    /// When the first of the open objects has waited long enough.
    fn due(&self) -> Option<Instant> {
        self.open.values().map(|open| open.due).min()
    }

    fn store(&mut self, ready: impl Fn(&Open) -> bool) {
        for (place, Open { object, .. }) in self.open.extract_if(|_, open| ready(open)) {
            let uploads = Arc::clone(&self.uploads);
            let turn = uploads.are_in_order().then(|| self.order.entry(place).or_default().next());
            self.under_way.spawn(async move { uploads.store(object, turn).await });
        }
        self.order.retain(|_, turns| !turns.are_over());
    }
}

#[cfg(test)]
mod tests;
