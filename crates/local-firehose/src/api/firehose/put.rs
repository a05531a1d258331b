//! PutRecord and PutRecordBatch.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::api::constraints::Constraints;
use crate::api::request::{ApiError, parse};
use crate::stream::PutError;
use firehose_model::batch::{MAX_PUT_BYTES, MAX_PUT_RECORDS};
use firehose_model::limits::MAX_STREAM_NAME;
use firehose_model::source::{MAX_RECORD_BYTES, decoded_bytes};

/// A full backlog. The text, and the status 500 of PutRecord, were seen of Firehose.
const THROTTLED: (&str, &str) = ("ServiceUnavailableException", "Slow down.");

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) stream: String,
    pub(super) data: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    delivery_stream_name: Option<String>,
    record: Option<Record>,
    records: Option<Vec<Option<Record>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<String>,
}

impl Record {
    fn validate(&self, constraints: &mut Constraints, prefix: &str) {
        constraints.data(self.data.as_deref(), &format!("{prefix}data"), MAX_RECORD_BYTES);
    }
}

/// Reads an input of PutRecord, or of PutRecordBatch. An invalid record rejects the batch, as in AWS.
pub(super) fn read(body: &[u8], is_batch: bool) -> Result<Put, ApiError> {
    let Input { delivery_stream_name, record, records } = parse(body)?;
    let mut constraints = Constraints::default();
    let stream = constraints.required(delivery_stream_name, "deliveryStreamName");
    if let Some(name) = &stream {
        constraints.name(name, "deliveryStreamName", MAX_STREAM_NAME);
    }
    let records = if is_batch {
        constraints.records(records, MAX_PUT_RECORDS, Record::validate)
    } else {
        let record = constraints.required(record, "record");
        if let Some(record) = &record {
            record.validate(&mut constraints, "record.");
        }
        record.into_iter().collect()
    };
    constraints.validate()?;
    let data: Vec<String> = records.into_iter().filter_map(|record| record.data).collect();
    if data.iter().map(|data| decoded_bytes(data)).sum::<usize>() > MAX_PUT_BYTES {
        // Seen of Firehose, code and text.
        return Err(ApiError::invalid_argument("Records size exceeds 4 MB limit"));
    }
    Ok(Put { stream: stream.unwrap_or_default(), data })
}

/// The stream of a put that is refused as a whole, and how many records it has. Reads less than [`read`], and so accepts more.
pub(super) fn refused(body: &[u8]) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refused {
        delivery_stream_name: String,
        records: Option<Vec<IgnoredAny>>,
    }
    let Refused { delivery_stream_name, records } = serde_json::from_slice(body).ok()?;
    Some((delivery_stream_name, records.map_or(1, |records| records.len() as u64)))
}

pub(super) fn record_response(mut results: Vec<Result<String, PutError>>) -> Result<Value, ApiError> {
    match results.pop() {
        Some(Ok(record_id)) => Ok(json!({ "Encrypted": false, "RecordId": record_id })),
        Some(Err(PutError::Unavailable)) | None => Err(ApiError::internal_failure()),
        Some(Err(_full)) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, THROTTLED.0, THROTTLED.1)),
    }
}

/// A rejected record fails by itself. If the stream is unavailable for all records, the call fails: SDKs retry it.
pub(super) fn batch_response(results: Vec<Result<String, PutError>>) -> Result<Value, ApiError> {
    if results.iter().all(|result| matches!(result, Err(PutError::Unavailable))) {
        return Err(ApiError::internal_failure());
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    let entry = |result| match result {
        Ok(record_id) => json!({ "RecordId": record_id }),
        // The API reference has only these two codes for a record.
        Err(PutError::Unavailable) => {
            json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure." })
        }
        Err(_full) => json!({ "ErrorCode": THROTTLED.0, "ErrorMessage": THROTTLED.1 }),
    };
    let responses: Vec<Value> = results.into_iter().map(entry).collect();
    Ok(json!({ "Encrypted": false, "FailedPutCount": failed, "RequestResponses": responses }))
}

#[cfg(test)]
mod tests;
