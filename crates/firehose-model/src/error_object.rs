//! Firehose's error objects: lines of JSON, each with a failed record's original bytes and why it failed.
//!
//! For each reader, a JSON value is an [`ErrorRecord`] if it is an object with a text as `rawData`, and the first JSON object of a file decides
//! what all of it is ([`Content`]): Firehose writes nothing but such values, so behind another object `rawData` is there by chance.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use crate::delivery::ErrorCode;
use crate::event::Record;
use crate::fields::Fields;
use crate::values::{Piece, PieceKind, Values};

/// How many pieces, and how many bytes, may precede the first JSON object. A file with more is of no known kind.
pub const MAX_HEAD_PIECES: usize = 100;
const MAX_HEAD_BYTES: usize = 16 * 1024 * 1024;

/// One line. The fields, their names and their order are those of objects that were seen in public.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorLine<'a> {
    attempts_made: u32,
    #[serde(rename = "arrivalTimestamp")]
    arrival_ms: i64,
    error_code: &'static str,
    error_message: String,
    #[serde(rename = "attemptEndingTimestamp")]
    attempt_end_ms: i64,
    /// The original bytes as base64. Invalid base64 of an event is kept as it is.
    raw_data: &'a str,
    /// Empty if the record failed before the function. That the field is missing then is an assumption.
    #[serde(rename = "lambdaARN", skip_serializing_if = "str::is_empty")]
    lambda_arn: &'a str,
}

impl<'a> ErrorLine<'a> {
    /// The line of a failed record. Times are milliseconds since 1970.
    #[must_use]
    pub fn new(record: &'a Record, code: ErrorCode, attempts: u32, end_ms: i64, lambda_arn: &'a str) -> Self {
        Self {
            attempts_made: attempts,
            arrival_ms: record.arrival_ms,
            error_code: code.code(),
            error_message: code.to_string(),
            attempt_end_ms: end_ms,
            raw_data: record.original.as_deref().unwrap_or(&record.data),
            lambda_arn,
        }
    }
}

/// A value of an error object. The fields other than `rawData` differ between versions of Firehose.
#[derive(Debug)]
pub struct ErrorRecord<'a> {
    /// All fields.
    pub fields: Fields<'a>,
    /// The record's original bytes as base64, unless the line is damaged.
    pub raw_data: Cow<'a, str>,
}

/// Why a JSON value is no [`ErrorRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoErrorRecord {
    /// It is no JSON object.
    #[error("not a JSON object")]
    Json,
    /// It has no text as `rawData`.
    #[error("a JSON object without a text as `rawData`")]
    NoData,
}

impl<'a> ErrorRecord<'a> {
    /// Reads one value.
    pub fn parse(json: &'a [u8]) -> Result<Self, NoErrorRecord> {
        // A derived struct would accept an array as well.
        let fields: Fields<'_> = serde_json::from_slice(json).map_err(|_| NoErrorRecord::Json)?;
        let raw_data = fields.text("rawData").ok_or(NoErrorRecord::NoData)?;
        Ok(Self { fields, raw_data })
    }
}

/// What the values of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Failed records: the file is an error object.
    ErrorRecords,
    /// Firehose events: objects with `records`.
    Events,
    /// Records as a producer puts them.
    Records,
}

impl Content {
    /// What the first JSON object of a file says. With `rawData` and `records` it is an error record: only Firehose writes the former.
    #[must_use]
    pub fn of(json: &[u8]) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_slice(json).ok()?;
        Some(if fields.text("rawData").is_some() {
            Self::ErrorRecords
        } else if fields.get("records").is_some() {
            Self::Events
        } else {
            Self::Records
        })
    }
}

/// The pieces of a file up to its first JSON object.
#[derive(Debug)]
pub struct Head {
    /// What the file holds; none where no JSON object is near its start.
    pub content: Option<Content>,
    /// The pieces that were read. The last one is the first JSON object, if there is one.
    pub pieces: Vec<Piece>,
}

impl Head {
    /// Reads up to the first JSON object, but no more than [`MAX_HEAD_PIECES`] and 16 MiB.
    pub fn read(values: &mut Values<'_>) -> io::Result<Self> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for piece in values {
            let piece = piece?;
            bytes += piece.bytes.len();
            let content = if piece.kind == PieceKind::Value { Content::of(&piece.bytes) } else { None };
            pieces.push(piece);
            if content.is_some() || pieces.len() > MAX_HEAD_PIECES || bytes > MAX_HEAD_BYTES {
                return Ok(Self { content, pieces });
            }
        }
        Ok(Self { content: None, pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw_data(json: &[u8]) -> Option<String> {
        Some(ErrorRecord::parse(json).ok()?.raw_data.into_owned())
    }

    #[test]
    fn a_line_comes_back() {
        for data in ["eyJteXNmaXRJZCI6Iv8ifQ==", "###", ""] {
            let record = Record { arrival_ms: 1_700_000_000_000, ..Record::direct_put(0, 0, data.into()) };
            let line = ErrorLine::new(&record, ErrorCode::FunctionTimedOut, 4, 1_700_000_060_000, "arn:f");
            let text = serde_json::to_string(&line).unwrap();
            let expected = format!(
                concat!(
                    r#"{{"attemptsMade":4,"arrivalTimestamp":1700000000000,"errorCode":"Lambda.FunctionTimedOut","#,
                    r#""errorMessage":"The Lambda function invocation timed out. "#,
                    r#"Increase the Timeout setting in the Lambda function.","attemptEndingTimestamp":1700000060000,"#,
                    r#""rawData":"{}","lambdaARN":"arn:f"}}"#,
                ),
                data,
            );
            assert_eq!(text, expected);
            assert_eq!(raw_data(text.as_bytes()).as_deref(), Some(data));
        }
    }

    #[test]
    fn only_the_data_is_needed() {
        let older = r#"{"attemptsMade":"4","arrivalTimestamp":"5","rawData":"e30=","lambdaArn":"arn:f","more":1e400}"#;
        let twice = r#"{"rawData":7,"rawData":"e30="}"#;
        for line in [older, twice] {
            assert_eq!(raw_data(line.as_bytes()).as_deref(), Some("e30="), "{line}");
        }
        for line in [r#"{"attemptsMade":4}"#, r#"{"rawData":7}"#, r#"["e30="]"#] {
            assert_eq!(raw_data(line.as_bytes()), None, "{line}");
        }
    }

    /// Replay took the second line for an event, and redrive each file with any error record for an error object.
    #[test]
    fn the_first_json_object_decides_what_a_file_holds() {
        let error = r#"{"rawData":"e30=","errorCode":"Lambda.FunctionError"}"#;
        for (text, expected) in [
            (error.to_owned(), Some(Content::ErrorRecords)),
            (r#"{"rawData":"e30=","records":[]}"#.to_owned(), Some(Content::ErrorRecords)),
            (r#"{"rawData":"???"}"#.to_owned(), Some(Content::ErrorRecords)),
            (format!("7 [1]\nno JSON\n{error}"), Some(Content::ErrorRecords)),
            (format!("{{\"a\":1}}\n{error}"), Some(Content::Records)),
            (format!("{{}}{error}"), Some(Content::Records)),
            (format!("{{\"rawData\":7}}\n{error}"), Some(Content::Records)),
            (format!("{{\"records\":[]}}\n{error}"), Some(Content::Events)),
            ("{\n\"records\": 7\n}".to_owned(), Some(Content::Events)),
            (r#"{"a":1e400,"b":"\ud800"}"#.to_owned(), Some(Content::Records)),
            ("[{}] 7 \"rawData\"".to_owned(), None),
            ("x\n".to_owned(), None),
            (String::new(), None),
            ("x\n".repeat(MAX_HEAD_PIECES) + error, Some(Content::ErrorRecords)),
            ("x\n".repeat(MAX_HEAD_PIECES + 1) + error, None),
        ] {
            let head = Head::read(&mut Values::open(text.as_bytes(), 1_000).unwrap()).unwrap();
            assert_eq!(head.content, expected, "{text}");
        }
        let large = format!("{}\n", "x".repeat(MAX_HEAD_BYTES / 4 + 1)).repeat(4) + error;
        let head = Head::read(&mut Values::open(large.as_bytes(), MAX_HEAD_BYTES).unwrap()).unwrap();
        assert_eq!((head.content, head.pieces.len()), (None, 4));
    }
}
