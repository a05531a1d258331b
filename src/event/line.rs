//! The enriched line, and the partition keys taken from it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use service_kit::json;

use super::batch::InputEvent;
use super::format::{Column, EventFormat};
use crate::config::{Config, RecordField};
use crate::field::Value;
use crate::lookup::Attributes;

/// It becomes a part of an object key, which is limited to 1,024 bytes ("Naming Amazon S3 objects", Amazon S3 User Guide).
const MAX_PARTITION_KEY_BYTES: usize = 256;

/// The fields of a line: those of the event, the attributes, and those of the record. Some of them are partition keys.
#[derive(Clone, Debug)]
pub struct LineFormat {
    event: EventFormat,
    /// Each with a comma, its name and a colon as JSON.
    record: Vec<(String, RecordField)>,
    partition_keys: Vec<(String, FieldSource)>,
}

/// The metadata of a record that a line can carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordMetadata<'a> {
    /// The arrival time: ISO 8601, UTC, with milliseconds.
    pub arrived_at: Option<String>,
    /// The record id.
    pub record_id: Option<Cow<'a, str>>,
}

impl RecordMetadata<'static> {
    pub(crate) const NONE: &'static Self = &Self { arrived_at: None, record_id: None };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FieldSource {
    Event(usize),
    Attribute(usize),
    Record(RecordField),
}

impl LineFormat {
    /// The configured line.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let event = config.event_fields.iter().enumerate();
        let event = event.filter_map(|(index, field)| Some((&*field.field()?.output, FieldSource::Event(index))));
        let attributes = config.attributes.iter().enumerate();
        let attributes = attributes.map(|(index, field)| (&*field.output, FieldSource::Attribute(index)));
        let record = config.record_fields.iter().map(|field| (field.name(), FieldSource::Record(*field)));
        let fields: Vec<(&str, FieldSource)> = event.chain(attributes).chain(record).collect();
        let source = |key: &String| fields.iter().find(|(name, _)| name == key).map(|(_, source)| *source);
        Self {
            event: EventFormat::new(config),
            record: config.record_fields.iter().map(|field| (format!(",\"{}\":", field.name()), *field)).collect(),
            partition_keys: config.partition_keys.iter().filter_map(|key| Some((key.clone(), source(key)?))).collect(),
        }
    }

    /// What is read of an event.
    #[must_use]
    pub fn event_format(&self) -> &EventFormat {
        &self.event
    }

    /// The metadata that the line's fields need, or `None` if they need none: dropping an empty one takes 0.4 % of a batch's instructions.
    pub fn record_metadata<'a>(
        &self,
        arrived_at: impl FnOnce() -> Option<String>,
        record_id: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> Option<RecordMetadata<'a>> {
        let needs = |wanted| self.record.iter().any(|(_, field)| *field == wanted);
        (!self.record.is_empty()).then(|| RecordMetadata {
            arrived_at: if needs(RecordField::ArrivedAt) { arrived_at() } else { None },
            record_id: if needs(RecordField::RecordId) { record_id() } else { None },
        })
    }

    /// Whether lines have partition keys.
    #[must_use]
    pub fn has_partition_keys(&self) -> bool {
        !self.partition_keys.is_empty()
    }

    /// Appends the line of `event` to `out`: compact JSON, UTF-8 unescaped, and a newline. If `out` exceeds `max_bytes`, the line may be
    /// incomplete: several pointers may select one long value.
    ///
    /// Firehose concatenates records without a delimiter, so the newline separates lines.
    pub fn write(
        &self,
        event: InputEvent,
        attributes: Attributes,
        metadata: &RecordMetadata,
        max_bytes: usize,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        self.write_values(event, max_bytes, out);
        out.push(b',');
        out.extend_from_slice(attributes.members().as_bytes());
        for (member, field) in &self.record {
            out.extend_from_slice(member.as_bytes());
            write_metadata(*field, metadata, out);
        }
        out.extend_from_slice(b"}\n");
        // Before the first member is no comma.
        out[start] = b'{';
    }

    /// Each with a comma before it.
    fn write_values(&self, mut values: InputEvent, max_bytes: usize, out: &mut Vec<u8>) {
        for (index, column) in (0..).zip(&self.event.columns) {
            let mut value = None;
            if let [(column, first), others @ ..] = values
                && *column == index
            {
                (value, values) = (Some(*first), others);
            }
            match (column, value) {
                (Column::Rest(rest), Some(event)) => rest.write(event.json, out),
                (Column::Field { member, is_pointer, .. }, value) if *is_pointer || value.is_some() => {
                    out.extend_from_slice(member.as_bytes());
                    match value {
                        Some(value) => write_value(value, out),
                        None => out.extend_from_slice(b"null"),
                    }
                }
                _ => {}
            }
            if out.len() > max_bytes {
                return;
            }
        }
    }

    /// The partition keys of `event`'s line by name; `None` if one is missing, `null`, empty, longer than 256 bytes, an object or an
    /// array.
    #[must_use]
    pub fn partition_keys(
        &self,
        event: InputEvent,
        attributes: Attributes,
        metadata: &RecordMetadata,
    ) -> Option<BTreeMap<&str, String>> {
        let value = |source| {
            let mut json = Vec::new();
            match source {
                FieldSource::Event(index) => {
                    let (_, value) = event.iter().find(|(column, _)| usize::from(*column) == index)?;
                    write_value(*value, &mut json);
                }
                FieldSource::Attribute(index) => json.extend_from_slice(attributes.value(index).as_bytes()),
                FieldSource::Record(field) => write_metadata(field, metadata, &mut json),
            }
            partition_key(&json)
        };
        self.partition_keys.iter().map(|(name, source)| Some((name.as_str(), value(*source)?))).collect()
    }
}

fn write_value(value: Value, out: &mut Vec<u8>) {
    let written = value.write(out);
    debug_assert_eq!(written, Ok(()), "parsing checks every field that is kept");
}

fn write_metadata(field: RecordField, metadata: &RecordMetadata, out: &mut Vec<u8>) {
    let text = match field {
        RecordField::ArrivedAt => metadata.arrived_at.as_deref(),
        RecordField::RecordId => metadata.record_id.as_deref(),
    };
    json::write_text(text, out);
}

/// The partition key of a JSON value: a string's text, or a number or boolean as written.
fn partition_key(json: &[u8]) -> Option<String> {
    let value: &RawValue = serde_json::from_slice(json).ok()?;
    let value = value.get();
    let text = match (json::text(value).ok()?, json.first()?) {
        (Some(text), _) => text.into_owned(),
        (None, b'[' | b'{' | b'n') => return None,
        (None, _) => value.to_owned(),
    };
    Some(text).filter(|text| (1..=MAX_PARTITION_KEY_BYTES).contains(&text.len()))
}
