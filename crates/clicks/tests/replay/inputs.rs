//! What is read, and how it is batched.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::folder::{Ended, Replay, end_of};

fn event(records: &[(&str, &str)]) -> Value {
    let record = |(id, data): &(&str, &str)| json!({ "recordId": id, "approximateArrivalTimestamp": 0, "data": data });
    json!({ "invocationId": "old", "region": "eu-west-1", "records": records.iter().map(record).collect::<Vec<_>>() })
}

#[test]
fn a_folder_may_hold_every_kind() {
    let kinesis = json!({ "recordId": "k", "approximateArrivalTimestamp": "2020-01-01T00:00:00Z", "data": "eyJrIjoxfQ==",
        "kinesisRecordMetadata": { "shardId": "s" } });
    let msk = json!({ "recordId": "m", "kafkaRecordValue": "eyJtIjoxfQ==" });
    let pretty =
        serde_json::to_string_pretty(&json!({ "sourceKinesisStreamArn": "arn", "records": [kinesis] })).unwrap();
    let failed = json!({ "rawData": "eyJlIjoxfQ==", "errorCode": "Lambda.FunctionError", "attemptsMade": "4" });
    let replay = Replay::of(&[
        ("1/clicks", "{\"c\":1}\n{\"c\":2}\n"),
        ("2/minified.json", &event(&[("d", "eyJkIjoxfQ==")]).to_string()),
        ("3/pretty.json", &pretty),
        ("4/msk.json", &json!({ "sourceMSKArn": "arn", "records": [msk] }).to_string()),
        ("5/errors", &format!("{failed}\n{failed}\n")),
        (".hidden", "not JSON"),
    ]);
    let ended = replay.run(&["in", "--buffer-records", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.report()["batches"], 7);
    let mut lines: Vec<String> = replay.delivered().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [r#"{"c":1}"#, r#"{"c":2}"#, r#"{"d":1}"#, r#"{"e":1}"#, r#"{"e":1}"#, r#"{"k":1}"#, r#"{"m":1}"#]
    );
    // By the record's arrival, not by the clock.
    assert_eq!(replay.objects("firehose/2020/01/01/00").1, "{\"k\":1}\n");
    assert_eq!(replay.objects("firehose/1970/01/01/00").1, "{\"d\":1}\n");
    assert_eq!(replay.events()[2].1, "d");
}

#[test]
fn batches_are_cut_by_size_and_by_count() {
    let clicks = format!("{{\"a\":\"{}\"}}\n", "x".repeat(100_000)).repeat(5);
    let replay = Replay::of(&[("clicks", &clicks)]);
    assert_eq!(replay.run(&["in", "--buffer-mb", "0.2"]).report()["batches"], 3);
    let replay = Replay::of(&[("clicks", &clicks)]);
    assert_eq!(replay.run(&["in", "--buffer-records", "4"]).report()["batches"], 2);
    assert_eq!(replay.objects("firehose"), (2, clicks));
}

#[test]
fn a_buffer_holds_one_mib_and_ten_thousand_records_unless_told() {
    let line = |bytes: usize| "x".repeat(bytes);
    // The first line tells that it is clicks.
    let full = [line(500_000), line(500_000), line(1024 * 1024 - 1_000_002)];
    let fuller = [line(500_000), line(500_000), line(1024 * 1024 - 1_000_001)];
    for (clicks, batches) in [
        (format!("{{}}\n{}\n", full.join("\n")), 1),
        (format!("{{}}\n{}\n", fuller.join("\n")), 2),
        ("{}\n".repeat(10_000), 1),
        ("{}\n".repeat(10_001), 2),
    ] {
        let replay = Replay::of(&[("clicks", &clicks)]);
        assert_eq!(replay.run(&["in"]).report()["batches"], batches);
    }
}

#[test]
fn standard_input_is_a_file() {
    let replay = Replay::of(&[]);
    let mut child = replay.command(&["-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{}\n{}\n").unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(replay.delivered(), "{}\n{}\n");
}

#[test]
fn what_can_be_read_only_once_is_read_once() {
    let clicks = (0..5_000).map(|number| format!("{{\"n\":{number}}}\n")).collect::<Vec<_>>().concat();
    let replay = Replay::of(&[]);
    let pipe = replay.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = replay.command(&["pipe"]).spawn().unwrap();
    fs::write(&pipe, &clicks).unwrap();
    let ended = end_of(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(replay.delivered(), clicks);

    let replay = Replay::of(&[("clicks", &clicks)]);
    let command = replay.command(&[]);
    let mut shell = Command::new("bash");
    shell.current_dir(replay.folder.path()).args(["-c", "\"$@\" <(cat in/clicks)", "bash"]);
    let ended = Ended::from(shell.arg(command.get_program()).args(command.get_args()).output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(replay.delivered(), clicks);
}

#[test]
fn an_error_in_the_middle_leaves_what_was_delivered() {
    let replay = Replay::of(&[("errors", "{\"rawData\":\"e30=\"}\n{\"rawData\":\"e30=\"}\n{\"other\":1}\n")]);
    let ended = replay.run(&["in", "--buffer-records", "1"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("in/errors, line 3: found a JSON object"), "{}", ended.stderr);
    assert_eq!(ended.report()["records"]["ok"], 2);
}
