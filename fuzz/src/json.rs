//! JSON as an oracle reads it.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The deepest values that `serde_json` reads: of a deeper one the oracle takes off the outermost level.
const READABLE_DEPTH: usize = 127;

/// The deepest values that are carried over.
const MAX_DEPTH: usize = 128;

/// The members of an object in their order, whatever their values, also where a name comes twice. The name of one that is no text
/// (a lone surrogate) is its JSON.
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

    /// The same where every name is text.
    pub(crate) fn with_text_names(json: &'a str) -> Option<Self> {
        let _: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
        Self::of(json)
    }

    /// Of several members the last one counts.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// The same where `null` is no value.
    pub(crate) fn some(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| *value != "null")
    }

    /// The member of that name, or else one that differs in case alone.
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

/// The value of what can be carried over into a line; `None` for what can't.
pub(crate) fn carried(json: &str) -> Option<Value> {
    match depth(json) {
        deep if deep > MAX_DEPTH => None,
        deep if deep <= READABLE_DEPTH => serde_json::from_str(json).ok(),
        _ if json.starts_with('[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            elements.into_iter().map(|element| carried(element.get())).collect()
        }
        _ => {
            let members = Members::with_text_names(json)?.0.into_iter();
            members.map(|(name, value)| Some((name, carried(value.get())?))).collect()
        }
    }
}

/// The text of a JSON string; `None` for any other value, and where it is no Unicode text.
pub(crate) fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// How deep the values of valid JSON nest.
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

/// Asserts that `written` is `original` in another spelling, without white space between tokens.
pub(crate) fn assert_carried(original: &str, written: &str) {
    let value = carried(original);
    assert!(value.is_some() && carried(written) == value, "{original} became {written}");
    // In a string, a control character is always escaped.
    assert!(written.bytes().all(|byte| byte >= b' '), "{written:?}");
}
