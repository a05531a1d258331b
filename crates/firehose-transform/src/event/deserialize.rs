//! Deserialises any event. serde's derive would accept arrays as objects, and would fail the whole event for a repeated member. Here the
//! last one counts, as in most parsers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reader::{Member, RecordMembers, Records};
use super::record::Name;
use super::{Event, EventError, Header};

/// The event in `text`, and how many records exceed what any response can hold.
pub(super) fn event(text: &str) -> Result<(Event<'_>, usize), EventError> {
    let Parsed { header, records } = serde_json::from_str(text).map_err(|error| EventError::Shape {
        what: if error.is_data() { "no object with an array `records` of objects" } else { "invalid JSON" },
        line: error.line(),
        column: error.column(),
    })?;
    let unread = records.unread;
    Ok((Event::new(header, records), unread))
}

struct Parsed<'a> {
    header: Header<'a>,
    records: Records<'a>,
}

impl<'de> Deserialize<'de> for Parsed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Parsed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Firehose event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut header, mut records) = (Header::default(), None);
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "records" => records = Some(map.next_value()?),
                name => header.set(name, map.next_value::<&RawValue>()?.get()),
            }
        }
        Ok(Parsed { header, records: records.ok_or_else(|| A::Error::missing_field("records"))? })
    }
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
        let mut records = Records::of("");
        while let Some(record) = seq.next_element()? {
            // The record has the error.
            let _decoded = records.push(&record);
        }
        Ok(records)
    }
}

impl<'de> Deserialize<'de> for RecordMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = RecordMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut record = RecordMembers::default();
        while let Some(Name(name)) = map.next_key()? {
            record.set(Member::named(&name), map.next_value::<&RawValue>()?.get());
        }
        Ok(record)
    }
}
