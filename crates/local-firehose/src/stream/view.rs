//! A stream at one moment, for the page: numbers, the last invocations, and the last objects.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::clicks::Clicks;

/// A stream at one moment. Records are counted where they are, so that what was accepted is the sum of the rest.
#[derive(Debug, Clone, Default, Serialize)]
pub struct View {
    /// Its name.
    pub stream: String,
    /// The data stream that it reads, if it reads one.
    pub(super) data_stream: Option<Shards>,
    /// Whether records go through a function.
    pub(super) transformed: bool,
    /// Records that were accepted.
    pub accepted: u64,
    pub(super) buffered: Waiting,
    pub(super) in_lambda: InLambda,
    pub(super) waiting: Waiting,
    /// Records in objects of the destination.
    pub delivered: u64,
    /// Records that the function did not want.
    pub dropped: u64,
    /// Records in error objects.
    pub failed: u64,
    /// Attempts after the first.
    pub(super) retries: u64,
    pub(super) failed_by_code: BTreeMap<&'static str, u64>,
    pub(super) failed_by_reason: BTreeMap<String, u64>,
    pub(super) storage_error: Option<String>,
    pub(super) invocations: VecDeque<Invoked>,
    /// The last ones, newest first.
    pub objects: VecDeque<Object>,
    pub(super) clicks: Clicks,
}

/// A data stream's shards.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shards {
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
    /// Records, and the size of their data.
    pub(super) fn add(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes;
    }

    /// The same of records that wait here no more.
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

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Invoked {
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
pub struct Object {
    /// Its name.
    pub path: String,
    pub(super) kind: &'static str,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) at_ms: i64,
}
