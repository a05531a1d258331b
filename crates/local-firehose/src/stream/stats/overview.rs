//! The numbers of a stream in a list of streams.

use serde::Serialize;

use super::{DataStreamShards, StreamSnapshot};
use crate::stream::history::Rates;

/// A stream in a list of streams.
#[derive(Debug, Clone, Serialize)]
pub struct StreamOverview {
    stream: String,
    data_stream: Option<DataStreamShards>,
    transformed: bool,
    accepted: u64,
    delivered: u64,
    dropped: u64,
    failed: u64,
    refused: u64,
    /// Records that are accepted, and neither delivered, dropped nor failed.
    backlog: u64,
    #[serde(flatten)]
    rates: Rates,
    retries: u64,
    storage_error: Option<String>,
}

impl StreamOverview {
    pub(super) fn new(snapshot: &StreamSnapshot, rates: Rates) -> Self {
        let StreamSnapshot { buffered, in_function, waiting, .. } = snapshot;
        Self {
            stream: snapshot.stream.clone(),
            data_stream: snapshot.data_stream.clone(),
            transformed: snapshot.transformed,
            accepted: snapshot.accepted,
            delivered: snapshot.delivered,
            dropped: snapshot.dropped,
            failed: snapshot.failed,
            refused: snapshot.refused,
            backlog: buffered.records + in_function.records + waiting.records,
            rates,
            retries: snapshot.retries,
            storage_error: snapshot.storage_error.clone(),
        }
    }
}
