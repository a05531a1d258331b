//! Responses of the service: the list, and items.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use click_processor::event::{InputEvents, RecordMetadata};
use click_processor::lookup::Attributes;
use click_processor::lookup::service_response::{ItemFormat, ListEntry, ServiceResponseError, parse_item, parse_list};
use serde_json::value::RawValue;

use crate::json::{Members, assert_copied, copied, find};
use crate::line::{Configured, assert_line, config};
use crate::record::{CONFIGURED, key_of};

/// What is wanted of an item, as the oracle knows it.
struct Wanted {
    configured: Configured,
    format: ItemFormat,
    key: &'static str,
    /// Whether an attribute of the list is `null` if its pointer finds nothing.
    list_is_complete: bool,
    /// Pointers, or names in any case.
    attributes: &'static [&'static str],
}

static WANTED: LazyLock<[Wanted; 3]> = LazyLock::new(|| {
    let wanted = |variables: &[(&str, &str)], key, list_is_complete, attributes| Wanted {
        configured: Configured { config: config(variables), ..CONFIGURED[0] },
        format: ItemFormat::new(&config(variables)),
        key,
        list_is_complete,
        attributes,
    };
    let others = ("LOOKUP_ATTRIBUTES", "age,likes,name,thumbImageUri");
    let pointers = [
        ("LOOKUP_ATTRIBUTES", "first=/likes/0,age,name=/name"),
        ("LOOKUP_LIST_KEY", "id=/mysfitId"),
        ("LOOKUP_ITEM", "none"),
    ];
    [
        wanted(&[], "mysfitId", false, &["goodevil", "lawchaos", "species"]),
        wanted(&[others], "mysfitId", false, &["age", "likes", "name", "thumbImageUri"]),
        wanted(&pointers, "/mysfitId", true, &["/likes/0", "age", "/name"]),
    ]
});

const EVENT: &str = r#"{"userId":"u","mysfitId":"m"}"#;

/// - A list is accepted if and only if it is valid, and has its items, complete or partial.
/// - An item is accepted if and only if it has the requested key and every attribute.
/// - Its attributes are those of the response, in the configured order, and form a line.
pub fn check(body: &[u8]) {
    for wanted in &*WANTED {
        check_list(body, wanted);
        check_item(body, wanted);
    }
}

fn check_list(body: &[u8], wanted: &Wanted) {
    let (found, expected) = match (parse_list(body, &wanted.format), expected_list(body, wanted)) {
        (Ok(found), Ok(expected)) => (found, expected),
        (Err(error), Err(expected)) => return assert_eq!(error, expected),
        (found, expected) => panic!("{found:?}, and not {expected:?}"),
    };
    assert_eq!(found.len(), expected.len());
    for (key, item) in &expected {
        match (found.get(key), wanted.attributes(item, wanted.list_is_complete)) {
            (Some(ListEntry::Complete(its)), Some(expected)) => wanted.check(found.attributes(its), &expected),
            (Some(ListEntry::Partial), None) => {}
            (found, expected) => panic!("{key}: {found:?}, and not {expected:?}"),
        }
    }
}

fn check_item(body: &[u8], wanted: &Wanted) {
    let item = str::from_utf8(body).ok().filter(|body| Members::of(body).is_some());
    let key = item.and_then(|item| wanted.key(item));
    if let (Some(item), Some(key)) = (item, &key) {
        match (parse_item(body, key, &wanted.format), wanted.attributes(item, true)) {
            (Ok(found), Some(expected)) => wanted.check(found.view(), &expected),
            (Err(ServiceResponseError::MissingAttribute(name)), None) => {
                assert!(wanted.configured.config.attributes.iter().any(|field| field.output == name), "{name}");
            }
            (found, expected) => panic!("{found:?}, and not {expected:?}"),
        }
    }
    let other = format!("{}-", key.unwrap_or_default());
    assert_eq!(
        parse_item(body, &other, &wanted.format),
        Err(ServiceResponseError::Shape),
        "not a response for {other}"
    );
}

impl Wanted {
    fn check(&self, found: Attributes, expected: &[&str]) {
        let config = &self.configured.config;
        let json = format!("{{{}}}", found.members());
        let members = Members::of(&json).unwrap();
        assert_eq!(members.names(), config.attributes.iter().map(|field| &*field.output).collect::<Vec<_>>());
        for (index, (original, (_, written))) in expected.iter().zip(&members.0).enumerate() {
            assert_eq!(found.value(index), written.get());
            assert_copied(original, written.get());
        }
        let format = click_processor::event::EventFormat::new(config);
        let events = InputEvents::parse([Ok(EVENT)].into_iter(), &format);
        let mut records = events.records();
        let (event, _) = records.next().unwrap().unwrap().next().unwrap();
        assert_line(&self.configured, event, EVENT, found, &RecordMetadata::default());
    }

    fn key(&self, item: &str) -> Option<String> {
        value(item, self.key).and_then(any_key)
    }

    /// The values of all attributes, if none is missing.
    fn attributes<'a>(&self, item: &'a str, is_complete: bool) -> Option<Vec<&'a str>> {
        let null = |name: &str| Some("null").filter(|_| is_complete && name.starts_with('/'));
        let attribute = |name: &&str| value(item, name).or_else(|| null(name)).filter(|value| copied(value).is_some());
        self.attributes.iter().map(attribute).collect()
    }
}

/// The value at a pointer, or of a name in any case.
fn value<'a>(item: &'a str, name: &str) -> Option<&'a str> {
    if name.starts_with('/') { find(item, name) } else { Members::of(item)?.get_in_any_case(name) }
}

/// The key in the service's JSON, where any string is one.
fn any_key(json: &str) -> Option<String> {
    crate::json::text(json).or_else(|| key_of(json))
}

/// The items of a list by key: of an array, or of the only array in an object. `null` is one without entries if nothing else is there.
fn expected_list<'b>(body: &'b [u8], wanted: &Wanted) -> Result<BTreeMap<String, &'b str>, ServiceResponseError> {
    let shape = || ServiceResponseError::Shape;
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| shape())?;
    let arrays: Vec<&str> = if body.get().starts_with('[') {
        vec![body.get()]
    } else {
        let members = Members::of(body.get()).ok_or_else(shape)?.0;
        if members.is_empty() || members.len() == 1 && members[0].1.get() == "null" {
            return Ok(BTreeMap::new());
        }
        members.iter().map(|(_, value)| value.get()).filter(|value| value.starts_with('[')).collect()
    };
    let [array] = arrays[..] else { return Err(ServiceResponseError::NoArray) };
    let entries: Vec<&RawValue> = serde_json::from_str(array).map_err(|_| shape())?;
    let items = entries.iter().map(|entry| entry.get()).filter(|entry| entry.starts_with('{'));
    let items: BTreeMap<String, &str> = items.filter_map(|item| Some((wanted.key(item)?, item))).collect();
    if items.is_empty() && !entries.is_empty() { Err(ServiceResponseError::NoKeys) } else { Ok(items) }
}
