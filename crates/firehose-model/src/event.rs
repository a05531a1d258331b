//! A Firehose event: built of records as Direct PUT does, or taken from a file as it is.

use std::collections::HashSet;
use std::sync::Arc;

use crate::{ACCOUNT, REGION};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::batch::{SourceType, decoded_bytes};
use crate::fields::{Fields, minified};
use crate::kinesis::data_stream_arn;
use crate::kinesis::sequence::sequence_number;
use crate::kinesis::shard::Shard;

/// The stream that events say they come from, where nobody named another.
pub const STREAM: &str = "mysfits-clicks";

/// The ARN of a stream.
#[must_use]
pub fn stream_arn(stream: &str) -> String {
    format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}")
}

/// A record, before the function has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Unique in its event.
    pub record_id: String,
    /// When Firehose got it, in milliseconds since 1970.
    #[serde(rename = "approximateArrivalTimestamp")]
    pub arrival_ms: i64,
    /// The original bytes as base64: what an error object keeps. It may be anything in an event that came from a file.
    pub data: String,
    /// What is told of a record that came by a shard.
    #[serde(rename = "kinesisRecordMetadata", skip_serializing_if = "Option::is_none")]
    pub kinesis: Option<Box<FromShard>>,
}

/// How a record came by a shard. The fields and their order are those of AWS's sample event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FromShard {
    #[serde(rename = "shardId")]
    shard: Shard,
    partition_key: String,
    #[serde(rename = "approximateArrivalTimestamp")]
    arrival_ms: i64,
    sequence_number: String,
    /// Which it was of records that a producer had put into one: here each is its own.
    subsequence_number: u64,
}

impl Record {
    /// A record of Direct PUT with the `sequence`th id.
    #[must_use]
    pub fn direct_put(sequence: u64, arrival_ms: i64, data: String) -> Self {
        Self { record_id: record_id(sequence), arrival_ms, data, kinesis: None }
    }

    /// The `sequence`th record, which came by a shard.
    #[must_use]
    pub fn from_shard(shard: Shard, sequence: u64, partition_key: String, arrival_ms: i64, data: String) -> Self {
        let sequence_number = sequence_number(shard, sequence, arrival_ms);
        // The form and the length of what Firehose was seen to send.
        let record_id = format!("{shard}{sequence_number:0>140}");
        let kinesis = FromShard { shard, partition_key, arrival_ms, sequence_number, subsequence_number: 0 };
        Self { record_id, arrival_ms, data, kinesis: Some(Box::new(kinesis)) }
    }

    /// Its shard, if it came by one.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        self.kinesis.as_ref().map(|kinesis| kinesis.shard)
    }

    /// Its partition key; without a shard, it has none.
    #[must_use]
    pub fn partition_key(&self) -> &str {
        self.kinesis.as_ref().map_or("", |kinesis| &kinesis.partition_key)
    }

    /// Its sequence number in its shard; without one, its id.
    #[must_use]
    pub fn sequence_number(&self) -> &str {
        self.kinesis.as_ref().map_or(&self.record_id, |kinesis| &kinesis.sequence_number)
    }
}

/// Bytes as a record has them.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An id as opaque and as long as Firehose's (62 digits in the accounts that were seen).
#[must_use]
pub fn record_id(sequence: u64) -> String {
    format!("49{sequence:060}")
}

/// One event, which may be sent more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    records: Vec<Record>,
    envelope: Envelope,
}

/// What an event has around its records.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Envelope {
    /// The stream that the records were put into.
    DirectPut { stream: Arc<str> },
    /// The stream that reads a data stream of the same name.
    Kinesis { stream: Arc<str> },
    /// What an event that came from a file has after its `invocationId`, which is its first field here.
    File(String),
}

/// Why an object with `records` is no Firehose event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Perhaps an event's fields, but no event.
    #[error("an event whose `records` is not an array of objects")]
    NoRecords,
    /// The other half of an invocation.
    #[error("a function's reply (a record has `result`), not an event")]
    Reply,
    /// Firehose's ids are strings.
    #[error("an event whose `records[{0}].recordId` is not a string")]
    StrangeRecordId(u64),
    /// No reply could be matched to two records with one id, and Firehose never sends them.
    #[error("an event whose `records[{0}].recordId` is also that of a record before it")]
    RepeatedRecordId(u64),
}

/// A record of an event that its source would not have taken.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Which of `records` it is, counted from zero.
    pub index: u64,
    /// The size of its data.
    pub bytes: usize,
    /// What does not take it.
    pub source: SourceType,
    /// The record as it is written.
    pub text: String,
}

impl Event {
    /// An event of Direct PUT to a stream.
    #[must_use]
    pub fn direct_put(stream: Arc<str>, records: Vec<Record>) -> Self {
        Self { records, envelope: Envelope::DirectPut { stream } }
    }

    /// An event of records that came by one shard.
    #[must_use]
    pub fn from_shard(stream: Arc<str>, records: Vec<Record>) -> Self {
        Self { records, envelope: Envelope::Kinesis { stream } }
    }

    /// An event as a file has it: of Direct PUT, of a Kinesis data stream, or of Amazon MSK. A record without an arrival time
    /// arrives `now`; one without an id, as LocalStack sends it, gets one, because no reply could be matched to it. All else
    /// is sent as it is written, but for white space. Records that the event's source does not take are left out of it.
    pub fn from_file(fields: &Fields<'_>, now: Timestamp) -> Result<(Self, Vec<TooLarge>), EventError> {
        let texts: Option<Vec<Fields<'_>>> = fields.get("records").and_then(|text| serde_json::from_str(text).ok());
        let texts = texts.ok_or(EventError::NoRecords)?;
        if texts.first().is_some_and(|record| record.get("result").is_some()) {
            return Err(EventError::Reply);
        }
        let mut ids = HashSet::with_capacity(texts.len());
        let mut records = Vec::with_capacity(texts.len());
        let mut sent = Vec::with_capacity(texts.len());
        let mut too_large = Vec::new();
        for (text, index) in texts.iter().zip(0..) {
            let record_id = match text.get("recordId") {
                None | Some("null") => record_id(index),
                Some(id) => serde_json::from_str(id).map_err(|_| EventError::StrangeRecordId(index))?,
            };
            if !ids.insert(record_id.clone()) {
                return Err(EventError::RepeatedRecordId(index));
            }
            let data = data(text);
            let (bytes, source) = (decoded_bytes(&data), source(fields, text));
            if bytes > source.max_record_bytes() {
                let text = format!("{{{}}}", text.without(&[]).trim_start_matches(','));
                too_large.push(TooLarge { index, bytes, source, text });
                continue;
            }
            sent.push(format!("{{\"recordId\":{}{}}}", Value::from(record_id.as_str()), text.without(&["recordId"])));
            let arrival_ms = text.get("approximateArrivalTimestamp").and_then(milliseconds);
            records.push(Record {
                record_id,
                arrival_ms: arrival_ms.unwrap_or(now.as_millisecond()),
                data,
                // It is in the file's text, which is what is sent.
                kinesis: None,
            });
        }
        let others = fields.without(&["invocationId", "records"]);
        let file = minified(&format!("{others},\"records\":[{}]}}", sent.join(",")));
        Ok((Self { records, envelope: Envelope::File(file) }, too_large))
    }

    /// The records, in their order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records, where the event is not needed any more.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// The bytes of one invocation. A repeated attempt has another id and the same records.
    pub fn payload(&self, invocation_id: Uuid) -> Result<Vec<u8>, serde_json::Error> {
        let (stream, source_kinesis_stream_arn) = match &self.envelope {
            Envelope::File(file) => return Ok(format!("{{\"invocationId\":\"{invocation_id}\"{file}").into_bytes()),
            Envelope::DirectPut { stream } => (stream, None),
            Envelope::Kinesis { stream } => (stream, Some(data_stream_arn(stream))),
        };
        serde_json::to_vec(&Payload {
            invocation_id: invocation_id.to_string(),
            source_kinesis_stream_arn,
            delivery_stream_arn: stream_arn(stream),
            region: REGION,
            records: &self.records,
        })
    }
}

/// `aws_lambda_events` writes `null` for what a source leaves out, so the event is written here; a test reads it there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    invocation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_kinesis_stream_arn: Option<String>,
    delivery_stream_arn: String,
    region: &'static str,
    records: &'a [Record],
}

/// Milliseconds as Firehose sends them, also as a float, or a date as AWS's samples have it.
fn milliseconds(time: &str) -> Option<i64> {
    match serde_json::from_str(time).ok()? {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float of milliseconds; what is no time is found out later"
        )]
        Value::Number(ms) => ms.as_i64().or(ms.as_f64().map(|ms| ms as i64)),
        Value::String(date) => date.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

/// Where a record of a file's event comes from: by the event, or else by what the record has of a data stream or of MSK.
fn source(event: &Fields<'_>, record: &Fields<'_>) -> SourceType {
    let there = |fields: &Fields<'_>, name| fields.get(name).is_some_and(|value| value != "null");
    if there(event, "sourceMSKArn") || there(record, "kafkaRecordValue") {
        SourceType::Msk
    } else if there(event, "sourceKinesisStreamArn") || there(record, "kinesisRecordMetadata") {
        SourceType::Kinesis
    } else {
        SourceType::DirectPut
    }
}

/// The text of a record's data; what is no text is kept as it is written, because an error object needs something to keep.
fn data(record: &Fields<'_>) -> String {
    // `null` counts as not there.
    let there = |name| record.get(name).filter(|value| *value != "null");
    match there("data").or(there("kafkaRecordValue")) {
        None => String::new(),
        Some(data) => serde_json::from_str(data).unwrap_or_else(|_| data.to_owned()),
    }
}

#[cfg(test)]
mod tests;
