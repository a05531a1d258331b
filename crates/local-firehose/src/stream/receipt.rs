//! An accepted record and its receipt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use firehose_model::event::Record;

/// The approximate memory of a record besides its data.
pub(super) const RECORD_BYTES: usize = 200;

pub(super) fn cost(data: &str, partition_key: &str) -> usize {
    data.len() + partition_key.len() + RECORD_BYTES
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) record: Record,
    pub(super) receipt: Receipt,
}

impl Accepted {
    pub(super) fn new(sequence: u64, record: Record) -> Self {
        let bytes = cost(&record.data, record.partition_key());
        let entry = Arc::new(UnsettledRecord { sequence, bytes, unsettled: AtomicUsize::new(1) });
        Self { record, receipt: Receipt { entry, decompressed: 0, failed: None, number: 0 } }
    }

    pub(super) fn bytes(&self) -> usize {
        self.receipt.entry.bytes
    }
}

/// A record with a source backup has two, and is settled with the second. Dropping one settles nothing: the state keeps the record.
#[derive(Debug)]
pub(super) struct Receipt {
    entry: Arc<UnsettledRecord>,
    /// The memory of decompressed data, besides that of the record as it was put.
    pub(super) decompressed: usize,
    /// Whether a part of the same compressed record has failed.
    pub(super) failed: Option<Arc<AtomicBool>>,
    /// Its number among the recent records, if they are kept.
    pub(super) number: u64,
}

#[derive(Debug)]
pub(super) struct UnsettledRecord {
    pub(super) sequence: u64,
    pub(super) bytes: usize,
    /// A receipt that was dropped, with a task that panicked, still counts.
    unsettled: AtomicUsize,
}

impl Receipt {
    pub(super) fn sequence(&self) -> u64 {
        self.entry.sequence
    }

    /// Whether the error line is to be written, which has the whole compressed record: 500 small parts would write it 500 times.
    pub(super) fn fails_first(&self) -> bool {
        self.failed.as_ref().is_none_or(|failed| !failed.swap(true, Ordering::Relaxed))
    }

    pub(super) fn duplicate(&self) -> Self {
        self.entry.unsettled.fetch_add(1, Ordering::Relaxed);
        Self { entry: Arc::clone(&self.entry), decompressed: 0, failed: None, number: 0 }
    }

    pub(super) fn settle(self) -> Option<Arc<UnsettledRecord>> {
        (self.entry.unsettled.fetch_sub(1, Ordering::Relaxed) == 1).then_some(self.entry)
    }
}
