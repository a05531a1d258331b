//! PutRecord and PutRecords.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::model::{refuse_dry_run, refuse_stream_id};
use super::stream_ref;
use crate::api::constraints::Constraints;
use crate::api::request::{ApiError, parse};
use crate::stream::{DataStream, PutEntry, PutError, PutResult};
use firehose_model::kinesis::shard::hash_key;
use firehose_model::kinesis::{MAX_PARTITION_KEY_CHARACTERS, MAX_RECORD_BYTES};
use firehose_model::scope::Scope;
use firehose_model::source::decoded_bytes;

/// The most records of a request (Kinesis API reference, "PutRecords").
pub(super) const MAX_RECORDS: usize = 500;
/// The most data of a request, before base64 and with the partition keys (the same).
const MAX_REQUEST_BYTES: usize = 10 * 1024 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) stream: String,
    records: Vec<PutEntry>,
    after: Option<String>,
    dry_run: Option<bool>,
}

impl Put {
    /// Records of a shard have increasing numbers in any case: a number for ordering has to be one of the stream's, and changes nothing.
    pub(super) fn validate_order(&self, stream: &DataStream, caller: &Scope) -> Result<(), ApiError> {
        let Some(after) = self.after.as_deref().filter(|after| !stream.has_sequence_number(after)) else {
            return Ok(());
        };
        let (stream, account) = (stream.name(), &caller.account);
        // Code and text were probed on Kinesis by the kinesalite project.
        Err(ApiError::invalid_argument(format!(
            "ExclusiveMinimumSequenceNumber {after} used in PutRecord on stream {stream} under account {account} is invalid."
        )))
    }

    pub(super) fn records(self) -> Result<Vec<PutEntry>, ApiError> {
        refuse_dry_run(self.dry_run)?;
        Ok(self.records)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    stream_id: Option<IgnoredAny>,
    data: Option<String>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
    sequence_number_for_ordering: Option<String>,
    records: Option<Vec<Option<Record>>>,
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<String>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
}

impl Record {
    /// In the order seen of Kinesis. Its 1 MiB was seen before streams could have larger records; that it applies to others is assumed.
    fn validate(&self, constraints: &mut Constraints, prefix: &str) {
        let path = |member: &str| format!("{prefix}{member}");
        if let Some(key) = constraints.required(self.partition_key.as_deref(), &path("partitionKey")) {
            let length = key.chars().count();
            constraints.bounds("length", length, 1..=MAX_PARTITION_KEY_CHARACTERS, key, &path("partitionKey"));
        }
        number(constraints, self.explicit_hash_key.as_deref(), &path("explicitHashKey"), 39);
        constraints.data(self.data.as_deref(), &path("data"), MAX_RECORD_BYTES);
    }

    fn into_entry(self) -> Result<PutEntry, ApiError> {
        let (data, partition_key) = (self.data.unwrap_or_default(), self.partition_key.unwrap_or_default());
        let bytes = decoded_bytes(&data) + partition_key.len();
        if bytes > MAX_RECORD_BYTES {
            // An assumption, code and text: that the partition key counts is documented.
            return Err(ApiError::invalid_argument(format!(
                "Data and partition key have {bytes} bytes, more than the maximum record size of {MAX_RECORD_BYTES} bytes"
            )));
        }
        let hash_key = match self.explicit_hash_key.as_deref() {
            // It has only digits, so what cannot be parsed is too large. Code and message were probed on Kinesis by the
            // kinesalite project.
            Some(key) => key.parse::<u128>().map_err(|_| {
                ApiError::invalid_argument(format!(
                    "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {key}"
                ))
            })?,
            None => hash_key(&partition_key),
        };
        Ok(PutEntry { data, bytes, partition_key, hash_key })
    }
}

/// Reads an input of PutRecord, or of PutRecords. An invalid record rejects the request, as in AWS: records fail one by one only if they are
/// throttled, or if Kinesis fails.
pub(super) fn read(body: &[u8], is_batch: bool, caller: &Scope) -> Result<Put, ApiError> {
    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let after = input.sequence_number_for_ordering.filter(|_| !is_batch);
    let records = if is_batch {
        constraints.records(input.records, MAX_RECORDS, Record::validate)
    } else {
        let record =
            Record { data: input.data, partition_key: input.partition_key, explicit_hash_key: input.explicit_hash_key };
        number(&mut constraints, after.as_deref(), "sequenceNumberForOrdering", 129);
        record.validate(&mut constraints, "");
        vec![record]
    };
    let (name, arn) = (input.stream_name, input.stream_arn.as_deref());
    stream_ref::validate(&mut constraints, name.as_deref(), arn);
    constraints.validate()?;
    let stream = stream_ref::name(name, arn, caller)?;
    refuse_stream_id(input.stream_id)?;
    let records: Vec<PutEntry> = records.into_iter().map(Record::into_entry).collect::<Result<_, _>>()?;
    if records.iter().map(|record| record.bytes).sum::<usize>() > MAX_REQUEST_BYTES {
        // The text was seen of Kinesis, with its older limit of 5 MB.
        return Err(ApiError::invalid_argument("Records size exceeds 10 MB limit"));
    }
    Ok(Put { stream, records, after, dry_run: input.dry_run })
}

/// The stream of a put that is refused as a whole, and how many records it has. Reads less than [`read`], and so accepts more.
pub(super) fn refused(body: &[u8], caller: &Scope) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refused {
        stream_name: Option<String>,
        #[serde(rename = "StreamARN")]
        stream_arn: Option<String>,
        records: Option<Vec<IgnoredAny>>,
    }
    let Refused { stream_name, stream_arn, records } = serde_json::from_slice(body).ok()?;
    let stream = stream_ref::name(stream_name, stream_arn.as_deref(), caller).ok()?;
    Some((stream, records.map_or(1, |records| records.len() as u64)))
}

fn number(constraints: &mut Constraints, text: Option<&str>, path: &str, most_digits: usize) {
    let is_number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.len() <= most_digits && (text == "0" || !text.starts_with('0'))
    };
    if let Some(text) = text.filter(|text| !is_number(text)) {
        let pattern = format!(r"0|([1-9]\d{{0,{}}})", most_digits - 1);
        constraints.violated(text, path, &format!("Member must satisfy regular expression pattern: {pattern}"));
    }
}

const THROTTLED: &str = "ProvisionedThroughputExceededException";
/// Kinesis has no such limit. Producers know how to wait after this code.
const RETENTION_FULL: &str = "The records of all data streams take the memory of this local Kinesis (--retention-mb) until \
                              their retention ends.";

/// Why a record is not accepted.
fn error(error: PutError, stream: &str, caller: &Scope) -> ApiError {
    let shard = match error {
        PutError::Throttled(shard) => Some(shard),
        PutError::BacklogFull(shard) => shard,
        PutError::RetentionFull => return ApiError::bad_request(THROTTLED, RETENTION_FULL),
        PutError::Unavailable => return ApiError::internal_failure(),
    };
    // The message was seen of Kinesis, for both operations. Entries of a data stream always have a shard.
    let shard = shard.map(|shard| shard.to_string()).unwrap_or_default();
    let account = &caller.account;
    let message = format!("Rate exceeded for shard {shard} in stream {stream} under account {account}.");
    ApiError::bad_request(THROTTLED, message)
}

pub(super) fn record_response(
    stream: &str,
    caller: &Scope,
    mut results: Vec<Result<PutResult, PutError>>,
) -> Result<Value, ApiError> {
    let result = results.pop().unwrap_or(Err(PutError::Unavailable));
    let PutResult { shard, sequence_number } = result.map_err(|refused| error(refused, stream, caller))?;
    // Without an EncryptionType, as for a stream that is not encrypted (LocalStack's snapshot of AWS, 2024-11).
    Ok(json!({ "ShardId": shard, "SequenceNumber": sequence_number }))
}

/// If the stream is unavailable for all records, the call fails: SDKs retry it.
pub(super) fn records_response(
    stream: &str,
    caller: &Scope,
    results: Vec<Result<PutResult, PutError>>,
) -> Result<Value, ApiError> {
    if results.iter().all(|result| matches!(result, Err(PutError::Unavailable))) {
        return Err(ApiError::internal_failure());
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    let entry = |result| match result {
        Ok(PutResult { shard, sequence_number }) => json!({ "SequenceNumber": sequence_number, "ShardId": shard }),
        // The API reference has only these two codes for a record, and the message of the first.
        Err(PutError::Unavailable) => {
            json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure" })
        }
        Err(refused) => {
            let ApiError { code, message, .. } = error(refused, stream, caller);
            json!({ "ErrorCode": code, "ErrorMessage": message })
        }
    };
    let records: Vec<Value> = results.into_iter().map(entry).collect();
    Ok(json!({ "FailedRecordCount": failed, "Records": records }))
}

#[cfg(test)]
mod tests;
