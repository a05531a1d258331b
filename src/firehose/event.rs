//! Transformation events of every source: Direct PUT, Kinesis Data Streams and Amazon MSK.

use std::borrow::Cow;

use base64_simd::STANDARD;
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::value::RawValue;

use crate::reason::Reason;
use service_kit::json;

/// A batch of records, borrowed from the payload of an invocation.
///
/// Only the fields in use are read.
#[derive(Debug)]
pub struct Event<'a> {
    pub(super) invocation_id: Option<&'a RawValue>,
    /// The records, in the order of the response.
    pub records: Vec<Record<'a>>,
    /// How many records exceed what any response can hold. They are not kept: an event of nothing but `{}` would take fifty times its size.
    pub(super) unread: usize,
}

/// One record.
///
/// Values stay raw JSON, so that one of an unexpected type fails the record and not the batch.
#[derive(Debug, Default)]
pub struct Record<'a> {
    pub(super) record_id: Option<&'a RawValue>,
    pub(super) data: Option<&'a RawValue>,
    pub(super) kafka_record_value: Option<&'a RawValue>,
    pub(super) arrival: Option<&'a RawValue>,
    /// The metadata of Kinesis Data Streams or Amazon MSK.
    pub(super) source_metadata: Option<&'a RawValue>,
}

/// The payload is not a transformation event.
///
/// The message has the position and no content: the payload must not get into a log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Firehose transformation event, which is an object with an array `records` of objects: \
     {what} at line {line}, column {column}"
)]
pub struct EventError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl<'a> Event<'a> {
    /// Parses the payload of an invocation.
    ///
    /// # Errors
    /// `payload` is not JSON, or not an object with an array `records` of objects.
    pub fn parse(payload: &'a str) -> Result<Self, EventError> {
        serde_json::from_str(payload).map_err(|error| EventError {
            what: if error.is_data() { "another shape" } else { "invalid JSON" },
            line: error.line(),
            column: error.column(),
        })
    }

    /// The number of records, including those that no response can hold.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.records.len() + self.unread
    }

    /// The id of this attempt, which changes when Firehose retries. Some emulators omit it.
    #[must_use]
    pub fn invocation_id(&self) -> Option<Cow<'a, str>> {
        json::text(self.invocation_id?).ok().flatten()
    }

    /// Decodes the data of every record into one buffer.
    #[must_use]
    pub fn decode(&self) -> DecodedRecords {
        let encoded: usize = self.records.iter().map(Record::encoded_len).sum();
        let mut decoded =
            DecodedRecords { bytes: Vec::with_capacity(encoded / 4 * 3), ends: Vec::with_capacity(self.records.len()) };
        for record in &self.records {
            let start = decoded.bytes.len();
            let outcome = record.decode_into(&mut decoded.bytes);
            if outcome.is_err() {
                decoded.bytes.truncate(start);
            }
            decoded.ends.push(outcome.map(|()| decoded.bytes.len()));
        }
        decoded
    }
}

impl<'a> Record<'a> {
    /// The record's id, for logs and lines. An id that is not a string is shown as its JSON.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'a, str>> {
        let id = self.record_id?;
        Some(json::text(id).ok().flatten().unwrap_or(Cow::Borrowed(id.get())))
    }

    /// When the record reached Firehose or its source stream; `None` if missing or not a time.
    ///
    /// Firehose sends Unix milliseconds; AWS's samples show ISO 8601 strings.
    #[must_use]
    pub fn arrived_at(&self) -> Option<Timestamp> {
        self.arrival.and_then(timestamp).or_else(|| {
            // The metadata of both sources uses the record's field name.
            let metadata: Record = serde_json::from_str(self.source_metadata?.get()).ok()?;
            metadata.arrival.and_then(timestamp)
        })
    }

    /// Whether the record is from Amazon MSK, whose data has another name.
    pub(super) fn is_kafka(&self) -> bool {
        self.data.is_none() && self.kafka_record_value.is_some()
    }

    fn encoded(&self) -> Option<&'a RawValue> {
        self.data.or(self.kafka_record_value)
    }

    fn encoded_len(&self) -> usize {
        self.encoded().map_or(0, |data| data.get().len())
    }

    fn decode_into(&self, bytes: &mut Vec<u8>) -> Result<(), Reason> {
        let encoded = self.encoded().ok_or(Reason::MissingData)?;
        // Base64 has no backslash, so decoding also checks for escapes. A separate check would cost a batch 1.06 times the instructions.
        if json::quoted(encoded).is_some_and(|text| STANDARD.decode_append(text, bytes).is_ok()) {
            return Ok(());
        }
        let encoded = json::text(encoded).ok().flatten().ok_or(Reason::InvalidBase64)?;
        STANDARD.decode_append(encoded.as_bytes(), bytes).map_err(|_| Reason::InvalidBase64)
    }
}

/// The decoded data of a batch: one buffer, and for each record the end of its data or the reason for its failure.
#[derive(Debug)]
pub struct DecodedRecords {
    bytes: Vec<u8>,
    ends: Vec<Result<usize, Reason>>,
}

impl DecodedRecords {
    /// Each record's data, in the event's order.
    pub fn iter(&self) -> impl Iterator<Item = Result<&[u8], Reason>> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = (*end)?;
            let data = &self.bytes[start..end];
            start = end;
            Ok(data)
        })
    }
}

fn timestamp(value: &RawValue) -> Option<Timestamp> {
    if let Some(text) = json::text(value).ok()? {
        return text.parse().ok();
    }
    let millis = value.get();
    if let Ok(millis) = millis.parse() {
        return Timestamp::from_millisecond(millis).ok();
    }
    // Some emulators send a float.
    let seconds = millis.parse::<f64>().ok()? / 1000.0;
    let since_1970 = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(since_1970).ok()?.round(Unit::Millisecond).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn data_is_decoded_or_has_a_reason() {
        for (json, expected) in [
            (r#"{"data":"aGk="}"#, Ok("hi")),
            (r#"{"data":"aGk\u003d"}"#, Ok("hi")),
            (r#"{"kafkaRecordValue":"aGk="}"#, Ok("hi")),
            (r#"{"data":""}"#, Ok("")),
            ("{}", Err(Reason::MissingData)),
            (r#"{"data":null}"#, Err(Reason::MissingData)),
            (r#"{"data":7}"#, Err(Reason::InvalidBase64)),
            (r#"{"data":["aGk="]}"#, Err(Reason::InvalidBase64)),
            (r#"{"data":"aGk"}"#, Err(Reason::InvalidBase64)),
            (r#"{"data":"aGl="}"#, Err(Reason::InvalidBase64)),
            (r#"{"data":"a-k_"}"#, Err(Reason::InvalidBase64)),
            (r#"{"data":"aG k="}"#, Err(Reason::InvalidBase64)),
        ] {
            let mut bytes = Vec::new();
            let outcome = record(json).decode_into(&mut bytes);
            assert_eq!(outcome.map(|()| str::from_utf8(&bytes).unwrap()), expected, "{json}");
        }
    }

    #[test]
    fn one_bad_record_leaves_its_neighbours_data_in_place() {
        let event = r#"{"records":[{"data":"YQ=="},{"data":"YmI="},{"data":"YWF!"},{},{"data":"Yw=="}]}"#;
        let decoded = Event::parse(event).unwrap().decode();
        let expected: [Result<&[u8], Reason>; 5] =
            [Ok(b"a"), Ok(b"bb"), Err(Reason::InvalidBase64), Err(Reason::MissingData), Ok(b"c")];
        assert_eq!(decoded.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn arrival_times_of_every_form() {
        for (json, expected) in [
            (r#"{"approximateArrivalTimestamp":1495072949453}"#, Some("2017-05-18T02:02:29.453Z")),
            (r#"{"approximateArrivalTimestamp":1495072949453.0}"#, Some("2017-05-18T02:02:29.453Z")),
            (r#"{"approximateArrivalTimestamp":1.495072949453E12}"#, Some("2017-05-18T02:02:29.453Z")),
            // As seconds, this float is slightly less than its decimal form.
            (r#"{"approximateArrivalTimestamp":1495072949451.0}"#, Some("2017-05-18T02:02:29.451Z")),
            (r#"{"approximateArrivalTimestamp":1495072949000}"#, Some("2017-05-18T02:02:29.000Z")),
            (
                r#"{"approximateArrivalTimestamp":null,"mskRecordMetadata":{"approximateArrivalTimestamp":0}}"#,
                Some("1970-01-01T00:00:00.000Z"),
            ),
            (r#"{"approximateArrivalTimestamp":"2017-05-18T02:02:29.453Z"}"#, Some("2017-05-18T02:02:29.453Z")),
            (r#"{"approximateArrivalTimestamp":"2017-05-18T04:02:29.453+02:00"}"#, Some("2017-05-18T02:02:29.453Z")),
            (
                r#"{"kinesisRecordMetadata":{"approximateArrivalTimestamp":1495072949453}}"#,
                Some("2017-05-18T02:02:29.453Z"),
            ),
            (
                r#"{"mskRecordMetadata":{"approximateArrivalTimestamp":1495072949453}}"#,
                Some("2017-05-18T02:02:29.453Z"),
            ),
            (r#"{"approximateArrivalTimestamp":"soon"}"#, None),
            (r#"{"approximateArrivalTimestamp":99999999999999999999}"#, None),
            (r#"{"approximateArrivalTimestamp":1e300}"#, None),
            (r#"{"kinesisRecordMetadata":7}"#, None),
            ("{}", None),
        ] {
            let shown = record(json).arrived_at().map(|at| format!("{at:.3}"));
            assert_eq!(shown.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn the_last_of_repeated_members_counts() {
        let twice = r#"{"recordId":"a","data":7,"recordId":"b","data":"aGk="}"#;
        assert_eq!(record(twice).id().as_deref(), Some("b"));
        assert_eq!(record(twice).decode_into(&mut Vec::new()), Ok(()));
        let kafka = r#"{"kafkaRecordValue":7,"approximateArrivalTimestamp":"soon","kafkaRecordValue":"aGk=","approximateArrivalTimestamp":0}"#;
        assert_eq!(record(kafka).decode_into(&mut Vec::new()), Ok(()));
        assert_eq!(record(kafka).arrived_at(), Some(Timestamp::UNIX_EPOCH));
        let event = r#"{"records":[{}],"invocationId":"i","records":[],"invocationId":"j"}"#;
        let event = Event::parse(event).unwrap();
        assert_eq!((event.invocation_id().as_deref(), event.records.len()), (Some("j"), 0));
    }

    #[test]
    fn records_beyond_any_response_are_counted_and_not_kept() {
        let payload = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(300_000));
        let event = Event::parse(&payload).unwrap();
        assert_eq!((event.record_count(), event.records.len() < 215_000), (300_001, true));
    }

    #[test]
    fn an_invalid_event_is_an_error() {
        for payload in [
            "",
            "null",
            "[]",
            "{}",
            "{",
            r#"{"Records":[]}"#,
            r#"{"records":{}}"#,
            r#"{"records":null}"#,
            r#"{"records":[1]}"#,
            r#"["i",[]]"#,
            r#"{"records":[["r0","e30="]]}"#,
            r#"{"records":[null]}"#,
        ] {
            let message = Event::parse(payload).unwrap_err().to_string();
            assert!(message.starts_with("not a Firehose transformation event"), "{payload}: {message}");
        }
        let message = Event::parse(r#"{"records":"a visitor"}"#).unwrap_err().to_string();
        assert!(message.ends_with("another shape at line 1, column 22"), "{message}");
        let message = Event::parse("{\n\"records\":[}").unwrap_err().to_string();
        assert!(message.ends_with("invalid JSON at line 2, column 12"), "{message}");
    }
}
