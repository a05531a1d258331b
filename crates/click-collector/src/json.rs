//! Raw JSON values: the text of one that is a string, and a value carried over unchanged.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// How deep a value may nest: what `serde_json` and its like take where they recurse, so what a reader can be expected to.
const MAX_DEPTH: usize = 128;

/// Why a value that is JSON by its grammar can't be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A string holds an escape that is no Unicode text, such as a lone surrogate, which no reader could read.
    #[error("a string holds an escape that is no Unicode text")]
    Escape,
    /// Values nest deeper than 128 levels.
    #[error("values nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// The text of `value` where it is a JSON string, borrowed where it holds no escape; `None` for any other value.
///
/// # Errors
/// [`Unusable::Escape`] for a string that holds a lone surrogate.
pub(crate) fn text(value: &RawValue) -> Result<Option<Cow<'_, str>>, Unusable> {
    let Some(inner) = value.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Ok(None);
    };
    if !inner.contains('\\') {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    serde_json::from_str(value.get()).map(|text| Some(Cow::Owned(text))).map_err(|_| Unusable::Escape)
}

/// Appends `value` to `out` without the white space between its parts, and else byte for byte.
///
/// A detour through `serde_json::Value` would turn `123456789012345678901` into `1.2345678901234568e20`, and `1.10` into
/// `1.1`. The grammar is checked already, and nothing recurses, so that depth costs no stack.
pub(crate) fn write_compact(value: &RawValue, out: &mut Vec<u8>) -> Result<(), Unusable> {
    let mut rest = value.get();
    let mut depth = 0_usize;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'"' => string_length(rest),
            _ => 1,
        };
        let (piece, after) = rest.split_at(length);
        match first {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' if piece.contains("\\u") && !is_text(piece) => return Err(Unusable::Escape),
            b'{' | b'[' if depth == MAX_DEPTH => return Err(Unusable::TooDeep),
            _ => out.extend_from_slice(piece.as_bytes()),
        }
        match first {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// The length of the string that `json` opens with, both quotes included.
fn string_length(json: &str) -> usize {
    let bytes = json.as_bytes();
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

/// Whether the escapes of a string stand for Unicode characters.
fn is_text(string: &str) -> bool {
    serde_json::from_str::<String>(string).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(json: &str) -> Result<String, Unusable> {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        write_compact(value, &mut out).map(|()| String::from_utf8(out).unwrap())
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
            assert_eq!(compact(json), Ok(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn values_that_cannot_be_carried_over_are_told() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(compact(&nested(128)), Ok(nested(128)));
        let wide = format!("[{}{{}}]", "[],".repeat(200));
        assert_eq!(compact(&wide), Ok(wide), "many side by side are not deep");
        assert_eq!(compact(&nested(129)), Err(Unusable::TooDeep));
        assert_eq!(compact(&nested(200_000)), Err(Unusable::TooDeep));
        assert_eq!(compact(r#"["\ud800"]"#), Err(Unusable::Escape));
        assert_eq!(compact(r#"{"\udc00": 1}"#), Err(Unusable::Escape));
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
}
