//! Transformation events of every source: Direct PUT, Kinesis Data Streams and Amazon MSK.

mod deserialize;
mod reader;
mod record;

use std::borrow::Cow;

use crate::budget::{MAX_RECORDS, RESPONSE_BUDGET_BYTES, least_len};
use crate::json::{Scanner, is_plain};

use reader::{LearnedShape, RecordMembers, Records};
pub(crate) use record::RawRecord;
pub(crate) use record::text;
pub use record::{DataError, KinesisMetadata, MskMetadata, Record};

/// A batch of records, as Firehose sends it. Ids and metadata borrow from the payload; the records' data is decoded into one buffer.
///
/// ```
/// use firehose_transform::Event;
///
/// let payload = br#"{"invocationId":"i","records":[{"recordId":"a","data":"aGk="},{"recordId":"b","data":7}]}"#;
/// let event = Event::parse(payload)?;
/// let data: Vec<_> = event.records().map(|record| record.map(|record| record.data())).collect();
/// assert_eq!(data[0], Ok(&b"hi"[..]));
/// assert!(data[1].is_err());
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Debug)]
pub struct Event<'a> {
    header: Header<'a>,
    pub(crate) records: Vec<RawRecord<'a>>,
    data: Data,
}

/// The data of all records.
#[derive(Debug)]
enum Data {
    Text(String),
    /// Some of it is not UTF-8.
    Bytes(Vec<u8>),
}

/// The members of an event besides its records, as JSON.
#[derive(Debug, Default)]
struct Header<'a> {
    invocation_id: Option<&'a str>,
    delivery_stream_arn: Option<&'a str>,
    source_arn: Option<&'a str>,
    region: Option<&'a str>,
}

/// Why there is no response to a payload.
///
/// The message has the position and no content: the payload must not get into a log.
///
/// ```
/// use firehose_transform::{Event, EventError};
///
/// let error = Event::parse(br#"{"Records":[]}"#).unwrap_err();
/// assert!(matches!(error, EventError::Shape { line: 1, .. }), "{error}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The payload is not JSON, or not an object with an array `records` of objects.
    #[error("not a Firehose transformation event: {what} at line {line}, column {column}")]
    #[non_exhaustive]
    Shape {
        /// What is wrong.
        what: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, or 0 before the first byte of a line.
        column: usize,
    },
    /// Not even the shortest results fit into a response. Firehose sends no such event.
    #[error("found {records} records, whose results do not fit into a response of {RESPONSE_BUDGET_BYTES} bytes")]
    #[non_exhaustive]
    TooManyRecords {
        /// The number of records.
        records: usize,
    },
}

impl EventError {
    /// The error type that Lambda reports: `NotAFirehoseEvent` or `TooManyRecords`.
    #[must_use]
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "NotAFirehoseEvent",
            Self::TooManyRecords { .. } => "TooManyRecords",
        }
    }
}

impl<'a> Event<'a> {
    /// Parses the payload of an invocation, and decodes the data of its records.
    ///
    /// # Errors
    /// `payload` is not JSON, not an object with an array `records` of objects, or has more records than a response can hold. What is wrong
    /// with a single record is that record's error: see [`Event::records`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, EventError> {
        let text = str::from_utf8(payload).map_err(|error| not_utf8(payload, error.valid_up_to()))?;
        let (event, unread) = match Self::scan(text) {
            Some(event) => (event, 0),
            None => deserialize::event(text)?,
        };
        if unread > 0 || least_len(event.records.iter().map(|record| record.id)) > RESPONSE_BUDGET_BYTES {
            return Err(EventError::TooManyRecords { records: event.records.len() + unread });
        }
        Ok(event)
    }

    /// Reads an event as Firehose writes it. Others are left to serde.
    fn scan(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let (mut header, mut records) = (Header::default(), None);
        scanner.names(|scanner, name| {
            if name != "records" {
                header.set(name, scanner.value()?);
                return Some(());
            }
            let mut found = Records::of(text);
            let mut shape = LearnedShape::default();
            scanner.elements(|scanner| {
                let before = scanner.rest().len();
                let members = RecordMembers::scan(scanner, &mut shape)?;
                // The data was not checked. It is base64, or serde decides whether it is JSON at all.
                if found.push(&members).is_err() && !members.encoded().is_none_or(is_plain) {
                    return None;
                }
                if found.kept.len() == 1 {
                    // The others are as long, or nearly so. A growing buffer is copied, and untouched capacity takes no memory.
                    let left = scanner.rest().len();
                    found.kept.reserve((left / (before - left)).min(MAX_RECORDS));
                }
                (found.unread == 0).then_some(())
            })?;
            records.replace(found).is_none().then_some(())
        })?;
        scanner.end()?;
        Some(Self::new(header, records?))
    }

    fn new(header: Header<'a>, records: Records<'a>) -> Self {
        let data = String::from_utf8(records.data).map_or_else(|error| Data::Bytes(error.into_bytes()), Data::Text);
        Self { header, records: records.kept, data }
    }

    /// The records in their order, or why one has no data.
    ///
    /// A response has one result for each of them, in any case.
    #[must_use]
    pub fn records(&self) -> impl ExactSizeIterator<Item = Result<Record<'_>, DataError>> + Clone {
        let (bytes, text) = match &self.data {
            Data::Text(text) => (text.as_bytes(), Some(text.as_str())),
            Data::Bytes(bytes) => (bytes.as_slice(), None),
        };
        let mut start = 0;
        self.records.iter().map(move |raw| {
            let range = start..raw.end;
            start = raw.end;
            if let Some(error) = raw.error {
                return Err(error);
            }
            // A character may begin in one record and end in the next. Then neither is UTF-8.
            Ok(Record { raw, data: &bytes[range.clone()], text: text.and_then(|text| text.get(range)) })
        })
    }

    /// The id of the record at `index`, as [`Record::id`], also of one without data.
    #[must_use]
    pub fn record_id(&self, index: usize) -> Option<Cow<'_, str>> {
        self.records.get(index)?.id()
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The id of this attempt, which changes when Firehose retries. Some emulators omit it.
    #[must_use]
    pub fn invocation_id(&self) -> Option<Cow<'_, str>> {
        text(self.header.invocation_id?)
    }

    /// The ARN of the delivery stream.
    #[must_use]
    pub fn delivery_stream_arn(&self) -> Option<Cow<'_, str>> {
        text(self.header.delivery_stream_arn?)
    }

    /// The ARN of the Kinesis data stream or the MSK cluster; `None` for Direct PUT.
    #[must_use]
    pub fn source_arn(&self) -> Option<Cow<'_, str>> {
        text(self.header.source_arn?)
    }

    /// The AWS Region of the delivery stream.
    #[must_use]
    pub fn region(&self) -> Option<Cow<'_, str>> {
        text(self.header.region?)
    }
}

impl<'a> Header<'a> {
    /// Sets the member with that name, if it is one. `null` counts as missing.
    fn set(&mut self, name: &str, value: &'a str) {
        let member = match name {
            "invocationId" => &mut self.invocation_id,
            "deliveryStreamArn" => &mut self.delivery_stream_arn,
            "sourceKinesisStreamArn" | "sourceMSKArn" => &mut self.source_arn,
            "region" => &mut self.region,
            _ => return,
        };
        *member = Some(value).filter(|value| *value != "null");
    }
}

fn not_utf8(payload: &[u8], valid: usize) -> EventError {
    let lines = payload[..valid].split(|byte| *byte == b'\n');
    let (line, column) = lines.fold((0, 0), |(line, _), text| (line + 1, text.len() + 1));
    EventError::Shape { what: "invalid UTF-8", line, column }
}

#[cfg(test)]
mod tests;
