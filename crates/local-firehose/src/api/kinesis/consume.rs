//! GetShardIterator and GetRecords.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{Input, refuse_dry_run};
use crate::api::request::{ApiError, seconds};
use crate::stream::{DataStream, ReadLimits, Retention, ShardRecords, Start};
use firehose_model::kinesis::shard::ShardId;
use firehose_model::scope::Scope;

/// How long an iterator is valid (Kinesis API reference, "GetShardIterator").
const ITERATOR_MS: i64 = 5 * 60 * 1000;
/// The most records and data of a response (Kinesis API reference, "GetRecords": 10,000 records, 10 MB).
const MAX_RECORDS: usize = 10_000;
const MAX_BYTES: usize = 10 * 1024 * 1024;

const AFTER: &str = "AFTER_SEQUENCE_NUMBER";
const AT_TIMESTAMP: &str = "AT_TIMESTAMP";

/// The next position in a shard. Clients see it as base64.
#[derive(Serialize, Deserialize)]
pub(super) struct ShardIterator {
    pub(super) stream: String,
    /// Of a stream of the same name, which is another one.
    created_ms: i64,
    shard: u32,
    next: u64,
    issued_ms: i64,
}

impl ShardIterator {
    fn new(stream: &DataStream, shard: ShardId, next: u64, now: Timestamp) -> Self {
        let (stream, created_ms) = (stream.name().to_owned(), stream.created.as_millisecond());
        Self { stream, created_ms, shard: shard.0, next, issued_ms: now.as_millisecond() }
    }

    fn encoded(&self) -> String {
        STANDARD.encode(json!(self).to_string())
    }

    /// The texts of an invalid and of an expired iterator were probed on Kinesis by the kinesalite project.
    pub(super) fn read(text: &str, now: Timestamp) -> Result<Self, ApiError> {
        // Kinesis accepts it in quotation marks, too (LocalStack's test, validated on AWS).
        let json = STANDARD.decode(text.trim_matches('"')).map_err(|_| invalid())?;
        let iterator: Self = serde_json::from_slice(&json).map_err(|_| invalid())?;
        // A clock may be set back. One that is set further back than this is not expected.
        let age_ms = now.as_millisecond().checked_sub(iterator.issued_ms).filter(|age| *age >= -ITERATOR_MS);
        if age_ms.ok_or_else(invalid)? > ITERATOR_MS {
            let issued = Timestamp::from_millisecond(iterator.issued_ms).unwrap_or_default();
            let message = format!(
                "Iterator expired. The iterator was created at time {issued} while right now it is {now} which is further in the future \
                 than the tolerated delay of {ITERATOR_MS} milliseconds."
            );
            return Err(ApiError::bad_request("ExpiredIteratorException", message));
        }
        Ok(iterator)
    }
}

/// The texts were probed on Kinesis by the kinesalite project.
pub(super) fn iterator(stream: &DataStream, input: &Input, caller: &Scope, now: Timestamp) -> Result<Value, ApiError> {
    let retention = retention(stream)?;
    let (name, account, id) = (stream.name(), &caller.account, &input.shard_id);
    let not_found = |message: String| ApiError::bad_request("ResourceNotFoundException", message);
    let shard = ShardId::of_id(id)
        .ok_or_else(|| not_found(format!("Could not find shard {id} in stream {name} under account {account}.")))?;
    if shard.0 >= stream.settings.shards().count() {
        return Err(not_found(format!("Shard {shard} in stream {name} under account {account} does not exist")));
    }
    let of_type = input.shard_iterator_type.as_str();
    // An assumption, code and text.
    if input.timestamp.is_some() && of_type != AT_TIMESTAMP {
        return Err(ApiError::invalid_argument(format!(
            "Timestamp: found one with the ShardIteratorType {of_type}; accepted is one with {AT_TIMESTAMP}"
        )));
    }
    let start = match (of_type, &input.starting_sequence_number, input.timestamp) {
        ("TRIM_HORIZON", None, _) => Start::TrimHorizon,
        ("LATEST", None, _) => Start::Latest,
        ("AT_SEQUENCE_NUMBER" | AFTER, Some(number), _) => {
            let found = ShardId::of_sequence_number(number)
                .filter(|(shard, number)| retention.has(*shard, *number, stream.created));
            let (of_shard, position) = found.ok_or_else(|| {
                ApiError::invalid_argument(format!(
                    "StartingSequenceNumber {number} used in GetShardIterator on shard {shard} in stream {name} under account {account} is \
                     invalid because it did not come from this stream."
                ))
            })?;
            if of_shard != shard {
                return Err(ApiError::invalid_argument(format!(
                    "Invalid StartingSequenceNumber. It encodes {of_shard}, while it was used in a call to a shard with {shard}"
                )));
            }
            Start::Number(position + u64::from(of_type == AFTER))
        }
        (AT_TIMESTAMP, None, Some(seconds)) => Start::Time(time(seconds, now)?),
        (AT_TIMESTAMP, None, None) => {
            return Err(ApiError::invalid_argument(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.",
            ));
        }
        (_, number, _) => {
            let given = if number.is_some() { "also a" } else { "no" };
            return Err(ApiError::invalid_argument(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or \
                 LATEST and no StartingSequenceNumber. Request specified {of_type} and {given} StartingSequenceNumber."
            )));
        }
    };
    refuse_dry_run(input.dry_run)?;
    let iterator = ShardIterator::new(stream, shard, retention.position(shard, start), now);
    Ok(json!({ "ShardIterator": iterator.encoded() }))
}

/// A time of a request, in milliseconds since 1970. It is rounded down, as arrivals are; a float of seconds is exact to 0.001 ms.
#[expect(clippy::cast_possible_truncation, reason = "the time is at most now, which fits")]
fn time(seconds: f64, now: Timestamp) -> Result<i64, ApiError> {
    let ms = (seconds * 1000.0 + 0.01).floor();
    let now_ms = now.as_millisecond();
    if (0.0..=self::seconds(now_ms) * 1000.0 + 1.0).contains(&ms) {
        return Ok((ms as i64).min(now_ms));
    }
    if ms < 0.0 {
        return Err(ApiError::invalid_argument(format!(
            "Timestamp: found {seconds}; accepted are seconds from 1970, which are 0, to now"
        )));
    }
    Err(ApiError::invalid_argument(format!(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: {ms}, \
         currentTimestampInMillis: {now_ms}"
    )))
}

fn invalid() -> ApiError {
    ApiError::invalid_argument("Invalid ShardIterator.")
}

pub(super) fn records(stream: &DataStream, input: &Input, now: Timestamp) -> Result<Value, ApiError> {
    let iterator = ShardIterator::read(&input.shard_iterator, now)?;
    let shard = ShardId(iterator.shard);
    if iterator.created_ms != stream.created.as_millisecond() || shard.0 >= stream.settings.shards().count() {
        return Err(invalid());
    }
    refuse_dry_run(input.dry_run)?;
    let limits = ReadLimits { records: input.limit.unwrap_or(MAX_RECORDS), bytes: MAX_BYTES };
    let read = retention(stream)?.read(shard, iterator.next, limits, now.as_millisecond());
    let ShardRecords { records, next, behind_ms, .. } = read;
    let described = records.iter().map(|(number, record)| {
        json!({
            "SequenceNumber": shard.sequence_number(*number),
            "ApproximateArrivalTimestamp": seconds(record.arrival_ms),
            "Data": record.data,
            "PartitionKey": record.partition_key,
        })
    });
    Ok(json!({
        "Records": described.collect::<Vec<_>>(),
        "NextShardIterator": ShardIterator::new(stream, shard, next, now).encoded(),
        "MillisBehindLatest": behind_ms,
    }))
}

/// A configured stream is refused: its records are those of a delivery stream.
fn retention(stream: &DataStream) -> Result<&Arc<Retention>, ApiError> {
    stream.retention().ok_or_else(|| {
        ApiError::invalid_argument(format!(
            "StreamName: {} is configured at the start of this process, and only its delivery stream reads it. Records of streams that \
             CreateStream creates can be read.",
            stream.name()
        ))
    })
}

#[cfg(test)]
mod tests;
