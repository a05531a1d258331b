//! A Firehose event: built of records as Direct PUT does, or taken from a file as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use runtime_api::REGION;
use serde::Serialize;
use serde_json::{Map, Value};

/// The stream that the events say they come from.
pub const STREAM: &str = "mysfits-clicks";

/// A record, before the function has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Unique in its event.
    pub record_id: String,
    /// When Firehose got it, in milliseconds since 1970.
    #[serde(rename = "approximateArrivalTimestamp")]
    pub arrival_ms: i64,
    /// The original bytes as base64: what an error object keeps.
    pub data: String,
}

impl Record {
    /// A record of Direct PUT with the `sequence`th id.
    #[must_use]
    pub fn direct_put(sequence: u64, arrival_ms: i64, data: &[u8]) -> Self {
        Self { record_id: record_id(sequence), arrival_ms, data: STANDARD.encode(data) }
    }
}

/// An id as opaque and as long as Firehose's (62 digits in the accounts that were seen).
#[must_use]
pub fn record_id(sequence: u64) -> String {
    format!("49{sequence:060}")
}

/// One event, which may be sent more than once.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    records: Vec<Record>,
    /// The fields of an event that came from a file, without the ids of its invocation.
    file: Option<Map<String, Value>>,
}

/// Why an object with `records` is no Firehose event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// `records` is something else.
    #[error("`records` is not an array of objects")]
    NoRecords,
    /// Firehose's ids are strings.
    #[error("`records[{0}].recordId` is not a string")]
    StrangeRecordId(u64),
}

impl Event {
    /// An event of Direct PUT.
    #[must_use]
    pub fn direct_put(records: Vec<Record>) -> Self {
        Self { records, file: None }
    }

    /// An event as a file has it: of Direct PUT, of a Kinesis data stream, or of Amazon MSK. A record without an arrival time
    /// arrives `now`; one without an id, as LocalStack sends it, gets one, because no reply could be matched to it.
    pub fn from_file(mut fields: Map<String, Value>, now: Timestamp) -> Result<Self, EventError> {
        fields.remove("invocationId");
        let Some(Value::Array(values)) = fields.get_mut("records") else {
            return Err(EventError::NoRecords);
        };
        let records = values.iter_mut().zip(0..).map(|(value, index)| {
            let fields = value.as_object_mut().ok_or(EventError::NoRecords)?;
            let id = fields.entry("recordId").or_insert_with(|| record_id(index).into());
            let record_id = id.as_str().ok_or(EventError::StrangeRecordId(index))?.to_owned();
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            Ok(Record {
                record_id,
                arrival_ms: arrival_ms(fields).unwrap_or(now.as_millisecond()),
                data: text("data").or(text("kafkaRecordValue")).unwrap_or_default().to_owned(),
            })
        });
        let records = records.collect::<Result<_, _>>()?;
        Ok(Self { records, file: Some(fields) })
    }

    /// The records, in their order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// When the oldest record arrived, in milliseconds since 1970; none where there is no record.
    #[must_use]
    pub fn oldest_arrival_ms(&self) -> Option<i64> {
        self.records.iter().map(|record| record.arrival_ms).min()
    }

    /// The bytes of one invocation. A repeated attempt has another id and the same records.
    pub fn payload(&self, invocation_id: &str) -> Result<Vec<u8>, serde_json::Error> {
        match &self.file {
            Some(fields) => serde_json::to_vec(&Payload { invocation_id, fields }),
            None => serde_json::to_vec(&Payload { invocation_id, fields: DirectPut::of(&self.records) }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a, T: Serialize> {
    invocation_id: &'a str,
    #[serde(flatten)]
    fields: T,
}

/// `aws_lambda_events` writes `null` for what Direct PUT leaves out, so the event is written here; a test reads it there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DirectPut<'a> {
    delivery_stream_arn: String,
    region: &'static str,
    records: &'a [Record],
}

impl<'a> DirectPut<'a> {
    fn of(records: &'a [Record]) -> Self {
        let delivery_stream_arn = format!("arn:aws:firehose:{REGION}:000000000000:deliverystream/{STREAM}");
        Self { delivery_stream_arn, region: REGION, records }
    }
}

/// Milliseconds as Firehose sends them, or a date as AWS's samples have it.
fn arrival_ms(record: &Map<String, Value>) -> Option<i64> {
    match record.get("approximateArrivalTimestamp")? {
        Value::Number(ms) => ms.as_i64(),
        Value::String(date) => date.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::event::firehose::KinesisFirehoseEvent;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn direct_put_is_what_the_published_types_read() {
        // Whole seconds: the published types read the time through a float, and lose milliseconds.
        let event = Event::direct_put(vec![Record::direct_put(7, 1_700_000_000_000, b"{}")]);
        let payload = event.payload("an-id").unwrap();
        let read: KinesisFirehoseEvent = serde_json::from_slice(&payload).unwrap();
        assert_eq!(read.invocation_id.as_deref(), Some("an-id"));
        assert_eq!(read.region.as_deref(), Some("us-east-1"));
        assert_eq!(read.records[0].record_id.as_ref().map(String::len), Some(62));
        assert_eq!(read.records[0].approximate_arrival_timestamp.timestamp_millis(), 1_700_000_000_000);
        assert_eq!(read.records[0].data.0, b"{}");
        let fields: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), 4);
        assert_eq!(fields["records"][0].as_object().unwrap().len(), 3);
    }

    #[test]
    fn a_file_is_sent_as_it_is_but_for_the_invocation() {
        let file = json!({
            "invocationId": "old", "deliveryStreamArn": "arn", "region": "eu-west-1", "sourceKinesisStreamArn": "arn:k",
            "records": [{
                "recordId": "a", "data": "e30=", "approximateArrivalTimestamp": 5,
                "kinesisRecordMetadata": { "shardId": "s", "subsequenceNumber": "" },
            }],
        });
        let event = Event::from_file(object(file.clone()), Timestamp::UNIX_EPOCH).unwrap();
        let mut sent: Value = serde_json::from_slice(&event.payload("new").unwrap()).unwrap();
        assert_eq!(sent["invocationId"], "new");
        sent["invocationId"] = "old".into();
        assert_eq!(sent, file);
        assert_eq!(event.records(), [Record { record_id: "a".into(), arrival_ms: 5, data: "e30=".into() }]);
    }

    #[test]
    fn records_of_every_source_are_read() {
        let now = Timestamp::from_millisecond(99).unwrap();
        for (record, arrival_ms, data) in [
            (json!({ "recordId": "a", "data": "e30=", "approximateArrivalTimestamp": 5 }), 5, "e30="),
            (
                json!({ "recordId": "a", "data": "e30=", "approximateArrivalTimestamp": "1970-01-01T00:00:01Z" }),
                1000,
                "e30=",
            ),
            (json!({ "recordId": "a", "kafkaRecordValue": "e30=" }), 99, "e30="),
            (json!({ "recordId": "a", "data": null, "approximateArrivalTimestamp": "soon" }), 99, ""),
        ] {
            let event = Event::from_file(object(json!({ "records": [record] })), now).unwrap();
            assert_eq!(event.records(), [Record { record_id: "a".into(), arrival_ms, data: data.into() }]);
        }
    }

    #[test]
    fn a_record_without_an_id_gets_one() {
        let file = json!({ "records": [{ "recordId": "a" }, { "data": "e30=" }] });
        let event = Event::from_file(object(file), Timestamp::UNIX_EPOCH).unwrap();
        let sent: Value = serde_json::from_slice(&event.payload("new").unwrap()).unwrap();
        for (index, id) in [(0, "a".to_owned()), (1, record_id(1))] {
            assert_eq!(event.records()[index].record_id, id);
            assert_eq!(sent["records"][index]["recordId"], id);
        }
    }

    #[test]
    fn what_is_no_event_is_told() {
        for (fields, message) in [
            (json!({ "records": {} }), "`records` is not an array of objects"),
            (json!({ "records": [7] }), "`records` is not an array of objects"),
            (json!({ "records": [{ "recordId": "a" }, { "recordId": 7 }] }), "`records[1].recordId` is not a string"),
        ] {
            let error = Event::from_file(object(fields), Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
