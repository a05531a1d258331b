//! The expressions of a prefix: parsed and evaluated.

use jiff::Timestamp;
use uuid::Uuid;

use super::error::{MAX_CHARACTERS, PrefixError};
use super::timestamp::Pattern;
use super::{MAX_KEY_BYTES, MAX_SUFFIX_BYTES};

/// The characters of `!{firehose:random-string}`.
const RANDOM_STRING_CHARACTERS: usize = 11;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// `!{timestamp:PATTERN}`
    Timestamp(Pattern),
    /// `!{firehose:random-string}`
    RandomString,
    /// `!{firehose:error-output-type}`
    ErrorOutputType,
    /// `!{partitionKeyFromLambda:KEY}`
    PartitionKey(String),
}

pub(super) fn parse(text: &str) -> Result<Vec<Part>, PrefixError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, expression)) = rest.split_once("!{") {
        let (expression, after) =
            expression.split_once('}').ok_or_else(|| PrefixError::Malformed(format!("!{{{expression}")))?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(part(expression)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn part(expression: &str) -> Result<Part, PrefixError> {
    let malformed = || PrefixError::Malformed(format!("!{{{expression}}}"));
    let (namespace, value) = expression.split_once(':').ok_or_else(malformed)?;
    if value.is_empty() || value.contains('{') {
        return Err(malformed());
    }
    match (namespace, value) {
        ("timestamp", pattern) => Pattern::parse(pattern)
            .map(Part::Timestamp)
            .map_err(|error| PrefixError::Timestamp(pattern.to_owned(), error)),
        ("firehose", "random-string") => Ok(Part::RandomString),
        ("firehose", "error-output-type") => Ok(Part::ErrorOutputType),
        ("firehose", value) => Err(PrefixError::FirehoseValue(value.to_owned())),
        ("partitionKeyFromLambda", key) => Ok(Part::PartitionKey(key.to_owned())),
        ("partitionKeyFromQuery", key) => Err(PrefixError::InlineParsing(key.to_owned())),
        (namespace, _) => Err(PrefixError::Namespace(namespace.to_owned())),
    }
}

/// The values of a prefix's keys, in the order of its expressions. Records of the same partition share objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub(super) Vec<String>);

pub(super) fn keys(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| if let Part::PartitionKey(key) = part { Some(key.as_str()) } else { None })
}

pub(super) fn is_too_long(evaluated: &str) -> bool {
    evaluated.chars().count() > MAX_CHARACTERS || evaluated.len() > MAX_KEY_BYTES - MAX_SUFFIX_BYTES
}

/// Every `timestamp` of a prefix is the same instant; every `random-string` is another one.
pub(super) fn evaluate(
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
