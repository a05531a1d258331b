//! `clicks up --json`: what is ready, events, and the totals, a line each.

use std::path::Path;

use serde_json::{Value, json};
use test_support::exit::Exit;
use test_support::http::Connection;
use test_support::s3::{Gate, S3};
use test_support::up::{STREAM, Up};

use crate::data_streams::{self, STREAMS};

/// Removes fields that differ from run to run, and asserts their types.
#[track_caller]
fn without_times(mut event: Value) -> Value {
    let fields = event.as_object_mut().unwrap();
    assert!(fields.remove("at_ms").is_none_or(|ms| ms.as_i64() > Some(1_700_000_000_000)), "{event}");
    let fields = event.as_object_mut().unwrap();
    assert!(fields.remove("milliseconds").is_none_or(|ms| ms.as_f64() > Some(0.0)), "{event}");
    event
}

/// The next event of this kind.
fn next(up: &mut Up, kind: &str) -> Value {
    loop {
        let event = up.event();
        assert_ne!(event["event"], "stopped", "no {kind}");
        if event["event"] == kind {
            return without_times(event);
        }
    }
}

/// The last line after those that are left.
fn last(end: &Exit) -> Value {
    let lines: Vec<Value> = end.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().next_back().unwrap()
}

#[test]
fn addresses_and_streams_are_in_the_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let up = data_streams::start(folder.path(), STREAMS, &["--json"]);
    for name in ["page", "pipeline", "clicks", "firehose", "kinesis", "mysfits"] {
        assert!(up.address(name).starts_with("http://127."), "{name}");
    }
    let page = up.page();
    let url = |path: &str| json!(format!("{page}{path}"));
    let streams: Value = serde_json::from_str(up.address("streams")).unwrap();
    let expected = json!([
        { "stream": "clicks", "destination": "out/bucket", "ingestion_url": null },
        { "stream": "orders", "destination": "out/bucket", "ingestion_url": url("/v2/orders") },
        { "stream": "reviews", "destination": "out/bucket", "ingestion_url": url("/v2/reviews") },
    ]);
    assert_eq!(streams, expected);
}

#[test]
fn invocations_objects_and_totals_follow() {
    let mut up = Up::start(&["--json", "--retries", "1"]);
    up.put(&[r#"{"name":"secret"}"#, r#"{"do":"drop"}"#, r#"{"do":"fail"}"#]);
    let invocation = next(&mut up, "invocation");
    let expected = json!({
        "event": "invocation", "stream": STREAM, "batch": 1, "records": 3, "cold": true, "attempt": 1,
        "outcome": "response", "ok": 1, "dropped": 1, "failed": 1, "service_requests": 1, "failed_by_reason": { "on_request": 1 },
        "error": null,
    });
    assert_eq!(invocation, expected);
    let mut objects = [next(&mut up, "object"), next(&mut up, "object")];
    objects.sort_by_key(|object| object["kind"].to_string());
    for (object, kind) in objects.iter().zip(["delivered", "error"]) {
        assert_eq!((&object["stream"], &object["kind"], &object["records"]), (&json!(STREAM), &json!(kind), &json!(1)));
        let path = Path::new("out/bucket").join(object["path"].as_str().unwrap());
        assert!(up.folder().join(path).is_file() && object["bytes"].as_u64() > Some(0), "{object}");
    }
    let end = up.stop();
    let totals = json!({
        "stream": STREAM, "accepted": 3, "delivered": 1, "dropped": 1, "failed": 1, "refused": 0, "unflushed": 0, "unread": 0
    });
    assert_eq!((end.code, last(&end)), (Some(0), json!({ "event": "stopped", "streams": [totals] })));
    assert!(!end.stdout.contains("secret"));
}

#[test]
fn each_attempt_is_an_event() {
    let mut up = Up::start(&["--json", "--retries", "1"]);
    up.put(&[r#"{"do":"crash"}"#]);
    for attempt in [1, 2] {
        let event = next(&mut up, "invocation");
        assert_eq!((&event["attempt"], &event["outcome"]), (&json!(attempt), &json!("exited")), "{event}");
        assert!(event["failed"].is_null(), "{event}");
    }
    assert_eq!(next(&mut up, "object")["kind"], "error");
}

#[test]
fn refused_records_are_reported_with_their_reasons() {
    let mut up = Up::start(&["--json"]);
    let mut connection = Connection::open(up.page());
    for _ in 0..3 {
        connection.ask("PUT", "/clicks", "Content-Type: application/json\r\n", r#"{"userId":"secret"}"#).is(400);
    }
    let mut refused = 0;
    // A slow client's are in two reports.
    while refused < 3 {
        let event = next(&mut up, "refused");
        let records = event["records"].as_u64().unwrap();
        let expected =
            json!({ "event": "refused", "stream": STREAM, "records": records, "by_reason": { "invalid": records } });
        assert_eq!(event, expected);
        refused += records;
    }
    assert_eq!(last(&up.stop())["streams"][0]["refused"], 3);
}

#[test]
fn errors_of_the_storage_are_reported_once() {
    let s3 = S3::start(Gate::Refuses);
    let mut up = s3.up(&["--json", "--function", "none"]);
    up.put(&["{}"]);
    up.until(|view| view["storage_errors"].as_u64() >= Some(2));
    let error = up.event();
    assert_eq!((&error["event"], &error["stream"]), (&json!("storage_error"), &json!(STREAM)), "{error}");
    assert!(error["error"].as_str().unwrap().contains("SlowDown"), "{error}");
    s3.gate.send_replace(Gate::Open);
    let expected = json!({ "event": "storage_recovered", "stream": STREAM });
    assert_eq!(without_times(up.event()), expected);
    assert_eq!(next(&mut up, "object")["kind"], "delivered");
}

/// Records of an earlier run are delivered at the start.
#[test]
fn the_first_events_are_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let state = ["--json", "--function", "none", "--state", "state"];
    let up = Up::start_in(folder.path(), &[&state[..], &["--destination-seconds", "900"]].concat());
    up.put(&["{}"]);
    drop(up);
    let mut up = Up::start_in(folder.path(), &state);
    assert_eq!(next(&mut up, "object")["records"], 1);
}

#[test]
fn a_slow_reader_delays_nothing_and_gets_the_number_of_missed_events() {
    let prefix = "!{partitionKeyFromLambda:a}/";
    let mut up = Up::start(&["--json", "--dynamic-partitioning", "--prefix", prefix]);
    // An object for each record.
    let calls = 6;
    for call in 0..calls {
        let record = |number: usize| {
            json!({ "do": "partition", "keys": { "a": format!("{}-{call}-{number}", "x".repeat(200)) } }).to_string()
        };
        up.put(&(0..500).map(record).collect::<Vec<_>>());
        up.until_processed((call + 1) * 500);
    }
    let invocations = up.snapshot()["invocations_by_outcome"]["response"].as_u64().unwrap();
    let all = 500 * calls + invocations;
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < all {
        let event = up.event();
        match event["event"].as_str().unwrap() {
            "lagged" => missed += event["missed"].as_u64().unwrap(),
            "object" | "invocation" => seen += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(seen + missed, all);
    assert!(missed > 0 && seen > 0, "{seen} of {all}");
    let end = up.stop();
    assert_eq!((end.code, last(&end)["streams"][0]["delivered"].as_u64()), (Some(0), Some(500 * calls)));
}
