//! What becomes of the records, and of the numbers.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::folder::Replay;

#[test]
fn clicks_come_out_as_the_function_wrote_them() {
    let replay = Replay::of(&[("clicks.jsonl", "{\"a\":1}\n\n{\"do\":\"drop\"}\nnot JSON\n")]);
    let ended = replay.run(&["in/clicks.jsonl"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut report = ended.report();
    assert!(report["clicks_per_second"].take().is_number());
    assert!(report["batch_ms"].take()["median"].is_number());
    assert_eq!(
        report,
        json!({
            "records": { "total": 3, "ok": 2, "dropped": 1, "failed": 0 },
            "failed_by_code": {},
            "failed_by_reason": {},
            "clicks_delivered": 2,
            "clicks_per_second": null,
            "service_requests": 1,
            "batches": 1,
            "attempts": 1,
            "batch_ms": null,
            "interrupted": false,
            "out": "out",
        })
    );
    assert_eq!(replay.delivered(), "{\"a\":1}\nnot JSON\n");
    assert!(replay.errors().is_empty());
    let log = fs::read_to_string(replay.out().join("function.log")).unwrap();
    assert!(log.starts_with("service http://127.0.0.1:9/prod/\n") && !log.contains("_aws"), "{log}");
}

#[test]
fn a_failed_record_is_an_error_object_and_the_exit_code() {
    let clicks = "{\"do\":\"fail\"}\n{\"do\":\"lose\"}\n{}\n";
    for (option, code) in [(None, 1), (Some("--allow-failed"), 0)] {
        let replay = Replay::of(&[("clicks.jsonl", clicks)]);
        let ended = replay.run(&[&["in"], option.as_slice()].concat());
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        let report = ended.report();
        assert_eq!(
            report["failed_by_code"],
            json!({ "Lambda.MissingRecordId": 1, "Lambda.ProcessingFailedStatus": 1 })
        );
        assert_eq!(report["failed_by_reason"], json!({ "told_to": 1 }));
        let originals: Vec<_> = replay.errors().iter().map(|line| (line.data().unwrap(), line.attempts_made)).collect();
        assert_eq!(originals, [(b"{\"do\":\"fail\"}".to_vec(), 1), (b"{\"do\":\"lose\"}".to_vec(), 1)]);
        assert_eq!(replay.delivered(), "{}\n");
    }
}

#[test]
fn a_failed_invocation_is_tried_four_times_with_the_same_records() {
    for (what, code) in [("error", "Lambda.FunctionError"), ("crash", "Lambda.FunctionError")] {
        let replay = Replay::of(&[("clicks.jsonl", &format!("{{\"do\":\"{what}\"}}\n{{}}\n"))]);
        let ended = replay.run(&["in"]);
        assert_eq!(ended.code, Some(1));
        let report = ended.report();
        assert_eq!((&report["attempts"], &report["batches"]), (&json!(4), &json!(1)));
        assert_eq!(report["failed_by_code"], json!({ code: 2 }));
        assert!(ended.stderr.contains("attempt 4 of 4 failed: the function"), "{}", ended.stderr);
        for line in replay.errors() {
            assert_eq!((line.attempts_made, line.error_code.as_str()), (4, code));
            assert_eq!(line.lambda_arn, "arn:aws:lambda:us-east-1:000000000000:function:click-processor:$LATEST");
        }
        let events = replay.events();
        assert_eq!(events.len(), 4);
        assert!(events.iter().all(|(_, records)| *records == events[0].1));
        assert!(events[1..].iter().all(|(id, _)| *id != events[0].0));
    }
}

#[test]
fn a_timeout_has_its_own_code() {
    let replay = Replay::of(&[("clicks.jsonl", "{\"do\":\"hang\"}\n")]);
    let ended = replay.run(&["in", "--timeout-seconds", "1", "--retries", "0"]);
    assert_eq!(ended.report()["failed_by_code"], json!({ "Lambda.FunctionTimedOut": 1 }));
    assert_eq!(replay.errors()[0].attempts_made, 1);
}

#[test]
fn a_second_attempt_may_do() {
    let replay = Replay::of(&[("clicks.jsonl", "{}\n")]);
    let ended = replay.run(&["in", "--env", "FAIL_ONCE=1"]);
    assert_eq!(ended.code, Some(0));
    let report = ended.report();
    assert_eq!((&report["attempts"], &report["service_requests"]), (&json!(2), &json!(6)));
    assert_eq!(replay.delivered(), "{}\n");
}

#[test]
fn a_function_without_metrics_reports_nothing() {
    let replay = Replay::of(&[("clicks", "{\"do\":\"fail\"}\n")]);
    let report = replay.run(&["in", "--env", "NO_METRICS=1"]).report();
    assert_eq!((&report["service_requests"], &report["failed_by_reason"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_service_is_a_local_one_unless_named() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_clicks"));
    command.current_dir(replay.folder.path()).args(["replay", "in", "--out", "out"]);
    command.env("MYSFITS_API_URL", "http://elsewhere.example").env("MYSFITS_TIMEOUT_MS", "7").env("HOME", "/home");
    let output = command.args(["--function", env!("CARGO_BIN_EXE_stand-in-function")]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let log = fs::read_to_string(replay.out().join("function.log")).unwrap();
    assert!(log.starts_with("service http://127.0.0.1:"), "{log}");
    assert!(log.contains("inherited MYSFITS_TIMEOUT_MS=7\n") && !log.contains("HOME"), "{log}");
}
