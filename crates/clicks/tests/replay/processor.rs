//! The fixtures with the real processor, and the local service.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use test_support::exit::Exit;
use test_support::replay::Replay;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(name)).unwrap()).unwrap()
}

/// The delivered lines of the expected response to an event.
fn delivered(event: &str) -> String {
    let reply = read(&format!("expected/{event}"));
    let records = reply["records"].as_array().unwrap();
    let data = records.iter().filter(|record| record["result"] == "Ok");
    let data = data.map(|record| record["data"].as_str().or(record["kafkaRecordValue"].as_str()).unwrap());
    data.map(|data| String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()).collect()
}

/// The enriched lines of clicks, by the list of mysfits.
fn enriched(clicks: &str) -> String {
    let mysfits = read("mysfits.json");
    let line = |click: &str| {
        let click: Value = serde_json::from_str(click).unwrap();
        let mysfit = mysfits.as_array().unwrap().iter().find(|mysfit| mysfit["mysfitId"] == click["mysfitId"]).unwrap();
        let fields = ["goodevil", "lawchaos", "species"].map(|name| format!(",\"{name}\":{}", mysfit[name])).concat();
        format!("{{\"userId\":{},\"mysfitId\":{}{fields}}}\n", click["userId"], click["mysfitId"])
    };
    clicks.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// How many bad records have each reason.
fn reasons() -> Value {
    let mut counts = Map::new();
    for reason in read("expected/poisoned-reasons.json").as_object().unwrap().values() {
        let count = counts.entry(reason.as_str().unwrap()).or_insert(json!(0));
        *count = (count.as_u64().unwrap() + 1).into();
    }
    counts.into()
}

/// Replays with the defaults: the processor is built, and the service started.
#[track_caller]
fn replay(input: &Path, code: i32) -> (Replay, Value) {
    let replay = Replay::of(&[]);
    let mut command = replay.bare_command(&["--json", "--out", "out"]);
    let exit = Exit::from(command.arg(input).output().unwrap());
    assert_eq!(exit.code, Some(code), "{}", exit.stderr);
    let function = exit.stderr.lines().find_map(|line| line.strip_prefix("running ")).unwrap();
    assert!(function.ends_with("/debug/click-processor"), "{function}");
    let report = exit.report();
    assert_eq!((&report["service_requests"], &report["batches"]), (&json!(1), &json!(1)), "{report}");
    (replay, report)
}

#[test]
fn the_processor_enriches_the_fixtures() {
    for event in ["direct-put.json", "kinesis.json", "msk.json", "localstack.json"] {
        let (replay, report) = replay(&fixture(event), 0);
        assert_eq!(replay.delivered(), delivered(event), "{event}");
        assert_eq!(report["records"]["total"], read(event)["records"].as_array().unwrap().len(), "{event}");
    }

    let clicks = fs::read_to_string(fixture("clicks.jsonl")).unwrap();
    let (clicks_replay, report) = replay(&fixture("clicks.jsonl"), 0);
    assert_eq!(clicks_replay.delivered(), enriched(&clicks));
    assert_eq!((&report["clicks_delivered"], &report["failed_by_reason"]), (&json!(1000), &json!({})));

    let originals = ["processing-failed-older.jsonl", "processing-failed.jsonl"].map(|name| {
        let lines = fs::read_to_string(fixture("error-objects").join(name)).unwrap();
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["rawData"].as_str().unwrap().to_owned();
        let data = lines.lines().map(|text| String::from_utf8(STANDARD.decode(line(text)).unwrap()).unwrap() + "\n");
        data.collect::<String>()
    });
    let (errors_replay, _) = replay(&fixture("error-objects"), 0);
    assert_eq!(errors_replay.delivered(), enriched(&originals.concat()));
}

#[test]
fn bad_records_fail_for_their_reasons_and_again_from_their_error_objects() {
    let (first, report) = replay(&fixture("poisoned.json"), 1);
    assert_eq!(first.delivered(), delivered("poisoned.json"));
    assert_eq!(report["failed_by_reason"], reasons());
    let failed = &report["records"]["failed"];
    assert_eq!(report["failed_by_code"], json!({ "Lambda.ProcessingFailedStatus": failed }));

    let (second, report) = replay(&first.out().join("errors"), 1);
    assert_eq!((&report["records"]["failed"], &report["records"]["total"]), (failed, failed));
    let data = |replay: &Replay| replay.errors().iter().map(|line| line["rawData"].clone()).collect::<Vec<_>>();
    assert_eq!(data(&second), data(&first));
}
