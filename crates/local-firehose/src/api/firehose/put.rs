//! PutRecord and PutRecordBatch.

use serde::{Deserialize, Serialize};

use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::json::{data_len, json, parse};
use crate::stream::PutError;
use firehose_model::batch::{MAX_PUT_BYTES, MAX_PUT_RECORDS};
use firehose_model::source::MAX_RECORD_BYTES;

/// Valid records for a stream that may not exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) stream: String,
    /// Base64.
    pub(super) data: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordInput {
    delivery_stream_name: Option<String>,
    record: Option<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchInput {
    delivery_stream_name: Option<String>,
    records: Option<Vec<Option<Record>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<String>,
}

impl Record {
    fn data(self, size: usize, constraints: &mut Constraints, path: impl Fn() -> String) -> Option<String> {
        if self.data.is_none() || size > MAX_RECORD_BYTES {
            let path = path() + ".data";
            constraints.required(self.data.as_ref(), &path);
            constraints.at_most(size, MAX_RECORD_BYTES, || format_args!("{size} bytes").to_string(), &path);
        }
        self.data
    }
}

/// Parses PutRecord.
pub(super) fn record(body: &[u8]) -> Result<Put, ApiError> {
    let RecordInput { delivery_stream_name, record } = parse(body)?;
    let size = data_len(record.as_ref().and_then(|record| record.data.as_ref()), &mut Vec::new())?;

    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(delivery_stream_name);
    let record = constraints.required(record, "record");
    let data = record.and_then(|record| record.data(size, &mut constraints, || "record".to_owned()));
    constraints.validate()?;
    Ok(Put { stream, data: Vec::from_iter(data) })
}

/// Parses PutRecordBatch. An invalid record rejects the batch, as in AWS.
pub(super) fn batch(body: &[u8]) -> Result<Put, ApiError> {
    let BatchInput { delivery_stream_name, records } = parse(body)?;
    let mut scratch = Vec::new();
    let data = records.iter().flatten().map(|record| record.as_ref().and_then(|record| record.data.as_ref()));
    let sizes = data.map(|data| data_len(data, &mut scratch));
    let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;

    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(delivery_stream_name);
    let data = match constraints.required(records, "records") {
        Some(records) => batch_data(records, &sizes, &mut constraints),
        None => Vec::new(),
    };
    constraints.validate()?;
    if sizes.iter().sum::<usize>() > MAX_PUT_BYTES {
        // AttemptReport of Firehose, code and text.
        return Err(ApiError::InvalidArgument("Records size exceeds 4 MB limit".to_owned()));
    }
    Ok(Put { stream, data })
}

fn batch_data(records: Vec<Option<Record>>, sizes: &[usize], constraints: &mut Constraints) -> Vec<String> {
    if records.is_empty() {
        constraints.violated("[]", "records", "Member must have length greater than or equal to 1");
    }
    constraints.at_most(records.len(), MAX_PUT_RECORDS, || format!("{} records", sizes.len()), "records");
    let mut data = Vec::with_capacity(records.len());
    for (index, (record, size)) in records.into_iter().zip(sizes).enumerate() {
        let path = || format!("records.{}.member", index + 1);
        match record {
            Some(record) => data.extend(record.data(*size, constraints, path)),
            None => drop(constraints.required(None::<Record>, &path())),
        }
        if constraints.is_full() {
            break;
        }
    }
    data
}

pub(super) fn record_response(mut results: Vec<Result<String, PutError>>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response {
        encrypted: bool,
        record_id: String,
    }

    match results.pop() {
        Some(Ok(record_id)) => json(&Response { encrypted: false, record_id }),
        Some(Err(error)) => Err(error.into()),
        None => Err(ApiError::InternalFailure),
    }
}

/// A rejected record fails by itself. If the stream is unavailable for all records, the call fails: SDKs retry it.
pub(super) fn batch_response(results: Vec<Result<String, PutError>>) -> Result<Vec<u8>, ApiError> {
    /// In the order that was seen of Firehose.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response {
        encrypted: bool,
        failed_put_count: usize,
        request_responses: Vec<Entry>,
    }

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry {
        #[serde(rename_all = "PascalCase")]
        Accepted { record_id: String },
        #[serde(rename_all = "PascalCase")]
        Failed { error_code: &'static str, error_message: &'static str },
    }

    if results.iter().all(|result| matches!(result, Err(PutError::Unavailable))) {
        return Err(ApiError::InternalFailure);
    }
    let failed_put_count = results.iter().filter(|result| result.is_err()).count();
    let entry = |result| match result {
        Ok(record_id) => Entry::Accepted { record_id },
        // The API reference has only these two codes for a record.
        Err(PutError::Throttled(_)) => {
            Entry::Failed { error_code: "ServiceUnavailableException", error_message: "Slow down." }
        }
        Err(PutError::Unavailable) => {
            Entry::Failed { error_code: "InternalFailure", error_message: "Internal service failure." }
        }
    };
    json(&Response { encrypted: false, failed_put_count, request_responses: results.into_iter().map(entry).collect() })
}

impl From<PutError> for ApiError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Throttled(_) => Self::ServiceUnavailable,
            PutError::Unavailable => Self::InternalFailure,
        }
    }
}

#[cfg(test)]
mod tests;
