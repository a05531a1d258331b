//! Prefixes of object names with their expressions `!{…}`, and the names themselves.
//!
//! The rules are those of the Firehose developer guide, "Understand custom prefixes for Amazon S3 objects"; what else real
//! Firehose was seen to refuse when a stream is made is told at each error.

mod error_prefix;
mod expression;
mod object_name;
mod timestamp;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

pub use self::error_prefix::{ErrorOutputType, ErrorPrefix};
use self::expression::{Part, parse};
use self::object_name::MAX_SUFFIX_BYTES;
pub use self::object_name::{Compression, object_name};
use self::timestamp::{Pattern, PatternError};

/// The most characters of an evaluated prefix (the guide's "Semantic rules").
const MAX_CHARACTERS: usize = 512;

/// The most bytes of an object's name in S3 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// The characters of `!{firehose:random-string}`.
const RANDOM_STRING_CHARACTERS: usize = 11;

/// The most partitions of a stream that wait to be delivered (the guide's "Buffer data for dynamic partitioning"); records of
/// further ones go to the error output.
pub const MAX_ACTIVE_PARTITIONS: usize = 500;

/// Why a prefix can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// `!{` can only begin an expression ("Invalid expression usage" of real Firehose).
    #[error("`{0}` is not an expression: it is written `!{{NAMESPACE:VALUE}}`, and `!{{` stands for nothing else")]
    Malformed(String),
    /// A namespace that Firehose does not know.
    #[error("`{0}` is not a namespace: it is one of `timestamp`, `firehose` and `partitionKeyFromLambda`")]
    Namespace(String),
    /// The `firehose` namespace has two values.
    #[error(
        "`!{{firehose:{0}}}` is not known: the value is `random-string` or, in an error prefix, `error-output-type`"
    )]
    FirehoseValue(String),
    /// A pattern that can't be evaluated here.
    #[error("`!{{timestamp:{pattern}}}`: {source}")]
    Timestamp {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        source: PatternError,
    },
    /// Keys that Firehose takes out of the records itself, with jq.
    #[error(
        "`!{{partitionKeyFromQuery:{0}}}` needs inline parsing, which this Firehose does not have: \
         let the function return the key and write `!{{partitionKeyFromLambda:{0}}}`"
    )]
    InlineParsing(String),
    /// "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
    #[error("`!{{partitionKeyFromLambda:{0}}}` needs dynamic partitioning, which is off here")]
    NotPartitioned(String),
    /// "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
    #[error("dynamic partitioning needs a prefix with at least one `!{{partitionKeyFromLambda:KEY}}`")]
    NoPartitionKey,
    /// "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
    #[error("`!{{partitionKeyFromLambda:{0}}}` can't be in an error prefix: a record that failed may have no keys")]
    KeyInErrorPrefix(String),
    /// "Prefix must not contain any occurrence of !{firehose:error-output-type}"
    #[error("`!{{firehose:error-output-type}}` can only be in an error prefix")]
    ErrorOutputTypeInPrefix,
    /// "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
    #[error("an error prefix with expressions needs `!{{firehose:error-output-type}}` among them")]
    NoErrorOutputType,
    /// "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"; here it never can.
    #[error("an error prefix is needed, such as `errors/!{{firehose:error-output-type}}/`")]
    NoErrorPrefix,
    /// "Length of evaluated prefix cannot be greater than 512"
    #[error("evaluated it has more than {MAX_CHARACTERS} characters, or too many bytes for a name in S3")]
    TooLong,
}

/// Why a record belongs to no partition. Firehose puts such records into the error output (the guide's "Troubleshoot dynamic
/// partitioning errors").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Firehose says "partitionKeys values must not be null or empty" (seen in public).
    #[error("the partition key `{0}` is missing or empty")]
    MissingKey(String),
    /// An assumption: the length of a prefix with keys is only known with a record's keys.
    #[error("the prefix evaluated with the record's partition keys is too long")]
    TooLong,
}

/// The prefix of delivered objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    text: String,
    parts: Vec<Part>,
}

/// The values of the keys that a prefix uses, in the order of its expressions: records with the same ones share objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Vec<String>);

impl Prefix {
    /// A prefix as the user wrote it.
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

    /// As the user wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The partition of a record with the keys that the function returned for it; keys that the prefix does not use play no
    /// part. A prefix without keys has one partition.
    pub fn partition(&self, keys_of_record: &BTreeMap<String, String>) -> Result<Partition, PartitionError> {
        let value = |key: &str| keys_of_record.get(key).filter(|value| !value.is_empty()).cloned();
        let values = keys(&self.parts).map(|key| value(key).ok_or_else(|| PartitionError::MissingKey(key.to_owned())));
        let partition = Partition(values.collect::<Result<_, _>>()?);
        if is_too_long(&self.evaluate(Pattern::WIDEST, &partition, Uuid::nil)) {
            return Err(PartitionError::TooLong);
        }
        Ok(partition)
    }

    /// The prefix of an object: `partition` is one of this prefix's own, and `random` gives a new UUID each time.
    pub fn evaluate(&self, oldest_arrival: Timestamp, partition: &Partition, random: impl FnMut() -> Uuid) -> String {
        evaluate(&self.parts, oldest_arrival, partition, "", random)
    }
}

fn keys(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| if let Part::PartitionKey(key) = part { Some(key.as_str()) } else { None })
}

fn is_too_long(evaluated: &str) -> bool {
    evaluated.chars().count() > MAX_CHARACTERS || evaluated.len() > MAX_KEY_BYTES - MAX_SUFFIX_BYTES
}

/// Every `timestamp` of a prefix is the same instant; every `random-string` is another one.
fn evaluate(
    parts: &[Part],
    time: Timestamp,
    Partition(values): &Partition,
    error_output_type: &str,
    mut random: impl FnMut() -> Uuid,
) -> String {
    let mut evaluated = String::new();
    let mut values = values.iter();
    for part in parts {
        match part {
            Part::Text(text) => evaluated.push_str(text),
            Part::Timestamp(pattern) => pattern.format(time, &mut evaluated),
            // The guide's example, `046b6c7f-0b`, is the beginning of a UUID.
            Part::RandomString => evaluated.extend(random().to_string().chars().take(RANDOM_STRING_CHARACTERS)),
            Part::ErrorOutputType => evaluated.push_str(error_output_type),
            Part::PartitionKey(_) => evaluated.extend(values.next().map(String::as_str)),
        }
    }
    evaluated
}

#[cfg(test)]
mod tests;
