//! Firehose's error objects: lines of JSON, each with a failed record's original bytes and why it failed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::delivery::ErrorCode;
use crate::event::Record;
use crate::fields::Fields;

/// One line. The fields, their names and their order are those of objects that were seen in public.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorLine<'a> {
    /// How often the batch was tried.
    attempts_made: u32,
    /// When Firehose got the record, in milliseconds since 1970.
    #[serde(rename = "arrivalTimestamp")]
    arrival_ms: i64,
    /// Such as `Lambda.FunctionError`.
    error_code: &'static str,
    /// The same in words.
    error_message: &'static str,
    /// When the last attempt ended, in milliseconds since 1970.
    #[serde(rename = "attemptEndingTimestamp")]
    attempt_end_ms: i64,
    /// The record's original bytes as base64: as they came, even where they are none.
    raw_data: &'a str,
    /// The function.
    #[serde(rename = "lambdaARN")]
    lambda_arn: &'a str,
}

impl<'a> ErrorLine<'a> {
    /// The line of a record that failed.
    #[must_use]
    pub fn new(
        record: &'a Record,
        fault: ErrorCode,
        attempts_made: u32,
        attempt_end_ms: i64,
        lambda_arn: &'a str,
    ) -> Self {
        Self {
            attempts_made,
            arrival_ms: record.arrival_ms,
            error_code: fault.code(),
            error_message: fault.message(),
            attempt_end_ms,
            raw_data: &record.data,
            lambda_arn,
        }
    }
}

/// What makes a file or an object one of Firehose's error output: a JSON object with a text as `rawData`, whatever its age and the
/// rest of it.
#[derive(Debug)]
pub struct ErrorRecord<'a> {
    /// All of its fields.
    pub fields: Fields<'a>,
    /// The record's original bytes as base64, or whatever stood in their place.
    pub raw_data: Cow<'a, str>,
}

/// Why JSON is no record of an error object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoErrorRecord {
    /// It is no JSON object.
    Json,
    /// It has no text as `rawData`.
    NoData,
}

impl<'a> ErrorRecord<'a> {
    /// Reads one value of an error object.
    pub fn parse(json: &'a [u8]) -> Result<Self, NoErrorRecord> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        // What serde derives would take an array for the object.
        let fields: Fields<'_> = serde_json::from_slice(json).map_err(|_| NoErrorRecord::Json)?;
        let raw_data = fields.get("rawData").and_then(|text| serde_json::from_str(text).ok());
        let Text(raw_data) = raw_data.ok_or(NoErrorRecord::NoData)?;
        Ok(Self { fields, raw_data })
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
            let record =
                Record { record_id: "a".into(), arrival_ms: 1_700_000_000_000, data: data.into(), kinesis: None };
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
}
