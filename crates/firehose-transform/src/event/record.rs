//! One record of an event.

use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is kept of a record. It is small, because 10,000 of them pass through the CPU's cache for each batch.
#[derive(Debug)]
pub(crate) struct RawRecord<'a> {
    /// As JSON, as are the next two.
    pub(crate) id: Option<&'a str>,
    pub(super) arrival: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    /// Whether the metadata is that of Amazon MSK, and not that of Kinesis.
    pub(super) is_msk_metadata: bool,
    /// The end of its data, which starts where that of the record before ends.
    pub(super) end: usize,
    pub(super) error: Option<DataError>,
    /// Whether the data is a `kafkaRecordValue`, as that of Amazon MSK.
    pub(crate) is_kafka: bool,
}

/// One record of an [`Event`](super::Event), with its data.
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
    pub(super) raw: &'e RawRecord<'e>,
    pub(super) data: &'e [u8],
    /// The same, if it is known to be UTF-8.
    pub(super) text: Option<&'e str>,
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

impl<'a> RawRecord<'a> {
    pub(super) fn id(&self) -> Option<Cow<'a, str>> {
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
            let [arrival] = members(self.raw.metadata?, ["approximateArrivalTimestamp"])?;
            timestamp(arrival?)
        };
        self.raw.arrival.and_then(timestamp).or_else(of_source).map(SystemTime::from)
    }

    /// The metadata of a record that a Kinesis data stream had.
    #[must_use]
    pub fn kinesis_metadata(&self) -> Option<KinesisMetadata<'e>> {
        let names = ["shardId", "partitionKey", "sequenceNumber", "subsequenceNumber"];
        let members = members(self.metadata_of(false)?, names).unwrap_or_default();
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
        let members = members(self.metadata_of(true)?, ["offset", "partitionId"]).unwrap_or_default();
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
pub(super) fn quoted(json: &str) -> Option<&str> {
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

/// A member's name, borrowed if it has no escape: serde copies a bare `Cow`.
#[derive(serde::Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The last member of `object` with each of these names; `None` if it is not an object. The others are not kept.
fn members<'a, const N: usize>(object: &'a str, names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    struct MembersVisitor<'n, const N: usize>([&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for MembersVisitor<'_, N> {
        type Value = [Option<&'de str>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
                if let Some(index) = self.0.iter().position(|wanted| *wanted == name) {
                    found[index] = Some(value.get());
                }
            }
            Ok(found)
        }
    }

    serde_json::Deserializer::from_str(object).deserialize_map(MembersVisitor(names)).ok()
}
