//! Prefixes with expressions `!{…}`, and the names of objects.
//!
//! The rules are those of the Firehose developer guide, "Understand custom prefixes for Amazon S3 objects". Each error documents
//! what Firehose was seen to reject in addition.

mod error;
mod expression;
mod timestamp;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

pub use self::error::{PartitionError, PrefixError};
pub use self::expression::Partition;
use self::expression::{Part, evaluate, is_too_long, keys, parse};
use self::timestamp::Pattern;

/// The most active partitions of a stream (the guide's "Buffer data for dynamic partitioning").
pub const MAX_ACTIVE_PARTITIONS: usize = 500;

/// The most bytes after a prefix: a stream's name of 64 bytes, `-1-2026-11-20-08-22-01-`, a UUID and `.gz`.
const MAX_SUFFIX_BYTES: usize = 64 + 23 + 36 + 3;

/// The most bytes of an object's name in S3 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// The prefix of delivered objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    text: String,
    parts: Vec<Part>,
}

impl Prefix {
    /// Parses a prefix.
    pub fn parse(text: &str, dynamic_partitioning: bool) -> Result<Self, PrefixError> {
        let mut parts = parse(text)?;
        if parts.contains(&Part::ErrorOutputType) {
            return Err(PrefixError::ErrorOutputTypeInPrefix);
        }
        match (keys(&parts).next(), dynamic_partitioning) {
            (Some(key), false) => return Err(PrefixError::NotPartitioned(key.to_owned())),
            (None, true) => return Err(PrefixError::NoPartitionKey),
            _ => {}
        }
        // "If you specify a prefix that doesn't contain a timestamp namespace expression, Firehose appends the expression
        // `!{timestamp:yyyy/MM/dd/HH/}` to the value in the Prefix field." No slash is put before it (probed). The example of
        // "Use Amazon S3 bucket prefix to deliver data" has partition keys and no timestamp, and nothing is appended there.
        if !parts.iter().any(|part| matches!(part, Part::Timestamp(_) | Part::PartitionKey(_))) {
            parts.push(Part::Timestamp(Pattern::hour_folders()));
        }
        let prefix = Self { text: text.to_owned(), parts };
        let shortest = Partition(Vec::new());
        if is_too_long(&prefix.evaluate(Pattern::WIDEST, &shortest, Uuid::nil)) {
            return Err(PrefixError::TooLong);
        }
        Ok(prefix)
    }

    /// The prefix as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The partition of a record, from the keys that the function returned. Keys that the prefix does not use are ignored. A
    /// prefix without keys has one partition.
    pub fn partition(&self, keys_of_record: &BTreeMap<String, String>) -> Result<Partition, PartitionError> {
        let value = |key: &str| keys_of_record.get(key).filter(|value| !value.is_empty()).cloned();
        let values = keys(&self.parts).map(|key| value(key).ok_or_else(|| PartitionError::MissingKey(key.to_owned())));
        let partition = Partition(values.collect::<Result<_, _>>()?);
        if is_too_long(&self.evaluate(Pattern::WIDEST, &partition, Uuid::nil)) {
            return Err(PartitionError::TooLong);
        }
        Ok(partition)
    }

    /// The prefix of an object. `partition` is one of this prefix, and `random` returns a new UUID each time.
    pub fn evaluate(&self, oldest_arrival: Timestamp, partition: &Partition, random: impl FnMut() -> Uuid) -> String {
        evaluate(&self.parts, oldest_arrival, partition, "", random)
    }
}

/// The prefix of error objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPrefix {
    text: String,
    parts: Vec<Part>,
}

impl ErrorPrefix {
    /// Parses an error prefix. Nothing is appended to it.
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let parts = parse(text)?;
        if text.is_empty() {
            return Err(PrefixError::NoErrorPrefix);
        }
        if let Some(key) = keys(&parts).next() {
            return Err(PrefixError::KeyInErrorPrefix(key.to_owned()));
        }
        let has_expressions = parts.iter().any(|part| !matches!(part, Part::Text(_)));
        if has_expressions && !parts.contains(&Part::ErrorOutputType) {
            return Err(PrefixError::NoErrorOutputType);
        }
        let prefix = Self { text: text.to_owned(), parts };
        if is_too_long(&prefix.evaluate(Pattern::WIDEST, ErrorOutputType::ActivePartitionExceeded, Uuid::nil)) {
            return Err(PrefixError::TooLong);
        }
        Ok(prefix)
    }

    /// The prefix as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The prefix of an error object. `random` returns a new UUID each time.
    pub fn evaluate(&self, oldest_arrival: Timestamp, error: ErrorOutputType, random: impl FnMut() -> Uuid) -> String {
        evaluate(&self.parts, oldest_arrival, &Partition::default(), error.as_str(), random)
    }
}

/// The values of `!{firehose:error-output-type}`. Other destinations and format conversion have more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorOutputType {
    /// The function failed, or returned `ProcessingFailed` (the guide's table of the `firehose` namespace).
    ProcessingFailed,
    /// The record has no partition (AWS CDK's integration test of dynamic partitioning, which runs on AWS).
    PartitioningFailed,
    /// The record exceeds the limit of active partitions (the guide's "Buffer data for dynamic partitioning").
    ActivePartitionExceeded,
}

impl ErrorOutputType {
    /// The text in an object's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
            Self::PartitioningFailed => "partitioning-failed",
            Self::ActivePartitionExceeded => "activePartitionExceeded",
        }
    }
}

/// How delivered objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `UNCOMPRESSED` in Firehose's API.
    None,
    /// `GZIP` in Firehose's API.
    Gzip,
}

impl Compression {
    /// The end of an object's name (the guide's "Configure Amazon S3 object name format").
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }
}

/// The name that Firehose gives an object (the guide's "Configure Amazon S3 object name format"). The time is that of the
/// oldest record's arrival, in UTC; the stream's version is always 1 here.
#[must_use]
pub fn object_name(
    prefix: &str,
    stream: &str,
    oldest_arrival: Timestamp,
    id: Uuid,
    compression: Compression,
) -> String {
    let time = oldest_arrival.strftime("%Y-%m-%d-%H-%M-%S");
    format!("{prefix}{stream}-1-{time}-{id}{}", compression.extension())
}

#[cfg(test)]
mod tests;
