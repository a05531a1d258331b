//! What Firehose does with a function's response. Each arm of [`evaluate`] and each [`ErrorCode`] names its source, or says that it is an
//! assumption. The sources, in falling order of trust: the Firehose developer guide; probes of a real Firehose; error objects seen in public;
//! captures that others describe.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::event::Record;
use crate::excerpt::excerpt;
use crate::prefix::ErrorOutputType;

const EXCERPT_CHARS: usize = 80;

/// The outcome of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOutcome {
    /// Delivered with the bytes that the function returned.
    Delivered {
        /// The bytes.
        data: Vec<u8>,
        /// `metadata.partitionKeys`, for dynamic partitioning.
        keys: PartitionKeys,
    },
    /// The function returned `Dropped`.
    Dropped,
    /// The original bytes go to the error output.
    Failed(ErrorCode),
}

impl RecordOutcome {
    /// Delivered without partition keys.
    pub fn delivered(data: impl Into<Vec<u8>>) -> Self {
        Self::Delivered { data: data.into(), keys: PartitionKeys::new() }
    }
}

/// Partition keys and their values. A value that is no string is ignored, which is an assumption: the developer guide requires
/// strings, and does not document other values.
pub type PartitionKeys = BTreeMap<String, String>;

/// Firehose's error code of a failed record. It is displayed as the `errorMessage` of an error object, as public objects have it; of a
/// duplicate and of missing data as a probe saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum ErrorCode {
    /// The function returned `ProcessingFailed` (probed).
    #[error("ProcessingFailed status set for record")]
    ProcessingFailed,
    /// The response lacks the record (developer guide).
    #[error(
        "One or more record Ids were not returned. \
         Ensure that the Lambda function returns all received record Ids."
    )]
    MissingRecordId,
    /// The response has the record more than once (developer guide).
    #[error(
        "Multiple records were returned with the same record Id. \
         Ensure that the Lambda function returns a unique record Id for each record."
    )]
    DuplicatedRecordId,
    /// `Ok` without data (probed).
    #[error(
        "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing \
         result is Ok. The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok."
    )]
    InvalidReturnFormat,
    /// The invocation failed, or its response cannot be read (captured).
    #[error("The Lambda function was successfully invoked but it returned an error result.")]
    FunctionError,
    /// The invocation timed out (seen in a public error object).
    #[error("The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.")]
    FunctionTimedOut,
    /// The function does not exist (developer guide).
    #[error("The specified Lambda function does not exist. Use a different function that does exist.")]
    FunctionNotFound,
    /// The record is no gzip member, or too large (code and message are assumptions).
    #[error("The record could not be decompressed. Only records that are compressed with GZIP are supported.")]
    DecompressionFailed,
    /// The record has no sub-records, or too many (code and message are assumptions).
    #[error("The record could not be de-aggregated into 1 to 500 records.")]
    DeaggregationFailed,
    /// The data for a query is not one JSON value (code and message seen in public).
    #[error("Non JSON record provided")]
    NotJson,
    /// A partition key of the prefix is missing or empty (code and message seen in public). Also if the query failed, which is an
    /// assumption.
    #[error("partitionKeys values must not be null or empty")]
    NoPartition,
    /// The record exceeds the limit of active partitions (code: a public README; message: the developer guide).
    #[error("The number of active partitions has exceeded the limit.")]
    TooManyPartitions,
}

impl ErrorCode {
    /// Every error code.
    pub const ALL: [Self; 12] = [
        Self::ProcessingFailed,
        Self::MissingRecordId,
        Self::DuplicatedRecordId,
        Self::InvalidReturnFormat,
        Self::FunctionError,
        Self::FunctionTimedOut,
        Self::FunctionNotFound,
        Self::DecompressionFailed,
        Self::DeaggregationFailed,
        Self::NotJson,
        Self::NoPartition,
        Self::TooManyPartitions,
    ];

    /// The `errorCode` of an error object.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "Lambda.ProcessingFailedStatus",
            Self::MissingRecordId => "Lambda.MissingRecordId",
            Self::DuplicatedRecordId => "Lambda.DuplicatedRecordId",
            Self::InvalidReturnFormat => "Lambda.InvalidReturnFormat",
            Self::FunctionError => "Lambda.FunctionError",
            Self::FunctionTimedOut => "Lambda.FunctionTimedOut",
            Self::FunctionNotFound => "Lambda.ResourceNotFound",
            Self::DecompressionFailed => "Decompression.DecompressionFailed",
            Self::DeaggregationFailed => "DynamicPartitioning.RecordDeAggregationFailed",
            Self::NotJson | Self::NoPartition => "DynamicPartitioning.MetadataExtractionFailed",
            Self::TooManyPartitions => "DynamicPartitioning.ActivePartitionsLimitExceeded",
        }
    }

    /// The value of `!{firehose:error-output-type}`.
    #[must_use]
    pub fn output_type(self) -> ErrorOutputType {
        match self {
            Self::DecompressionFailed => ErrorOutputType::DecompressionFailed,
            // De-aggregation is part of dynamic partitioning, and an error of it (developer guide, "Troubleshoot dynamic partitioning
            // errors"); the output type is an assumption. For queries, public projects also saw `metadata-extraction-failed`.
            Self::DeaggregationFailed | Self::NotJson | Self::NoPartition => ErrorOutputType::PartitioningFailed,
            Self::TooManyPartitions => ErrorOutputType::ActivePartitionExceeded,
            _ => ErrorOutputType::ProcessingFailed,
        }
    }
}

/// Firehose's evaluation of one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// The outcome of each record, in the records' order. Final.
    Outcomes(Vec<RecordOutcome>),
    /// Every record fails with this code, for this reason. Final (probed: a malformed response is not retried).
    InvalidResponse(ErrorCode, String),
    /// The invocation is retried. After the last attempt every record fails with this code.
    InvocationFailed(ErrorCode),
}

impl Evaluation {
    /// Whether a record failed because the function returned `ProcessingFailed`. Only then do the function's own counts of
    /// failed records apply: it also counts them in an invocation that is retried.
    #[must_use]
    pub fn has_processing_failed(&self) -> bool {
        matches!(self, Self::Outcomes(outcomes) if outcomes.contains(&RecordOutcome::Failed(ErrorCode::ProcessingFailed)))
    }
}

/// Evaluates the response to one invocation. The records' ids are unique: an event with repeated ids is rejected when it is read.
#[must_use]
pub fn evaluate(records: &[Record], response_bytes: &[u8]) -> Evaluation {
    // No readable `records`: every id is missing (probed).
    let Ok(response) = serde_json::from_slice::<Response>(response_bytes) else {
        let start = excerpt(&String::from_utf8_lossy(response_bytes), EXCERPT_CHARS);
        let why = format!("it is no JSON object with an array `records`: `{start}`");
        return Evaluation::InvalidResponse(ErrorCode::MissingRecordId, why);
    };

    // Order doesn't matter, and unknown ids are ignored (probed). What has no id can't be matched either.
    let index_of: HashMap<&str, usize> = records.iter().map(|record| record.record_id.as_str()).zip(0..).collect();
    let mut outcomes = vec![RecordOutcome::Failed(ErrorCode::MissingRecordId); records.len()];
    let mut returned = HashSet::new();
    for (position, value) in response.records.iter().enumerate() {
        let id = value.get("recordId").and_then(Value::as_str);
        let Some(index) = id.and_then(|id| index_of.get(id)) else { continue };
        outcomes[*index] = match outcome(value) {
            Ok(outcome) if returned.insert(index) => outcome,
            // Only that record (probed); captures say the whole batch.
            Ok(_) => RecordOutcome::Failed(ErrorCode::DuplicatedRecordId),
            // One unreadable record invalidates the response (captured).
            Err(why) => {
                return Evaluation::InvalidResponse(ErrorCode::FunctionError, format!("`records[{position}]`: {why}"));
            }
        };
    }
    Evaluation::Outcomes(outcomes)
}

#[derive(Deserialize)]
struct Response {
    records: Vec<Value>,
}

/// Data is validated with every result: an assumption, because Firehose's handling of a dropped record with invalid data is not documented.
fn outcome(returned: &Value) -> Result<RecordOutcome, String> {
    // The response to an event of Amazon MSK names the data as its event does.
    let there = |name| returned.get(name).filter(|value| !value.is_null());
    let data = match there("data").or_else(|| there("kafkaRecordValue")) {
        None => None,
        Some(data) => {
            let decoded = data.as_str().and_then(|data| STANDARD.decode(data).ok());
            Some(decoded.ok_or_else(|| format!("its data {} is not base64", shown(data)))?)
        }
    };
    let result = returned.get("result").ok_or("it has no result; known are Ok, Dropped, ProcessingFailed")?;
    match (result.as_str(), data) {
        (Some("Ok"), Some(data)) => Ok(RecordOutcome::Delivered { data, keys: partition_keys(returned) }),
        (Some("Ok"), None) => Ok(RecordOutcome::Failed(ErrorCode::InvalidReturnFormat)),
        (Some("Dropped"), _) => Ok(RecordOutcome::Dropped),
        (Some("ProcessingFailed"), _) => Ok(RecordOutcome::Failed(ErrorCode::ProcessingFailed)),
        _ => Err(format!("its result is {}; known are Ok, Dropped, ProcessingFailed", shown(result))),
    }
}

fn partition_keys(value: &Value) -> PartitionKeys {
    let keys = value.pointer("/metadata/partitionKeys").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    keys.into_iter().flatten().filter_map(text).collect()
}

fn shown(value: &Value) -> String {
    format!("`{}`", excerpt(&value.to_string(), EXCERPT_CHARS))
}

#[cfg(test)]
mod tests;
