//! Valid JSON values as text: reads the text of strings, and copies values without loss.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// How deep a value may nest: `serde_json`'s own limit, where it recurses.
const MAX_DEPTH: usize = 128;

/// A member's name that may have a lone surrogate. Then it is the name's JSON, which equals no wanted name, and the other members still
/// count. It is slower than a `Cow`: for the names of events, a batch would take 1.13 times the instructions.
pub struct AnyName<'a>(
    /// The name, or its JSON.
    pub Cow<'a, str>,
);

impl<'de: 'a, 'a> Deserialize<'de> for AnyName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(text(name.get()).ok().flatten().unwrap_or(Cow::Borrowed(name.get()))))
    }
}

/// The text of a JSON string, borrowed if it has no escape; `None` for any other value. A string with a lone surrogate is an error.
pub fn text(value: &str) -> Result<Option<Cow<'_, str>>, UnsupportedValue> {
    let Some(inner) = quoted(value) else { return Ok(None) };
    if !has_escape(inner) {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    serde_json::from_str(value).map(|text| Some(Cow::Owned(text))).map_err(|_| UnsupportedValue::Escape)
}

/// The text between the quotes of a JSON string, with its escapes; `None` for any other value.
#[must_use]
pub fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// Why a valid JSON value can't be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedValue {
    /// A string has an escape that is not valid Unicode, such as a lone surrogate.
    #[error("a string has an escape that is not valid Unicode")]
    Escape,
    /// Values nest deeper than 128.
    #[error("values nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A number exceeds a 64-bit float, so most parsers would make it infinite.
    #[error("a number exceeds a 64-bit float")]
    NumberTooLarge,
}

/// How [`write_compact`] copies a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Strings keep only the escapes that JSON requires. Numbers beyond a 64-bit float are refused.
    Unescape,
    /// Strings and numbers stay byte for byte.
    KeepBytes,
}

/// Appends `value` to `out` without white space, and with the digits of its numbers unchanged: `serde_json::Value` would turn
/// `123456789012345678901` into `1.2345678901234568e20`. After an error, `out` has a part of the value.
pub fn write_compact(value: &str, mode: Mode, out: &mut Vec<u8>) -> Result<(), UnsupportedValue> {
    if is_plain_string(value) {
        out.extend_from_slice(value.as_bytes());
        return Ok(());
    }
    walk(value, mode, |token| out.extend_from_slice(token))
}

/// Appends `text` as a JSON string, or `null`.
pub fn write_text<'a>(text: impl Into<Option<&'a str>>, out: &mut Vec<u8>) {
    // Writing a string to a `Vec` can't fail.
    let written = text.into().serialize(&mut serde_json::Serializer::new(out));
    debug_assert!(written.is_ok());
}

/// Checks that [`write_compact`] can copy `value`.
pub fn check(value: &str, mode: Mode) -> Result<(), UnsupportedValue> {
    if is_plain_string(value) { Ok(()) } else { walk(value, mode, |_| ()) }
}

/// Most strings have no escape, and need no walk.
fn is_plain_string(value: &str) -> bool {
    quoted(value).is_some_and(|text| !has_escape(text))
}

/// It vectorises, because it never stops early. For a UUID, `contains` would take four times the instructions.
fn has_escape(text: &str) -> bool {
    text.bytes().fold(0, |any, byte| any | u8::from(byte == b'\\')) != 0
}

/// `serde_json` has already validated the value. No recursion, so depth takes no stack.
fn walk(value: &str, mode: Mode, mut emit: impl FnMut(&[u8])) -> Result<(), UnsupportedValue> {
    let mut rest = value.as_bytes();
    let mut depth = 0_usize;
    while let Some(&first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| is_number_byte(**byte)).count(),
            _ => 1,
        };
        let token = &rest[..length];
        match first {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' if token.contains(&b'\\') => {
                let unescaped = unescape(token)?;
                emit(if mode == Mode::Unescape { &unescaped } else { token });
            }
            b'-' | b'0'..=b'9' if mode == Mode::Unescape && !is_finite(token) => {
                return Err(UnsupportedValue::NumberTooLarge);
            }
            b'{' | b'[' if depth == MAX_DEPTH => return Err(UnsupportedValue::TooDeep),
            b'{' | b'[' => {
                depth += 1;
                emit(token);
            }
            b'}' | b']' => {
                depth -= 1;
                emit(token);
            }
            _ => emit(token),
        }
        rest = &rest[length..];
    }
    Ok(())
}

/// Includes both quotes.
fn string_length(bytes: &[u8]) -> usize {
    let mut index = 1;
    while index < bytes.len() {
        match bytes[index] {
            b'"' => return index + 1,
            b'\\' => index += 2,
            _ => index += 1,
        }
    }
    bytes.len()
}

fn unescape(string: &[u8]) -> Result<Vec<u8>, UnsupportedValue> {
    serde_json::from_slice::<String>(string)
        .and_then(|text| serde_json::to_vec(&text))
        .map_err(|_| UnsupportedValue::Escape)
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
}

fn is_finite(number: &[u8]) -> bool {
    str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(json: &str, mode: Mode) -> Result<String, UnsupportedValue> {
        let value = serde_json::from_str::<&RawValue>(json).unwrap().get();
        let mut out = Vec::new();
        let written = write_compact(value, mode, &mut out);
        assert_eq!(written, check(value, mode), "check and write_compact disagree on {json}");
        written.map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_copied() {
        for (json, expected) in [
            ("null", "null"),
            (" [ 1 , 2.50 , -0 ] ", "[1,2.50,-0]"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#"{ "a" : { "b c" : [ ] } }"#, r#"{"a":{"b c":[]}}"#),
            (r#""\u00e9 \/ \ud83d\ude00""#, r#""é / 😀""#),
            (r#""\" \\ \n \u0001""#, r#""\" \\ \n \u0001""#),
            (r#""é { [ 1e999""#, r#""é { [ 1e999""#),
        ] {
            assert_eq!(compact(json, Mode::Unescape), Ok(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn values_are_copied_byte_for_byte() {
        for (json, expected) in [
            ("null", "null"),
            (" [ 1 , 2.50 , -0 ] ", "[1,2.50,-0]"),
            ("1.0", "1.0"),
            ("1e999", "1e999"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("{ \"a\" :\r\n\t{ \"b c\" : [ ] } }", r#"{"a":{"b c":[]}}"#),
            (r#""\u00e9 \/ \ud83d\ude00 \" \\""#, r#""\u00e9 \/ \ud83d\ude00 \" \\""#),
            (r#"[ "a \" , [ b" , "\\" ]"#, r#"["a \" , [ b","\\"]"#),
            (r#"{"é": "😀 "}"#, r#"{"é":"😀 "}"#),
        ] {
            assert_eq!(compact(json, Mode::KeepBytes), Ok(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn unsupported_values_are_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{}{{}}]", "[],".repeat(200));
        for mode in [Mode::Unescape, Mode::KeepBytes] {
            assert_eq!(compact(&nested(128), mode), Ok(nested(128)));
            assert_eq!(compact(&wide, mode), Ok(wide.clone()), "width is not depth");
            assert_eq!(compact(&nested(129), mode), Err(UnsupportedValue::TooDeep));
            assert_eq!(compact(&nested(200_000), mode), Err(UnsupportedValue::TooDeep));
            assert_eq!(compact(r#"["\ud800"]"#, mode), Err(UnsupportedValue::Escape));
            assert_eq!(compact(r#"{"\udc00": 1}"#, mode), Err(UnsupportedValue::Escape));
        }
        for number in ["1e400", &"9".repeat(400)] {
            assert_eq!(compact(number, Mode::Unescape), Err(UnsupportedValue::NumberTooLarge));
            assert_eq!(compact(number, Mode::KeepBytes), Ok(number.to_owned()));
        }
    }

    #[test]
    fn the_text_of_a_string() {
        for (json, expected) in [
            ("\"a\"", Ok(Some("a"))),
            (r#""\u00e9\"""#, Ok(Some("é\""))),
            ("\"\"", Ok(Some(""))),
            ("1", Ok(None)),
            ("[\"a\"]", Ok(None)),
            (r#""\ud800""#, Err(UnsupportedValue::Escape)),
        ] {
            let value = serde_json::from_str::<&RawValue>(json).unwrap().get();
            assert_eq!(
                text(value).map(|text| text.map(Cow::into_owned)),
                expected.map(|e| e.map(str::to_owned)),
                "{json}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn compacting_keeps_the_value(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            proptest::prop_assert_eq!(compact(&pretty, Mode::Unescape), Ok(value.to_string()));
            proptest::prop_assert!(compact(&pretty, Mode::KeepBytes).is_ok());
        }
    }

    fn value() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
