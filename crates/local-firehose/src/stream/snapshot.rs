//! A stream at one moment, as the pipeline page shows it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokio::time::Instant;

use super::values::ValueCounts;

/// The state of a stream. Each accepted record is counted where it is: `accepted` is the sum of the other counts of records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamSnapshot {
    /// The stream's name.
    pub stream: String,
    pub(super) data_stream: Option<DataStreamShards>,
    pub(super) transformed: bool,
    /// Accepted records.
    pub accepted: u64,
    pub(super) buffered: Waiting,
    pub(super) in_lambda: InLambda,
    pub(super) waiting: Waiting,
    /// Records in objects of the destination.
    pub delivered: u64,
    /// Records that the function returned as `Dropped`.
    pub dropped: u64,
    /// Records in error objects.
    pub failed: u64,
    /// Invocations after an event's first.
    pub(super) retries: u64,
    pub(super) failed_by_code: BTreeMap<&'static str, u64>,
    pub(super) failed_by_reason: BTreeMap<String, u64>,
    pub(super) storage_error: Option<String>,
    pub(super) invocations: VecDeque<InvocationSummary>,
    /// The last objects, newest first.
    pub objects: VecDeque<ObjectSummary>,
    pub(super) values: ValueCounts,
    /// When the upload of the first object of this run began.
    #[serde(skip)]
    pub first_upload: Option<Instant>,
    /// Whether the storage has ever refused an object of this run.
    #[serde(skip)]
    pub has_refused: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct DataStreamShards {
    pub(super) shards: u32,
    pub(super) on_demand: bool,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Waiting {
    pub(super) records: u64,
    pub(super) bytes: usize,
    pub(super) flush_in_ms: Option<u64>,
}

impl Waiting {
    pub(super) fn add(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, records: usize, bytes: usize) {
        self.records -= records as u64;
        self.bytes -= bytes;
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct InLambda {
    pub(super) records: u64,
    pub(super) invocations: u64,
    pub(super) functions: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct InvocationSummary {
    pub(super) at_ms: i64,
    pub(super) records: usize,
    pub(super) milliseconds: f64,
    pub(super) cold: bool,
    pub(super) attempt: u32,
    pub(super) outcome: &'static str,
    pub(super) service_requests: Option<u64>,
}

/// An object in the storage.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectSummary {
    /// Its key.
    pub path: String,
    pub(super) kind: &'static str,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) at_ms: i64,
}
