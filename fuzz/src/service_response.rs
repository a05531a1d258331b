//! Responses of the mysfits service: the list, and items.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use click_processor::click::{Clicks, RecordMetadata};
use click_processor::config::Config;
use click_processor::lookup::Attributes;
use click_processor::lookup::service_response::{Entry, ServiceResponseError, parse_item, parse_list};
use serde_json::value::RawValue;

use crate::json::{Members, assert_copied, copied, text};
use crate::line::{assert_line, config};

static CONFIGS: LazyLock<[Config; 2]> =
    LazyLock::new(|| [config(&[]), config(&[("LOOKUP_ATTRIBUTES", "age,likes,name,thumbImageUri")])]);

const CLICK: &str = r#"{"userId":"u","mysfitId":"m"}"#;

/// - A list is accepted if and only if it is valid, and has its mysfits, complete or partial.
/// - An item is accepted if and only if it is the requested mysfit with every attribute.
/// - Its attributes are those of the response, in the configured order, and form a line.
pub fn check(body: &[u8]) {
    for config in &*CONFIGS {
        check_list(body, config);
        check_item(body, config);
    }
}

fn check_list(body: &[u8], config: &Config) {
    let names = &config.mysfit_attributes;
    let (found, expected) = match (parse_list(body, names), expected_list(body)) {
        (Ok(found), Some(expected)) => (found, expected),
        (Err(error), None) => return assert_eq!(error, ServiceResponseError::Shape),
        (found, expected) => panic!("{found:?}, and not {expected:?}"),
    };
    assert_eq!(found.len(), expected.len());
    for (id, mysfit) in &expected {
        match (found.get(id), attributes(mysfit, names)) {
            (Some(Entry::Complete(its)), Some(expected)) => assert_attributes(found.attributes(its), &expected, config),
            (Some(Entry::Partial), None) => {}
            (found, expected) => panic!("{id}: {found:?}, and not {expected:?}"),
        }
    }
}

fn check_item(body: &[u8], config: &Config) {
    let names = &config.mysfit_attributes;
    let mysfit = members(body);
    let id = mysfit.as_ref().and_then(id);
    if let (Some(mysfit), Some(id)) = (&mysfit, &id) {
        match (parse_item(body, id, names), attributes(mysfit, names)) {
            (Ok(found), Some(expected)) => assert_attributes(found.view(), &expected, config),
            (Err(ServiceResponseError::MissingAttribute(name)), None) => assert!(names.contains(&name), "{name}"),
            (found, expected) => panic!("{found:?}, and not {expected:?}"),
        }
    }
    let other = format!("{}-", id.unwrap_or_default());
    assert_eq!(parse_item(body, &other, names), Err(ServiceResponseError::Shape), "not a response for {other}");
}

fn assert_attributes(found: Attributes, expected: &[&str], config: &Config) {
    let json = format!("{{{}}}", found.members());
    let members = Members::of(&json).unwrap();
    assert_eq!(members.names(), config.mysfit_attributes);
    for (index, (original, (_, written))) in expected.iter().zip(&members.0).enumerate() {
        assert_eq!(found.value(index), written.get());
        assert_copied(original, written.get());
    }
    let clicks = Clicks::parse([Ok(CLICK.as_bytes())].into_iter(), &[]);
    let mut records = clicks.records();
    let (click, _) = records.next().unwrap().unwrap().next().unwrap();
    assert_line(config, click, &Members::of(CLICK).unwrap(), found, &RecordMetadata::default());
}

fn members(body: &[u8]) -> Option<Members<'_>> {
    serde_json::from_slice(body).ok()
}

fn id(mysfit: &Members) -> Option<String> {
    mysfit.get_in_any_case("mysfitId").and_then(text)
}

fn expected_list(body: &[u8]) -> Option<BTreeMap<String, Members<'_>>> {
    let body = members(body)?;
    let Some(mysfits) = body.get_in_any_case("mysfits") else {
        return body.0.is_empty().then(BTreeMap::new);
    };
    let mysfits: Option<Vec<&RawValue>> = serde_json::from_str(mysfits).ok()?;
    let entries = mysfits.unwrap_or_default().into_iter().filter_map(|mysfit| Members::of(mysfit.get()));
    Some(entries.filter_map(|mysfit| Some((id(&mysfit)?, mysfit))).collect())
}

/// The values of all attributes, if none is missing.
fn attributes<'a>(mysfit: &Members<'a>, names: &[String]) -> Option<Vec<&'a str>> {
    names.iter().map(|name| mysfit.get_in_any_case(name).filter(|value| copied(value).is_some())).collect()
}
