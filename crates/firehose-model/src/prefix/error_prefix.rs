//! The prefix of error objects.

use jiff::Timestamp;
use uuid::Uuid;

use super::error::PrefixError;
use super::expression::{Part, Partition, evaluate, is_too_long, keys, parse};
use super::timestamp::Pattern;

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
