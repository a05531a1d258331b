//! The contract holds whatever a closure does.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;

use firehose_transform::{Event, Outcome, RESPONSE_BUDGET_BYTES, RecordError};
use proptest::prelude::*;
use serde_json::{Value, json};

fn response(
    payload: &Value,
    transform: impl FnMut(&firehose_transform::Record<'_>) -> Result<Outcome, RecordError>,
) -> (Vec<Value>, firehose_transform::Summary) {
    let payload = payload.to_string();
    let transformed = Event::parse(payload.as_bytes()).unwrap().transform(transform);
    assert!(transformed.response.len() <= RESPONSE_BUDGET_BYTES);
    let response: Value = serde_json::from_slice(&transformed.response).unwrap();
    (response["records"].as_array().unwrap().clone(), transformed.summary)
}

#[test]
fn each_outcome_has_its_result_and_count() {
    let payload = json!({"records": [
        {"recordId": "ok", "data": "b2s="},
        {"recordId": "keys", "data": "a2V5cw=="},
        {"recordId": "drop", "data": "ZHJvcA=="},
        {"recordId": "error", "data": "ZXJyb3I="},
        {"recordId": "number", "data": "bnVtYmVy"},
        {"recordId": "panic", "data": "cGFuaWM="},
        {"recordId": "large", "data": "bGFyZ2U="},
        {"recordId": "after", "data": "b2s="},
        {"recordId": "not base64", "data": "?"},
        {"recordId": "nothing"},
    ]});
    let (records, summary) = response(&payload, |record| match record.data() {
        b"ok" => Ok(Outcome::Ok(b"OK".to_vec())),
        b"keys" => Ok(Outcome::Partitioned { data: b"KEYS".to_vec(), keys: [("k".to_owned(), "v".to_owned())].into() }),
        b"drop" => Ok(Outcome::Dropped),
        b"error" => Err(RecordError::new("mine", "a reason of the function's own")),
        b"number" => Err("x".parse::<u8>().unwrap_err().into()),
        b"panic" => panic!("as a test"),
        b"large" => Ok(Outcome::Ok(vec![b'x'; RESPONSE_BUDGET_BYTES])),
        other => panic!("{other:?}"),
    });
    let failed = |id: &str| json!({"recordId": id, "result": "ProcessingFailed"});
    let expected = [
        json!({"recordId": "ok", "result": "Ok", "data": "T0s="}),
        json!({"recordId": "keys", "result": "Ok", "data": "S0VZUw==", "metadata": {"partitionKeys": {"k": "v"}}}),
        json!({"recordId": "drop", "result": "Dropped"}),
        failed("error"),
        failed("number"),
        failed("panic"),
        failed("large"),
        json!({"recordId": "after", "result": "Ok", "data": "T0s="}),
        failed("not base64"),
        failed("nothing"),
    ];
    assert_eq!(records, expected);
    let reasons = ["error", "invalid_base64", "mine", "missing_data", "panic", "response_budget"];
    assert_eq!(summary.failed, reasons.map(|reason| (reason, 1)).into());
    assert_eq!((summary.ok, summary.dropped, summary.failed_count()), (3, 1, 6));
    assert_eq!(summary.failures[0].record_id.as_deref(), Some("error"));
    assert_eq!(summary.failures[1].error.message, "invalid digit found in string");
}

#[test]
fn twenty_failures_are_named_and_all_are_counted() {
    let payload = json!({"records": vec![json!({"data": ""}); 50]});
    let (records, summary) = response(&payload, |_| Err(RecordError::new("mine", "")));
    assert_eq!((records.len(), summary.failed_count(), summary.failures.len()), (50, 50, 20));
}

proptest! {
    #[test]
    fn every_id_is_in_the_response_once_and_in_order(ids in prop::collection::vec(".{0,8}", 0..20), choice: u64) {
        let payload = json!({"records": ids.iter().map(|id| json!({"recordId": id, "data": "eA=="})).collect::<Vec<_>>()});
        let mut bits = choice;
        let (records, summary) = response(&payload, |_| {
            bits = bits.rotate_right(2);
            match bits & 3 {
                0 => Ok(Outcome::Dropped),
                1 => Err(RecordError::new("mine", "")),
                2 => Ok(Outcome::Ok(vec![b'x'; 1_500_000])),
                _ => Ok(Outcome::Partitioned { data: Vec::new(), keys: BTreeMap::new() }),
            }
        });
        prop_assert_eq!(records.iter().map(|record| record["recordId"].as_str().unwrap()).collect::<Vec<_>>(), ids);
        prop_assert_eq!(summary.ok + summary.dropped + summary.failed_count(), records.len());
    }
}
