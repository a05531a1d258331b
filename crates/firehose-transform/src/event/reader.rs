//! Reads the records of an event, and decodes their data.

use base64_simd::STANDARD;

use super::record::{DataError, RawRecord, quoted, text};
use crate::budget::MAX_RECORDS;
use crate::json::{Scanner, Shape, is_plain, members};

/// The members of a record, as JSON, so that one of an unexpected type fails the record and not the batch.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordMembers<'a> {
    id: Option<&'a str>,
    data: Option<&'a str>,
    kafka_record_value: Option<&'a str>,
    arrival: Option<&'a str>,
    kinesis_metadata: Option<&'a str>,
    msk_metadata: Option<&'a str>,
}

/// A member of a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    Id,
    Data,
    KafkaRecordValue,
    Arrival,
    KinesisMetadata,
    MskMetadata,
    Other,
}

impl Member {
    pub(super) fn named(name: &str) -> Self {
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
pub(super) struct LearnedShape {
    /// Whether a record was looked at. Those of Kinesis and MSK have objects in them, so each is scanned.
    is_tried: bool,
    shape: Option<RecordShape>,
}

/// How records are written whose values are strings and integers, as the first one of the event.
struct RecordShape {
    shape: Shape,
    members: Vec<Member>,
}

impl RecordShape {
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
pub(super) struct Records<'a> {
    pub(super) kept: Vec<RawRecord<'a>>,
    pub(super) data: Vec<u8>,
    /// How many exceed what any response can hold. Those are not kept: an event of nothing but `{}` would take fifty times its size.
    pub(super) unread: usize,
}

impl<'a> Records<'a> {
    pub(super) fn of(text: &str) -> Self {
        // Untouched capacity takes no memory.
        Self { kept: Vec::new(), data: Vec::with_capacity(text.len() / 4 * 3), unread: 0 }
    }

    /// Decodes the record's data while it is in the CPU's cache.
    pub(super) fn push(&mut self, members: &RecordMembers<'a>) -> Result<(), DataError> {
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

impl<'a> RecordMembers<'a> {
    /// Reads the record that `scanner` has next.
    pub(super) fn scan(scanner: &mut Scanner<'a>, learned: &mut LearnedShape) -> Option<Self> {
        let mut record = Self::default();
        if let Some(RecordShape { shape, members }) = &learned.shape {
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
            let shape = RecordShape::of(&start[..start.len() - scanner.rest().len()]);
            *learned = LearnedShape { is_tried: true, shape };
        }
        Some(record)
    }

    /// As [`Header::set`].
    pub(super) fn set(&mut self, member: Member, value: &'a str) {
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

    pub(super) fn encoded(&self) -> Option<&'a str> {
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
