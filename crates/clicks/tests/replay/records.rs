//! The outcomes of records, and the report.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use test_support::replay::Replay;

#[test]
fn clicks_are_delivered_as_the_function_wrote_them() {
    let replay = Replay::of(&[("clicks.jsonl", "{\"a\":1}\n\n{\"do\":\"drop\"}\n[4]\n")]);
    let exit = replay.run(&["in/clicks.jsonl"]);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let mut report = exit.report();
    assert!(report["clicks_per_second"].take().is_number());
    assert!(report["seconds"].take().as_f64().is_some_and(|seconds| seconds > 0.0));
    assert!(report["batch_ms"].take()["median"].is_number());
    assert_eq!(
        report,
        json!({
            "records": { "total": 3, "ok": 2, "dropped": 1, "failed": 0 },
            "skipped": 0,
            "skipped_copies": null,
            "failed_by_code": {},
            "failed_by_reason": {},
            "clicks_delivered": 2,
            "seconds": null,
            "clicks_per_second": null,
            "service_requests": 1,
            "batches": 1,
            "attempts": 1,
            "batch_ms": null,
            "interrupted": false,
            "out": "out",
        })
    );
    assert_eq!(replay.delivered(), "{\"a\":1}\n[4]\n");
    assert!(replay.errors().is_empty());
    let log = replay.log();
    assert!(log.starts_with("service http://127.0.0.1:9/prod/\n") && log.contains("_aws"), "{log}");
}

#[test]
fn a_failed_record_is_an_error_object_and_the_exit_code() {
    let clicks = "{\"do\":\"fail\"}\n{\"do\":\"lose\"}\n{}\n";
    for (option, code) in [(None, 1), (Some("--allow-failed"), 0)] {
        let replay = Replay::of(&[("clicks.jsonl", clicks)]);
        let exit = replay.run(&[&["in"], option.as_slice()].concat());
        assert_eq!(exit.code, Some(code), "{}", exit.stderr);
        let report = exit.report();
        assert_eq!(
            report["failed_by_code"],
            json!({ "Lambda.MissingRecordId": 1, "Lambda.ProcessingFailedStatus": 1 })
        );
        assert_eq!(report["failed_by_reason"], json!({ "on_request": 1 }));
        let errors = replay.errors();
        let [failed, lost] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!((&failed["rawData"], &failed["attemptsMade"]), (&json!("eyJkbyI6ImZhaWwifQ=="), &json!(1)));
        assert_eq!((&lost["rawData"], &lost["attemptsMade"]), (&json!("eyJkbyI6Imxvc2UifQ=="), &json!(1)));
        assert_eq!(replay.delivered(), "{}\n");
    }
}

#[test]
fn a_failed_invocation_is_tried_four_times_with_the_same_records() {
    for (what, how) in
        [("error", r"failed: ServiceUnavailable: the service\n\u{1b}[31mis down"), ("crash", "exited (exit status: 7)")]
    {
        let replay = Replay::of(&[("clicks.jsonl", &format!("{{\"do\":\"{what}\"}}\n{{}}\n"))]);
        let exit = replay.run(&["in"]);
        assert_eq!(exit.code, Some(1));
        let report = exit.report();
        assert_eq!((&report["attempts"], &report["batches"]), (&json!(4), &json!(1)));
        assert_eq!(report["failed_by_code"], json!({ "Lambda.FunctionError": 2 }));
        let message = format!("warning: attempts 1 to 4 of 4 failed: the function {how}\n");
        assert!(exit.stderr.contains(&message), "{}", exit.stderr);
        for line in replay.errors() {
            assert_eq!((&line["attemptsMade"], &line["errorCode"]), (&json!(4), &json!("Lambda.FunctionError")));
            assert_eq!(line["lambdaARN"], "arn:aws:lambda:us-east-1:000000000000:function:click-processor:$LATEST");
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
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let exit = replay.run(&["in", "--timeout-seconds", "1", "--retries", "0"]);
    assert_eq!(exit.report()["failed_by_code"], json!({ "Lambda.FunctionTimedOut": 1 }));
    let line = &replay.errors()[0];
    assert_eq!(line["attemptsMade"], 1);
    let [arrived, finished] = ["arrivalTimestamp", "attemptEndingTimestamp"].map(|name| line[name].as_u64().unwrap());
    assert!(u128::from(arrived) >= start && finished >= arrived + 1000, "{line}");
}

#[test]
fn an_invalid_response_is_explained() {
    let replay = Replay::of(&[("clicks.jsonl", "{\"do\":\"garble\"}\n")]);
    let exit = replay.run(&["in"]);
    let message = "invalid response: it is no JSON object with an array `records`: `\\u{1b}[31mOK`\n";
    assert!(exit.stderr.contains(message), "{}", exit.stderr);
    let report = exit.report();
    assert_eq!((&report["failed_by_code"], &report["attempts"]), (&json!({ "Lambda.MissingRecordId": 1 }), &json!(1)));
}

#[test]
fn a_second_attempt_may_succeed() {
    let replay = Replay::of(&[("clicks.jsonl", "{}\n")]);
    let exit = replay.run(&["in", "--env", "FAIL_ONCE=1"]);
    assert_eq!(exit.code, Some(0));
    let report = exit.report();
    assert_eq!((&report["attempts"], &report["service_requests"]), (&json!(2), &json!(6)));
    // The first attempt alone takes 300.
    assert!(report["batch_ms"]["first"].as_f64().unwrap() >= 300.0, "{report}");
    assert_eq!(replay.delivered(), "{}\n");
}

#[test]
fn a_function_without_metrics_reports_nothing() {
    let replay = Replay::of(&[("clicks", "{\"do\":\"fail\"}\n")]);
    let report = replay.run(&["in", "--env", "NO_METRICS=1"]).report();
    assert_eq!((&report["service_requests"], &report["failed_by_reason"]), (&Value::Null, &Value::Null));
}
