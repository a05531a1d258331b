//! Objects: while they are filled, and once they are in the storage.

use std::collections::BTreeMap;

use super::receipt::Receipt;
use firehose_model::delivery::Fault;
use firehose_model::prefix::{ErrorOutputType, Partition};

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// What the function made of records.
    Delivered,
    /// Lines of JSON about records that failed, with the `error-output-type` of their prefix.
    Error(ErrorOutputType),
    /// Records as they came.
    Backup,
}

/// An object that is being filled.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) partition: Partition,
    pub(super) oldest_ms: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) receipts: Vec<Receipt>,
    /// Failed records by their code.
    pub(super) faults: BTreeMap<&'static str, u64>,
}

impl Kind {
    /// As the page knows it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Error(_) => "error",
            Self::Backup => "backup",
        }
    }
}

impl Object {
    /// Empty.
    pub(super) fn new(kind: Kind, partition: Partition, oldest_ms: i64) -> Self {
        Self { kind, partition, oldest_ms, bytes: Vec::new(), receipts: Vec::new(), faults: BTreeMap::new() }
    }

    /// Adds a record as it is: what is between two records is the function's to write.
    pub(super) fn push(&mut self, bytes: &[u8], arrival_ms: i64, receipt: Receipt, fault: Option<Fault>) {
        self.oldest_ms = self.oldest_ms.min(arrival_ms);
        self.bytes.extend_from_slice(bytes);
        self.receipts.push(receipt);
        if let Some(fault) = fault {
            *self.faults.entry(fault.code()).or_default() += 1;
        }
    }

    /// Its size, before compression, by which Firehose buffers (Firehose API reference, "BufferingHints").
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// An object that is in the storage.
pub(super) struct Stored {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) records: usize,
    /// Before compression.
    pub(super) bytes: usize,
    /// Failed records by their code.
    pub(super) faults: BTreeMap<&'static str, u64>,
}
