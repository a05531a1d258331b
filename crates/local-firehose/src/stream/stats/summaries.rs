//! The last invocations and objects.

use serde::Serialize;

use firehose_model::delivery::RecordOutcome;
use firehose_model::prefix::ErrorOutputType;

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
