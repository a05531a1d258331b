use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use runtime_api::{Invocation, InvokeError, MAX_EVENT_BYTES};
use serde_json::json;

use super::*;

fn invocation(outcome: Outcome, logs: &[&str]) -> Invocation {
    let logs = logs.iter().map(|line| (*line).to_owned()).collect();
    let (request_id, duration) = ("id".to_owned(), Duration::from_micros(1500));
    Invocation { request_id, outcome, duration, cold: true, received: true, logs }
}

fn response(logs: &[&str]) -> Invocation {
    invocation(Outcome::Reply(Vec::new().into()), logs)
}

#[test]
fn each_attempt_has_an_outcome() {
    let settled = Evaluation::Outcomes(vec![RecordOutcome::Dropped]);
    let failed = Evaluation::InvocationFailed(ErrorCode::FunctionError);
    let timed_out = Evaluation::InvocationFailed(ErrorCode::FunctionTimedOut);
    let invalid = Evaluation::InvalidResponse(ErrorCode::MissingRecordId, "no records".to_owned());
    let exited = || Outcome::Exited(ExitStatus::from_raw(9));
    let error = Outcome::Error { error_type: "KeyError".to_owned(), message: "'total'\n".to_owned() };
    let too_large = InvokeError::EventTooLarge(MAX_EVENT_BYTES + 1);
    let unreceived = Invocation { received: false, ..invocation(exited(), &[]) };
    let too_large_text = too_large.to_string();
    for (invocation, evaluation, outcome, error) in [
        (Ok(response(&[])), &settled, "response", None),
        (Ok(response(&[])), &invalid, "invalid_response", Some(("Lambda.MissingRecordId", "no records"))),
        (Ok(invocation(error, &[])), &failed, "error", Some(("KeyError", r"'total'\n"))),
        (Ok(invocation(Outcome::TimedOut, &[])), &timed_out, "timed_out", Some(("timed out", "after 0.0 s"))),
        (Ok(invocation(exited(), &[])), &failed, "exited", Some(("exited", "signal: 9 (SIGKILL)"))),
        (Ok(unreceived), &failed, "not_started", Some(("exited", "signal: 9 (SIGKILL)"))),
        (Err(too_large), &failed, "not_started", Some(("not started", &*too_large_text))),
    ] {
        let (milliseconds, cold) = if invocation.is_ok() { (1.5, true) } else { (0.0, false) };
        let report = AttemptReport { attempt: 2, invocation, evaluation };
        let mut summary = serde_json::to_value(summary(3, 7, &report, &Metrics::default()).0).unwrap();
        assert!(summary["at_ms"].take().as_i64().is_some_and(|ms| ms > 1_700_000_000_000));
        let mut expected = json!({
            "batch": 3, "at_ms": null, "records": 7, "milliseconds": milliseconds, "cold": cold, "attempt": 2,
            "outcome": outcome, "service_requests": null, "failed_by_reason": {},
            "error": error.map(|(kind, message)| json!({ "type": kind, "message": message })),
        });
        if let (Evaluation::Outcomes(_), Some(expected)) = (evaluation, expected.as_object_mut()) {
            expected.extend(
                [("ok", 0), ("dropped", 1), ("failed", 0)].map(|(result, records)| (result.to_owned(), json!(records))),
            );
        }
        assert_eq!(summary, expected);
    }
}

#[test]
fn only_a_new_process_without_a_call_has_not_polled() {
    let evaluation = &Evaluation::InvocationFailed(ErrorCode::FunctionError);
    let exited = || Outcome::Exited(ExitStatus::from_raw(0));
    let error = Outcome::Error { error_type: String::new(), message: String::new() };
    for (outcome, cold, received, expected) in [
        (exited(), true, false, true),
        (Outcome::TimedOut, true, false, true),
        // It reports an error of its start.
        (error, true, false, false),
        (exited(), true, true, false),
        // What it has written is the reason.
        (Outcome::Exited(ExitStatus::from_raw(1 << 8)), true, false, false),
        // It has had an event before.
        (Outcome::TimedOut, false, false, false),
    ] {
        let description = format!("{outcome:?} {cold} {received}");
        let invocation = Ok(Invocation { cold, received, ..invocation(outcome, &[]) });
        let report = AttemptReport { attempt: 1, invocation, evaluation };
        assert_eq!(has_not_polled(&report), expected, "{description}");
    }
    let invocation = Err(InvokeError::EventTooLarge(MAX_EVENT_BYTES + 1));
    assert!(!has_not_polled(&AttemptReport { attempt: 1, invocation, evaluation }));
}

#[test]
fn reasons_count_if_firehose_accepts_the_response() {
    let logs = [
        r#"{"_aws":{},"Records":2,"ServiceRequests":5}"#,
        r#"{"_aws":{},"Reason":"unknown_id","Failed":2}"#,
        "a line of a log",
    ];
    let failed = RecordOutcome::Failed(ErrorCode::ProcessingFailed);
    for (evaluation, counted) in [
        (Evaluation::Outcomes(vec![failed.clone(), failed]), true),
        // A response without the records that the function counts as failed.
        (Evaluation::Outcomes(vec![RecordOutcome::Failed(ErrorCode::MissingRecordId)]), false),
        (Evaluation::InvalidResponse(ErrorCode::FunctionError, String::new()), false),
        (Evaluation::InvocationFailed(ErrorCode::FunctionTimedOut), false),
    ] {
        let report = AttemptReport { attempt: 1, invocation: Ok(response(&logs)), evaluation: &evaluation };
        let metrics = Metrics::of(&logs.map(str::to_owned));
        let (invocation, failed_by_reason) = summary(1, 2, &report, &metrics);
        assert_eq!(failed_by_reason.get("unknown_id"), counted.then_some(&2), "{evaluation:?}");
        assert_eq!(invocation.service_requests, Some(5));
    }
}
