//! A line of an error object: the record that failed, and why.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use firehose_model::error_object::{ErrorRecord, NoErrorRecord};
use firehose_model::excerpt::excerpt;

/// What is shown of an error code or a function's name, which anybody may have written who may write objects.
const SHOWN_CHARS: usize = 200;

/// What stands for a code or a function that a line does not tell.
const UNKNOWN: &str = "unknown";

/// A record that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Its original bytes.
    pub data: Vec<u8>,
    /// Such as `Lambda.FunctionError`.
    pub code: String,
    /// The function's ARN.
    pub function: String,
    /// When Firehose got the record, in milliseconds since 1970.
    pub arrival_ms: Option<i64>,
}

/// Why a line holds no record that can be put back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Corrupt {
    /// Other JSON, or none.
    #[error("found what is no JSON object")]
    Json,
    /// An object of something else.
    #[error("found a JSON object without `rawData`, or with one that is no text")]
    NoData,
    /// The original bytes can't be had.
    #[error("found a `rawData` that is not base64")]
    Base64,
    /// The stream refuses it, and with it the whole call.
    #[error("found a record of {bytes} bytes; {service} accepts at most {most}")]
    TooLarge {
        /// With its partition key, where it has one.
        bytes: usize,
        /// In AWS' words.
        service: &'static str,
        /// What the stream accepts.
        most: usize,
    },
    /// Longer than a value with the largest record.
    #[error("found a line or a value of more than {0} bytes")]
    TooLong(usize),
}

impl Corrupt {
    /// Whether it is a record of an error object nevertheless.
    pub(crate) fn is_of_record(&self) -> bool {
        matches!(self, Self::Base64 | Self::TooLarge { .. })
    }
}

impl From<NoErrorRecord> for Corrupt {
    fn from(problem: NoErrorRecord) -> Self {
        match problem {
            NoErrorRecord::Json => Self::Json,
            NoErrorRecord::NoData => Self::NoData,
        }
    }
}

impl Failed {
    /// Reads a line, whatever its age: `lambdaARN` or `lambdaArn`, numbers as such or as text (both were seen in public), and
    /// the names of other kinds of error output (`ErrorCode`, `lastErrorCode`: Amazon Data Firehose developer guide, "Record
    /// format conversion error handling").
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Corrupt> {
        let ErrorRecord { fields, raw_data } = ErrorRecord::parse(line)?;
        let data = STANDARD.decode(raw_data.as_bytes()).map_err(|_| Corrupt::Base64)?;
        let told = |names: &[&str]| {
            let text = names.iter().find_map(|name| fields.get(name).and_then(value::<Text<'_>>));
            text.filter(|text| !text.0.is_empty())
                .map_or_else(|| UNKNOWN.to_owned(), |text| excerpt(&text.0, SHOWN_CHARS))
        };
        Ok(Self {
            data,
            code: told(&["errorCode", "ErrorCode", "lastErrorCode"]),
            function: told(&["lambdaARN", "lambdaArn"]),
            arrival_ms: fields.get("arrivalTimestamp").and_then(milliseconds),
        })
    }
}

/// A JSON string.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn value<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// A whole number, or a text that is one.
fn milliseconds(json: &str) -> Option<i64> {
    json.parse().ok().or_else(|| value::<Text<'_>>(json)?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(data: &[u8], code: &str, function: &str, arrival_ms: Option<i64>) -> Failed {
        Failed { data: data.to_vec(), code: code.to_owned(), function: function.to_owned(), arrival_ms }
    }

    #[test]
    fn lines_of_all_ages_are_read() {
        for (line, expected) in [
            (
                r#"{"attemptsMade":4,"arrivalTimestamp":1700000000000,"errorCode":"Lambda.FunctionError","rawData":"e30K","lambdaARN":"arn:f"}"#,
                failed(b"{}\n", "Lambda.FunctionError", "arn:f", Some(1_700_000_000_000)),
            ),
            (
                r#"{"arrivalTimestamp":"1700000000000","errorCode":"Lambda.FunctionError","rawData":"e30K","lambdaArn":"arn:f"}"#,
                failed(b"{}\n", "Lambda.FunctionError", "arn:f", Some(1_700_000_000_000)),
            ),
            (
                r#"{"lastErrorCode":"DataFormatConversion.ParseError","rawData":"e30K","more":1e400}"#,
                failed(b"{}\n", "DataFormatConversion.ParseError", "unknown", None),
            ),
            (
                r#"{"rawData":"e30K","ErrorCode":"DataFormatConversion.ParseError"}"#,
                failed(b"{}\n", "DataFormatConversion.ParseError", "unknown", None),
            ),
            (
                r#"{"rawData":"","errorCode":"\u001b[31m","lambdaARN":"","arrivalTimestamp":1.5}"#,
                failed(b"", r"\u{1b}[31m", "unknown", None),
            ),
            (r#"{"rawData":"\u0065\u00330K","errorCode":7}"#, failed(b"{}\n", "unknown", "unknown", None)),
        ] {
            assert_eq!(Failed::parse(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn lines_without_a_record_say_what_they_are() {
        for (line, expected) in [
            ("", Corrupt::Json),
            ("[]", Corrupt::Json),
            (r#"{"rawData":"e30K""#, Corrupt::Json),
            (r#"{"rawData":"e30K"}{"rawData":"e30K"}"#, Corrupt::Json),
            ("{}", Corrupt::NoData),
            (r#"{"rawData":7}"#, Corrupt::NoData),
            (r#"{"rawData":null}"#, Corrupt::NoData),
            (r#"{"rawData":"???"}"#, Corrupt::Base64),
            (r#"{"rawData":"e30"}"#, Corrupt::Base64),
        ] {
            assert_eq!(Failed::parse(line.as_bytes()), Err(expected), "{}", &line[..line.len().min(80)]);
        }
    }
}
