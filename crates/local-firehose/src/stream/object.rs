//! Open objects of the destination.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::receipt::Receipt;
use firehose_model::delivery::ErrorCode;
use firehose_model::prefix::{ErrorOutputType, Partition};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Transformed records.
    Delivered,
    /// Failed records as lines of JSON.
    Error(ErrorOutputType),
    /// Records as they were put.
    Backup,
}

/// Identifies the open object of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// Empty without dynamic partitioning.
    pub(super) partition: Partition,
}

impl From<Kind> for Slot {
    fn from(kind: Kind) -> Self {
        Self { kind, partition: Partition::default() }
    }
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) due: Instant,
    pub(super) oldest_ms: i64,
    /// Before compression, by which Firehose buffers (Firehose API reference, "BufferingHints").
    pub(super) bytes: Vec<u8>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) failed_by_code: BTreeMap<&'static str, u64>,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Error(_) => "error",
            Self::Backup => "backup",
        }
    }
}

impl Object {
    pub(super) fn new(due: Instant, oldest_ms: i64) -> Self {
        Self { due, oldest_ms, bytes: Vec::new(), receipts: Vec::new(), failed_by_code: BTreeMap::new() }
    }

    /// Appends a record as it is: Firehose adds no delimiter between records.
    pub(super) fn push(&mut self, bytes: &[u8], arrival_ms: i64, receipt: Receipt, code: Option<ErrorCode>) {
        self.oldest_ms = self.oldest_ms.min(arrival_ms);
        self.bytes.extend_from_slice(bytes);
        self.receipts.push(receipt);
        if let Some(code) = code {
            *self.failed_by_code.entry(code.code()).or_default() += 1;
        }
    }
}
