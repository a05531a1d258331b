use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::entry::PAYLOAD_BYTES;
use super::*;
use crate::stream::attempt::{Attempt, InvocationError, InvocationSummary};
use crate::stream::batch::{RecordLines, lines_about};
use crate::stream::event::{Kind, ObjectSummary};
use crate::stream::receipt::{Accepted, Receipt};
use firehose_model::delivery::ErrorCode;
use firehose_model::event::{Record, encode};
use firehose_model::kinesis::shard::ShardId;

mod follow;

const MB: usize = 1024 * 1024;

fn store() -> Arc<RecentRecords> {
    RecordMemory::new(MB).share()
}

fn direct(sequence: u64, data: &[u8]) -> Accepted {
    Accepted::new(sequence, Record::direct_put(sequence, 1000 + i64::try_from(sequence).unwrap(), encode(data)))
}

fn accept(records: &RecentRecords, data: &[&[u8]]) -> Vec<Accepted> {
    let next = records.kept().newest;
    let mut accepted: Vec<_> = data.iter().zip(next..).map(|(data, sequence)| direct(sequence, data)).collect();
    records.accept(&mut accepted);
    accepted
}

fn deliver(records: &RecentRecords, receipt: &Receipt, output: &[u8]) {
    let mut outcomes = records.outcomes(None);
    outcomes.delivered(receipt, Some(output));
    records.end(outcomes);
}

fn receipts(accepted: Vec<Accepted>) -> Vec<Receipt> {
    accepted.into_iter().map(|accepted| accepted.receipt).collect()
}

fn object(kind: Kind) -> ObjectSummary {
    ObjectSummary { path: "2026/object".to_owned(), kind, records: 1, bytes: 9, at_ms: 9000 }
}

fn detail(records: &RecentRecords, record: &Record) -> Value {
    serde_json::to_value(records.get(&record.record_id)).unwrap()
}

#[track_caller]
fn found(records: &RecentRecords, query: RecordQuery) -> Vec<u64> {
    records.find(&RecordQuery { limit: 200, ..query }).records.iter().map(|row| row.number).collect()
}

#[test]
fn a_record_is_followed_from_its_arrival_to_its_object() {
    let records = store();
    let accepted = accept(&records, &[b"{\"a\":1}", b"no JSON", b"{\"b\":2}"]);
    let source: Vec<Record> = accepted.iter().map(|accepted| accepted.record.clone()).collect();
    let seen = detail(&records, &source[0]);
    assert_eq!((&seen["outcome"], &seen["data"]["text"]), (&json!("buffered"), &json!("{\"a\":1}")));
    assert_eq!((&seen["batch"], &seen["object"], &seen["output"]), (&json!(null), &json!(null), &json!(null)));

    let receipts = receipts(accepted);
    let batch = records.start_batch(&receipts, Some("orders"));
    let seen = detail(&records, &source[1]);
    assert_eq!((&seen["outcome"], &seen["batch"]["position"]), (&json!("in_function"), &json!(1)));
    assert_eq!((&seen["batch"]["function"], &seen["batch"]["records"]), (&json!("orders"), &json!(3)));

    let line = format!(r#"{{"reason":"invalid_json","record_id":"{}"}}"#, source[1].record_id);
    let lines = lines_about(std::slice::from_ref(&line), &HashSet::from([source[1].record_id.as_str()]));
    batch.add(Arc::default(), lines);
    let mut outcomes = records.outcomes(Some(&batch));
    outcomes.delivered(&receipts[0], Some(b"{\"a\":1,\"c\":3}\n"));
    outcomes.failed(&receipts[1], &source[1], ErrorCode::ProcessingFailed, 1);
    outcomes.dropped(&receipts[2]);
    records.end(outcomes);
    let outcome = |index: usize| detail(&records, &source[index])["outcome"].take();
    assert_eq!([outcome(0), outcome(1), outcome(2)], ["waiting", "failed", "dropped"]);
    let seen = detail(&records, &source[1]);
    assert_eq!((&seen["code"], &seen["reason"]), (&json!("Lambda.ProcessingFailedStatus"), &json!("invalid_json")));
    assert_eq!(seen["log"], json!([line]));
    assert_eq!(seen["message"], json!("ProcessingFailed status set for record"));

    records.stored(&object(Kind::Delivered), &receipts[..1], &[14]);
    let seen = detail(&records, &source[0]);
    assert_eq!(seen["outcome"], "delivered");
    let expected = json!({ "path": "2026/object", "kind": "delivered", "offset": 0, "bytes": 14, "at_ms": 9000 });
    assert_eq!(seen["object"], expected);
    assert_eq!(seen["output"]["text"], "{\"a\":1,\"c\":3}\n");
}

#[test]
fn offsets_are_those_of_the_objects_lines() {
    let records = store();
    let accepted = accept(&records, &[b"a", b"b", b"c"]);
    let source: Vec<Record> = accepted.iter().map(|accepted| accepted.record.clone()).collect();
    let receipts = receipts(accepted);
    records.stored(&object(Kind::Backup), &receipts, &[1, 2, 3]);
    assert_eq!(detail(&records, &source[0])["object"], json!(null), "a copy is no outcome");
    records.stored(&object(Kind::Delivered), &receipts, &[10, 10, 25]);
    let places = source.iter().map(|record| {
        let object = detail(&records, record)["object"].take();
        (object["offset"].as_u64().unwrap(), object["bytes"].as_u64().unwrap())
    });
    assert_eq!(places.collect::<Vec<_>>(), [(0, 10), (10, 0), (10, 15)]);
}

#[test]
fn records_are_found_by_each_of_their_features() {
    let records = store();
    let key = |sequence, key: &str| {
        Accepted::new(sequence, Record::from_shard(ShardId(0), sequence, key.to_owned(), 1000, encode(b"{\"n\":7}")))
    };
    let mut accepted = vec![direct(1, b"Nessi"), direct(2, b"other"), key(3, "a"), key(4, "b")];
    records.accept(&mut accepted);
    let source: Vec<Record> = accepted.iter().map(|accepted| accepted.record.clone()).collect();
    let receipts = receipts(accepted);
    let batch = records.start_batch(&receipts[1..3], None);
    let mut outcomes = records.outcomes(None);
    outcomes.delivered(&receipts[1], Some(b"the output"));
    outcomes.failed(&receipts[2], &source[2], ErrorCode::FunctionTimedOut, 1);
    records.end(outcomes);
    records.stored(&object(Kind::Delivered), &receipts[1..2], &[10]);

    let text = |text: &str| RecordQuery { text: Some(text.to_owned()), ..RecordQuery::default() };
    let all = RecordQuery::default;
    for (name, query, expected) in [
        ("all", all(), &[4, 3, 2, 1][..]),
        ("text", text("nESSI"), &[1]),
        ("output", text("the out"), &[2]),
        ("id", text(&source[0].record_id), &[1]),
        ("no text", text("absent"), &[]),
        ("key", RecordQuery { key: Some("a".to_owned()), ..all() }, &[3]),
        ("status", RecordQuery { status: Some(RecordStatus::Failed), ..all() }, &[3]),
        ("buffered", RecordQuery { status: Some(RecordStatus::Buffered), ..all() }, &[4, 1]),
        ("code", RecordQuery { reason: Some("timedout".to_owned()), ..all() }, &[3]),
        ("batch", RecordQuery { batch: Some(batch.number), ..all() }, &[3, 2]),
        ("until", RecordQuery { to_ms: Some(1000), ..all() }, &[4, 3]),
        // The second is stored at 9000, and the first and the last are still in the pipeline.
        ("from", RecordQuery { from_ms: Some(9001), ..all() }, &[4, 3, 1]),
        ("both", RecordQuery { from_ms: Some(9000), to_ms: Some(1002), ..all() }, &[4, 3, 2, 1]),
        // A failed one when it failed, which is now.
        ("failed until", RecordQuery { status: Some(RecordStatus::Failed), to_ms: Some(1002), ..all() }, &[]),
        ("failed from", RecordQuery { status: Some(RecordStatus::Failed), from_ms: Some(9001), ..all() }, &[3]),
        ("before", RecordQuery { before: Some(3), ..all() }, &[2, 1]),
    ] {
        assert_eq!(found(&records, query), expected, "{name}");
    }
}

#[test]
fn pages_have_all_records_once() {
    let records = store();
    let data: Vec<Vec<u8>> = (0..700).map(|number| format!("record {number}").into_bytes()).collect();
    let accepted = accept(&records, &data.iter().map(Vec::as_slice).collect::<Vec<_>>());
    for accepted in accepted.iter().step_by(7) {
        records.fail(&accepted.receipt, &accepted.record, ErrorCode::FunctionError);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = records.find(&RecordQuery { before, limit: 99, ..RecordQuery::default() });
        seen.extend(page.records.iter().map(|row| row.number));
        before = seen.last().copied();
        assert_eq!(page.more, seen.len() < 700);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, (1..=700).rev().collect::<Vec<_>>());
}

#[test]
fn the_memory_is_bounded_and_failed_records_stay_longer() {
    let records = store();
    let failed = accept(&records, &[&b"bad"[..]; 20]);
    for accepted in &failed {
        records.fail(&accepted.receipt, &accepted.record, ErrorCode::FunctionError);
    }
    for _ in 0..200 {
        accept(&records, &[&[b'x'; 1000][..]; 100]);
        assert!(records.kept().bytes() <= MB);
    }
    let page = records.find(&RecordQuery { status: Some(RecordStatus::Failed), limit: 200, ..RecordQuery::default() });
    assert_eq!(page.records.len(), 20);
    assert!((600..1000).contains(&page.kept), "{}", page.kept);
    assert!((MB * 9 / 10..=MB).contains(&page.kept_bytes), "{}", page.kept_bytes);

    // Failed records have no more than a half.
    for _ in 0..200 {
        for accepted in accept(&records, &[&[b'x'; 1000][..]; 100]) {
            records.fail(&accepted.receipt, &accepted.record, ErrorCode::FunctionError);
        }
        assert!(records.kept().bytes() <= MB);
    }
    let accepted = accept(&records, &[&[b'x'; 1000][..]; 300]);
    let buffered = RecordQuery { status: Some(RecordStatus::Buffered), ..RecordQuery::default() };
    assert!(found(&records, buffered).len() >= 200);
    drop(accepted);
}

#[test]
fn a_record_that_fails_after_it_was_displaced_is_kept_again() {
    let records = store();
    let first = accept(&records, &[b"the first"]);
    for _ in 0..20 {
        accept(&records, &[&[b'x'; 1000][..]; 100]);
    }
    assert!(records.get(&first[0].record.record_id).is_none());
    deliver(&records, &first[0].receipt, b"output");
    assert!(records.get(&first[0].record.record_id).is_none());
    records.fail(&first[0].receipt, &first[0].record, ErrorCode::TooManyPartitions);
    assert_eq!(detail(&records, &first[0].record)["data"]["text"], "the first");
    assert_eq!(found(&records, RecordQuery { status: Some(RecordStatus::Failed), ..RecordQuery::default() }), [1]);
}

#[test]
fn streams_share_the_memory() {
    let memory = RecordMemory::new(MB);
    let (first, second) = (memory.share(), memory.share());
    for _ in 0..100 {
        accept(&first, &[&[b'x'; 1000][..]; 100]);
        accept(&second, &[&[b'x'; 1000][..]; 100]);
    }
    let bytes = || [first.kept().bytes(), second.kept().bytes()];
    assert!(bytes().iter().all(|bytes| (MB / 3..=MB / 2).contains(bytes)), "{:?}", bytes());
    let others: Vec<_> = (0..8).map(|_| memory.share()).collect();
    assert!(bytes().iter().all(|bytes| *bytes <= MB / 10), "{:?}", bytes());
    // The others get the part of one that is dropped.
    drop(others);
    assert_eq!([&first, &second].map(|records| records.kept().limit()), [MB / 2; 2]);
    drop(second);
    assert_eq!(first.kept().limit(), MB);
}

#[test]
fn without_memory_nothing_is_kept() {
    let records = RecordMemory::default().share();
    let accepted = accept(&records, &[b"a"]);
    let record = accepted[0].record.clone();
    let receipts = receipts(accepted);
    assert_eq!(records.start_batch(&receipts, None).number, 1);
    records.fail(&receipts[0], &record, ErrorCode::FunctionError);
    assert!(records.is_off() && records.get(&record.record_id).is_none());
    assert_eq!((found(&records, RecordQuery::default()), records.kept().bytes()), (vec![], 0));
}

#[test]
fn parts_replace_their_record() {
    let records = store();
    let accepted = accept(&records, &[b"aggregated", b"alone"]);
    let (whole, alone) = (&accepted[0], &accepted[1]);
    let mut parts = vec![direct(10, b"one"), direct(11, b"two")];
    records.split(whole.receipt.number, &whole.record.record_id, &mut parts);
    assert_eq!(detail(&records, &whole.record)["outcome"], "split");
    assert_eq!(detail(&records, &parts[1].record)["part_of"], json!(whole.record.record_id));

    // What is neither aggregated nor compressed stays the same record.
    let mut only = vec![Accepted::new(1, alone.record.clone())];
    records.split(alone.receipt.number, &alone.record.record_id, &mut only);
    assert_eq!(only[0].receipt.number, alone.receipt.number);
    assert_eq!(detail(&records, &alone.record)["outcome"], "buffered");
}

#[test]
fn a_payload_is_text_or_base64_and_bounded() {
    let records = store();
    let long = "é".repeat(PAYLOAD_BYTES);
    for (data, expected) in [
        ("{\"é\":1}\n".as_bytes(), json!({ "text": "{\"é\":1}\n", "bytes": 9, "truncated": false })),
        (b"", json!({ "text": "", "bytes": 0, "truncated": false })),
        (b"\xff\x00", json!({ "base64": "/wA=", "bytes": 2, "truncated": false })),
    ] {
        let accepted = accept(&records, &[data]);
        assert_eq!(detail(&records, &accepted[0].record)["data"], expected);
    }
    // A character at the end is not cut.
    for start in ["", "x"] {
        let data = format!("{start}{long}");
        let mut accepted = vec![direct(77, data.as_bytes())];
        records.accept(&mut accepted);
        deliver(&records, &accepted[0].receipt, data.as_bytes());
        let seen = serde_json::to_value(records.find(&RecordQuery { limit: 1, ..RecordQuery::default() })).unwrap();
        assert_eq!(seen["records"][0]["excerpt"].as_str().unwrap().chars().count(), 200);
        let number = accepted[0].receipt.number;
        let kept = records.kept();
        let entry = kept.get(number).unwrap();
        for payload in [&entry.original, entry.output.as_ref().unwrap()] {
            let text = payload.text().unwrap();
            assert!(data.starts_with(text) && text.len() >= PAYLOAD_BYTES - 4 && payload.bytes == data.len());
        }
    }
}

#[test]
fn the_attempts_of_batches_are_within_the_memory() {
    let records = store();
    let error = "x".repeat(500);
    for _ in 0..2000 {
        let accepted = accept(&records, &[b"bad"]);
        let batch = records.start_batch(&receipts(accepted), None);
        for attempt in 1..=20 {
            let error = Some(InvocationError { kind: "KeyError".to_owned(), message: error.clone() });
            let summary = InvocationSummary { attempt, error, ..InvocationSummary::default() };
            batch.add(Attempt::new(summary, &[]).into(), RecordLines::new());
        }
        records.end(records.outcomes(Some(&batch)));
        assert!(records.kept().bytes() <= MB);
    }
    let page = records.find(&RecordQuery { limit: 200, ..RecordQuery::default() });
    let attempts = |row: &RecordRow| serde_json::to_value(records.get(&row.id)).unwrap()["batch"].take();
    let (newest, oldest) = (attempts(&page.records[0]), attempts(page.records.last().unwrap()));
    assert_eq!((newest["attempts"].as_array().unwrap().len(), &newest["log_forgotten"]), (20, &json!(false)));
    assert_eq!((&oldest["attempts"], &oldest["log_forgotten"]), (&json!([]), &json!(true)));
}

#[test]
fn an_object_is_found_by_a_record_that_is_kept() {
    let records = store();
    let receipts = receipts(accept(&records, &[b"a"]));
    assert!(records.object("2026/object").is_none());
    records.stored(&object(Kind::Delivered), &receipts, &[1]);
    assert_eq!(records.object("2026/object").unwrap().at_ms, 9000);
    assert!(records.object("other").is_none());
}
