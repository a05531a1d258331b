//! Builds records from a body: the configured fields, and the partition key.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::config::{Config, Field, Treatment};
use service_kit::json::{self, UnsupportedValue};

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

/// Why nothing of a body is stored. A retry gets the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BodyError {
    pub(crate) status: u16,
    /// In logs, for example `not_json`.
    pub reason: &'static str,
    /// For the client. It has no content of the body.
    message: Cow<'static, str>,
}

impl BodyError {
    pub(crate) const NOT_BASE64: Self = Self::new(400, "not_base64", "the body is not base64, as its event says");
    pub(crate) const NOT_JSON: Self = Self::new(400, "not_json", "the body is not JSON in UTF-8");
    const NOT_AN_OBJECT: Self =
        Self::new(400, "not_an_object", "the body is neither a JSON object nor an array of JSON objects");
    pub(crate) const BODY_TOO_LARGE: Self = Self::new(413, "body_too_large", "the body has more than 1 MiB");
    const TOO_MANY_OBJECTS: Self = Self::new(413, "too_many_objects", "the array has more than 10000 objects");
    /// It also has a `null` for each missing field.
    const RECORD_TOO_LARGE: Self =
        Self::new(413, "record_too_large", "a record has more than 1 MiB, its partition key included");

    const fn new(status: u16, reason: &'static str, message: &'static str) -> Self {
        Self { status, reason, message: Cow::Borrowed(message) }
    }
}

impl From<UnsupportedValue> for BodyError {
    fn from(error: UnsupportedValue) -> Self {
        let reason = match error {
            UnsupportedValue::Escape => "no_text",
            UnsupportedValue::TooDeep => "too_deep",
            UnsupportedValue::NumberTooLarge => "number_too_large",
        };
        Self { status: 400, reason, message: error.to_string().into() }
    }
}

/// The records of a body: one for an object, or one for each object of an array. If a part is invalid, nothing is stored.
pub fn records(config: &Config, body: &[u8]) -> Result<Vec<Record>, BodyError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(BodyError::BODY_TOO_LARGE);
    }
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| BodyError::NOT_JSON)?;
    if body.get().starts_with('{') {
        return Ok(vec![record(config, body)?]);
    }
    let objects: Vec<&RawValue> = serde_json::from_str(body.get()).map_err(|_| BodyError::NOT_AN_OBJECT)?;
    if objects.iter().any(|object| !object.get().starts_with('{')) {
        return Err(BodyError::NOT_AN_OBJECT);
    }
    if objects.len() > MAX_OBJECTS {
        return Err(BodyError::TOO_MANY_OBJECTS);
    }
    objects.into_iter().map(|object| record(config, object)).collect()
}

/// The last of several members with one name counts.
type Members<'a> = HashMap<String, &'a RawValue>;

fn record(config: &Config, object: &RawValue) -> Result<Record, BodyError> {
    // The object is valid JSON, so only a name that is not valid Unicode can fail.
    let members: Members<'_> = serde_json::from_str(object.get()).map_err(|_| UnsupportedValue::Escape)?;
    let record = Record { data: line(config, &members)?, partition_key: partition_key(config, &members)? };
    if record.size() > MAX_RECORD_BYTES { Err(BodyError::RECORD_TOO_LARGE) } else { Ok(record) }
}

fn line(config: &Config, members: &Members<'_>) -> Result<Vec<u8>, UnsupportedValue> {
    let mut line = Vec::new();
    for (index, field) in config.fields.iter().enumerate() {
        line.push(if index == 0 { b'{' } else { b',' });
        json::write_text(field.name.as_str(), &mut line);
        line.push(b':');
        match (value_of(field, members), &field.treatment) {
            (None, _) => line.extend_from_slice(b"null"),
            (Some(value), Treatment::Keep) => json::write_compact(value.get(), json::Mode::KeepBytes, &mut line)?,
            (Some(_), Treatment::Mask) => json::write_text("***", &mut line),
            (Some(value), Treatment::Hash(key)) => json::write_text(key.hash(value)?.as_str(), &mut line),
        }
    }
    line.extend_from_slice(b"}\n");
    Ok(line)
}

/// It reveals no more of a personal field than the record does. Without a valid value, a random key spreads records over the shards.
fn partition_key(config: &Config, members: &Members<'_>) -> Result<String, UnsupportedValue> {
    // A boolean would use only two shards. The rule is that of `POST /v2/{stream-name}`.
    let is_text_or_number =
        |value: &&RawValue| value.get().starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'));
    let value = value_of(&config.partition_key, members).filter(is_text_or_number);
    let key = match (value, &config.partition_key.treatment) {
        // A string that is not valid Unicode is no key.
        (Some(value), Treatment::Keep) if value.get().starts_with('"') => json::text(value.get()).ok().flatten(),
        (Some(value), Treatment::Keep) => Some(Cow::Borrowed(value.get())),
        (Some(value), Treatment::Hash(key)) => Some(Cow::Owned(key.hash(value)?)),
        (_, Treatment::Mask) | (None, _) => None,
    };
    let key = key.filter(|key| (1..=MAX_KEY_CHARS).contains(&key.chars().count()));
    Ok(key.map_or_else(|| Uuid::new_v4().to_string(), Cow::into_owned))
}

/// Also `None` for `null`.
fn value_of<'a>(field: &Field, members: &Members<'a>) -> Option<&'a RawValue> {
    members.get(&field.name).copied().filter(|value| value.get() != "null")
}

#[cfg(test)]
mod tests;
