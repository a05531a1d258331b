//! Data as base64: kept as the text that came.

use std::fmt::{self, Formatter};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::constraint::shown;
use super::refusal::Refusal;

/// A JSON string in the place of data, which may not be base64.
#[derive(Debug)]
pub(super) struct Blob(pub(super) String);

impl Blob {
    /// The size of the data, if it is base64. `scratch` is what it is decoded into, and nothing else.
    pub(super) fn size(&self, scratch: &mut Vec<u8>) -> Result<usize, Refusal> {
        scratch.clear();
        match STANDARD.decode_vec(&self.0, scratch) {
            Ok(()) => Ok(scratch.len()),
            Err(error) => Err(Refusal::Serialization(Some(self.fault(&error)))),
        }
    }

    /// In the words of AWS's framework, spelling included (probed on Kinesis by the kinesalite project).
    fn fault(&self, error: &DecodeError) -> String {
        let (text, length) = (shown(&self.0), self.0.len());
        let fault = match error {
            _ if !length.is_multiple_of(4) => {
                format!("Base64 encoded length is expected a multiple of 4 bytes but found: {length}")
            }
            DecodeError::InvalidByte(offset, _) => {
                let char = self.0.get(*offset..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                format!("Invalid Base64 character: '{char}'")
            }
            _ => "Invalid last non-pad Base64 character dectected".to_owned(),
        };
        format!("'{text}' can not be converted to a Blob: {fault}")
    }
}

/// Data as Firehose and Kinesis were seen to tell it.
pub(super) fn buffer(size: usize) -> String {
    format!("java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]")
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Blob;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a Blob")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Blob(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Blob(text))
            }
        }

        deserializer.deserialize_string(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_measured() {
        let mut scratch = Vec::new();
        for (text, size) in [("aGVsbG8=", 5), ("", 0), ("AA==", 1), ("AAA=", 2), ("+/+/", 3)] {
            assert_eq!(Blob(text.to_owned()).size(&mut scratch), Ok(size), "{text}");
        }
    }

    #[test]
    fn other_text_is_told_in_the_words_of_aws() {
        let mut scratch = vec![0; 100];
        for (text, fault) in [
            ("23456", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
            ("aGk", "Base64 encoded length is expected a multiple of 4 bytes but found: 3"),
            ("{\"a\":1}", "Base64 encoded length is expected a multiple of 4 bytes but found: 7"),
            ("=+/=", "Invalid Base64 character: '='"),
            ("aGk=aGk=", "Invalid Base64 character: '='"),
            ("ab-_", "Invalid Base64 character: '-'"),
            ("aGk\n", "Invalid Base64 character: '\n'"),
            ("aaéb", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
            ("aéb=", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
            ("aaéé", "Base64 encoded length is expected a multiple of 4 bytes but found: 6"),
            ("éé", "Invalid Base64 character: 'é'"),
            ("+/+=", "Invalid last non-pad Base64 character dectected"),
        ] {
            let message = format!("'{text}' can not be converted to a Blob: {fault}");
            assert_eq!(Blob(text.to_owned()).size(&mut scratch), Err(Refusal::Serialization(Some(message))));
        }
    }
}
