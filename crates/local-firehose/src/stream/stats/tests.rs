use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::stream::attempt::{Attempt, NOT_STARTED, RecordResults};
use crate::stream::refusals::RefusalReason;
use crate::stream::value_counts::{MAX_VALUE_BYTES, MAX_VALUES};
use firehose_model::delivery::RecordOutcome;
use firehose_model::prefix::ErrorOutputType;

/// Records, bytes, and the seconds until a flush.
type Waits = (u64, usize, Option<u64>);

fn stats() -> StreamStats {
    let mut settings = StreamSettings::untransformed("s", Path::new("nowhere"));
    settings.buffer.interval = Duration::from_secs(60);
    settings.destination_buffer.interval = Duration::from_secs(300);
    StreamStats::new(&settings, Notices::default())
}

fn json_of(stats: &StreamStats) -> Value {
    serde_json::to_value(stats.snapshot()).unwrap()
}

fn accepted(records: usize, bytes: usize) -> StreamEvent {
    StreamEvent::Accepted { records, bytes }
}

fn started(shard: Option<u32>, records: usize, bytes: usize) -> StreamEvent {
    StreamEvent::InvocationStarted { shard: shard.map(ShardId), batch: 1, records, bytes }
}

fn due(shard: u32, due: Option<Instant>) -> StreamEvent {
    StreamEvent::BufferDue { shard: Some(ShardId(shard)), due }
}

fn transformed(records: usize, bytes: usize, dropped: usize) -> StreamEvent {
    StreamEvent::Transformed { batch: 1, records, bytes, dropped }
}

fn opened(records: usize, due: Option<Instant>) -> StreamEvent {
    StreamEvent::Opened { records, due }
}

fn stored(kind: Kind, records: usize, bytes: usize) -> StreamEvent {
    let object = ObjectSummary { path: format!("{kind:?}/{records}"), kind, records, bytes, at_ms: 7 };
    StreamEvent::Stored { object, failed_by_code: BTreeMap::new(), values: ValueCounts::default() }
}

fn summary(records: usize, attempt: u32) -> InvocationSummary {
    InvocationSummary {
        batch: 1,
        at_ms: 7,
        failed_by_reason: BTreeMap::from([("unknown_id".to_owned(), 2)]),
        records,
        attempt,
        outcome: "response",
        milliseconds: 1.5,
        ..InvocationSummary::default()
    }
}

fn attempted(summary: InvocationSummary, logs: &[String]) -> StreamEvent {
    let failed_by_reason = BTreeMap::from([("unknown_id".to_owned(), 2)]);
    StreamEvent::Invoked { attempt: Attempt::new(summary, logs).into(), failed_by_reason, is_retried: false }
}

fn invoked(records: usize, attempt: u32) -> StreamEvent {
    attempted(summary(records, attempt), &[])
}

#[test]
fn accepted_is_the_sum_of_the_other_counts_after_each_event() {
    let stats = stats();
    let error = Kind::Error(ErrorOutputType::ProcessingFailed);
    // An event, and then: accepted, buffered, in Lambda, waiting, delivered, dropped, failed.
    let steps = [
        (accepted(10, 100), [10, 10, 0, 0, 0, 0, 0]),
        (accepted(1, 10), [11, 11, 0, 0, 0, 0, 0]),
        (StreamEvent::BackedUp { records: 6, bytes: 300 }, [11, 11, 0, 0, 0, 0, 0]),
        (started(None, 6, 60), [11, 5, 6, 0, 0, 0, 0]),
        (started(None, 4, 40), [11, 1, 10, 0, 0, 0, 0]),
        (transformed(5, 120, 1), [11, 1, 4, 5, 0, 1, 0]),
        (opened(11, None), [11, 1, 4, 5, 0, 1, 0]),
        (stored(Kind::Backup, 6, 300), [11, 1, 4, 5, 0, 1, 0]),
        (transformed(4, 80, 0), [11, 1, 0, 9, 0, 1, 0]),
        (stored(Kind::Delivered, 7, 150), [11, 1, 0, 2, 7, 1, 0]),
        (stored(error, 2, 50), [11, 1, 0, 0, 7, 1, 2]),
        (started(None, 1, 10), [11, 0, 1, 0, 7, 1, 2]),
    ];
    for (number, (event, expected)) in steps.into_iter().enumerate() {
        stats.record(event);
        let seen = stats.snapshot();
        let [buffered, in_function, waiting] = [seen.buffered.records, seen.in_function.records, seen.waiting.records];
        let counts = [seen.accepted, buffered, in_function, waiting, seen.delivered, seen.dropped, seen.failed];
        assert_eq!(counts, expected, "after step {number}");
        assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "after step {number}");
    }
    assert_eq!(stats.snapshot().in_function.invocations, 1);
}

#[test]
fn sub_records_and_rejected_records_are_counted_where_they_are() {
    let stats = stats();
    let error = Kind::Error(ErrorOutputType::DecompressionFailed);
    // An event, and then the records and bytes that are buffered and waiting.
    let steps = [
        (accepted(2, 20), [(2, 20), (0, 0)]),
        (StreamEvent::Prepared { bytes: 10, parts: 3, part_bytes: 12 }, [(4, 22), (0, 0)]),
        (StreamEvent::Rejected { bytes: 10, line_bytes: 50 }, [(3, 12), (1, 50)]),
        (opened(1, None), [(3, 12), (1, 50)]),
        (started(None, 3, 12), [(0, 0), (1, 50)]),
        (transformed(3, 15, 0), [(0, 0), (4, 65)]),
        (opened(3, None), [(0, 0), (4, 65)]),
        (stored(Kind::Delivered, 3, 15), [(0, 0), (1, 50)]),
        (stored(error, 1, 50), [(0, 0), (0, 0)]),
    ];
    for (number, (event, expected)) in steps.into_iter().enumerate() {
        stats.record(event);
        let StreamSnapshot { buffered, waiting, .. } = stats.snapshot();
        let found = [buffered, waiting].map(|BufferLevel { records, bytes, .. }| (records, bytes));
        assert_eq!(found, expected, "after step {number}");
    }
    let seen = stats.snapshot();
    assert_eq!((seen.accepted, seen.delivered, seen.failed), (2, 3, 1));
}

/// One event after the other, and both buffers after each: records, bytes, and the time until a flush.
#[tokio::test(start_paused = true)]
async fn records_bytes_and_times_agree_after_each_event() {
    let stats = stats();
    let in_seconds = |seconds| Some(Instant::now() + Duration::from_secs(seconds));
    let (one, other, next) = (in_seconds(50), in_seconds(40), in_seconds(200));
    let steps: [(StreamEvent, Waits, Waits); 17] = [
        // Accepted, and in no buffer yet.
        (accepted(4, 40), (4, 40, Some(60)), (0, 0, None)),
        (due(1, one), (4, 40, Some(50)), (0, 0, None)),
        (due(2, other), (4, 40, Some(40)), (0, 0, None)),
        (started(Some(2), 2, 20), (2, 20, Some(50)), (0, 0, None)),
        (due(2, None), (2, 20, Some(50)), (0, 0, None)),
        // Accepted meanwhile, and in no buffer yet.
        (accepted(1, 0), (3, 20, Some(50)), (0, 0, None)),
        (started(Some(1), 2, 20), (1, 0, Some(60)), (0, 0, None)),
        (started(Some(1), 1, 0), (0, 0, None), (0, 0, None)),
        // Transformed, and in no object yet.
        (transformed(3, 90, 1), (0, 0, None), (3, 90, Some(300))),
        (opened(3, next), (0, 0, None), (3, 90, Some(200))),
        (StreamEvent::Replaced { before: 30, after: 110 }, (0, 0, None), (3, 170, Some(200))),
        (transformed(1, 0, 0), (0, 0, None), (4, 170, Some(200))),
        // In objects that are being stored.
        (opened(1, None), (0, 0, None), (4, 170, None)),
        (stored(Kind::Delivered, 4, 170), (0, 0, None), (0, 0, None)),
        // A copy has bytes, but is no record.
        (StreamEvent::BackedUp { records: 1, bytes: 9 }, (0, 0, None), (0, 9, Some(300))),
        (stored(Kind::Backup, 1, 9), (0, 0, None), (0, 0, None)),
        (opened(1, None), (0, 0, None), (0, 0, None)),
    ];
    for (number, (event, buffered, waiting)) in steps.into_iter().enumerate() {
        stats.record(event);
        let snapshot = stats.snapshot();
        let waits = |BufferLevel { records, bytes, flush_in_ms }: &BufferLevel| {
            (*records, *bytes, flush_in_ms.map(|ms| ms / 1000))
        };
        assert_eq!((waits(&snapshot.buffered), waits(&snapshot.waiting)), (buffered, waiting), "after step {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_has_the_time_until_each_flush() {
    let stats = stats();
    let in_ms = |view: &Value| ["buffered", "waiting"].map(|buffer| view[buffer]["flush_in_ms"].clone());
    assert_eq!(in_ms(&json_of(&stats)), [json!(null), json!(null)]);
    let in_seconds = |seconds| Some(Instant::now() + Duration::from_secs(seconds));
    for event in [
        accepted(2, 18),
        started(None, 1, 9),
        transformed(1, 9, 0),
        StreamEvent::BufferDue { shard: None, due: in_seconds(2) },
        opened(1, in_seconds(60)),
    ] {
        stats.record(event);
    }
    for (after, expected) in [(0, [2000, 60_000]), (500, [1500, 59_500]), (9_500, [0, 50_000])] {
        tokio::time::advance(Duration::from_millis(after)).await;
        assert_eq!(in_ms(&json_of(&stats)), expected.map(|ms| json!(ms)));
    }
    stats.record(started(None, 1, 9));
    stats.record(opened(0, None));
    assert_eq!(in_ms(&json_of(&stats)), [json!(null), json!(null)]);
}

#[test]
fn refused_records_are_not_accepted() {
    let stats = stats();
    for (records, reason) in [(5, RefusalReason::Backlog), (2, RefusalReason::Invalid), (1, RefusalReason::Backlog)] {
        stats.record(StreamEvent::Refused { records, reason });
    }
    let seen = json_of(&stats);
    assert_eq!((&seen["accepted"], &seen["refused"]), (&json!(0), &json!(8)));
    assert_eq!(seen["refused_by_reason"], json!({ "backlog": 6, "invalid": 2 }));
    assert_eq!(stats.history().refused[179], 8);
}

/// The outcome, its results, and what the durations count.
#[test]
fn invocations_are_counted_by_outcome() {
    let stats = stats();
    let results = RecordResults::of(&[RecordOutcome::delivered("a"), RecordOutcome::Dropped, RecordOutcome::Dropped]);
    for (outcome, results) in [("response", Some(results)), ("response", None), ("error", None), (NOT_STARTED, None)] {
        stats.record(attempted(InvocationSummary { outcome, results, ..summary(3, 1) }, &[]));
    }
    let seen = json_of(&stats);
    assert_eq!(seen["invocations_by_outcome"], json!({ "response": 2, "error": 1, "not_started": 1 }));
    assert_eq!(stats.snapshot().durations.cumulative().last().unwrap().1, 3);
    let of = |index: usize| ["ok", "dropped", "failed"].map(|result| seen["invocations"][index][result].clone());
    assert_eq!((of(3), of(0)), ([json!(1), json!(2), json!(0)], [json!(null), json!(null), json!(null)]));
}

#[test]
fn a_batch_is_in_flight_from_its_start_to_its_end() {
    let stats = stats();
    let in_flight = |stats: &StreamStats| -> Vec<_> {
        let seen = json_of(stats)["in_flight"].take();
        let fields = ["batch", "records", "attempt"];
        seen.as_array().unwrap().iter().map(|batch| fields.map(|field| batch[field].as_u64().unwrap())).collect()
    };
    stats.record(accepted(9, 90));
    stats.record(started(None, 2, 20));
    stats.record(StreamEvent::InvocationStarted { shard: None, batch: 2, records: 3, bytes: 30 });
    assert_eq!(in_flight(&stats), [[1, 2, 1], [2, 3, 1]]);
    stats.record(invoked(2, 1));
    assert_eq!(in_flight(&stats), [[1, 2, 1], [2, 3, 1]]);
    let StreamEvent::Invoked { attempt, failed_by_reason, .. } = invoked(2, 1) else { unreachable!() };
    stats.record(StreamEvent::Invoked { attempt, failed_by_reason, is_retried: true });
    assert_eq!(in_flight(&stats), [[1, 2, 2], [2, 3, 1]]);
    stats.record(transformed(2, 20, 0));
    assert_eq!(in_flight(&stats), [[2, 3, 1]]);
}

#[test]
fn an_invocation_with_failures_has_some_of_its_log() {
    let lines: Vec<String> = (0..30).map(|number| format!("line {number}")).collect();
    let results = |failed| Some(RecordResults { ok: 1, dropped: 0, failed });
    for (results, shown) in [(results(0), 0), (results(1), 10), (None, 10)] {
        let stats = stats();
        stats.record(attempted(InvocationSummary { results, ..summary(1, 1) }, &lines));
        let log = json_of(&stats)["invocations"][0]["log"].take();
        assert_eq!(log.as_array().unwrap().len(), shown, "{results:?}");
    }
}

/// An event and the notices that it leads to, as JSON without times.
#[test]
fn subscribers_are_notified() {
    let notices = Notices::default();
    let settings = StreamSettings::untransformed("s", Path::new("nowhere"));
    let stats = StreamStats::new(&settings, notices.clone());
    let mut subscriber = notices.subscribe();
    let refused = |is_first| StreamEvent::UploadRefused { error: "full".to_owned(), is_first };
    let object = json!({
        "event": "object", "stream": "s", "path": "Delivered/1", "kind": "delivered", "records": 1, "bytes": 0, "at_ms": 7
    });
    let invocation = json!({
        "event": "invocation", "stream": "s", "batch": 1, "at_ms": 7, "records": 1, "milliseconds": 1.5, "cold": false, "attempt": 2,
        "outcome": "response", "service_requests": null, "failed_by_reason": { "unknown_id": 2 }, "error": null
    });
    for (event, expected) in [
        (accepted(1, 0), None),
        (started(None, 1, 0), None),
        (invoked(1, 2), Some(invocation)),
        (transformed(1, 0, 0), None),
        // Two objects that the storage refuses.
        (refused(true), Some(json!({ "event": "storage_error", "stream": "s", "error": "full" }))),
        (refused(true), None),
        (refused(false), None),
        (StreamEvent::UploadRecovered, None),
        (StreamEvent::UploadRecovered, Some(json!({ "event": "storage_recovered", "stream": "s" }))),
        (stored(Kind::Delivered, 1, 0), Some(object)),
    ] {
        stats.record(event);
        let mut found = subscriber.try_recv().ok().map(|notice| serde_json::to_value(notice).unwrap());
        if let (Some(found), Some(expected)) = (&mut found, &expected)
            && expected["at_ms"].is_null()
        {
            assert!(found.as_object_mut().unwrap().remove("at_ms").unwrap().is_i64());
        }
        assert_eq!(found, expected);
    }
    assert_eq!(stats.snapshot().storage_errors, 3);
}

#[test]
fn retries_are_the_attempts_after_the_first_and_reasons_add_up() {
    let stats = stats();
    for attempt in [1, 2, 3, 1, 1, 2] {
        stats.record(invoked(1, attempt));
    }
    let seen = json_of(&stats);
    assert_eq!((&seen["retries"], &seen["failed_by_reason"]), (&json!(3), &json!({ "unknown_id": 12 })));
}

#[test]
fn a_snapshot_has_the_last_twenty_newest_first() {
    let stats = stats();
    for event in [accepted(25, 0), started(None, 25, 0), transformed(25, 300, 0)] {
        stats.record(event);
    }
    for number in 0..25 {
        stats.record(invoked(number, 1));
        stats.record(stored(Kind::Delivered, 1, number));
    }
    let seen = json_of(&stats);
    let of = |list: &str, field: &str| -> Vec<Value> {
        seen[list].as_array().unwrap().iter().map(|entry| entry[field].clone()).collect()
    };
    assert_eq!(of("invocations", "records"), (5..25).rev().map(|number| json!(number)).collect::<Vec<_>>());
    assert_eq!(of("objects", "bytes"), (5..25).rev().map(|number| json!(number)).collect::<Vec<_>>());
}

#[test]
fn stored_objects_add_up() {
    let stats = stats();
    assert!(stats.snapshot().objects.is_empty());
    for event in [accepted(6, 0), started(None, 6, 0), transformed(6, 0, 0)] {
        stats.record(event);
    }
    let values = || ValueCounts::of(b"{\"id\":\"a\"}\n", &["id".to_owned()]);
    let failed_by_code = BTreeMap::from([("Lambda.FunctionError", 1)]);
    let error = Kind::Error(ErrorOutputType::ProcessingFailed);
    for _object in 0..2 {
        for (kind, records) in [(Kind::Delivered, 2), (error, 1)] {
            let StreamEvent::Stored { object, .. } = stored(kind, records, 0) else { unreachable!() };
            let (failed_by_code, values) = match kind {
                Kind::Delivered => (BTreeMap::new(), values()),
                _ => (failed_by_code.clone(), ValueCounts::default()),
            };
            stats.record(StreamEvent::Stored { object, failed_by_code, values });
        }
    }
    assert_eq!(stats.uploads(), Uploads { has_stored: true, ..Uploads::default() });
    let seen = json_of(&stats);
    assert_eq!(seen["failed_by_code"], json!({ "Lambda.FunctionError": 2 }));
    assert_eq!(seen["values"], json!({ "id": { "a": 2 } }));
    let kinds: Vec<&Value> = seen["objects"].as_array().unwrap().iter().map(|object| &object["kind"]).collect();
    assert_eq!(kinds, ["error", "delivered", "error", "delivered"]);
}

#[test]
fn the_storage_error_is_shown_until_all_objects_are_accepted() {
    let stats = stats();
    let uploads = || (stats.uploads().first.is_some(), stats.uploads().has_refused);
    assert_eq!(uploads(), (false, false));
    let refused = |error: &str| StreamEvent::UploadRefused { error: error.to_owned(), is_first: true };
    for (event, expected) in [
        (StreamEvent::UploadStarted, None),
        (refused("a full disk"), Some("a full disk")),
        (refused("no such folder"), Some("no such folder")),
        (StreamEvent::UploadRecovered, Some("no such folder")),
        (StreamEvent::UploadRecovered, None),
        (refused("a full disk"), Some("a full disk")),
    ] {
        stats.record(event);
        assert_eq!(stats.snapshot().storage_error.as_deref(), expected);
        assert_eq!(stats.is_storage_refusing(), expected.is_some());
    }
    assert_eq!(uploads(), (true, true));
}

fn fields() -> [String; 2] {
    ["id", "species"].map(str::to_owned)
}

#[test]
fn values_are_counted_by_field() {
    let mut counts = ValueCounts::of(
        b"{\"userId\":\"a\",\"id\":\"1\",\"species\":\"Y\\u00e9ti\"}\n\
          {\"id\":\"1\",\"species\":null}\nno JSON\n[1]\n\n{\"id\":7}",
        &fields(),
    );
    counts.add(ValueCounts::of(b"{\"id\":\"2\"}\n", &fields()));
    let expected = json!({ "id": { "1": 2, "2": 1 }, "species": { "Y\u{e9}ti": 1 } });
    assert_eq!(serde_json::to_value(&counts).unwrap(), expected);
    assert_eq!(ValueCounts::of(b"{\"id\":\"1\"}", &[]), ValueCounts::default());
}

#[test]
fn values_are_bounded_in_number_and_length() {
    let lines: Vec<String> = (0..MAX_VALUES + 9).map(|id| format!("{{\"id\":\"{id}\"}}\n")).collect();
    let mut counts = ValueCounts::of(lines.concat().as_bytes(), &fields());
    counts.add(ValueCounts::of(b"{\"id\":\"another\"}\n{\"id\":\"0\"}", &fields()));
    assert_eq!((counts.0["id"].len(), counts.0["id"]["0"]), (MAX_VALUES, 2));

    let of_length = |bytes: usize| format!("{{\"species\":\"{}\"}}", "x".repeat(bytes));
    for (bytes, counted) in [(MAX_VALUE_BYTES, 1), (MAX_VALUE_BYTES + 1, 0)] {
        assert_eq!(ValueCounts::of(of_length(bytes).as_bytes(), &fields()).0["species"].len(), counted);
    }
}
