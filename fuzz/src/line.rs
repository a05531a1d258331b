//! Configured lines, and the properties of each line.

use std::collections::BTreeMap;

use click_processor::click::{Click, LineFormat, RecordMetadata};
use click_processor::config::Config;
use click_processor::lookup::Attributes;

use crate::json::{Members, assert_copied, text};

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

/// Asserts that the line of `click` has the values of `members` and `attributes`; returns it.
pub(crate) fn assert_line(
    config: &Config,
    click: &Click,
    members: &Members,
    attributes: Attributes,
    metadata: &RecordMetadata,
) -> String {
    let line = LineFormat::new(config);
    let mut bytes = Vec::new();
    line.write(click, attributes, metadata, &mut bytes);
    let written = String::from_utf8(bytes).unwrap();
    let json = written.strip_suffix('\n').expect("a newline at the end");
    assert!(json.bytes().all(|byte| byte >= b' '), "a line is one line: {json:?}");

    let read = Members::of(json).unwrap();
    let is_there = |name: &&str| !config.click_fields.iter().any(|field| field == name) || members.get(name).is_some();
    assert_eq!(read.names(), config.output_fields().filter(is_there).collect::<Vec<_>>());
    for name in &config.click_fields {
        if let Some(original) = members.get(name) {
            assert_copied(original, read.get(name).unwrap());
        }
    }
    for (index, name) in config.mysfit_attributes.iter().enumerate() {
        assert_eq!(read.get(name), Some(attributes.value(index)));
    }
    let text_of = |name| read.some(name).map(|json| text(json).expect("a string"));
    assert_eq!(text_of("arrivedAt"), metadata.arrived_at);
    assert_eq!(text_of("recordId").as_deref(), metadata.record_id.as_deref());
    assert_eq!(line.partition_keys(click, attributes, metadata), partition_keys(config, &read));
    written
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
