//! Prefixes with expressions `!{…}`, and the names of objects.
//!
//! The rules are those of the Firehose developer guide, "Understand custom prefixes for Amazon S3 objects". Each error documents
//! what Firehose was seen to reject in addition.

mod error;
mod error_prefix;
mod expression;
mod object_name;
mod timestamp;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

pub use self::error::{PartitionError, PrefixError};
pub use self::error_prefix::{ErrorOutputType, ErrorPrefix};
pub use self::expression::Partition;
use self::expression::{Part, evaluate, is_too_long, keys, parse};
pub use self::object_name::{Compression, MAX_KEY_BYTES, object_name};
use self::timestamp::Pattern;

/// The most active partitions of a stream (the guide's "Buffer data for dynamic partitioning"). Records of further ones go to the
/// error output.
pub const MAX_ACTIVE_PARTITIONS: usize = 500;

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

#[cfg(test)]
mod tests;
