//! The prefix of error objects, and the kinds of errors that it tells apart.

use jiff::Timestamp;
use uuid::Uuid;

use super::expression::{Part, parse};
use super::timestamp::Pattern;
use super::{Partition, PrefixError, evaluate, is_too_long, keys};

/// The prefix of error objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPrefix {
    text: String,
    parts: Vec<Part>,
}

impl ErrorPrefix {
    /// An error prefix as the user wrote it. Nothing is ever appended to it.
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

    /// As the user wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The prefix of an error object; `random` gives a new UUID each time.
    pub fn evaluate(&self, oldest_arrival: Timestamp, error: ErrorOutputType, random: impl FnMut() -> Uuid) -> String {
        evaluate(&self.parts, oldest_arrival, &Partition::default(), error.as_str(), random)
    }
}

/// What `!{firehose:error-output-type}` says. There are more, of other destinations and of format conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorOutputType {
    /// The function failed, or said so of the record (the guide's table of the `firehose` namespace).
    ProcessingFailed,
    /// The record has no partition (AWS CDK's integration test of dynamic partitioning, which runs on AWS).
    PartitioningFailed,
    /// The record's partition would be one too many (the guide's "Buffer data for dynamic partitioning").
    ActivePartitionExceeded,
}

impl ErrorOutputType {
    /// As it is in an object's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
            Self::PartitioningFailed => "partitioning-failed",
            Self::ActivePartitionExceeded => "activePartitionExceeded",
        }
    }
}
