//! The input of a call: JSON of known types, or AWS's words for what is wrong with it.
//!
//! The words are of AWS's framework, which its services share: probed on Kinesis by the kinesalite project, and in their newer
//! form (`NUMBER_VALUE can …`) on Athena and SES by others. That Firehose says the same is an assumption.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

use super::refusal::Refusal;

/// What [`Structure`] expects.
const STRUCTURE: &str = "a structure";

/// A JSON object, where serde's own would take an array of the values too.
#[derive(Debug)]
pub(super) struct Structure<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Structure<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Structure<T>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(STRUCTURE)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Structure)
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Reads a body. Fields that the service doesn't know are left unread, as AWS does.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Structure(input)) => Ok(input),
        Err(error) if error.classify() == Category::Data => Err(Refusal::Serialization(wrong_type(&error))),
        // Probed: what isn't JSON gets no message.
        Err(_) => Err(Refusal::Serialization(None)),
    }
}

/// AWS's words for a value of a wrong type; serde tells both types in its own.
fn wrong_type(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    // From the end: what was found may be any text.
    let (text, _position) = text.rsplit_once(" at line ")?;
    let (found, expected) = text.strip_prefix("invalid type: ")?.rsplit_once(", expected ")?;
    let found = match found.split_once(' ').map_or(found, |(kind, _value)| kind) {
        "sequence" => return Some("Start of list found where not expected".to_owned()),
        "map" => return Some("Start of structure or map found where not expected.".to_owned()),
        "string" => "STRING_VALUE",
        "integer" | "floating" => "NUMBER_VALUE",
        "boolean" if found.contains("true") => "TRUE_VALUE",
        "boolean" => "FALSE_VALUE",
        _ => return None,
    };
    let expected = match expected {
        "a sequence" => return Some("Expected list or null".to_owned()),
        STRUCTURE => return Some("Expected null".to_owned()),
        "a string" => "a String",
        "i64" => "an Integer",
        "a boolean" => "a Boolean",
        other => other,
    };
    Some(format!("{found} can not be converted to {expected}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::blob::Blob;
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Input {
        text: Option<String>,
        number: Option<i64>,
        list: Option<Vec<Option<Structure<Inner>>>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Inner {
        data: Option<Blob>,
    }

    #[test]
    fn a_value_of_a_wrong_type_is_told_in_the_words_of_aws() {
        for (body, message) in [
            (r#"{"Text":5}"#, "NUMBER_VALUE can not be converted to a String"),
            (r#"{"Text":5.5}"#, "NUMBER_VALUE can not be converted to a String"),
            (r#"{"Text":true}"#, "TRUE_VALUE can not be converted to a String"),
            (r#"{"Text":false}"#, "FALSE_VALUE can not be converted to a String"),
            (r#"{"Text":["a"]}"#, "Start of list found where not expected"),
            (r#"{"Text":{"a":1}}"#, "Start of structure or map found where not expected."),
            (r#"{"Number":"5"}"#, "STRING_VALUE can not be converted to an Integer"),
            (r#"{"Number":"b, expected a structure at line 3"}"#, "STRING_VALUE can not be converted to an Integer"),
            (r#"{"List":"a"}"#, "Expected list or null"),
            (r#"{"List":5}"#, "Expected list or null"),
            (r#"{"List":{}}"#, "Start of structure or map found where not expected."),
            (r#"{"List":["a"]}"#, "Expected null"),
            (r#"{"List":[["aGk="]]}"#, "Start of list found where not expected"),
            (r#"{"List":[{"Data":5}]}"#, "NUMBER_VALUE can not be converted to a Blob"),
            (r#"{"List":[{"Data":{}}]}"#, "Start of structure or map found where not expected."),
            (r#"["a",1,[]]"#, "Start of list found where not expected"),
        ] {
            let refusal = parse::<Input>(body.as_bytes()).unwrap_err();
            assert_eq!(refusal, Refusal::Serialization(Some(message.to_owned())), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_gets_no_message() {
        for body in
            ["", "{", "{}}", "null", "not JSON", r#"{"Text":"a",}"#, r#"{"Text":"\ud800"}"#, r#"{"Text":1e999}"#]
        {
            assert_eq!(parse::<Input>(body.as_bytes()).unwrap_err(), Refusal::Serialization(None), "{body}");
        }
        assert_eq!(parse::<Input>(b"{\"Text\":\"\xff\"}").unwrap_err(), Refusal::Serialization(None));
    }

    #[test]
    fn null_is_nothing_and_unknown_fields_are_left_unread() {
        let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in [
            "{}",
            r#" {"Text":null,"Number":null,"List":[null,{"Data":null},{}]} "#,
            r#"{"text":5,"Other":{"Text":5}}"#,
            &format!(r#"{{"Other":{nested}}}"#),
        ] {
            assert!(parse::<Input>(body.as_bytes()).is_ok(), "{body:.80}");
        }
    }
}
