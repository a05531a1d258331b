//! Firehose events: built from records, or read from a file.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::fields::{Fields, minified};
use crate::kinesis::aggregated::{NotAggregated, has_magic, user_records};
use crate::kinesis::shard::ShardId;
use crate::scope::Scope;
use crate::source::{SourceType, decoded_bytes};

/// The default name of a stream.
pub const STREAM: &str = "mysfits-clicks";

/// A stream, as its events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamIdentity {
    /// Its name.
    pub name: String,
    /// The name of the data stream that it reads, if its records are from one.
    pub data_stream: String,
    /// The scope of both ARNs.
    pub scope: Scope,
}

/// A stream of the default scope. A data stream that it reads has the same name.
impl From<&str> for StreamIdentity {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), data_stream: name.to_owned(), scope: Scope::default() }
    }
}

/// A record of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Unique in its event.
    pub record_id: String,
    /// When Firehose received it, in milliseconds since 1970.
    #[serde(rename = "approximateArrivalTimestamp")]
    pub arrival_ms: i64,
    /// The original bytes as base64, which an error object preserves. In an event from a file it may be any text.
    pub data: String,
    /// For a record of a data stream.
    #[serde(rename = "kinesisRecordMetadata", skip_serializing_if = "Option::is_none")]
    pub kinesis: Option<Box<KinesisRecordMetadata>>,
    /// The data as base64 before it was decompressed, which an error object preserves then.
    #[serde(skip)]
    pub original: Option<Arc<str>>,
}

/// The metadata of a record of a data stream. The fields and their order are those of AWS's sample event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisRecordMetadata {
    #[serde(rename = "shardId")]
    shard: ShardId,
    partition_key: String,
    #[serde(rename = "approximateArrivalTimestamp")]
    arrival_ms: i64,
    sequence_number: String,
    /// The index of a user record in its aggregated record; 0 of any other record.
    subsequence_number: u64,
}

impl Record {
    /// The `sequence`th record of Direct PUT.
    #[must_use]
    pub fn direct_put(sequence: u64, arrival_ms: i64, data: String) -> Self {
        Self { record_id: record_id(sequence), arrival_ms, data, kinesis: None, original: None }
    }

    /// The `sequence`th record, from a shard.
    #[must_use]
    pub fn from_shard(shard: ShardId, sequence: u64, partition_key: String, arrival_ms: i64, data: String) -> Self {
        let sequence_number = shard.sequence_number(sequence);
        // The form and length that were seen of Firehose.
        let record_id = format!("{shard}{sequence_number:0>140}");
        let kinesis =
            KinesisRecordMetadata { shard, partition_key, arrival_ms, sequence_number, subsequence_number: 0 };
        Self { record_id, arrival_ms, data, kinesis: Some(Box::new(kinesis)), original: None }
    }

    /// Whether this is possibly an aggregated record of a data stream. Firehose de-aggregates no others.
    #[must_use]
    pub fn may_be_aggregated(&self) -> bool {
        self.kinesis.is_some() && has_magic(&self.data)
    }

    /// The user records of an aggregated record, in their order.
    ///
    /// Firehose de-aggregates before the function (Kinesis developer guide, "Use the KPL with Amazon Data Firehose"). Not documented, and
    /// therefore assumptions, are that a user record has its own partition key and the sequence number of the aggregated record, as in the
    /// Kinesis Client Library, and the form of its id. Ids are unique, as those of all records of a shard are equally long.
    pub fn user_records(&self) -> Result<Vec<Self>, NotAggregated> {
        let kinesis = self.kinesis.as_ref().filter(|_| self.may_be_aggregated()).ok_or(NotAggregated::Ordinary)?;
        let data = STANDARD.decode(&self.data).map_err(|_| NotAggregated::Ordinary)?;
        let records = user_records(&data)?.into_iter().zip(0..);
        let records = records.map(|((partition_key, data), subsequence_number)| Self {
            record_id: format!("{}{subsequence_number:03}", self.record_id),
            arrival_ms: self.arrival_ms,
            data: encode(data),
            kinesis: Some(Box::new(KinesisRecordMetadata {
                partition_key: partition_key.to_owned(),
                sequence_number: kinesis.sequence_number.clone(),
                subsequence_number,
                ..**kinesis
            })),
            original: None,
        });
        Ok(records.collect())
    }

    /// Its shard, for a record of a data stream.
    #[must_use]
    pub fn shard(&self) -> Option<ShardId> {
        self.kinesis.as_ref().map(|kinesis| kinesis.shard)
    }

    /// Its partition key, which is empty for Direct PUT.
    #[must_use]
    pub fn partition_key(&self) -> &str {
        self.kinesis.as_ref().map_or("", |kinesis| &kinesis.partition_key)
    }

    /// Its sequence number in its shard. For Direct PUT, its id.
    #[must_use]
    pub fn sequence_number(&self) -> &str {
        self.kinesis.as_ref().map_or(&self.record_id, |kinesis| &kinesis.sequence_number)
    }
}

/// Encodes a record's data.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A record id in the form of Firehose's (62 digits in the accounts that were seen).
fn record_id(sequence: u64) -> String {
    format!("49{sequence:060}")
}

/// An event, which is sent again with each retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The records, in their order.
    pub records: Vec<Record>,
    envelope: Envelope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Envelope {
    Stream(StreamIdentity),
    /// The text of a file's event after the `invocationId`, which is written first.
    File(String),
}

/// Why a JSON object with `records` is not a Firehose event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// `records` has another type.
    #[error("an event whose `records` is not an array of objects")]
    NoRecords,
    /// The object is a response.
    #[error("a function's response (a record has `result`), not an event")]
    Response,
    /// A record id is not a string.
    #[error("an event whose `records[{0}].recordId` is not a string")]
    InvalidRecordId(u64),
    /// Two records have the same id, so no response can be matched to them. Firehose never sends this.
    #[error("an event whose `records[{0}].recordId` is also that of a record before it")]
    RepeatedRecordId(u64),
}

/// A record of a file's event that is too large for its source.
#[derive(Debug, PartialEq, Eq)]
pub struct OversizedRecord {
    /// Its index in `records`, from 0.
    pub index: u64,
    /// The size of its data.
    pub bytes: usize,
    /// The source of the event.
    pub source: SourceType,
    /// The record as it is written in the file.
    pub text: String,
}

impl Event {
    /// An event of Direct PUT, or of one shard's records.
    #[must_use]
    pub fn new(stream: StreamIdentity, records: Vec<Record>) -> Self {
        Self { records, envelope: Envelope::Stream(stream) }
    }

    /// An event of a file. Its text is kept but for white space. A record without an arrival time arrives `now`. One without an id, as LocalStack
    /// sends it, gets one, so that a response can be matched to it. Records that are too large for the event's source are left out.
    pub fn from_file(fields: &Fields<'_>, now: Timestamp) -> Result<(Self, Vec<OversizedRecord>), EventError> {
        let texts: Option<Vec<Fields<'_>>> = fields.get("records").and_then(|text| serde_json::from_str(text).ok());
        let texts = texts.ok_or(EventError::NoRecords)?;
        if texts.first().is_some_and(|record| record.get("result").is_some()) {
            return Err(EventError::Response);
        }
        let mut ids = HashSet::new();
        let (mut records, mut sent, mut too_large) = (Vec::new(), Vec::new(), Vec::new());
        for (text, index) in texts.iter().zip(0..) {
            let record_id = match there(text, "recordId") {
                None => record_id(index),
                Some(id) => serde_json::from_str(id).map_err(|_| EventError::InvalidRecordId(index))?,
            };
            if !ids.insert(record_id.clone()) {
                return Err(EventError::RepeatedRecordId(index));
            }
            let data = data(text);
            let (bytes, source) = (decoded_bytes(&data), source(fields, text));
            if bytes > source.max_record_bytes() {
                let text = format!("{{{}}}", text.without(&[]).trim_start_matches(','));
                too_large.push(OversizedRecord { index, bytes, source, text });
                continue;
            }
            sent.push(format!("{{\"recordId\":{}{}}}", Value::from(record_id.as_str()), text.without(&["recordId"])));
            let arrival_ms = text.get("approximateArrivalTimestamp").and_then(milliseconds);
            let arrival_ms = arrival_ms.unwrap_or(now.as_millisecond());
            // The metadata is in the file's text, which is what is sent.
            records.push(Record { record_id, arrival_ms, data, kinesis: None, original: None });
        }
        let others = fields.without(&["invocationId", "records"]);
        let file = minified(&format!("{others},\"records\":[{}]}}", sent.join(",")));
        Ok((Self { records, envelope: Envelope::File(file) }, too_large))
    }

    /// The payload of one invocation. Each retry has another `invocationId` and the same records.
    pub fn payload(&self, invocation_id: Uuid) -> Result<Vec<u8>, serde_json::Error> {
        let StreamIdentity { name, data_stream, scope } = match &self.envelope {
            Envelope::File(file) => return Ok(format!("{{\"invocationId\":\"{invocation_id}\"{file}").into_bytes()),
            Envelope::Stream(stream) => stream,
        };
        let is_from_shard = self.records.first().is_some_and(|record| record.kinesis.is_some());
        serde_json::to_vec(&Payload {
            invocation_id: invocation_id.to_string(),
            source_kinesis_stream_arn: is_from_shard.then(|| scope.data_stream_arn(data_stream)),
            delivery_stream_arn: scope.delivery_stream_arn(name),
            region: &scope.region,
            records: &self.records,
        })
    }
}

/// `aws_lambda_events` serializes missing members as `null`, which Firehose does not. A test parses this with it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    invocation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_kinesis_stream_arn: Option<String>,
    delivery_stream_arn: String,
    region: &'a str,
    records: &'a [Record],
}

/// Parses milliseconds as Firehose sends them, also as a float, or a date as in AWS's samples.
fn milliseconds(time: &str) -> Option<i64> {
    match serde_json::from_str(time).ok()? {
        #[expect(clippy::cast_possible_truncation, reason = "a float of milliseconds")]
        Value::Number(ms) => ms.as_i64().or(ms.as_f64().map(|ms| ms as i64)),
        Value::String(date) => date.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

/// `null` counts as missing.
fn there<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    fields.get(name).filter(|value| *value != "null")
}

fn source(event: &Fields<'_>, record: &Fields<'_>) -> SourceType {
    if there(event, "sourceMSKArn").or(there(record, "kafkaRecordValue")).is_some() {
        SourceType::Msk
    } else if there(event, "sourceKinesisStreamArn").or(there(record, "kinesisRecordMetadata")).is_some() {
        SourceType::Kinesis
    } else {
        SourceType::DirectPut
    }
}

/// A value that is not a string is kept as it is written, because an error object must preserve it.
fn data(record: &Fields<'_>) -> String {
    let data = there(record, "data").or(there(record, "kafkaRecordValue")).unwrap_or("\"\"");
    serde_json::from_str(data).unwrap_or_else(|_| data.to_owned())
}

#[cfg(test)]
mod tests;
