use std::path::Path;

use serde_json::Value;

use super::*;
use firehose_model::delivery::ErrorCode;
use firehose_model::event::{Record, encode};

fn deliver(output: &Output, event: &Event, outcomes: Vec<RecordOutcome>) {
    output.deliver(event, &BatchResult { outcomes, attempts: 1 }, Timestamp::UNIX_EPOCH, "arn:f").unwrap();
}

/// Records an hour after each other, the newest first.
fn event(data: &[&str]) -> Event {
    let records = data.iter().zip(0_i32..24).map(|(data, hour)| Record {
        record_id: hour.to_string(),
        arrival_ms: i64::from(hour) * 3_600_000,
        data: encode(data.as_bytes()),
        kinesis: None,
        original: None,
    });
    Event::new(STREAM.into(), records.rev().collect())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one object of a folder.
#[track_caller]
fn object(folder: &Path) -> String {
    let names = names(folder);
    assert_eq!(names.len(), 1, "{names:?}");
    fs::read_to_string(folder.join(&names[0])).unwrap()
}

#[test]
fn delivered_bytes_are_joined_and_failed_records_keep_their_originals() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::create(folder.path().join("new")).unwrap();
    let event = event(&["a", "b", "c", "d", "e"]);
    let outcomes = vec![
        RecordOutcome::delivered("E\n"),
        RecordOutcome::Failed(ErrorCode::ProcessingFailed),
        RecordOutcome::delivered("C\n"),
        RecordOutcome::Failed(ErrorCode::MissingRecordId),
        RecordOutcome::Dropped,
    ];
    deliver(&output, &event, outcomes);

    // Each object is named after the oldest of its own records.
    assert_eq!(object(&output.folder.join("firehose/1970/01/01/02")), "E\nC\n");
    let text = object(&output.folder.join("errors/processing-failed/1970/01/01/01"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["rawData"], &lines[1]["rawData"]), (&encode(b"d").into(), &encode(b"b").into()));
    assert_eq!(names(&output.folder), ["errors", "firehose"]);
    assert_eq!(names(&output.folder.join("firehose/1970/01/01")), ["02"]);
}

#[test]
fn an_invalid_arrival_time_is_replaced_by_the_end_of_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::create(folder.path().to_owned()).unwrap();
    let record =
        Record { record_id: "a".into(), arrival_ms: i64::MAX, data: String::new(), kinesis: None, original: None };
    deliver(&output, &Event::new(STREAM.into(), vec![record]), vec![RecordOutcome::delivered("A")]);
    assert_eq!(object(&folder.path().join("firehose/1970/01/01/00")), "A");
}

#[test]
fn no_records_make_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::create(folder.path().to_owned()).unwrap();
    deliver(&output, &event(&["a"]), vec![RecordOutcome::Dropped]);
    output.log(&[], false).unwrap();
    assert!(names(folder.path()).is_empty());
    output.log(&["one".to_owned()], false).unwrap();
    output.log(&["two".to_owned()], false).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("function.log")).unwrap(), "one\ntwo\n");
    let error = Output::create(folder.path().to_owned()).err().unwrap().to_string();
    assert!(error.ends_with("is not an empty folder; accepted is a new or an empty one"), "{error}");
}
