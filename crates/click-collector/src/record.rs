//! From a body to records: the configured fields, and the key that says to which shard they go.

mod chosen;

use std::borrow::Cow;

use chosen::Chosen;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::config::{Config, Field};
use crate::personal::{MASK, Treatment};
use crate::refusal::Refusal;
use service_kit::json::{self, Unusable};

/// The largest body, decoded.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// The most objects of one body: `{}` takes three bytes there, and a hundred and more in a record.
///
/// So many are stored within [`LONGEST_WAIT`](crate::deadline::LONGEST_WAIT), even if all go to one shard. It takes 1,000
/// records and 1 MiB a second ("Quotas and limits", Amazon Kinesis Data Streams Developer Guide), so these in some 10 of the
/// 25 s, and their bytes, with the default fields below 3 MiB, meanwhile. The rest is room for a shard that has other work.
pub const MAX_OBJECTS: usize = 10_000;
/// The largest record, its partition key included: what a stream takes unless it is told to take more ("Handle large
/// records", Amazon Kinesis Data Streams Developer Guide).
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The longest partition key, in Unicode characters ("PutRecord", Amazon Kinesis Data Streams API Reference).
const MAX_KEY_CHARS: usize = 256;

/// What is put into the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// A line: a compact JSON object, and a newline.
    pub data: Vec<u8>,
    /// What says to which shard it goes.
    pub partition_key: String,
}

impl Record {
    /// Its size as Kinesis counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// Makes records of bodies.
#[derive(Debug)]
pub struct Chooser {
    fields: Vec<Field>,
    partition_key: Field,
}

impl Chooser {
    /// By the fields of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { fields: config.fields.clone(), partition_key: config.partition_key.clone() }
    }

    /// The records of a body: one for an object, and one for each object of an array, of which there may be none.
    ///
    /// # Errors
    /// [`Refusal`] where something of the body can't be stored; then nothing of it is.
    pub fn records(&self, body: &[u8]) -> Result<Vec<Record>, Refusal> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Refusal::BodyTooLarge);
        }
        let body: &RawValue = serde_json::from_slice(body).map_err(|_| Refusal::NotJson)?;
        if body.get().starts_with('{') {
            return Ok(vec![self.record(body)?]);
        }
        // What is JSON and no array is refused here.
        let objects: Vec<&RawValue> = serde_json::from_str(body.get()).map_err(|_| Refusal::NotAnObject)?;
        if objects.iter().any(|object| !object.get().starts_with('{')) {
            return Err(Refusal::NotAnObject);
        }
        if objects.len() > MAX_OBJECTS {
            return Err(Refusal::TooManyObjects);
        }
        objects.into_iter().map(|object| self.record(object)).collect()
    }

    fn record(&self, object: &RawValue) -> Result<Record, Refusal> {
        let chosen = Chosen::of(object, &self.fields, &self.partition_key)?;
        let record = Record { data: self.line(&chosen)?, partition_key: self.partition_key(&chosen)? };
        if record.size() > MAX_RECORD_BYTES { Err(Refusal::RecordTooLarge) } else { Ok(record) }
    }

    fn line(&self, chosen: &Chosen<'_>) -> Result<Vec<u8>, Unusable> {
        let mut line = Vec::new();
        for (index, (field, value)) in self.fields.iter().zip(&chosen.fields).enumerate() {
            line.push(if index == 0 { b'{' } else { b',' });
            // The configuration takes no name that JSON would escape.
            quote(&field.name, &mut line);
            line.push(b':');
            match (value, &field.treatment) {
                (None, _) => line.extend_from_slice(b"null"),
                (Some(value), Treatment::Keep) => json::write_compact(value, json::Mode::KeepBytes, &mut line)?,
                (Some(_), Treatment::Mask) => quote(MASK, &mut line),
                (Some(value), Treatment::Hash(key)) => quote(&key.hash(value)?, &mut line),
            }
        }
        line.extend_from_slice(b"}\n");
        Ok(line)
    }

    /// The key by the configured field, which tells no more of a personal field than the record does.
    ///
    /// Where that makes no key, a random one spreads records over the shards, as a constant would not.
    fn partition_key(&self, chosen: &Chosen<'_>) -> Result<String, Unusable> {
        let value = chosen.partition_key.filter(|value| is_text_or_number(value));
        let key = match (value, &self.partition_key.treatment) {
            (Some(value), Treatment::Keep) => plain(value),
            (Some(value), Treatment::Hash(key)) => Some(Cow::Owned(key.hash(value)?)),
            (_, Treatment::Mask) | (None, _) => None,
        };
        let key = key.filter(|key| (1..=MAX_KEY_CHARS).contains(&key.chars().count()));
        Ok(key.map_or_else(|| Uuid::new_v4().to_string(), Cow::into_owned))
    }
}

/// Whether a value can be a key, hashed or not: the same ones as at `POST /v2/{stream-name}`. The two keys that a boolean makes
/// would leave every shard but two idle.
fn is_text_or_number(value: &RawValue) -> bool {
    value.get().starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'))
}

/// A string's text, or a number as it is written.
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    if value.get().starts_with('"') {
        // A string that is no text makes no key; whether it makes a value is not asked here.
        return json::text(value).ok().flatten();
    }
    Some(Cow::Borrowed(value.get()))
}

/// Appends a text that holds nothing to escape.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests;
