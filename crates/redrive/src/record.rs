//! A line of an error object: the record that failed, and why.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firehose_model::error_object::{ErrorRecord, NoErrorRecord};
use firehose_model::excerpt::excerpt;

/// How much of an error code or a function's name is shown. Anyone who can write objects can invent them.
const SHOWN_CHARS: usize = 200;

const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedRecord {
    pub(crate) data: Vec<u8>,
    pub(crate) code: String,
    pub(crate) function: String,
    /// In milliseconds since 1970.
    pub(crate) arrival_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Corrupt {
    #[error(transparent)]
    NoErrorRecord(#[from] NoErrorRecord),
    #[error("`rawData` is not base64")]
    Base64,
    /// The service would refuse the whole call. `bytes` includes the partition key.
    #[error("a record of {bytes} bytes; {service} accepts at most {most}")]
    TooLarge { bytes: usize, service: &'static str, most: usize },
    #[error("a line or a value of more than {0} bytes")]
    TooLong(usize),
}

impl FailedRecord {
    /// Accepts any version (`lambdaARN` or `lambdaArn`, numbers or texts: both were seen) and other error outputs (`ErrorCode`,
    /// `lastErrorCode`: Amazon Data Firehose developer guide, "Record format conversion error handling").
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Corrupt> {
        let ErrorRecord { fields, raw_data } = ErrorRecord::parse(line)?;
        let data = STANDARD.decode(raw_data.as_bytes()).map_err(|_| Corrupt::Base64)?;
        let text = |names: &[&str]| {
            let text = names.iter().find_map(|name| fields.text(name)).filter(|text| !text.is_empty());
            text.map_or_else(|| UNKNOWN.to_owned(), |text| excerpt(&text, SHOWN_CHARS))
        };
        let arrival_ms = fields.get("arrivalTimestamp").and_then(|number| number.parse().ok());
        Ok(Self {
            data,
            code: text(&["errorCode", "ErrorCode", "lastErrorCode"]),
            function: text(&["lambdaARN", "lambdaArn"]),
            arrival_ms: arrival_ms.or_else(|| fields.text("arrivalTimestamp")?.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(data: &[u8], code: &str, function: &str, arrival_ms: Option<i64>) -> FailedRecord {
        FailedRecord { data: data.to_vec(), code: code.to_owned(), function: function.to_owned(), arrival_ms }
    }

    #[test]
    fn lines_of_all_versions_are_read() {
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
            assert_eq!(FailedRecord::parse(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn lines_without_a_record_are_corrupt() {
        for (line, expected) in [
            ("", NoErrorRecord::Json.into()),
            ("[]", NoErrorRecord::Json.into()),
            (r#"{"rawData":"e30K""#, NoErrorRecord::Json.into()),
            (r#"{"rawData":"e30K"}{"rawData":"e30K"}"#, NoErrorRecord::Json.into()),
            ("{}", NoErrorRecord::NoData.into()),
            (r#"{"rawData":7}"#, NoErrorRecord::NoData.into()),
            (r#"{"rawData":null}"#, NoErrorRecord::NoData.into()),
            (r#"{"rawData":"???"}"#, Corrupt::Base64),
            (r#"{"rawData":"e30"}"#, Corrupt::Base64),
        ] {
            assert_eq!(FailedRecord::parse(line.as_bytes()), Err(expected), "{}", &line[..line.len().min(80)]);
        }
    }
}
