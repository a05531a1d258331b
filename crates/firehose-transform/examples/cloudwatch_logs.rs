//! Turns records of a CloudWatch Logs subscription, which are gzipped JSON, into a line for each log event.
//!
//! A record whose lines do not fit into the response is `ProcessingFailed`, and its original is in the error output. Nothing is put into
//! the stream again: a function that does can feed itself for ever.
//!
//! Format: "Log group-level subscription filters", Amazon CloudWatch Logs User Guide.

use std::io::Read as _;

use firehose_transform::{Outcome, RESPONSE_BUDGET_BYTES, Record, RecordError, RuntimeError};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

/// More could not be delivered.
const MAX_BYTES: u64 = RESPONSE_BUDGET_BYTES as u64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    message_type: String,
    #[serde(default)]
    log_group: String,
    #[serde(default)]
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
struct LogEvent {
    timestamp: i64,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: i64,
    log_group: &'a str,
    message: &'a str,
}

fn lines(record: &Record) -> Result<Outcome, RecordError> {
    let mut json = Vec::new();
    MultiGzDecoder::new(record.data()).take(MAX_BYTES + 1).read_to_end(&mut json)?;
    if json.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    let subscription: Subscription = serde_json::from_slice(&json)?;
    match &*subscription.message_type {
        // CloudWatch Logs checks with them that the stream can be reached.
        "CONTROL_MESSAGE" => return Ok(Outcome::Dropped),
        "DATA_MESSAGE" => {}
        _ => return Err(RecordError::new("message_type", "neither DATA_MESSAGE nor CONTROL_MESSAGE")),
    }
    let mut lines = Vec::new();
    for LogEvent { timestamp, message } in &subscription.log_events {
        serde_json::to_writer(
            &mut lines,
            &Line { timestamp: *timestamp, log_group: &subscription.log_group, message },
        )?;
        lines.push(b'\n');
        // The name of the group is in each line, so they may have many times the size of the JSON.
        if lines.len() as u64 > MAX_BYTES {
            return Err(too_large());
        }
    }
    Ok(Outcome::Ok(lines))
}

fn too_large() -> RecordError {
    RecordError::new("too_large", "more than a response holds")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    tracing_subscriber::fmt().json().init();
    firehose_transform::run(lines).await
}
