//! Firehose's error objects: lines of JSON, each with a failed record's original bytes and why it failed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::delivery::Fault;
use crate::event::Record;

/// One line. The fields, their names and their order are those of objects that were seen in public; older ones spell
/// `lambdaArn`, and have numbers as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorLine {
    /// How often the batch was tried.
    #[serde(default, deserialize_with = "number")]
    pub attempts_made: i64,
    /// When Firehose got the record, in milliseconds since 1970.
    #[serde(rename = "arrivalTimestamp", default, deserialize_with = "number")]
    pub arrival_ms: i64,
    /// Such as `Lambda.FunctionError`.
    #[serde(default)]
    pub error_code: String,
    /// The same in words.
    #[serde(default)]
    pub error_message: String,
    /// When the last attempt ended, in milliseconds since 1970.
    #[serde(rename = "attemptEndingTimestamp", default, deserialize_with = "number")]
    pub attempt_end_ms: i64,
    /// The record's original bytes as base64.
    pub raw_data: String,
    /// The function.
    #[serde(rename = "lambdaARN", alias = "lambdaArn", default)]
    pub lambda_arn: String,
}

impl ErrorLine {
    /// The line of a record that failed.
    #[must_use]
    pub fn new(record: &Record, fault: Fault, attempts: u32, attempt_end_ms: i64, lambda_arn: &str) -> Self {
        Self {
            attempts_made: attempts.into(),
            arrival_ms: record.arrival_ms,
            error_code: fault.code().to_owned(),
            error_message: fault.message().to_owned(),
            attempt_end_ms,
            raw_data: record.data.clone(),
            lambda_arn: lambda_arn.to_owned(),
        }
    }

    /// The record's original bytes.
    pub fn data(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.raw_data)
    }
}

/// A number, or a string of one.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(i64),
        Text(String),
    }
    match Number::deserialize(deserializer)? {
        Number::Plain(number) => Ok(number),
        Number::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let record = Record::direct_put(1, 1_700_000_000_000, b"{\"mysfitId\":\"\xff\"}");
        let line = ErrorLine::new(&record, Fault::FunctionTimedOut, 4, 1_700_000_060_000, "arn:f");
        let text = serde_json::to_string(&line).unwrap();
        let expected = format!(
            concat!(
                r#"{{"attemptsMade":4,"arrivalTimestamp":1700000000000,"errorCode":"Lambda.FunctionTimedOut","#,
                r#""errorMessage":"The Lambda function invocation timed out. "#,
                r#"Increase the Timeout setting in the Lambda function.","attemptEndingTimestamp":1700000060000,"#,
                r#""rawData":"{}","lambdaARN":"arn:f"}}"#,
            ),
            record.data,
        );
        assert_eq!(text, expected);
        let back: ErrorLine = serde_json::from_str(&text).unwrap();
        assert_eq!(back, line);
        assert_eq!(back.data().unwrap(), b"{\"mysfitId\":\"\xff\"}");
    }

    #[test]
    fn older_lines_are_read() {
        let line: ErrorLine = serde_json::from_str(
            r#"{"attemptsMade":"4","arrivalTimestamp":"5","attemptEndingTimestamp":"6","rawData":"e30=","lambdaArn":"arn:f"}"#,
        )
        .unwrap();
        assert_eq!((line.attempts_made, line.arrival_ms, line.attempt_end_ms), (4, 5, 6));
        assert_eq!((line.data().unwrap(), line.lambda_arn.as_str()), (b"{}".to_vec(), "arn:f"));
    }

    #[test]
    fn only_the_data_is_needed() {
        assert!(serde_json::from_str::<ErrorLine>(r#"{"rawData":"","more":1}"#).is_ok());
        assert!(serde_json::from_str::<ErrorLine>(r#"{"attemptsMade":4}"#).is_err());
        assert!(serde_json::from_str::<ErrorLine>(r#"{"rawData":"?"}"#).unwrap().data().is_err());
    }
}
