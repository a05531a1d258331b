//! Builds records from a body: the configured fields, and the partition key.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::config::{Config, Field};
use crate::personal::{MASK, Treatment};
use service_kit::json::{self, UnsupportedValue};

/// The largest body, decoded.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The most objects of one body: `{}` takes three bytes there, and over a hundred in a record. Even if all go to one shard, they are stored
/// within a request's 25 s, with a margin for a busy shard: a shard takes 1,000 records and 1 MiB a second ("Quotas and limits", Amazon
/// Kinesis Data Streams Developer Guide), and with the default fields they have less than 3 MiB.
pub(crate) const MAX_OBJECTS: usize = 10_000;
/// The largest record with its partition key: a stream's default limit ("Handle large records", Amazon Kinesis Data Streams Developer Guide).
const MAX_RECORD_BYTES: usize = 1 << 20;
/// The longest partition key, in Unicode characters ("PutRecord", Amazon Kinesis Data Streams API Reference).
const MAX_KEY_CHARS: usize = 256;

/// A record for the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// A line: a compact JSON object, and a newline.
    pub data: Vec<u8>,
    /// Determines the shard.
    pub partition_key: String,
}

impl Record {
    /// Its size, as Kinesis counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// Why nothing of a body is stored. A retry gets the same error. The client sees the message, which has no content of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The event says that its body is base64, but it is not.
    #[error("the body is not base64, as its event says")]
    NotBase64,
    /// The body is not JSON.
    #[error("the body is not JSON in UTF-8")]
    NotJson,
    /// The body, or an element of its array, is not an object.
    #[error("the body is neither a JSON object nor an array of JSON objects")]
    NotAnObject,
    /// A value can't be stored unchanged.
    #[error(transparent)]
    UnsupportedValue(#[from] UnsupportedValue),
    /// The body is too large.
    #[error("the body has more than 1 MiB")]
    BodyTooLarge,
    /// The array has too many objects.
    #[error("the array has more than 10000 objects")]
    TooManyObjects,
    /// A record is too large: it also has a `null` for each missing field, and the partition key.
    #[error("a record has more than 1 MiB, its partition key included")]
    RecordTooLarge,
}

impl BodyError {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::NotBase64 | Self::NotJson | Self::NotAnObject | Self::UnsupportedValue(_) => 400,
            Self::BodyTooLarge | Self::TooManyObjects | Self::RecordTooLarge => 413,
        }
    }

    /// The reason in logs, for example `not_json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotBase64 => "not_base64",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::UnsupportedValue(UnsupportedValue::Escape) => "no_text",
            Self::UnsupportedValue(UnsupportedValue::TooDeep) => "too_deep",
            Self::UnsupportedValue(UnsupportedValue::NumberTooLarge) => "number_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyObjects => "too_many_objects",
            Self::RecordTooLarge => "record_too_large",
        }
    }
}

/// The records of a body: one for an object, or one for each object of an array. If a part is invalid, nothing is stored.
pub fn records(config: &Config, body: &[u8]) -> Result<Vec<Record>, BodyError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(BodyError::BodyTooLarge);
    }
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
    if body.get().starts_with('{') {
        return Ok(vec![record(config, body)?]);
    }
    // Rejects all JSON but arrays.
    let objects: Vec<&RawValue> = serde_json::from_str(body.get()).map_err(|_| BodyError::NotAnObject)?;
    if objects.iter().any(|object| !object.get().starts_with('{')) {
        return Err(BodyError::NotAnObject);
    }
    if objects.len() > MAX_OBJECTS {
        return Err(BodyError::TooManyObjects);
    }
    objects.into_iter().map(|object| record(config, object)).collect()
}

fn record(config: &Config, object: &RawValue) -> Result<Record, BodyError> {
    let members = Members::of(object)?;
    let record = Record { data: line(config, &members)?, partition_key: partition_key(config, &members)? };
    if record.size() > MAX_RECORD_BYTES { Err(BodyError::RecordTooLarge) } else { Ok(record) }
}

fn line(config: &Config, members: &Members<'_>) -> Result<Vec<u8>, UnsupportedValue> {
    let mut line = Vec::new();
    for (index, field) in config.fields.iter().enumerate() {
        line.push(if index == 0 { b'{' } else { b',' });
        // Field names need no escaping: see the configuration.
        quote(&field.name, &mut line);
        line.push(b':');
        match (members.get(field), &field.treatment) {
            (None, _) => line.extend_from_slice(b"null"),
            (Some(value), Treatment::Keep) => json::write_compact(value, json::Mode::KeepBytes, &mut line)?,
            (Some(_), Treatment::Mask) => quote(MASK, &mut line),
            (Some(value), Treatment::Hash(key)) => quote(&key.hash(value)?, &mut line),
        }
    }
    line.extend_from_slice(b"}\n");
    Ok(line)
}

/// The partition key from the configured field. It reveals no more of a personal field than the record does. Without a valid value, a random
/// key spreads records over the shards.
fn partition_key(config: &Config, members: &Members<'_>) -> Result<String, UnsupportedValue> {
    let value = members.get(&config.partition_key).filter(|value| is_text_or_number(value));
    let key = match (value, &config.partition_key.treatment) {
        (Some(value), Treatment::Keep) => plain(value),
        (Some(value), Treatment::Hash(key)) => Some(Cow::Owned(key.hash(value)?)),
        (_, Treatment::Mask) | (None, _) => None,
    };
    let key = key.filter(|key| (1..=MAX_KEY_CHARS).contains(&key.chars().count()));
    Ok(key.map_or_else(|| Uuid::new_v4().to_string(), Cow::into_owned))
}

/// The members of an object. The last of several with one name counts.
struct Members<'a>(HashMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Fails if a name is not valid Unicode. Nothing else can fail, because the object is valid JSON.
    fn of(object: &'a RawValue) -> Result<Self, UnsupportedValue> {
        serde_json::from_str(object.get()).map(Self).map_err(|_| UnsupportedValue::Escape)
    }

    /// `None` if the value is missing or `null`.
    fn get(&self, field: &Field) -> Option<&'a RawValue> {
        self.0.get(&field.name).copied().filter(|value| value.get() != "null")
    }
}

/// Whether a value can be a key: the same rule as at `POST /v2/{stream-name}`. A boolean would use only two shards.
fn is_text_or_number(value: &RawValue) -> bool {
    value.get().starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'))
}

/// A string's text, or a number as written.
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    if value.get().starts_with('"') {
        // A string that is not valid Unicode is no key.
        return json::text(value).ok().flatten();
    }
    Some(Cow::Borrowed(value.get()))
}

/// Appends a string that needs no escaping.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests;
