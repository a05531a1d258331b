//! An accepted record, and what stands for it until it is settled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firehose_model::event::Record;

/// What a record costs in memory besides its data, roughly.
pub(super) const RECORD_BYTES: usize = 200;

/// What a record costs in memory.
pub(super) fn cost(data: &str, partition_key: &str) -> usize {
    data.len() + partition_key.len() + RECORD_BYTES
}

/// A record that has been accepted, and its receipt.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) record: Record,
    pub(super) receipt: Receipt,
}

impl Accepted {
    /// A record with its number.
    pub(super) fn new(sequence: u64, record: Record) -> Self {
        let bytes = cost(&record.data, record.partition_key());
        Self { record, receipt: Receipt(Arc::new(Entry { sequence, bytes, ways: AtomicUsize::new(1) })) }
    }

    /// What it costs in memory.
    pub(super) fn bytes(&self) -> usize {
        self.receipt.0.bytes
    }
}

/// Stands for an accepted record until it is settled. A record that goes two ways, to the backup and through the function, has
/// two, and is settled with the second.
///
/// Dropping one settles nothing: the record stays in the state, and comes again with the next start.
#[derive(Debug)]
pub(super) struct Receipt(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    sequence: u64,
    bytes: usize,
    /// How many receipts are to be settled. A receipt that is lost, with a task that panicked, is still one of them.
    ways: AtomicUsize,
}

/// What a settled record leaves to be given back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) sequence: u64,
    pub(super) bytes: usize,
}

impl Receipt {
    /// The record's number, which no other record of the stream has or had.
    pub(super) fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// For the record's second way.
    pub(super) fn second(&self) -> Self {
        self.0.ways.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }

    /// Tells what is settled, where this was the last receipt of its record.
    pub(super) fn settle(self) -> Option<Settled> {
        let Entry { sequence, bytes, ways } = &*self.0;
        (ways.fetch_sub(1, Ordering::Relaxed) == 1).then_some(Settled { sequence: *sequence, bytes: *bytes })
    }
}
