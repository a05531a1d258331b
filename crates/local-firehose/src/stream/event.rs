//! What happens in a stream: one kind of event, with the objects that it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::refusals::RefusalReason;
use super::value_counts::ValueCounts;
use firehose_model::kinesis::shard::ShardId;
use firehose_model::prefix::ErrorOutputType;

/// What happens in a stream. Bytes are data: before base64, and before compression. Transformed records and copies for the backup
/// go on to the destination, which adds them to open objects. One that fails there is replaced by an error line. A part of a record that
/// has an error line already ends there. Before the function, one record is prepared as one or more parts, or it is rejected, and its error
/// line goes on to the destination.
#[derive(Debug)]
pub(super) enum StreamEvent {
    Accepted { records: usize, bytes: usize },
    Refused { records: u64, reason: RefusalReason },
    BufferDue { shard: Option<ShardId>, due: Option<Instant> },
    Prepared { bytes: usize, parts: usize, part_bytes: usize },
    Rejected { bytes: usize, line_bytes: usize },
    InvocationStarted { shard: Option<ShardId>, batch: u64, records: usize, bytes: usize },
    FunctionProcesses(usize),
    Invoked { attempt: Arc<Attempt>, failed_by_reason: BTreeMap<String, u64>, is_retried: bool },
    Transformed { batch: u64, records: usize, bytes: usize, dropped: usize },
    BackedUp { records: usize, bytes: usize },
    Replaced { before: usize, after: usize },
    FailedAgain { code: &'static str },
    Opened { records: usize, due: Option<Instant> },
    UploadStarted,
    UploadRefused { error: String, is_first: bool },
    UploadRecovered,
    Stored { object: ObjectSummary, failed_by_code: BTreeMap<&'static str, u64>, values: ValueCounts },
}

/// An object in the storage.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectSummary {
    /// Its key.
    pub path: String,
    pub(crate) kind: Kind,
    pub(crate) records: usize,
    pub(crate) bytes: usize,
    pub(crate) at_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Delivered,
    Error(#[serde(skip)] ErrorOutputType),
    Backup,
}
