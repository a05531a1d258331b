//! What is read, and how it is batched.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::exit::Exit;
use test_support::replay::Replay;

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
    let exit = replay.run(&["in", "--buffer-records", "1"]);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(exit.report()["batches"], 7);
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
fn a_buffer_holds_one_mib_and_ten_thousand_records_by_default() {
    let line = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    // The first line decides that it is clicks.
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
    let exit = Exit::from(child.wait_with_output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(replay.delivered(), "{}\n{}\n");
}

#[test]
fn a_pipe_is_read_once() {
    let clicks = (0..5_000).map(|number| format!("{{\"n\":{number}}}\n")).collect::<Vec<_>>().concat();
    let replay = Replay::of(&[]);
    let pipe = replay.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = replay.command(&["pipe"]).spawn().unwrap();
    fs::write(&pipe, &clicks).unwrap();
    let exit = Exit::of(child);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(replay.delivered(), clicks);

    let replay = Replay::of(&[("clicks", &clicks)]);
    let command = replay.command(&[]);
    let mut shell = Command::new("bash");
    shell.current_dir(replay.folder.path()).args(["-c", "\"$@\" <(cat in/clicks)", "bash"]);
    let exit = Exit::from(shell.arg(command.get_program()).args(command.get_args()).output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(replay.delivered(), clicks);
}

#[test]
fn unusable_parts_are_skipped_with_their_place_and_the_rest_is_replayed() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1000 * 1024));
    let files = [
        ("1/backup", format!("{{\"a\":1}}\0{{\"a\":2}}{large}{{\n\"a\": 3\n}}{{\"a\":\"cut{{\"a\":4}}")),
        (
            "2/errors",
            "{\"rawData\":\"e30=\"}{\"rawData\":\"e30=\"}\n{\"other\":1}\n{\"rawData\":\"e30=\"}\n".to_owned(),
        ),
    ];
    let replay = Replay::of(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    let exit = replay.run(&["in", "--buffer-records", "2", "--allow-failed"]);
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let report = exit.report();
    assert_eq!(report["records"], json!({ "total": 7, "ok": 7, "dropped": 0, "failed": 0 }));
    assert_eq!((&report["skipped"], &report["skipped_copies"]), (&json!(4), &json!("out/skipped.jsonl")));
    let expected = [
        ("in/1/backup", 1, 7, "found what is not JSON", "\0"),
        (
            "in/1/backup",
            1,
            15,
            "found a record of 1024008 bytes; Direct PUT accepts at most 1024000 (`--source kinesis`: 10485760)",
            &large,
        ),
        ("in/1/backup", 3, 1_024_033, "found what is not JSON", "{\"a\":\"cut"),
        (
            "in/2/errors",
            2,
            37,
            "found a value without a text as `rawData`, which the file's first object has",
            "{\"other\":1}",
        ),
    ];
    for (name, line, offset, problem, _) in expected {
        let message = format!("{name}, line {line}, byte {offset}: skipped: {problem}\n");
        assert!(exit.stderr.contains(&message), "{message} {}", exit.stderr);
    }
    let copies = fs::read_to_string(replay.out().join("skipped.jsonl")).unwrap();
    let copies: Vec<Value> = copies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let copy = |(name, line, offset, problem, content): (&str, u64, u64, &str, &str)| json!({ "object": name, "line": line, "offset": offset, "problem": problem, "content": STANDARD.encode(content) });
    assert!(copies == expected.map(copy));
    let delivered = replay.delivered();
    for record in ["{\"a\":1}\n", "{\"a\":2}\n", "{\n\"a\": 3\n}\n", "{\"a\":4}\n"] {
        assert_eq!(delivered.matches(record).count(), 1, "{record}");
    }
    // Visitors' data is in it.
    let mode = fs::metadata(replay.out().join("skipped.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_without_usable_parts_is_skipped() {
    let large = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1000 * 1024));
    let replay = Replay::of(&[("large", &large.repeat(25))]);
    let exit = replay.run(&["in"]);
    assert_eq!((exit.code, &exit.report()["skipped"], &exit.report()["batches"]), (Some(1), &json!(25), &json!(0)));
    // The first ones, and where the rest is.
    assert_eq!(exit.stderr.matches("byte ").count(), 20, "{}", exit.stderr);
    assert!(exit.stderr.contains("more skipped parts: see out/skipped.jsonl\n"), "{}", exit.stderr);
}

#[test]
fn a_data_stream_accepts_larger_records() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_500_000));
    let replay = Replay::of(&[("backup", &format!("{{\"do\":\"log\"}}{large}{{}}"))]);
    let exit = replay.run(&["in", "--source", "kinesis"]);
    assert_eq!((exit.code, &exit.report()["records"]["ok"]), (Some(0), &json!(3)), "{}", exit.stderr);
    assert!(replay.delivered().contains(&large));
    let log = replay.log();
    assert!(
        log.contains("kinesisRecordMetadata") && log.contains("sourceKinesisStreamArn"),
        "it is no event of Kinesis"
    );
    // An event says where its records are from.
    let event = |more: &Value, bytes: usize| {
        let data = STANDARD.encode(vec![b' '; bytes]);
        let mut event = event(&[("a", &data), ("b", "e30=")]);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event.to_string()
    };
    for (more, ok, skipped) in [
        (json!({}), 1, 1),
        (json!({ "sourceKinesisStreamArn": "arn" }), 2, 0),
        (json!({ "sourceMSKArn": "arn" }), 2, 0),
    ] {
        let replay = Replay::of(&[("event.json", &event(&more, 1_500_000))]);
        let exit = replay.run(&["in"]);
        let report = exit.report();
        let numbers = (exit.code, &report["records"]["ok"], &report["skipped"]);
        assert_eq!(numbers, (Some(skipped), &json!(ok), &json!(skipped)), "{more} {}", exit.stderr);
    }
}
