//! PutRecord and PutRecords: which records may come in, and what is answered.

use runtime_api::ACCOUNT;
use serde::{Deserialize, Serialize};

use super::which::Which;
use crate::api::blob::{Blob, buffer};
use crate::api::constraint::Constraints;
use crate::api::input::{Structure, parse};
use crate::api::refusal::{Refusal, json};
use crate::stream::{NotPlaced, Placed, ToShard};
use firehose_model::kinesis::shard::{Shard, hash_key};
use firehose_model::kinesis::{MAX_PARTITION_KEY_CHARACTERS, MAX_RECORD_BYTES};

/// The most records of a request (Kinesis API reference, "PutRecords").
const MAX_RECORDS: usize = 500;

/// The most data of a request, before base64 and with the partition keys (the same).
const MAX_REQUEST_BYTES: usize = 10 * 1024 * 1024;

/// How many records of a request with too many are told.
const MOST_RECORDS_TOLD: usize = 2 * MAX_RECORDS;

/// Records that may come in, if there is such a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) stream: Which,
    records: Vec<ToShard>,
    dry_run: bool,
}

impl Put {
    /// The records, if they are really to be put.
    pub(super) fn records(self) -> Result<Vec<ToShard>, Refusal> {
        if self.dry_run { Err(Refusal::DryRun) } else { Ok(self.records) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordInput {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    data: Option<Blob>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
    sequence_number_for_ordering: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordsInput {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    records: Option<Vec<Option<Structure<Record>>>>,
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<Blob>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
}

impl Record {
    /// The size of its data, if that is base64.
    fn size(&self, scratch: &mut Vec<u8>) -> Result<usize, Refusal> {
        self.data.as_ref().map_or(Ok(0), |data| data.size(scratch))
    }

    /// Looks at its members, in the order in which Kinesis was seen to tell of them. That 1 MiB is a constraint of the data was
    /// seen of it, before streams could have larger records; that it still is one where a stream has none is an assumption.
    fn check(&self, size: usize, constraints: &mut Constraints, prefix: &str) {
        let path = |member: &str| format!("{prefix}{member}");
        if let Some(key) = constraints.required(self.partition_key.as_deref(), &path("partitionKey")) {
            if key.is_empty() {
                let constraint = "Member must have length greater than or equal to 1";
                constraints.broken(key, &path("partitionKey"), constraint);
            }
            constraints.at_most(key.chars().count(), MAX_PARTITION_KEY_CHARACTERS, || key, &path("partitionKey"));
        }
        if let Some(key) = &self.explicit_hash_key
            && !is_number(key, 39)
        {
            let constraint = r"Member must satisfy regular expression pattern: 0|([1-9]\d{0,38})";
            constraints.broken(key, &path("explicitHashKey"), constraint);
        }
        constraints.required(self.data.as_ref(), &path("data"));
        constraints.at_most(size, MAX_RECORD_BYTES, || buffer(size), &path("data"));
    }

    /// Where it is to go, after it was found in order.
    fn placed_by_key(self, size: usize) -> Result<ToShard, Refusal> {
        let (data, partition_key) = (self.data.map(|Blob(data)| data), self.partition_key);
        let (data, partition_key) = (data.unwrap_or_default(), partition_key.unwrap_or_default());
        let bytes = size + partition_key.len();
        if bytes > MAX_RECORD_BYTES {
            // An assumption, code and text: that the partition key counts is documented.
            return Err(Refusal::InvalidArgument(format!(
                "Data and partition key have {bytes} bytes, more than the maximum record size of {MAX_RECORD_BYTES} bytes"
            )));
        }
        let hash_key = match self.explicit_hash_key.as_deref() {
            Some(key) => explicit(key)?,
            None => hash_key(&partition_key),
        };
        Ok(ToShard { data, bytes, partition_key, hash_key })
    }
}

/// Reads PutRecord. Sequence numbers go up here whether or not a number is given `ForOrdering`.
pub(super) fn record(body: &[u8]) -> Result<Put, Refusal> {
    let input: RecordInput = parse(body)?;
    let RecordInput { stream_name, stream_arn, data, partition_key, explicit_hash_key, dry_run, .. } = input;
    let record = Record { data, partition_key, explicit_hash_key };
    let size = record.size(&mut Vec::new())?;

    let mut constraints = Constraints::default();
    if let Some(number) = &input.sequence_number_for_ordering
        && !is_number(number, 129)
    {
        let constraint = r"Member must satisfy regular expression pattern: 0|([1-9]\d{0,128})";
        constraints.broken(number, "sequenceNumberForOrdering", constraint);
    }
    record.check(size, &mut constraints, "");
    let stream = Which::checked(stream_name, stream_arn, &mut constraints);
    constraints.judge()?;
    Ok(Put { stream: stream.which()?, records: vec![record.placed_by_key(size)?], dry_run: dry_run.unwrap_or(false) })
}

/// Reads PutRecords. One record that may not come in keeps the others out, as in AWS: what is told of records one by one is
/// only that a shard takes no more, or that Kinesis fails.
pub(super) fn records(body: &[u8]) -> Result<Put, Refusal> {
    let RecordsInput { stream_name, stream_arn, records, dry_run } = parse(body)?;
    let mut scratch = Vec::new();
    let sizes = records.iter().flatten().map(|record| match record {
        Some(Structure(record)) => record.size(&mut scratch),
        None => Ok(0),
    });
    let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;

    let mut constraints = Constraints::default();
    let records = constraints.required(records, "records");
    if let Some(records) = &records {
        check_all(records, &sizes, &mut constraints);
    }
    let stream = Which::checked(stream_name, stream_arn, &mut constraints);
    constraints.judge()?;
    let stream = stream.which()?;
    let records =
        records.into_iter().flatten().flatten().zip(sizes).map(|(Structure(record), size)| record.placed_by_key(size));
    let records: Vec<ToShard> = records.collect::<Result<_, _>>()?;
    if records.iter().map(|record| record.bytes).sum::<usize>() > MAX_REQUEST_BYTES {
        // The text was seen of Kinesis, with its older limit of 5 MB.
        return Err(Refusal::InvalidArgument("Records size exceeds 10 MB limit".to_owned()));
    }
    Ok(Put { stream, records, dry_run: dry_run.unwrap_or(false) })
}

fn check_all(records: &[Option<Structure<Record>>], sizes: &[usize], constraints: &mut Constraints) {
    if records.is_empty() {
        constraints.broken("[]", "records", "Member must have length greater than or equal to 1");
    }
    constraints.at_most(records.len(), MAX_RECORDS, || told(sizes), "records");
    for (index, (record, size)) in records.iter().zip(sizes).enumerate() {
        let path = format!("records.{}.member", index + 1);
        match record {
            Some(Structure(record)) => record.check(*size, constraints, &format!("{path}.")),
            None => drop(constraints.required(None::<Record>, &path)),
        }
        if constraints.is_full() {
            break;
        }
    }
}

/// Records as Kinesis tells them, which is as Java does, but for their keys.
fn told(sizes: &[usize]) -> String {
    let records = sizes.iter().take(MOST_RECORDS_TOLD);
    let records = records.map(|size| format!("PutRecordsRequestEntry(data={})", buffer(*size)));
    format!("[{}]", records.collect::<Vec<_>>().join(", "))
}

/// A whole number of so many digits at most, without zeros before it.
fn is_number(text: &str, most_digits: usize) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.len() <= most_digits && (text == "0" || !text.starts_with('0'))
}

/// A hash key that stands for itself. Code and text were probed on Kinesis by the kinesalite project.
fn explicit(key: &str) -> Result<u128, Refusal> {
    // It has digits alone: what can't be read is too large.
    key.parse().map_err(|_| {
        Refusal::InvalidArgument(format!(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {key}"
        ))
    })
}

/// What Kinesis says of a shard that takes no more (seen of it, in both operations).
fn rate_exceeded(stream: &str, shard: Shard) -> String {
    format!("Rate exceeded for shard {shard} in stream {stream} under account {ACCOUNT}.")
}

/// Records are not encrypted here.
const NO_ENCRYPTION: &str = "NONE";

/// What PutRecord answers.
pub(super) fn record_answer(stream: &str, mut results: Vec<Result<Placed, NotPlaced>>) -> Result<Vec<u8>, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        shard_id: Shard,
        sequence_number: String,
        encryption_type: &'static str,
    }

    match results.pop() {
        Some(Ok(Placed { shard, sequence_number })) => {
            json(&Answer { shard_id: shard, sequence_number, encryption_type: NO_ENCRYPTION })
        }
        Some(Err(NotPlaced::Throttled(shard))) => Err(Refusal::ThroughputExceeded(rate_exceeded(stream, shard))),
        Some(Err(NotPlaced::Unavailable)) | None => Err(Refusal::InternalFailure),
    }
}

/// What PutRecords answers. Of a stream that takes none at all for a reason of its own the call fails, which an SDK tries again
/// by itself.
pub(super) fn records_answer(stream: &str, results: Vec<Result<Placed, NotPlaced>>) -> Result<Vec<u8>, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        failed_record_count: usize,
        records: Vec<Entry>,
        encryption_type: &'static str,
    }

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry {
        #[serde(rename_all = "PascalCase")]
        Placed { sequence_number: String, shard_id: Shard },
        #[serde(rename_all = "PascalCase")]
        NotPlaced { error_code: &'static str, error_message: String },
    }

    if results.iter().all(|result| matches!(result, Err(NotPlaced::Unavailable))) {
        return Err(Refusal::InternalFailure);
    }
    let failed_record_count = results.iter().filter(|result| result.is_err()).count();
    let entry = |result| match result {
        Ok(Placed { shard, sequence_number }) => Entry::Placed { sequence_number, shard_id: shard },
        // The only two codes that the API reference has for a record, and its text of the second.
        Err(NotPlaced::Throttled(shard)) => Entry::NotPlaced {
            error_code: "ProvisionedThroughputExceededException",
            error_message: rate_exceeded(stream, shard),
        },
        Err(NotPlaced::Unavailable) => {
            Entry::NotPlaced { error_code: "InternalFailure", error_message: "Internal Service Failure".to_owned() }
        }
    };
    let records = results.into_iter().map(entry).collect();
    json(&Answer { failed_record_count, records, encryption_type: NO_ENCRYPTION })
}

#[cfg(test)]
mod tests;
