//! Configured lines, and the properties of each line.

use std::collections::BTreeMap;

use click_processor::config::Config;
use click_processor::event::{InputEvent, LineFormat, RecordMetadata};
use click_processor::lookup::Attributes;

use crate::json::{Members, assert_copied, find, text};

/// A configuration from environment variables, without a service.
pub(crate) fn config(variables: &[(&str, &str)]) -> Config {
    let url = ("LOOKUP_API_URL", "http://127.0.0.1:9");
    Config::read(&variables.iter().copied().chain([url]).collect()).unwrap()
}

/// All kinds of fields that a line can have.
pub(crate) const ALL_FIELDS: [(&str, &str); 3] = [
    ("EVENT_FIELDS", "page,userId,mysfitId,at"),
    ("RECORD_FIELDS", "arrivedAt,recordId"),
    ("PARTITION_KEYS", "userId,page"),
];

/// Fields by pointers, and all other members.
const POINTERS: [(&str, &str); 5] = [
    ("LOOKUP_KEY", "key=/mysfitId"),
    ("EVENT_FIELDS", "page,x=/page/1/x,*,key,at=/at"),
    ("REQUIRED_FIELDS", "none"),
    ("LOOKUP_ATTRIBUTES", "species"),
    ("PARTITION_KEYS", "key,x"),
];

/// A configuration, as the oracle knows it.
pub(crate) struct Configured {
    pub(crate) config: Config,
    pub(crate) key: &'static str,
    pub(crate) required: &'static [&'static str],
    /// The output name and the pointer of each field, and whether it is configured by a pointer; `*` for all other members.
    pub(crate) kept: &'static [(&'static str, &'static str, bool)],
}

impl Configured {
    /// The default, and all kinds of fields.
    pub(crate) fn all() -> [Self; 3] {
        let (key, required) = ("/mysfitId", &["/userId"][..]);
        [
            Self {
                config: config(&[]),
                key,
                required,
                kept: &[("userId", "/userId", false), ("mysfitId", "/mysfitId", false)],
            },
            Self {
                config: config(&ALL_FIELDS),
                key,
                required,
                kept: &[
                    ("page", "/page", false),
                    ("userId", "/userId", false),
                    ("mysfitId", "/mysfitId", false),
                    ("at", "/at", false),
                ],
            },
            Self {
                config: config(&POINTERS),
                key: "/mysfitId",
                required: &[],
                kept: &[
                    ("page", "/page", false),
                    ("x", "/page/1/x", true),
                    ("*", "", false),
                    ("key", "/mysfitId", true),
                    ("at", "/at", true),
                ],
            },
        ]
    }

    /// The members of an event's line, with their source; `None` where it is `null` because a pointer finds nothing.
    fn members<'e>(&self, event: &'e str) -> Vec<(String, Option<&'e str>)> {
        let mut members = Vec::new();
        for (output, pointer, is_pointer) in self.kept {
            if *output == "*" {
                members.extend(self.rest(event).into_iter().map(|(name, value)| (name, Some(value))));
            } else if let Some(value) = find(event, pointer) {
                members.push(((*output).to_owned(), Some(value)));
            } else if *is_pointer {
                members.push(((*output).to_owned(), None));
            }
        }
        members
    }

    /// What `*` keeps: of members that share a name, the last counts.
    pub(crate) fn rest<'e>(&self, event: &'e str) -> Vec<(String, &'e str)> {
        let mut rest: Vec<(String, &str)> = Vec::new();
        for (name, value) in Members::of(event).unwrap().0 {
            let lower = name.to_lowercase();
            if self.config.output_fields().any(|output| output.to_lowercase() == lower) {
                continue;
            }
            match rest.iter_mut().find(|(known, _)| known.to_lowercase() == lower) {
                Some(known) => *known = (name, value.get()),
                None => rest.push((name, value.get())),
            }
        }
        rest
    }
}

/// Asserts that the line of an event has its values and `attributes`; returns it.
pub(crate) fn assert_line(
    configured: &Configured,
    parsed: InputEvent,
    event: &str,
    attributes: Attributes,
    metadata: &RecordMetadata,
) -> String {
    let config = &configured.config;
    let line = LineFormat::new(config);
    let mut bytes = Vec::new();
    line.write(parsed, attributes, metadata, usize::MAX, &mut bytes);
    let written = String::from_utf8(bytes).unwrap();
    let json = written.strip_suffix('\n').expect("a newline at the end");
    assert!(json.bytes().all(|byte| byte >= b' '), "a line is one line: {json:?}");

    let read = Members::of(json).unwrap();
    let expected = configured.members(event);
    let others = config.attributes.iter().map(|field| field.output.as_str());
    let others = others.chain(config.record_fields.iter().map(|field| field.name()));
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).chain(others).collect();
    assert_eq!(read.names(), names);
    for ((name, original), (_, written)) in expected.iter().zip(&read.0) {
        match original {
            Some(original) if copied_exactly(original, written.get()) => {}
            Some(original) => assert_copied(original, written.get()),
            None => assert_eq!(written.get(), "null", "{name}"),
        }
    }
    for (index, attribute) in config.attributes.iter().enumerate() {
        assert_eq!(read.get(&attribute.output), Some(attributes.value(index)));
    }
    if config.record_fields.is_empty() {
        assert_eq!(metadata, &RecordMetadata::default());
    } else {
        let text_of = |name| read.some(name).map(|json| text(json).expect("a string"));
        assert_eq!(text_of("arrivedAt"), metadata.arrived_at);
        assert_eq!(text_of("recordId").as_deref(), metadata.record_id.as_deref());
    }
    assert_eq!(line.partition_keys(parsed, attributes, metadata), partition_keys(config, &read));
    written
}

/// Whether a value is written as it came, apart from white space outside of strings. Numbers beyond a 64-bit float can't be compared.
fn copied_exactly(original: &str, written: &str) -> bool {
    let without_space =
        |json: &str| json.chars().filter(|character| !character.is_ascii_whitespace()).collect::<String>();
    without_space(original) == without_space(written)
}

/// The partition keys of a written line.
fn partition_keys<'c>(config: &'c Config, line: &Members) -> Option<BTreeMap<&'c str, String>> {
    let key = |name: &'c String| {
        let json = line.some(name)?;
        let plain = text(json).unwrap_or_else(|| json.to_owned());
        let is_plain = !json.starts_with(['{', '[']) && (1..=256).contains(&plain.len());
        is_plain.then_some((name.as_str(), plain))
    };
    config.partition_keys.iter().map(key).collect()
}
