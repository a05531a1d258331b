//! The oracle's JSON parser.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The deepest values that `serde_json` parses. The oracle peels the outermost level off deeper ones.
const READABLE_DEPTH: usize = 127;

/// The deepest values that a line can have.
const MAX_DEPTH: usize = 128;

/// The members of an object in order, including repeated names. A name with a lone surrogate is its JSON.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(text(json).unwrap_or_else(|| json.to_owned())))
    }
}

impl<'a> Members<'a> {
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// As [`Members::of`], if every name is valid Unicode.
    pub(crate) fn with_text_names(json: &'a str) -> Option<Self> {
        let _: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
        Self::of(json)
    }

    /// The last member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// As [`Members::get`], but `null` counts as missing.
    pub(crate) fn some(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| *value != "null")
    }

    /// The member of that name, or else one whose name differs only in case.
    pub(crate) fn get_in_any_case(&self, name: &str) -> Option<&'a str> {
        let differs_in_case = || self.0.iter().rfind(|(known, _)| known.eq_ignore_ascii_case(name));
        self.get(name).or_else(|| differs_in_case().map(|(_, value)| value.get()))
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(known, _)| known == name).count()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The value that a JSON pointer without escapes finds.
pub(crate) fn find<'a>(json: &'a str, pointer: &str) -> Option<&'a str> {
    let Some(rest) = pointer.strip_prefix('/') else { return Some(json) };
    let (name, rest) = rest.find('/').map_or((rest, ""), |end| rest.split_at(end));
    let value = if json.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        elements.get(name.parse::<usize>().ok()?)?.get()
    } else {
        Members::of(json)?.get(name)?
    };
    find(value, rest)
}

/// The value, if a line can have it.
pub(crate) fn copied(json: &str) -> Option<Value> {
    match depth(json) {
        deep if deep > MAX_DEPTH => None,
        deep if deep <= READABLE_DEPTH => serde_json::from_str(json).ok(),
        _ if json.starts_with('[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            elements.into_iter().map(|element| copied(element.get())).collect()
        }
        _ => {
            let members = Members::with_text_names(json)?.0.into_iter();
            members.map(|(name, value)| Some((name, copied(value.get())?))).collect()
        }
    }
}

/// JSON with 0 for each number.
pub(crate) fn without_numbers(json: &str) -> String {
    let (mut out, mut in_string, mut escaped, mut in_number) = (String::new(), false, false, false);
    for character in json.chars() {
        let is_digit = !in_string && matches!(character, '-' | '0'..='9')
            || in_number && matches!(character, '+' | '.' | 'e' | 'E');
        if !is_digit {
            out.push(character);
        } else if !in_number {
            out.push('0');
        }
        in_number = is_digit;
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    out
}

/// The text of a JSON string; `None` for any other value, and for a lone surrogate.
pub(crate) fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// The nesting depth of valid JSON.
fn depth(json: &str) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now -= 1,
            _ => {}
        }
    }
    deepest
}

/// Asserts that `written` equals `original`, and is compact.
pub(crate) fn assert_copied(original: &str, written: &str) {
    let value = copied(original);
    assert!(value.is_some() && copied(written) == value, "{original} became {written}");
    // In a string, a control character is always escaped.
    assert!(written.bytes().all(|byte| byte >= b' '), "{written:?}");
}
