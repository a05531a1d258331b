//! A machine without free descriptors for a while: no accepted record fails.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::PATIENCE;
use test_support::http::Connection;
use test_support::up::{STREAM, Up, batch};

/// Lower than any new descriptor.
const NONE_LEFT: u32 = 4;

/// A usual limit.
const ENOUGH: u32 = 1024;

fn puts(connection: &mut Connection, records: &[String]) {
    let headers = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.PutRecordBatch\r\n";
    let response = connection.ask("POST", "/", headers, &batch(STREAM, records).to_string());
    let output: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!((response.status, &output["FailedPutCount"]), (200, &json!(0)), "{output}");
}

#[track_caller]
fn until_logged(up: &Up, text: &str) {
    let patience = Instant::now() + PATIENCE;
    loop {
        let stderr = up.stderr();
        if stderr.contains(text) {
            return;
        }
        assert!(Instant::now() < patience && !stderr.contains("4 of 4"), "{stderr}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn records_wait_for_a_function_that_can_not_be_started_or_reached() {
    for (runs_already, message) in [
        (
            false,
            "this machine can't run the function: could not serve the Lambda Runtime API on 127.0.0.1: Too many open files",
        ),
        // The function has the event, and can't reply: its connection is not accepted.
        (
            true,
            "this machine can't run the function: could not accept the function's connection to the Lambda Runtime API: \
             Too many open files",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--state", "state", "--concurrency", "1", "--buffer-records", "2", "--timeout-seconds", "10"];
        let mut up = Up::start_in(folder.path(), &arguments);
        let records: Vec<String> = (0..6).map(|n| json!({ "n": n }).to_string()).collect();
        let (first, others) = records.split_at(if runs_already { 2 } else { 0 });
        if runs_already {
            puts(&mut Connection::open(up.firehose()), first);
            up.until_processed(2);
        }
        let mut connection = Connection::open(up.firehose());
        // So that it is accepted.
        connection.get("/", "localhost");
        up.limit_descriptors(NONE_LEFT);
        puts(&mut connection, others);
        until_logged(&up, message);
        // A request gets its response later.
        let firehose = up.firehose().to_owned();
        let late = thread::spawn(move || Connection::open(&firehose).get("/", "localhost").status);
        up.limit_descriptors(ENOUGH);
        up.until_processed(6);
        assert_eq!(late.join().unwrap(), 404);
        let view = up.snapshot();
        assert_eq!((&view["retries"], &view["failed"]), (&json!(0), &json!(0)), "{view:#}");

        let end = up.stop();
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        assert!(!end.stderr.contains("attempt "), "{}", end.stderr);
        for message in ["this machine can't run the function", "this machine runs the function again"] {
            assert_eq!(end.stderr.matches(message).count(), 1, "{}", end.stderr);
        }
        assert!(!folder.path().join("out/bucket/errors").exists());
        let mut delivered = up.delivered();
        delivered.sort();
        assert_eq!(delivered, records);
        assert!(fs::read_dir(folder.path().join("state")).unwrap().count() > 0);
    }
}

/// A permanent shortage does not block a stop.
#[test]
fn a_stop_does_not_wait_for_a_function_that_can_not_be_started() {
    let mut up = Up::start(&["--concurrency", "1", "--buffer-records", "2", "--stop-seconds", "1"]);
    let mut connection = Connection::open(up.firehose());
    // So that it is accepted.
    connection.get("/", "localhost");
    up.limit_descriptors(NONE_LEFT);
    puts(&mut connection, &["{}".to_owned()]);
    until_logged(&up, "this machine can't run the function");
    up.signal("-TERM");
    let end = up.end();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    let expected = "this machine can't run the function; stopped after 1 s (`--stop-seconds`)\n\
                    warning: 1 record was not flushed and is lost (`--state DIR` would keep it)\n";
    assert!(end.stderr.ends_with(expected), "{}", end.stderr);
}
