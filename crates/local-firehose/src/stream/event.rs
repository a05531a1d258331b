//! What happens in a stream: one kind of event, with the invocations and objects that it is about.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::Instant;

use super::refusals::RefusalReason;
use super::value_counts::ValueCounts;
use firehose_model::delivery::RecordOutcome;
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
    InvocationStarted { shard: Option<ShardId>, records: usize, bytes: usize },
    FunctionProcesses(usize),
    Invoked { invocation: InvocationSummary, failed_by_reason: BTreeMap<String, u64> },
    Transformed { records: usize, bytes: usize, dropped: usize },
    BackedUp { records: usize, bytes: usize },
    Replaced { before: usize, after: usize },
    FailedAgain { code: &'static str },
    Opened { records: usize, due: Option<Instant> },
    UploadStarted,
    UploadRefused { error: String, is_first: bool },
    UploadRecovered,
    Stored { object: ObjectSummary, failed_by_code: BTreeMap<&'static str, u64>, values: ValueCounts },
}

/// An attempt to invoke the function.
#[derive(Debug, Clone, Serialize)]
pub struct InvocationSummary {
    pub(crate) at_ms: i64,
    pub(crate) records: usize,
    pub(crate) milliseconds: f64,
    pub(crate) cold: bool,
    pub(crate) attempt: u32,
    pub(crate) outcome: &'static str,
    /// `None` without a valid response.
    #[serde(flatten)]
    pub(crate) results: Option<RecordResults>,
    pub(crate) service_requests: Option<u64>,
}

/// How many records of a response have each result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RecordResults {
    pub(crate) ok: usize,
    pub(crate) dropped: usize,
    pub(crate) failed: usize,
}

impl InvocationSummary {
    /// In milliseconds, if the function got the event.
    pub(crate) fn duration(&self) -> Option<f64> {
        (self.outcome != NOT_STARTED).then_some(self.milliseconds)
    }
}

/// All outcomes.
pub(crate) const OUTCOMES: [&str; 6] = ["reply", "invalid_response", "error", "timed_out", "exited", NOT_STARTED];

/// The outcome of an event that did not reach the function.
pub(crate) const NOT_STARTED: &str = "not_started";

impl RecordResults {
    pub(crate) fn of(outcomes: &[RecordOutcome]) -> Self {
        let count = |is: fn(&RecordOutcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let failed = count(|outcome| matches!(outcome, RecordOutcome::Failed(_)));
        let dropped = count(|outcome| *outcome == RecordOutcome::Dropped);
        Self { ok: outcomes.len() - failed - dropped, dropped, failed }
    }
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
