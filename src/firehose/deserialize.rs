//! Deserialises events. serde's derive would accept arrays as objects, and would fail the whole event for a repeated member. Here the last
//! one counts, as in most parsers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::event::{Event, Record};
use super::response::MAX_RECORDS;
use service_kit::json::Name;

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Firehose event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut invocation_id = None;
        let mut records = None;
        while let Some(name) = map.next_key::<Name>()? {
            match &*name.0 {
                "invocationId" => invocation_id = map.next_value()?,
                "records" => records = Some(map.next_value()?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let Records { records, unread } = records.ok_or_else(|| A::Error::missing_field("records"))?;
        Ok(Event { invocation_id, records, unread })
    }
}

struct Records<'a> {
    records: Vec<Record<'a>>,
    unread: usize,
}

impl<'de> Deserialize<'de> for Records<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RecordsVisitor)
    }
}

struct RecordsVisitor;

impl<'de> Visitor<'de> for RecordsVisitor {
    type Value = Records<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut records, mut unread) = (Vec::new(), 0);
        while let Some(record) = seq.next_element()? {
            if records.len() < MAX_RECORDS {
                records.push(record);
            } else {
                unread += 1;
            }
        }
        Ok(Records { records, unread })
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut record = Record::default();
        while let Some(name) = map.next_key::<Name>()? {
            // `null` counts as missing.
            match &*name.0 {
                "recordId" => record.record_id = map.next_value()?,
                "data" => record.data = map.next_value()?,
                "kafkaRecordValue" => record.kafka_record_value = map.next_value()?,
                "approximateArrivalTimestamp" => record.arrival = map.next_value()?,
                "kinesisRecordMetadata" | "mskRecordMetadata" => record.source_metadata = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(record)
    }
}
