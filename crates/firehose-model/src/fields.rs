//! A JSON object whose values are kept as they are written: they are not parsed, so that none is rejected or changed.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names and values in the object's own order.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The text of a field's value. Of repeated fields, the last one counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|(key, _)| names(key, name)).map(|(_, value)| value.get())
    }

    /// The value of a field that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// A value as a partition key: a string that is not empty, or a number as it is written.
    #[must_use]
    pub fn partition_key(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        match value.as_bytes().first()? {
            b'"' => serde_json::from_str(value).ok().filter(|text: &String| !text.is_empty()),
            b'-' | b'0'..=b'9' => Some(value.to_owned()),
            _ => None,
        }
    }

    /// The names that are valid strings.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(key, _)| serde_json::from_str(key.get()).ok())
    }

    /// The text of all fields but some, each with a comma before it.
    #[must_use]
    pub fn without(&self, left_out: &[&str]) -> String {
        let others = self.0.iter().filter(|(key, _)| !left_out.iter().any(|name| names(key, name)));
        others.flat_map(|(key, value)| [",", key.get(), ":", value.get()]).collect()
    }
}

fn names(key: &RawValue, name: &str) -> bool {
    serde_json::from_str::<String>(key.get()).is_ok_and(|key| key == name)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Removes the white space between the tokens of valid JSON.
#[must_use]
pub fn minified(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|char| {
        if !in_string {
            in_string = *char == '"';
            return !char.is_ascii_whitespace();
        }
        in_string = escaped || *char != '"';
        escaped = !escaped && *char == '\\';
        true
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_field_is_refused_or_changed() {
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let text = format!(
            r#"{{ "z": 1e400, "a": "\ud800", "\ud800": 12345678901234567890123, "n": {nested}, "a": 1.0, "\u006d": 2 }}"#
        );
        let fields: Fields<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((fields.get("a"), fields.get("m"), fields.get("x")), (Some("1.0"), Some("2"), None));
        let names: Vec<String> = fields.names().collect();
        assert_eq!(names, ["z", "a", "n", "a", "m"]);
        let others = r#","z":1e400,"\ud800":12345678901234567890123,"\u006d":2"#;
        assert_eq!(fields.without(&["a", "n"]), others);
        assert!(serde_json::from_str::<Fields<'_>>("[]").is_err());
    }

    #[test]
    fn white_space_within_strings_is_kept() {
        let json = "{ \"a b\" :\t[ 1 , \"\\\" \\\\\" ] ,\n\"c\" : \" \\\\\\\" \" }\n";
        assert_eq!(minified(json), r#"{"a b":[1,"\" \\"],"c":" \\\" "}"#);
    }
}
