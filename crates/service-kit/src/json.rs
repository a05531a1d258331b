//! Raw JSON values: the text of one that is a string, and a value carried over unchanged.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// How deep a value may nest; `serde_json` refuses deeper ones too, where it recurses.
const MAX_DEPTH: usize = 128;

/// A member's name, borrowed where it holds no escape: serde copies a bare `Cow`.
#[derive(Deserialize)]
pub struct Name<'a>(
    /// The name.
    #[serde(borrow)]
    pub Cow<'a, str>,
);

/// A member's name that may be no Unicode text (a lone surrogate). Then its JSON stands for it: it is the name of no member that is
/// wanted, and the others count all the same. To read the names of events so would be 1.13 times the instructions of a batch.
pub struct AnyName<'a>(
    /// The name, or its JSON.
    pub Cow<'a, str>,
);

impl<'de: 'a, 'a> Deserialize<'de> for AnyName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(text(name).ok().flatten().unwrap_or(Cow::Borrowed(name.get()))))
    }
}

/// The text of `value` where it is a JSON string, borrowed where it holds no escape; `None` for any other value.
///
/// # Errors
/// [`Unusable::Escape`] for a string that holds a lone surrogate.
pub fn text(value: &RawValue) -> Result<Option<Cow<'_, str>>, Unusable> {
    let Some(inner) = quoted(value) else {
        return Ok(None);
    };
    if !inner.contains('\\') {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    serde_json::from_str(value.get()).map(|text| Some(Cow::Owned(text))).map_err(|_| Unusable::Escape)
}

/// What stands between the quotes of `value` where it is a JSON string, escapes and all.
pub fn quoted(value: &RawValue) -> Option<&str> {
    value.get().strip_prefix('"')?.strip_suffix('"')
}

/// Why a value that parsed as JSON can't be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A string holds an escape that is no Unicode text, such as a lone surrogate.
    #[error("a string holds an escape that is no Unicode text")]
    Escape,
    /// Values nest deeper than [`MAX_DEPTH`].
    #[error("values nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A number is beyond what a 64-bit float can hold, so most readers would make it infinite.
    #[error("a number is beyond a 64-bit float")]
    NumberTooLarge,
}

/// How [`write_compact`] carries a value over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Strings with no escape but those that JSON demands; numbers beyond a 64-bit float are refused.
    Unescape,
    /// Strings and numbers byte for byte.
    KeepBytes,
}

/// Appends `value` to `out` without white space, numbers digit by digit as they came.
///
/// A detour through `serde_json::Value` would turn `123456789012345678901` into `1.2345678901234568e20`.
///
/// # Errors
/// [`Unusable`] where it can't be carried over. Then `out` has a part of it.
pub fn write_compact(value: &RawValue, mode: Mode, out: &mut Vec<u8>) -> Result<(), Unusable> {
    walk(value, mode, |piece| out.extend_from_slice(piece))
}

/// Appends the JSON of `text`, which is a string or nothing.
pub fn write_text<'a>(text: impl Into<Option<&'a str>>, out: &mut Vec<u8>) {
    // A Vec takes every write and a str serializes always, so there is no error to pass on.
    let written = text.into().serialize(&mut serde_json::Serializer::new(out));
    debug_assert!(written.is_ok());
}

/// Appends the JSON of a text that was in JSON: borrowed, it held no escape there, and needs none here. To look for some would
/// be 1.13 times the instructions of a batch.
#[expect(clippy::ptr_arg, reason = "whether it is borrowed is what matters")]
pub fn write_again(text: &Cow<'_, str>, out: &mut Vec<u8>) {
    match text {
        Cow::Borrowed(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Cow::Owned(text) => write_text(text.as_str(), out),
    }
}

/// Whether [`write_compact`] would carry `value` over.
///
/// # Errors
/// [`Unusable`] where it would not.
pub fn check(value: &RawValue, mode: Mode) -> Result<(), Unusable> {
    walk(value, mode, |_| ())
}

/// Emits the pieces of a value whose grammar `serde_json` has already checked; it never recurses, so depth costs no stack.
fn walk(value: &RawValue, mode: Mode, mut emit: impl FnMut(&[u8])) -> Result<(), Unusable> {
    let text = value.get();
    let mut rest = text.as_bytes();
    let mut depth = 0_usize;
    while let Some(&first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| is_number_byte(**byte)).count(),
            _ => 1,
        };
        let piece = &rest[..length];
        match first {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' if piece.contains(&b'\\') => {
                let unescaped = unescape(piece)?;
                emit(if mode == Mode::Unescape { &unescaped } else { piece });
            }
            b'-' | b'0'..=b'9' if mode == Mode::Unescape && !is_finite(piece) => return Err(Unusable::NumberTooLarge),
            b'{' | b'[' if depth == MAX_DEPTH => return Err(Unusable::TooDeep),
            b'{' | b'[' => {
                depth += 1;
                emit(piece);
            }
            b'}' | b']' => {
                depth -= 1;
                emit(piece);
            }
            _ => emit(piece),
        }
        rest = &rest[length..];
    }
    Ok(())
}

/// The length of the string that `bytes` opens with, both quotes included.
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

/// A string in which only what JSON demands is escaped.
fn unescape(string: &[u8]) -> Result<Vec<u8>, Unusable> {
    serde_json::from_slice::<String>(string).and_then(|text| serde_json::to_vec(&text)).map_err(|_| Unusable::Escape)
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

    fn compact(json: &str, mode: Mode) -> Result<String, Unusable> {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        let written = write_compact(value, mode, &mut out);
        assert_eq!(written, check(value, mode), "check and write_compact disagree on {json}");
        written.map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_carried_over() {
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
    fn values_are_carried_over_byte_for_byte() {
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
    fn values_that_cannot_be_carried_over_are_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{}{{}}]", "[],".repeat(200));
        for mode in [Mode::Unescape, Mode::KeepBytes] {
            assert_eq!(compact(&nested(128), mode), Ok(nested(128)));
            assert_eq!(compact(&wide, mode), Ok(wide.clone()), "many side by side are not deep");
            assert_eq!(compact(&nested(129), mode), Err(Unusable::TooDeep));
            assert_eq!(compact(&nested(200_000), mode), Err(Unusable::TooDeep));
            assert_eq!(compact(r#"["\ud800"]"#, mode), Err(Unusable::Escape));
            assert_eq!(compact(r#"{"\udc00": 1}"#, mode), Err(Unusable::Escape));
        }
        for number in ["1e400", &"9".repeat(400)] {
            assert_eq!(compact(number, Mode::Unescape), Err(Unusable::NumberTooLarge));
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
            (r#""\ud800""#, Err(Unusable::Escape)),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
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
