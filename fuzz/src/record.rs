//! The data of one record: events, or anything else.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use click_processor::Reason;
use click_processor::event::{InputEvent, InputEvents, LineFormat, RecordMetadata};
use click_processor::lookup::OwnedAttributes;
use serde_json::value::RawValue;

use crate::json::{Members, copied, find, text, without_numbers};
use crate::line::{Configured, assert_line};

pub(crate) static CONFIGURED: LazyLock<[Configured; 3]> = LazyLock::new(Configured::all);

/// Another record in the batch.
const NEIGHBOUR: &[u8] = br#"{"userId":"neighbour","mysfitId":"next-door"}"#;

/// - It is accepted if and only if it is objects, each with a valid key, required fields and kept fields that fit into a line.
/// - Each event has one line with its values.
/// - An event is read alike by the general path, by the plan that was made from it, and by serde.
/// - It does not affect other records of the batch.
pub fn check(data: &[u8]) {
    for configured in &*CONFIGURED {
        check_configured(data, expected(data, configured).as_deref(), configured);
    }
}

fn check_configured(data: &[u8], expected: Option<&[&str]>, configured: &Configured) {
    // The first one is planned for. The plan reads the second one, and not the last one.
    let other_form = [b" ", data].concat();
    let line = LineFormat::new(&configured.config);
    let texts = [data, data, NEIGHBOUR, &other_form].into_iter().map(|data| Ok(str::from_utf8(data)?));
    let batch = InputEvents::parse(texts, line.event_format());
    let keys = batch.keys();
    let records: Vec<Result<Vec<(InputEvent, &str)>, Reason>> = batch
        .records()
        .map(|events| events.map(|events| events.map(|(event, key)| (event, keys[key])).collect()))
        .collect();
    let named: BTreeSet<&str> = records.iter().flatten().flatten().map(|(_, key)| *key).collect();
    assert_eq!(keys.len(), named.len(), "each key of an accepted event is looked up once, and no other: {keys:?}");
    let [first, fast, neighbour, general] = records.as_slice() else { panic!("{} records", records.len()) };
    assert!(matches!(neighbour.as_deref(), Ok([(_, "next-door")])), "{neighbour:?}");

    match (first, expected) {
        (Ok(_), Some(expected)) => {
            let read = |events: &Result<Vec<(InputEvent, &str)>, Reason>| {
                let events = events.as_ref().unwrap_or_else(|reason| panic!("{reason:?}"));
                assert_eq!(events.len(), expected.len());
                let lines = events.iter().zip(expected).map(|(read, event)| check_event(*read, event, configured));
                lines.collect::<Vec<_>>()
            };
            let lines = read(first);
            assert_eq!((&read(fast), &read(general)), (&lines, &lines));
        }
        (Err(reason), None) => {
            assert!([fast, general].iter().all(|other| other.as_ref().err() == Some(reason)), "{fast:?}, {general:?}");
            assert_eq!(*reason == Reason::InvalidUtf8, str::from_utf8(data).is_err());
            assert_eq!(*reason == Reason::Empty, data.trim_ascii().is_empty());
        }
        (first, expected) => panic!("{first:?}, and not {expected:?}"),
    }
}

/// Returns the event's line.
fn check_event((parsed, key): (InputEvent, &str), event: &str, configured: &Configured) -> String {
    assert_eq!(Some(key), find(event, configured.key).and_then(key_of).as_deref());
    let config = &configured.config;
    let metadata = LineFormat::new(config)
        .record_metadata(|| Some("2026-11-20T08:22:01.000Z".to_owned()), || Some("\"\n".into()))
        .unwrap_or_default();
    let unknown = OwnedAttributes::unknown(&config.attributes);
    let line = assert_line(configured, parsed, event, unknown.view(), &metadata);
    // Without record fields and `*`, a line is short.
    let is_default = metadata == RecordMetadata::default() && !configured.required.is_empty();
    assert!(!is_default || line.len() < 2_000, "{} bytes", line.len());
    line
}

/// The events in a record's data; `None` if the record fails. Follows the documented reasons.
pub(crate) fn expected<'d>(data: &'d [u8], configured: &Configured) -> Option<Vec<&'d str>> {
    let text = str::from_utf8(data).ok().filter(|text| !text.trim_ascii().is_empty())?;
    let events: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    let events: Vec<&str> = events.ok()?.into_iter().map(RawValue::get).collect();
    events.iter().all(|event| is_valid(event, configured)).then_some(events)
}

fn is_valid(event: &str, configured: &Configured) -> bool {
    let is_kept = |(output, pointer, _): &(&str, &str, bool)| match *output {
        // Numbers stay as they came.
        "*" => {
            Members::with_text_names(event).is_some()
                && configured.rest(event).iter().all(|(_, value)| copied(&without_numbers(value)).is_some())
        }
        _ => find(event, pointer).is_none_or(|value| copied(value).is_some()),
    };
    let is_text = |pointer: &&str| find(event, pointer).and_then(text).is_some_and(|text| text.len() <= 256);
    event.starts_with('{')
        && find(event, configured.key).and_then(key_of).is_some()
        && configured.required.iter().all(is_text)
        && configured.kept.iter().all(is_kept)
}

/// The key in a JSON value, if it is valid.
pub(crate) fn key_of(json: &str) -> Option<String> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    let is_integer = json != "-0" && digits.len() <= 20 && digits.chars().all(|character| character.is_ascii_digit());
    let key = if is_integer { Some(json.to_owned()) } else { text(json) };
    let may_be_in_a_key = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    key.filter(|key| (1..=128).contains(&key.len()) && key.chars().all(may_be_in_a_key))
}
