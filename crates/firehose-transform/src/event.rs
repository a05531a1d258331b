//! Transformation events of every source: Direct PUT, Kinesis Data Streams and Amazon MSK.

mod deserialize;

use std::borrow::Cow;
use std::str::Utf8Error;
use std::time::SystemTime;

use crate::budget::{MAX_RECORDS, RESPONSE_BUDGET_BYTES, least_len};
use crate::json::{Scanner, Shape, is_plain, members};

use base64_simd::STANDARD;
use jiff::{SignedDuration, Timestamp, Unit};

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

/// The members of a record, as JSON, so that one of an unexpected type fails the record and not the batch.
#[derive(Clone, Debug, Default)]
struct Members<'a> {
    id: Option<&'a str>,
    data: Option<&'a str>,
    kafka_record_value: Option<&'a str>,
    arrival: Option<&'a str>,
    kinesis_metadata: Option<&'a str>,
    msk_metadata: Option<&'a str>,
}

/// What is kept of a record. It is small, because 10,000 of them pass through the CPU's cache for each batch.
#[derive(Debug)]
pub(crate) struct RawRecord<'a> {
    /// As JSON, as are the next two.
    pub(crate) id: Option<&'a str>,
    arrival: Option<&'a str>,
    metadata: Option<&'a str>,
    /// Whether the metadata is that of Amazon MSK, and not that of Kinesis.
    is_msk_metadata: bool,
    /// The end of its data, which starts where that of the record before ends.
    end: usize,
    error: Option<DataError>,
    /// Whether the data is a `kafkaRecordValue`, as that of Amazon MSK.
    pub(crate) is_kafka: bool,
}

/// One record of an [`Event`], with its data.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use firehose_transform::Event;
///
/// let payload = br#"{"records":[{"recordId":"a","approximateArrivalTimestamp":1495072949453,"data":"aGk="}]}"#;
/// let event = Event::parse(payload)?;
/// for record in event.records().flatten() {
///     assert_eq!(record.data(), b"hi");
///     assert_eq!(record.text(), Ok("hi"));
///     assert_eq!(record.id().as_deref(), Some("a"));
///     assert_eq!(record.arrived_at(), Some(UNIX_EPOCH + Duration::from_millis(1_495_072_949_453)));
/// }
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'e> {
    raw: &'e RawRecord<'e>,
    data: &'e [u8],
    /// The same, if it is known to be UTF-8.
    text: Option<&'e str>,
}

/// Why a record has no data. Such a record fails: it gets the result `ProcessingFailed`.
///
/// ```
/// use firehose_transform::{DataError, Event};
///
/// let event = Event::parse(br#"{"records":[{"recordId":"a"},{"recordId":"b","data":"?"}]}"#)?;
/// let errors: Vec<_> = event.records().filter_map(Result::err).collect();
/// assert_eq!(errors, [DataError::Missing, DataError::InvalidBase64]);
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The record has neither `data` nor `kafkaRecordValue`, or it is `null`.
    #[error("the record has no data")]
    Missing,
    /// The data is not a string of base64, in the standard alphabet with padding.
    #[error("the data is not base64")]
    InvalidBase64,
}

/// Why a payload is not an event that can be answered.
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
    #[error(
        "not a Firehose transformation event, which is an object with an array `records` of objects: \
         {what} at line {line}, column {column}"
    )]
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
    /// The error's type for Lambda: `NotAFirehoseEvent` or `TooManyRecords`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
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
            let mut form = LearnedForm::default();
            scanner.elements(|scanner| {
                let before = scanner.rest().len();
                let members = Members::scan(scanner, &mut form)?;
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

/// A member of a record.
#[derive(Clone, Copy, Debug)]
enum Member {
    Id,
    Data,
    KafkaRecordValue,
    Arrival,
    KinesisMetadata,
    MskMetadata,
    Other,
}

impl Member {
    fn named(name: &str) -> Self {
        match name {
            "recordId" => Self::Id,
            "data" => Self::Data,
            "kafkaRecordValue" => Self::KafkaRecordValue,
            "approximateArrivalTimestamp" => Self::Arrival,
            "kinesisRecordMetadata" => Self::KinesisMetadata,
            "mskRecordMetadata" => Self::MskMetadata,
            _ => Self::Other,
        }
    }

    fn is_data(self) -> bool {
        matches!(self, Self::Data | Self::KafkaRecordValue)
    }
}

/// What is known of how the records of an event are written.
#[derive(Default)]
struct LearnedForm {
    /// Whether a record was looked at. Those of Kinesis and MSK have objects in them, so each is scanned.
    is_tried: bool,
    form: Option<Form>,
}

/// How records are written whose values are strings and integers, as the first one of the event.
struct Form {
    shape: Shape,
    members: Vec<Member>,
}

impl Form {
    fn of(record: &str) -> Option<Self> {
        let mut names = Vec::new();
        members(record, |name, _| names.push(Member::named(name)))?;
        // Of several, the last one is decoded, and the others are not checked.
        if names.iter().filter(|name| name.is_data()).count() > 1 {
            return None;
        }
        Some(Self { shape: Shape::of(record)?, members: names })
    }
}

/// The records of an event, as they are read.
struct Records<'a> {
    kept: Vec<RawRecord<'a>>,
    data: Vec<u8>,
    /// How many exceed what any response can hold. Those are not kept: an event of nothing but `{}` would take fifty times its size.
    unread: usize,
}

impl<'a> Records<'a> {
    fn of(text: &str) -> Self {
        // Untouched capacity takes no memory.
        Self { kept: Vec::new(), data: Vec::with_capacity(text.len() / 4 * 3), unread: 0 }
    }

    /// Decodes the record's data while it is in the CPU's cache.
    fn push(&mut self, members: &Members<'a>) -> Result<(), DataError> {
        if self.kept.len() == MAX_RECORDS {
            self.unread += 1;
            return Ok(());
        }
        let start = self.data.len();
        let decoded = members.decode_into(&mut self.data);
        if decoded.is_err() {
            self.data.truncate(start);
        }
        self.kept.push(RawRecord {
            id: members.id,
            arrival: members.arrival,
            metadata: members.kinesis_metadata.or(members.msk_metadata),
            is_msk_metadata: members.kinesis_metadata.is_none(),
            end: self.data.len(),
            error: decoded.err(),
            is_kafka: members.data.is_none() && members.kafka_record_value.is_some(),
        });
        decoded
    }
}

impl<'a> Members<'a> {
    /// Reads the record that `scanner` has next.
    fn scan(scanner: &mut Scanner<'a>, learned: &mut LearnedForm) -> Option<Self> {
        let mut record = Self::default();
        if let Some(Form { shape, members }) = &learned.form {
            let read = scanner.shaped(shape, |index, value| {
                let member = members[index];
                record.set(member, value);
                // Data is checked when it is decoded.
                member.is_data() || !value.starts_with('"') || is_plain(value)
            });
            if read.is_some() {
                return Some(record);
            }
        }
        let mut record = Self::default();
        let start = scanner.rest();
        scanner.names(|scanner, name| {
            record.set(Member::named(name), scanner.value()?);
            Some(())
        })?;
        if !learned.is_tried {
            let form = Form::of(&start[..start.len() - scanner.rest().len()]);
            *learned = LearnedForm { is_tried: true, form };
        }
        Some(record)
    }

    /// As [`Header::set`].
    fn set(&mut self, member: Member, value: &'a str) {
        let value = Some(value).filter(|value| *value != "null");
        match member {
            Member::Id => self.id = value,
            Member::Data => self.data = value,
            Member::KafkaRecordValue => self.kafka_record_value = value,
            Member::Arrival => self.arrival = value,
            Member::KinesisMetadata => self.kinesis_metadata = value,
            Member::MskMetadata => self.msk_metadata = value,
            Member::Other => {}
        }
    }

    fn encoded(&self) -> Option<&'a str> {
        self.data.or(self.kafka_record_value)
    }

    fn decode_into(&self, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        let encoded = self.encoded().ok_or(DataError::Missing)?;
        // Decoding reserves no more than it needs, which would copy the buffer for each record.
        bytes.reserve(encoded.len() / 4 * 3);
        // Base64 has no backslash, so decoding also checks for escapes.
        if quoted(encoded).is_some_and(|text| STANDARD.decode_append(text, bytes).is_ok()) {
            return Ok(());
        }
        let encoded = text(encoded).ok_or(DataError::InvalidBase64)?;
        STANDARD.decode_append(encoded.as_bytes(), bytes).map_err(|_| DataError::InvalidBase64)
    }
}

impl<'a> RawRecord<'a> {
    fn id(&self) -> Option<Cow<'a, str>> {
        let id = self.id?;
        Some(text(id).unwrap_or(Cow::Borrowed(id)))
    }
}

impl<'e> Record<'e> {
    /// The record's data.
    #[must_use]
    pub fn data(&self) -> &'e [u8] {
        self.data
    }

    /// The record's data as UTF-8. This is faster than [`str::from_utf8`]: all records of an event are checked at once.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&'e str, Utf8Error> {
        self.text.map_or_else(|| str::from_utf8(self.data), Ok)
    }

    /// The record's id. It is opaque: up to 160 characters were seen. One that is not a string is its JSON; some emulators send none.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'e, str>> {
        self.raw.id()
    }

    /// When the record reached Firehose or its source stream; `None` if missing or not a time.
    ///
    /// Firehose sends Unix milliseconds; AWS's samples show ISO 8601 strings.
    #[must_use]
    pub fn arrived_at(&self) -> Option<SystemTime> {
        let of_source = || {
            let [arrival] = deserialize::members(self.raw.metadata?, ["approximateArrivalTimestamp"])?;
            timestamp(arrival?)
        };
        self.raw.arrival.and_then(timestamp).or_else(of_source).map(SystemTime::from)
    }

    /// The metadata of a record that a Kinesis data stream had.
    #[must_use]
    pub fn kinesis_metadata(&self) -> Option<KinesisMetadata<'e>> {
        let names = ["shardId", "partitionKey", "sequenceNumber", "subsequenceNumber"];
        let members = deserialize::members(self.metadata_of(false)?, names).unwrap_or_default();
        let [shard_id, partition_key, sequence_number, subsequence_number] = members;
        Some(KinesisMetadata {
            shard_id: shard_id.and_then(text),
            partition_key: partition_key.and_then(text),
            sequence_number: sequence_number.and_then(text),
            subsequence_number: subsequence_number
                .and_then(|number| text(number).unwrap_or(Cow::Borrowed(number)).parse().ok()),
        })
    }

    /// The metadata of a record that an MSK topic had.
    #[must_use]
    pub fn msk_metadata(&self) -> Option<MskMetadata<'e>> {
        let members = deserialize::members(self.metadata_of(true)?, ["offset", "partitionId"]).unwrap_or_default();
        let [offset, partition_id] = members;
        Some(MskMetadata { offset: offset.and_then(text), partition_id: partition_id.and_then(text) })
    }

    fn metadata_of(&self, msk: bool) -> Option<&'e str> {
        self.raw.metadata.filter(|_| self.raw.is_msk_metadata == msk)
    }
}

/// Where a record was in a Kinesis data stream. What the event lacks is `None`.
///
/// ```
/// use firehose_transform::Event;
///
/// let event = Event::parse(br#"{"records":[{"data":"","kinesisRecordMetadata":{"partitionKey":"customer-7"}}]}"#)?;
/// let metadata = event.records().flatten().next().and_then(|record| record.kinesis_metadata()).unwrap();
/// assert_eq!(metadata.partition_key.as_deref(), Some("customer-7"));
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KinesisMetadata<'e> {
    /// The shard, such as `shardId-000000000000`.
    pub shard_id: Option<Cow<'e, str>>,
    /// The key that the producer gave.
    pub partition_key: Option<Cow<'e, str>>,
    /// The record's number in its shard, up to 128 decimal digits.
    pub sequence_number: Option<Cow<'e, str>>,
    /// The record's place in a KPL aggregate, which Firehose has taken apart.
    pub subsequence_number: Option<u64>,
}

/// Where a record was in an MSK topic. What the event lacks is `None`.
///
/// ```
/// use firehose_transform::Event;
///
/// let payload = br#"{"records":[{"kafkaRecordValue":"","mskRecordMetadata":{"offset":"7","partitionId":"1"}}]}"#;
/// let event = Event::parse(payload)?;
/// let metadata = event.records().flatten().next().and_then(|record| record.msk_metadata()).unwrap();
/// assert_eq!((metadata.partition_id.as_deref(), metadata.offset.as_deref()), (Some("1"), Some("7")));
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MskMetadata<'e> {
    /// The record's offset in its partition, in decimal digits.
    pub offset: Option<Cow<'e, str>>,
    /// The partition, in decimal digits.
    pub partition_id: Option<Cow<'e, str>>,
}

/// The text of a JSON string; `None` for another value, or a lone surrogate.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = quoted(json)?;
    if inner.contains('\\') { serde_json::from_str(json).map(Cow::Owned).ok() } else { Some(Cow::Borrowed(inner)) }
}

/// What is between the quotes of a JSON string.
fn quoted(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

fn timestamp(json: &str) -> Option<Timestamp> {
    let text = text(json);
    let number = text.as_deref().unwrap_or(json);
    if let Some(time) = text.as_deref().and_then(|text| text.parse().ok()) {
        return Some(time);
    }
    if let Ok(millis) = number.parse() {
        return Timestamp::from_millisecond(millis).ok();
    }
    // Some emulators send a float.
    let seconds = number.parse::<f64>().ok()? / 1000.0;
    let since_1970 = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(since_1970).ok()?.round(Unit::Millisecond).ok()
}

fn not_utf8(payload: &[u8], valid: usize) -> EventError {
    let lines = payload[..valid].split(|byte| *byte == b'\n');
    let (line, column) = lines.fold((0, 0), |(line, _), text| (line + 1, text.len() + 1));
    EventError::Shape { what: "invalid UTF-8", line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Records<'_> {
        let mut records = Records::of(json);
        let _decoded = records.push(&serde_json::from_str(json).unwrap());
        records
    }

    fn data(json: &str) -> Result<String, DataError> {
        let Records { kept, data, .. } = read(json);
        kept[0].error.map_or_else(|| Ok(String::from_utf8(data).unwrap()), Err)
    }

    fn arrival(json: &str) -> Option<String> {
        let raw = &read(json).kept[0];
        let record = Record { raw, data: b"", text: None };
        record.arrived_at().map(|at| format!("{:.3}", Timestamp::try_from(at).unwrap()))
    }

    #[test]
    fn data_is_decoded_or_has_a_reason() {
        for (json, expected) in [
            (r#"{"data":"aGk="}"#, Ok("hi")),
            (r#"{"data":"aGk\u003d"}"#, Ok("hi")),
            (r#"{"kafkaRecordValue":"aGk="}"#, Ok("hi")),
            (r#"{"data":""}"#, Ok("")),
            ("{}", Err(DataError::Missing)),
            (r#"{"data":null}"#, Err(DataError::Missing)),
            (r#"{"data":7}"#, Err(DataError::InvalidBase64)),
            (r#"{"data":["aGk="]}"#, Err(DataError::InvalidBase64)),
            (r#"{"data":"aGk"}"#, Err(DataError::InvalidBase64)),
            (r#"{"data":"aGl="}"#, Err(DataError::InvalidBase64)),
            (r#"{"data":"a-k_"}"#, Err(DataError::InvalidBase64)),
            (r#"{"data":"aG k="}"#, Err(DataError::InvalidBase64)),
        ] {
            assert_eq!(data(json), expected.map(str::to_owned), "{json}");
        }
    }

    #[test]
    fn one_bad_record_leaves_its_neighbours_data_in_place() {
        let event = br#"{"records":[{"data":"YQ=="},{"data":"YmI="},{"data":"YWF!"},{},{"data":"Yw=="}]}"#;
        let event = Event::parse(event).unwrap();
        let expected: [Result<&[u8], DataError>; 5] =
            [Ok(b"a"), Ok(b"bb"), Err(DataError::InvalidBase64), Err(DataError::Missing), Ok(b"c")];
        assert_eq!(event.records().map(|record| record.map(|record| record.data())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn text_is_what_a_check_of_each_record_finds() {
        // Of "é", one record has the first byte, and the next one the second.
        let event = br#"{"records":[{"data":"YQ=="},{"data":"YcM="},{"data":"qWI="},{},{"data":"w6k="},{"data":""}]}"#;
        let last_is_not = br#"{"records":[{"data":"YQ=="},{"data":"w6k="},{"data":"/w=="}]}"#;
        for event in [&event[..], last_is_not] {
            for record in Event::parse(event).unwrap().records().flatten() {
                assert_eq!(record.text(), str::from_utf8(record.data()));
            }
        }
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
            (r#"{"approximateArrivalTimestamp":-1}"#, Some("1969-12-31T23:59:59.999Z")),
            // As aws_lambda_events writes it.
            (r#"{"approximateArrivalTimestamp":"1495072949453"}"#, Some("2017-05-18T02:02:29.453Z")),
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
            assert_eq!(arrival(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn metadata_is_of_its_source() {
        for (json, kinesis, msk) in [
            (r#"{"data":"","kinesisRecordMetadata":{}}"#, true, false),
            (r#"{"kafkaRecordValue":"","mskRecordMetadata":{}}"#, false, true),
            // Of an emulator, perhaps.
            (r#"{"data":"","mskRecordMetadata":{}}"#, false, true),
            (r#"{"data":""}"#, false, false),
        ] {
            let record = Record { raw: &read(json).kept[0], data: b"", text: None };
            assert_eq!(
                (record.kinesis_metadata().is_some(), record.msk_metadata().is_some()),
                (kinesis, msk),
                "{json}"
            );
        }
    }

    #[test]
    fn both_readers_agree() {
        for payload in [
            r#"{"records":[]}"#,
            "{ \"invocationId\" : \"i\" ,\n \"records\" : [ { } , { \"recordId\" : 7 } ] }",
            r#"{"region":null,"records":[{"recordId":"a","data":"aGk=","mskRecordMetadata":{"offset":"0"}}],"x":[1,{}]}"#,
            // The second record has the form of the first one, and the others have not.
            r#"{"records":[{"recordId":"a","approximateArrivalTimestamp":1,"data":"aGk="},{"recordId":"b","approximateArrivalTimestamp":22,"data":""},{"data":"","recordId":"c"},{"recordId":"d","approximateArrivalTimestamp":null,"data":""}]}"#,
            r#"{"invocationId":"i","invocationId":"j","records":[{"recordId":"a","recordId":"b","data":"","data":null}]}"#,
        ] {
            let scanned = Event::scan(payload).unwrap_or_else(|| panic!("{payload}"));
            let (parsed, unread) = deserialize::event(payload).unwrap();
            assert_eq!((format!("{scanned:?}"), 0), (format!("{parsed:?}"), unread));
        }
    }

    #[test]
    fn the_last_of_repeated_members_counts() {
        let twice = r#"{"recordId":"a","data":7,"recordId":"b","data":"aGk="}"#;
        assert_eq!(read(twice).kept[0].id().as_deref(), Some("b"));
        assert!(data(twice).is_ok());
        let kafka = r#"{"kafkaRecordValue":7,"approximateArrivalTimestamp":"soon","kafkaRecordValue":"aGk=","approximateArrivalTimestamp":0}"#;
        assert!(data(kafka).is_ok());
        assert_eq!(arrival(kafka).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        let event = br#"{"records":[{}],"invocationId":"i","records":[],"invocationId":"j"}"#;
        let event = Event::parse(event).unwrap();
        assert_eq!((event.invocation_id().as_deref(), event.len()), (Some("j"), 0));
    }

    #[test]
    fn more_records_than_a_response_holds_are_counted_and_refused() {
        let payload = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(300_000));
        let (parsed, unread) = deserialize::event(&payload).unwrap();
        assert_eq!((parsed.len() + unread, parsed.len() < 215_000), (300_001, true));
        assert_eq!(Event::parse(payload.as_bytes()).unwrap_err(), EventError::TooManyRecords { records: 300_001 });
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
            // Each has the form of the record before, but for what is no JSON.
            "{\"records\":[{\"data\":\"\"},{\"data\":\"\x01\"}]}",
            r#"{"records":[{"data":""},{"data":"\q"}]}"#,
            r#"{"records":[{"data":""},{"data":"aGk\"}]}"#,
            r#"{"records":[{"data":"","data":""},{"data":"\q","data":""}]}"#,
            r#"{"records":[{"kafkaRecordValue":"","data":""},{"kafkaRecordValue":"\q","data":""}]}"#,
            r#"{"records":[{"recordId":"a","data":""},{"recordId":"\q","data":""}]}"#,
        ] {
            let message = Event::parse(payload.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with("not a Firehose transformation event"), "{payload}: {message}");
        }
        for (payload, expected) in [
            (&br#"{"records":"a visitor"}"#[..], "another shape at line 1, column 22"),
            (b"{\n\"records\":[}", "invalid JSON at line 2, column 12"),
            (b"{\n\"\xff", "invalid UTF-8 at line 2, column 2"),
        ] {
            let message = Event::parse(payload).unwrap_err().to_string();
            assert!(message.ends_with(expected), "{message}");
        }
    }
}
