//! The enriched line, and the partition keys taken from it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::parse::Click;
use crate::config::{Config, RecordField};
use crate::lookup::Attributes;
use service_kit::json;

/// The longest partition key. It becomes a part of an object key, which is limited to 1,024 bytes ("Naming Amazon S3 objects", Amazon S3
/// User Guide).
const MAX_PARTITION_KEY_BYTES: usize = 256;

/// The fields of a line, in order, and which of them are partition keys.
#[derive(Clone, Debug)]
pub struct LineFormat {
    columns: Vec<Column>,
    partition_keys: Vec<(String, FieldSource)>,
    extra: Vec<String>,
}

/// The metadata of a record that a line can carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordMetadata<'a> {
    /// The arrival time: ISO 8601, UTC, with milliseconds.
    pub arrived_at: Option<String>,
    /// The record id.
    pub record_id: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug)]
enum Column {
    /// One member, with its name and colon as JSON.
    Member(String, FieldSource),
    /// The members of all attributes, which are pre-encoded.
    Attributes,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FieldSource {
    UserId,
    MysfitId,
    Extra(usize),
    Attribute(usize),
    Record(RecordField),
}

impl LineFormat {
    /// The configured line.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut extra = Vec::new();
        let mut click = Vec::new();
        for name in &config.click_fields {
            let source = match name.as_str() {
                "userId" => FieldSource::UserId,
                "mysfitId" => FieldSource::MysfitId,
                _ => {
                    extra.push(name.clone());
                    FieldSource::Extra(extra.len() - 1)
                }
            };
            click.push((name.as_str(), source));
        }
        let attributes: Vec<_> = indexed(&config.mysfit_attributes, FieldSource::Attribute);
        let record: Vec<_> =
            config.record_fields.iter().map(|field| (field.name(), FieldSource::Record(*field))).collect();

        let member = |(name, source): &(&str, FieldSource)| Column::Member(format!("\"{name}\":"), *source);
        let mut columns: Vec<Column> = click.iter().map(member).collect();
        columns.push(Column::Attributes);
        columns.extend(record.iter().map(member));

        let fields = || click.iter().chain(&attributes).chain(&record);
        let key = |name: &String| fields().find(|(field, _)| field == name).map(|(_, source)| (name.clone(), *source));
        let partition_keys = config.partition_keys.iter().filter_map(key).collect();
        Self { columns, partition_keys, extra }
    }

    /// The click's fields that are kept besides `userId` and `mysfitId`.
    #[must_use]
    pub fn extra_fields(&self) -> &[String] {
        &self.extra
    }

    /// The metadata that the line's fields need.
    pub fn record_metadata<'a>(
        &self,
        arrived_at: impl FnOnce() -> Option<String>,
        record_id: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> RecordMetadata<'a> {
        let needs =
            |field| self.columns.iter().any(|c| matches!(c, Column::Member(_, s) if *s == FieldSource::Record(field)));
        RecordMetadata {
            arrived_at: if needs(RecordField::ArrivedAt) { arrived_at() } else { None },
            record_id: if needs(RecordField::RecordId) { record_id() } else { None },
        }
    }

    /// Appends the line of `click` to `out`: compact JSON, UTF-8 unescaped, and a newline.
    ///
    /// Firehose concatenates records without a delimiter, so the newline separates lines.
    pub fn write(&self, click: &Click, attributes: Attributes, metadata: &RecordMetadata, out: &mut Vec<u8>) {
        let mut separator = b'{';
        for column in &self.columns {
            match column {
                Column::Attributes => {
                    out.push(separator);
                    out.extend_from_slice(attributes.members().as_bytes());
                }
                Column::Member(_, FieldSource::Extra(index)) if click.extra(*index).is_none() => continue,
                Column::Member(name, source) => {
                    out.push(separator);
                    out.extend_from_slice(name.as_bytes());
                    write_value(*source, click, attributes, metadata, out);
                }
            }
            separator = b',';
        }
        out.extend_from_slice(b"}\n");
    }

    /// The partition keys of `click`'s line by name; `None` if one is missing, `null`, empty, longer than 256 bytes, an object or an
    /// array.
    #[must_use]
    pub fn partition_keys(
        &self,
        click: &Click,
        attributes: Attributes,
        metadata: &RecordMetadata,
    ) -> Option<BTreeMap<&str, String>> {
        let value = |source| {
            let mut json = Vec::new();
            write_value(source, click, attributes, metadata, &mut json);
            partition_key(&json)
        };
        self.partition_keys.iter().map(|(name, source)| Some((name.as_str(), value(*source)?))).collect()
    }
}

fn indexed(names: &[String], source: impl Fn(usize) -> FieldSource) -> Vec<(&str, FieldSource)> {
    names.iter().enumerate().map(|(index, name)| (name.as_str(), source(index))).collect()
}

/// Appends the JSON of one value; nothing for a field that the click lacks.
fn write_value(
    source: FieldSource,
    click: &Click,
    attributes: Attributes,
    metadata: &RecordMetadata,
    out: &mut Vec<u8>,
) {
    match source {
        FieldSource::UserId => json::rewrite_text(&click.user_id, out),
        FieldSource::MysfitId => json::rewrite_text(&click.mysfit_id, out),
        FieldSource::Attribute(index) => out.extend_from_slice(attributes.value(index).as_bytes()),
        FieldSource::Record(RecordField::ArrivedAt) => json::write_text(metadata.arrived_at.as_deref(), out),
        FieldSource::Record(RecordField::RecordId) => json::write_text(metadata.record_id.as_deref(), out),
        FieldSource::Extra(index) => {
            if let Some(raw) = click.extra(index) {
                let written = json::write_compact(raw.0, json::Mode::Unescape, out);
                debug_assert_eq!(written, Ok(()), "parsing checks every field that is kept");
            }
        }
    }
}

/// The partition key of a JSON value: a string's text, or a number or boolean as written.
fn partition_key(json: &[u8]) -> Option<String> {
    let value: &RawValue = serde_json::from_slice(json).ok()?;
    let text = match (json::text(value).ok()?, json.first()?) {
        (Some(text), _) => text.into_owned(),
        (None, b'[' | b'{' | b'n') => return None,
        (None, _) => value.get().to_owned(),
    };
    Some(text).filter(|text| (1..=MAX_PARTITION_KEY_BYTES).contains(&text.len()))
}
