use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use runtime_api::{Invocation, InvokeError, MAX_EVENT_BYTES};
use serde_json::{Value, json};

use super::*;
use crate::firehose::delivery::{Fate, Fault};
use crate::firehose::prefix::ErrorOutputType;

/// Something that happens.
type Step = Box<dyn Fn(&Watched)>;

fn watched() -> Watched {
    Watched::new("mysfits-clicks")
}

fn json_of(watched: &Watched) -> Value {
    serde_json::to_value(watched.view()).unwrap()
}

fn stored(kind: Kind, records: usize, bytes: usize) -> Stored {
    Stored { path: format!("{}/{records}", kind.name()), kind, records, bytes, faults: BTreeMap::new() }
}

fn invocation(outcome: Outcome, logs: &[&str]) -> Invocation {
    let logs = logs.iter().map(|line| (*line).to_owned()).collect();
    let (request_id, duration) = ("id".to_owned(), Duration::from_micros(1500));
    Invocation { request_id, outcome, duration, cold: true, received: true, logs }
}

fn reply(logs: &[&str]) -> Invocation {
    invocation(Outcome::Reply(Vec::new().into()), logs)
}

const FAILED: Fate = Fate::Failed(Fault::ProcessingFailed);

#[test]
fn what_was_accepted_is_the_sum_of_the_rest_at_every_moment() {
    let watched = watched();
    let error = Kind::Error(ErrorOutputType::ProcessingFailed);
    // What happens, and then: accepted, buffered, in the Lambda, waiting, delivered, dropped, failed.
    let steps: [(Step, [u64; 7]); 13] = [
        (Box::new(|now| now.accepted(10)), [10, 10, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.accepted(3)), [13, 13, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.unaccepted(2)), [11, 11, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.dispatched(6)), [11, 5, 6, 0, 0, 0, 0]),
        (Box::new(|now| now.dispatched(4)), [11, 1, 10, 0, 0, 0, 0]),
        (Box::new(|now| now.transformed(5, 1)), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.storing(300)), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.stored(stored(Kind::Backup, 6, 300), Clicks::default())), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.storing(200)), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.transformed(4, 0)), [11, 1, 0, 9, 0, 1, 0]),
        (Box::new(|now| now.stored(stored(Kind::Delivered, 7, 150), Clicks::default())), [11, 1, 0, 2, 7, 1, 0]),
        (Box::new(move |now| now.stored(stored(error, 2, 50), Clicks::default())), [11, 1, 0, 0, 7, 1, 2]),
        (Box::new(|now| now.dispatched(1)), [11, 0, 1, 0, 7, 1, 2]),
    ];
    for (number, (step, expected)) in steps.into_iter().enumerate() {
        step(&watched);
        let view = watched.view();
        let [buffered, in_lambda, waiting] = [view.buffered.records, view.in_lambda.records, view.waiting.records];
        let seen = [view.accepted, buffered, in_lambda, waiting, view.delivered, view.dropped, view.failed];
        assert_eq!(seen, expected, "after step {number}");
        assert_eq!(seen[0], seen[1..].iter().sum::<u64>(), "after step {number}");
    }
    assert_eq!(watched.view().in_lambda.invocations, 1);
}

#[test]
fn bytes_wait_in_open_objects_and_in_those_on_their_way() {
    let watched = watched();
    watched.accepted(1);
    watched.dispatched(1);
    watched.transformed(1, 0);
    let waiting = || watched.view().waiting.bytes;
    watched.waiting(100, None);
    assert_eq!(waiting(), 100);
    watched.storing(100);
    watched.waiting(0, None);
    assert_eq!(waiting(), 100);
    watched.waiting(7, None);
    assert_eq!(waiting(), 107);
    watched.stored(stored(Kind::Delivered, 1, 100), Clicks::default());
    assert_eq!(waiting(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_tells_when_it_is_flushed() {
    let watched = watched();
    let in_ms = |view: &Value| ["buffered", "waiting"].map(|buffer| view[buffer]["flush_in_ms"].clone());
    assert_eq!(in_ms(&json_of(&watched)), [json!(null), json!(null)]);
    watched.buffered(None, 9, Some(Instant::now() + Duration::from_secs(2)));
    watched.waiting(9, Some(Instant::now() + Duration::from_secs(60)));
    for (after, expected) in [(0, [2000, 60_000]), (500, [1500, 59_500]), (9_500, [0, 50_000])] {
        tokio::time::advance(Duration::from_millis(after)).await;
        assert_eq!(in_ms(&json_of(&watched)), expected.map(|ms| json!(ms)));
    }
    watched.buffered(None, 0, None);
    watched.waiting(0, None);
    assert_eq!(in_ms(&json_of(&watched)), [json!(null), json!(null)]);
}

#[test]
fn each_attempt_is_shown_as_it_ended() {
    let settled = Attempt::Settled(vec![Fate::Dropped]);
    let failed = Attempt::Failed(Fault::FunctionError);
    let spoiled = Attempt::Spoiled(Fault::MissingRecordId, String::new());
    let exited = || Outcome::Exited(ExitStatus::from_raw(9));
    let error = Outcome::Error { error_type: String::new(), message: String::new() };
    let too_large = InvokeError::EventTooLarge { bytes: MAX_EVENT_BYTES + 1 };
    let unreceived = Invocation { received: false, ..invocation(exited(), &[]) };
    for (invocation, judged, outcome) in [
        (Ok(reply(&[])), &settled, "reply"),
        (Ok(reply(&[])), &spoiled, "spoiled"),
        (Ok(invocation(error, &[])), &failed, "error"),
        (Ok(invocation(Outcome::TimedOut, &[])), &Attempt::Failed(Fault::FunctionTimedOut), "timed_out"),
        (Ok(invocation(exited(), &[])), &failed, "exited"),
        (Ok(unreceived), &failed, "not_started"),
        (Err(too_large), &failed, "not_started"),
    ] {
        let watched = watched();
        let (milliseconds, cold) = if invocation.is_ok() { (1.5, true) } else { (0.0, false) };
        watched.invoked(7, &Seen { attempt: 2, invocation, judged });
        let mut shown = json_of(&watched)["invocations"][0].take();
        assert!(shown["at_ms"].take().as_i64().is_some_and(|ms| ms > 1_700_000_000_000));
        let expected = json!({
            "at_ms": null, "records": 7, "milliseconds": milliseconds, "cold": cold, "attempt": 2, "outcome": outcome,
            "service_requests": null,
        });
        assert_eq!(shown, expected);
    }
}

#[test]
fn retries_are_the_attempts_after_the_first() {
    let watched = watched();
    for attempt in [1, 2, 3, 1, 1, 2] {
        watched.invoked(1, &Seen { attempt, invocation: Ok(reply(&[])), judged: &Attempt::Settled(vec![]) });
    }
    assert_eq!(json_of(&watched)["retries"], 3);
}

#[test]
fn reasons_count_where_firehose_took_the_reply() {
    let logs = [
        r#"{"_aws":{},"Records":2,"ServiceRequests":5}"#,
        r#"{"_aws":{},"Reason":"unknown_mysfit","Failed":2}"#,
        "a line of a log",
    ];
    let spoiled = Attempt::Spoiled(Fault::FunctionError, String::new());
    for (judged, reasons) in [
        (Attempt::Settled(vec![FAILED, FAILED]), json!({ "unknown_mysfit": 4 })),
        // A reply that lost the records it failed.
        (Attempt::Settled(vec![Fate::Failed(Fault::MissingRecordId)]), json!({})),
        (spoiled, json!({})),
        (Attempt::Failed(Fault::FunctionTimedOut), json!({})),
    ] {
        let watched = watched();
        for _event in 0..2 {
            watched.invoked(2, &Seen { attempt: 1, invocation: Ok(reply(&logs)), judged: &judged });
        }
        let view = json_of(&watched);
        assert_eq!(view["failed_by_reason"], reasons, "{judged:?}");
        assert_eq!(view["invocations"][0]["service_requests"], 5);
    }
}

#[test]
fn the_last_twenty_are_shown_newest_first() {
    let watched = watched();
    watched.accepted(25);
    watched.dispatched(25);
    watched.transformed(25, 0);
    for number in 0..25 {
        watched.invoked(number, &Seen { attempt: 1, invocation: Ok(reply(&[])), judged: &Attempt::Settled(vec![]) });
        watched.stored(Stored { path: number.to_string(), ..stored(Kind::Delivered, 1, 0) }, Clicks::default());
    }
    let view = json_of(&watched);
    let of = |list: &str, field: &str| -> Vec<Value> {
        view[list].as_array().unwrap().iter().map(|entry| entry[field].clone()).collect()
    };
    assert_eq!(of("invocations", "records"), (5..25).rev().map(|number| json!(number)).collect::<Vec<_>>());
    assert_eq!(of("objects", "path"), (5..25).rev().map(|number| json!(number.to_string())).collect::<Vec<_>>());
}

#[test]
fn what_is_stored_adds_up() {
    let watched = watched();
    watched.accepted(6);
    watched.dispatched(6);
    watched.transformed(6, 0);
    let clicks = || Clicks::of(b"{\"mysfitId\":\"a\"}\n");
    let faults = BTreeMap::from([("Lambda.FunctionError", 1)]);
    let error = Kind::Error(ErrorOutputType::ProcessingFailed);
    for _object in 0..2 {
        watched.stored(stored(Kind::Delivered, 2, 0), clicks());
        watched.stored(Stored { faults: faults.clone(), ..stored(error, 1, 0) }, Clicks::default());
    }
    let view = json_of(&watched);
    assert_eq!(view["failed_by_code"], json!({ "Lambda.FunctionError": 2 }));
    assert_eq!(view["clicks"]["mysfit"], json!({ "a": 2 }));
    let kinds: Vec<&Value> = view["objects"].as_array().unwrap().iter().map(|object| &object["kind"]).collect();
    assert_eq!(kinds, ["error", "delivered", "error", "delivered"]);
}

#[test]
fn the_storages_trouble_is_news_once() {
    let watched = watched();
    // Three objects: the first tells that something is wrong, the last that all is well.
    assert!(watched.refused("a full disk"));
    assert!(!watched.refused("no such folder"));
    assert_eq!(watched.view().storage_error.as_deref(), Some("no such folder"));
    assert!(!watched.taken());
    assert_eq!(watched.view().storage_error.as_deref(), Some("no such folder"));
    assert!(watched.taken());
    assert_eq!(watched.view().storage_error, None);
    assert!(watched.refused("a full disk"));
}
