//! Reads the JSON of AWS's APIs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Reads a request's body. As in AWS, unknown fields are ignored.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(error.to_string()))
}

/// The size of base64 data, which is 0 for none. `scratch` is a buffer to decode into.
pub(super) fn data_len(data: Option<&String>, scratch: &mut Vec<u8>) -> Result<usize, ApiError> {
    scratch.clear();
    let decoded = data.map_or(Ok(()), |data| STANDARD.decode_vec(data, scratch));
    decoded.map_err(|error| ApiError::serialization(format!("Data is not base64: {error}")))?;
    Ok(scratch.len())
}

/// Seconds since 1970 with milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age have 41 bits")]
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        text: Option<String>,
        list: Option<Vec<Option<i64>>>,
    }

    #[test]
    fn null_is_nothing_and_unknown_fields_are_ignored() {
        let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for (body, text, list) in [
            ("{}", None, None),
            (r#" {"Text":null,"List":[null,5]} "#, None, Some(vec![None, Some(5)])),
            (&format!(r#"{{"text":5,"Other":{nested},"Text":"a"}}"#), Some("a".to_owned()), None),
        ] {
            assert_eq!(parse::<Input>(body.as_bytes()), Ok(Input { text, list }), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_serialization_errors_with_their_place() {
        for (body, message) in [
            (&b""[..], "EOF while parsing a value at line 1 column 0"),
            (b"null", "invalid type: null, expected struct Input at line 1 column 4"),
            (br#"{"Text":5}"#, "invalid type: integer `5`, expected a string at line 1 column 9"),
            (br#"{"List":"a"}"#, "invalid type: string \"a\", expected a sequence at line 1 column 11"),
            (br#"{"Text":"a",}"#, "trailing comma at line 1 column 13"),
        ] {
            assert_eq!(parse::<Input>(body), Err(ApiError::serialization(message)));
        }
        assert!(parse::<Input>(b"{\"Text\":\"\xff\"}").is_err());
    }

    #[test]
    fn base64_is_measured() {
        let mut scratch = vec![0; 100];
        for (text, expected) in [
            ("aGVsbG8=", Some(5)),
            ("", Some(0)),
            ("AAA=", Some(2)),
            ("aGk", None),
            ("ab-_", None),
            ("aGk\n", None),
            ("+/+=", None),
            ("éé", None),
        ] {
            assert_eq!(data_len(Some(&text.to_owned()), &mut scratch).ok(), expected, "{text}");
        }
        assert_eq!(data_len(None, &mut scratch), Ok(0));
    }
}
