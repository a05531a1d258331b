//! The initial inputs of fuzzing: parts of the fixtures, and all finds.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How many clicks to use: more would be alike.
const CLICKS: usize = 4;

const EVENTS: [&str; 5] = ["direct-put", "kinesis", "localstack", "msk", "poisoned"];

/// A name, and the bytes.
pub type Input = (String, Vec<u8>);

/// The inputs for a target.
#[must_use]
pub fn of(target: &str) -> Vec<Input> {
    let mut inputs = match target {
        "service_response" => files("service"),
        "error_object" => error_objects(),
        "event" => events(),
        "prefix" => prefixes(),
        "record" => records(),
        _ => panic!("unknown target {target}"),
    };
    assert!(!inputs.is_empty(), "{target} has no corpus");
    inputs.extend(files(&format!("finds/{target}")));
    inputs
}

/// The folder of the fixtures.
#[must_use]
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn file(name: &str) -> Input {
    (name.replace('/', "-"), fs::read(fixtures().join(name)).unwrap())
}

/// The files of a folder that may not exist.
fn files(folder: &str) -> Vec<Input> {
    let Ok(entries) = fs::read_dir(fixtures().join(folder)) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|name| file(&format!("{folder}/{name}"))).collect()
}

fn whole_events() -> impl Iterator<Item = Input> {
    EVENTS.into_iter().map(|name| file(&format!("{name}.json")))
}

/// The records of an event with their numbers.
fn event_records(event: &Value) -> impl Iterator<Item = (usize, &Value)> {
    (1..).zip(event["records"].as_array().unwrap())
}

/// Each event, and each of its records in a separate event: short inputs mutate faster.
fn events() -> Vec<Input> {
    let mut inputs: Vec<Input> = whole_events().collect();
    for (name, bytes) in whole_events() {
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        for (number, record) in event_records(&event) {
            let mut alone = event.clone();
            alone["records"] = json!([record]);
            inputs.push((format!("{name}-{number}"), alone.to_string().into()));
        }
    }
    inputs
}

fn lines(name: &str) -> Vec<Input> {
    let (name, bytes) = file(name);
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.enumerate().map(|(index, line)| (format!("{name}-{}", index + 1), line.to_vec())).collect()
}

/// The data of every event's records, and some clicks.
fn records() -> Vec<Input> {
    let mut inputs: Vec<Input> = lines("clicks.jsonl").into_iter().take(CLICKS).collect();
    for (name, bytes) in whole_events() {
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        for (number, record) in event_records(&event) {
            let data = record["data"].as_str().or(record["kafkaRecordValue"].as_str());
            if let Some(data) = data.and_then(|data| STANDARD.decode(data).ok()) {
                inputs.push((format!("{name}-{number}"), data));
            }
        }
    }
    inputs
}

/// With other kinds of files. The target compresses them itself.
fn error_objects() -> Vec<Input> {
    let clicks = lines("clicks.jsonl").into_iter().take(1);
    files("error-objects").into_iter().chain(whole_events()).chain(clicks).collect()
}

/// One per line, each with the keys of its expressions.
fn prefixes() -> Vec<Input> {
    let keyed = |(name, mut prefix): Input| {
        if String::from_utf8_lossy(&prefix).contains("!{partitionKeyFromLambda:") {
            prefix.extend_from_slice(b"\n@species=Chimera\n@goodevil=Good\n@mysfitId=a-1");
        }
        (name, prefix)
    };
    lines("prefixes.txt").into_iter().map(keyed).collect()
}
