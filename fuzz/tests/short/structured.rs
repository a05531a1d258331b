//! Inputs that are nearly valid, as random mutations rarely are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::case::{check, target};

const CASES: u32 = 600;

/// The same cases each time.
fn run(target: &str, inputs: &impl Strategy<Value = String>) {
    let target = self::target(target);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let run = runner.run(inputs, |input| {
        (target.check)(input.as_bytes());
        Ok(())
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(_, input)) => {
            check(target, input.as_bytes(), "structured");
            // Hash tables have random seeds.
            panic!("{input:?} violated a property once");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Any JSON, in any form.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => string(),
        1 => Just("null".to_owned()),
        1 => Just("false".to_owned()),
        1 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        1 => (100_usize..140).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(" ,"))),
            prop::collection::vec((string(), inner), 0..3).prop_map(object),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_-]{0,12}".prop_map(|text| format!("\"{text}\"")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "(\\\\u[0-9a-f]{4}|\\\\[nrt/\"\\\\]|[a-z]){0,4}".prop_map(|text| format!("\"{text}\"")),
        (prop_oneof![126_usize..130, 254_usize..259], "[aé]")
            .prop_map(|(length, text)| format!("\"{}\"", text.repeat(length))),
    ]
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{{ {}\n}}", members.join(","))
}

/// An object with some of these members, in any order and possibly repeated, and others.
fn object_with(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => prop::sample::select(names).prop_map(|name| format!("\"{name}\"")),
        1 => string(),
    ];
    prop::collection::vec((name, json()), 0..7).prop_map(object)
}

/// A valid click with any other members.
fn click() -> impl Strategy<Value = String> {
    let fields = ("\\PC{0,8}", "[A-Za-z0-9_-]{1,8}", string(), object_with(&["page", "at", "x"]));
    fields.prop_map(|(user, mysfit, page, others)| {
        let user = serde_json::to_string(&user).unwrap();
        joined(&format!("{{\"userId\":{user},\"mysfitId\":\"{mysfit}\",\"page\":{page}"), &others)
    })
}

/// Appends the members of `others` to the start of an object.
fn joined(begun: &str, others: &str) -> String {
    let others = others.trim_start_matches('{').trim_start();
    let comma = if others.starts_with('}') { "" } else { "," };
    format!("{begun}{comma}{others}")
}

fn data() -> impl Strategy<Value = String> {
    let object = prop_oneof![2 => click(), 1 => object_with(&["userId", "mysfitId", "page", "at"])];
    (prop::collection::vec(object, 0..4), "[ \n\r\t]{0,2}").prop_map(|(objects, between)| objects.join(&between))
}

#[test]
fn every_property_holds_for_data_that_is_nearly_clicks() {
    run("record", &data());
}

#[test]
fn every_property_holds_for_nearly_events() {
    let record = prop_oneof![
        2 => (data(), string()).prop_map(|(data, id)| {
            format!("{{\"recordId\":{id},\"data\":\"{}\"}}", STANDARD.encode(data))
        }),
        1 => object_with(&["recordId", "data", "kafkaRecordValue", "approximateArrivalTimestamp", "mskRecordMetadata"]),
    ];
    let event =
        (prop::collection::vec(record, 0..4), object_with(&["invocationId", "region", "x", "y", "z", "records"]));
    let event = event.prop_map(|(records, others)| joined(&format!("{{\"records\": [{}]", records.join(",")), &others));
    run("event", &event);
}

#[test]
fn every_property_holds_for_nearly_service_responses() {
    const NAMES: &[&str] = &[
        "mysfitId",
        "MysfitId",
        "goodevil",
        "goodEvil",
        "lawchaos",
        "species",
        "age",
        "likes",
        "name",
        "thumbImageUri",
    ];
    let mysfit = prop_oneof![
        object_with(NAMES),
        (string(), string(), json(), object_with(NAMES)).prop_map(|(id, text, value, others)| {
            let begun = format!(
                "{{\"mysfitId\":{id},\"goodevil\":{text},\"lawChaos\":{value},\"SPECIES\":{text},\
                 \"age\":{value},\"likes\":{value},\"name\":{text},\"thumbImageUri\":{text}"
            );
            joined(&begun, &others)
        }),
    ];
    let list = prop::collection::vec(mysfit.clone(), 0..4);
    let list = list.prop_map(|mysfits| format!("{{\"mysfits\":[{}]}}", mysfits.join(",")));
    run("service_response", &prop_oneof![mysfit, list]);
}

#[test]
fn every_property_holds_for_nearly_error_objects() {
    let line = prop_oneof![
        object_with(&["rawData", "errorCode", "arrivalTimestamp", "lambdaARN", "records"]),
        json(),
        (string(), "[ \t\r]{0,2}").prop_map(|(data, space)| format!("{space}{{\"rawData\":{data}}}{space}")),
    ];
    // Lines, values without separators, and with invalid ones; some are truncated.
    let between =
        prop_oneof![3 => Just("\n".to_owned()), 2 => Just(String::new()), 2 => "[ \n]{1,3}", 1 => "[{}\\[\\],:\"x]"];
    let cut = prop_oneof![5 => Just(usize::MAX), 1 => 0_usize..40];
    let value = (line, cut).prop_map(|(line, cut)| line.chars().take(cut).collect::<String>());
    let object = prop::collection::vec((value, between), 0..5);
    run(
        "error_object",
        &object.prop_map(|values| values.into_iter().map(|(value, between)| value + &between).collect()),
    );
}

#[test]
fn every_property_holds_for_nearly_prefixes() {
    let piece = prop_oneof![
        2 => "[a-zé =./]{0,8}",
        1 => (0_usize..520, "[aé]").prop_map(|(length, text)| text.repeat(length)),
        1 => "[!{}:']{1,3}",
        4 => "!\\{timestamp:(yyyy|yy|MM|MMM|MMMM|dd|DDD|E{1,4}|HH|hh|a|mm|ss|SSS|[/.-]){1,6}\\}",
        1 => "!\\{timestamp:[yuMdDEHhamsS/'-]{1,8}\\}",
        1 => Just("!{firehose:random-string}".to_owned()),
        1 => Just("!{firehose:error-output-type}".to_owned()),
        1 => "!\\{partitionKeyFromLambda:[ab]\\}",
    ];
    let value = prop_oneof![3 => "[a-z=]{1,8}", 1 => "\\PC{0,260}"];
    let keys = prop_oneof![Just(String::new()), (value.clone(), value).prop_map(|(a, b)| format!("\n@a={a}\n@b={b}")),];
    let prefix = (prop::collection::vec(piece, 0..6), keys).prop_map(|(pieces, keys)| pieces.concat() + &keys);
    run("prefix", &prefix);
}
