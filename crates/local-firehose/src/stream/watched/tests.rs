use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use runtime_api::{Invocation, InvokeError, MAX_EVENT_BYTES};
use serde_json::{Value, json};

use super::*;
use crate::stream::view::Waiting;
use firehose_model::delivery::{Fate, Fault};
use firehose_model::kinesis::shard::Shard;
use firehose_model::prefix::ErrorOutputType;

/// Something that happens.
type Step = Box<dyn Fn(&Watched)>;

/// Records, bytes, and the seconds until a flush.
type Waits = (u64, usize, Option<u64>);

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
        (Box::new(|now| now.accepted(10, 100)), [10, 10, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.accepted(3, 30)), [13, 13, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.unaccepted(2, 20)), [11, 11, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.backed_up(6, 300)), [11, 11, 0, 0, 0, 0, 0]),
        (Box::new(|now| now.dispatched(None, 6, 60)), [11, 5, 6, 0, 0, 0, 0]),
        (Box::new(|now| now.dispatched(None, 4, 40)), [11, 1, 10, 0, 0, 0, 0]),
        (Box::new(|now| now.transformed(5, 120, 1)), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.opened(11, None)), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.stored(stored(Kind::Backup, 6, 300), Clicks::default())), [11, 1, 4, 5, 0, 1, 0]),
        (Box::new(|now| now.transformed(4, 80, 0)), [11, 1, 0, 9, 0, 1, 0]),
        (Box::new(|now| now.stored(stored(Kind::Delivered, 7, 150), Clicks::default())), [11, 1, 0, 2, 7, 1, 0]),
        (Box::new(move |now| now.stored(stored(error, 2, 50), Clicks::default())), [11, 1, 0, 0, 7, 1, 2]),
        (Box::new(|now| now.dispatched(None, 1, 10)), [11, 0, 1, 0, 7, 1, 2]),
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

/// One step after the other, and what the view has of both buffers after each: records, bytes, and the time until a flush.
#[tokio::test(start_paused = true)]
async fn records_bytes_and_times_agree_at_every_moment() {
    let watched = watched().with_intervals(Duration::from_secs(60), Duration::from_secs(300));
    let due = |seconds| Some(Instant::now() + Duration::from_secs(seconds));
    let shard = |number| Some(Shard(number));
    let (one, other, object) = (due(50), due(40), due(200));
    let steps: [(Step, Waits, Waits); 19] = [
        (Box::new(|_| {}), (0, 0, None), (0, 0, None)),
        // Accepted, and in no buffer yet.
        (Box::new(|now| now.accepted(5, 50)), (5, 50, Some(60)), (0, 0, None)),
        (Box::new(move |now| now.buffer_due(shard(1), one)), (5, 50, Some(50)), (0, 0, None)),
        (Box::new(move |now| now.buffer_due(shard(2), other)), (5, 50, Some(40)), (0, 0, None)),
        (Box::new(|now| now.unaccepted(1, 10)), (4, 40, Some(40)), (0, 0, None)),
        (Box::new(move |now| now.dispatched(shard(2), 2, 20)), (2, 20, Some(50)), (0, 0, None)),
        (Box::new(move |now| now.buffer_due(shard(2), None)), (2, 20, Some(50)), (0, 0, None)),
        // What came while the event was dispatched is in no buffer yet.
        (Box::new(|now| now.accepted(1, 0)), (3, 20, Some(50)), (0, 0, None)),
        (Box::new(move |now| now.dispatched(shard(1), 2, 20)), (1, 0, Some(60)), (0, 0, None)),
        (Box::new(move |now| now.dispatched(shard(1), 1, 0)), (0, 0, None), (0, 0, None)),
        // Sent on, and in no object yet.
        (Box::new(|now| now.transformed(3, 90, 1)), (0, 0, None), (3, 90, Some(300))),
        (Box::new(move |now| now.opened(3, object)), (0, 0, None), (3, 90, Some(200))),
        (Box::new(|now| now.rewritten(30, 110)), (0, 0, None), (3, 170, Some(200))),
        (Box::new(|now| now.transformed(1, 0, 0)), (0, 0, None), (4, 170, Some(200))),
        // In objects that are being stored.
        (Box::new(|now| now.opened(1, None)), (0, 0, None), (4, 170, None)),
        (Box::new(|now| now.stored(stored(Kind::Delivered, 4, 170), Clicks::default())), (0, 0, None), (0, 0, None)),
        // A copy is no record, and takes its room.
        (Box::new(|now| now.backed_up(1, 9)), (0, 0, None), (0, 9, Some(300))),
        (Box::new(|now| now.stored(stored(Kind::Backup, 1, 9), Clicks::default())), (0, 0, None), (0, 0, None)),
        (Box::new(|now| now.opened(1, None)), (0, 0, None), (0, 0, None)),
    ];
    for (number, (step, buffered, waiting)) in steps.into_iter().enumerate() {
        step(&watched);
        let view = watched.view();
        let waits =
            |Waiting { records, bytes, flush_in_ms }: &Waiting| (*records, *bytes, flush_in_ms.map(|ms| ms / 1000));
        assert_eq!((waits(&view.buffered), waits(&view.waiting)), (buffered, waiting), "after step {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_tells_when_it_is_flushed() {
    let watched = watched();
    let in_ms = |view: &Value| ["buffered", "waiting"].map(|buffer| view[buffer]["flush_in_ms"].clone());
    assert_eq!(in_ms(&json_of(&watched)), [json!(null), json!(null)]);
    watched.accepted(2, 18);
    watched.dispatched(None, 1, 9);
    watched.transformed(1, 9, 0);
    watched.buffer_due(None, Some(Instant::now() + Duration::from_secs(2)));
    watched.opened(1, Some(Instant::now() + Duration::from_secs(60)));
    for (after, expected) in [(0, [2000, 60_000]), (500, [1500, 59_500]), (9_500, [0, 50_000])] {
        tokio::time::advance(Duration::from_millis(after)).await;
        assert_eq!(in_ms(&json_of(&watched)), expected.map(|ms| json!(ms)));
    }
    watched.dispatched(None, 1, 9);
    watched.opened(0, None);
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
    watched.accepted(25, 0);
    watched.dispatched(None, 25, 0);
    watched.transformed(25, 0, 0);
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
    watched.accepted(6, 0);
    watched.dispatched(None, 6, 0);
    watched.transformed(6, 0, 0);
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
