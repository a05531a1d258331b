//! The expressions of a prefix, and the text around them.

use super::PrefixError;
use super::timestamp::Pattern;

/// A part of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Itself.
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

/// The parts of `text`, in their order.
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

/// What is between the braces.
fn part(expression: &str) -> Result<Part, PrefixError> {
    let malformed = || PrefixError::Malformed(format!("!{{{expression}}}"));
    let (namespace, value) = expression.split_once(':').ok_or_else(malformed)?;
    if value.is_empty() || value.contains('{') {
        return Err(malformed());
    }
    match (namespace, value) {
        ("timestamp", pattern) => Pattern::parse(pattern)
            .map(Part::Timestamp)
            .map_err(|source| PrefixError::Timestamp { pattern: pattern.to_owned(), source }),
        ("firehose", "random-string") => Ok(Part::RandomString),
        ("firehose", "error-output-type") => Ok(Part::ErrorOutputType),
        ("firehose", value) => Err(PrefixError::FirehoseValue(value.to_owned())),
        ("partitionKeyFromLambda", key) => Ok(Part::PartitionKey(key.to_owned())),
        ("partitionKeyFromQuery", key) => Err(PrefixError::InlineParsing(key.to_owned())),
        (namespace, _) => Err(PrefixError::Namespace(namespace.to_owned())),
    }
}
