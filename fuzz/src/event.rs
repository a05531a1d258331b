//! A transformation event, and the response to it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use click_processor::{HandleError, Processor, Report};
use firehose_transform::{Event, Invocation, RESPONSE_BUDGET_BYTES, Record, Response};
use futures_util::FutureExt as _;
use serde_json::value::RawValue;

use crate::json::{Members, text};
use crate::line::{ALL_FIELDS, config};
use crate::record;

const PASS: (&str, &str) = ("ON_LOOKUP_UNAVAILABLE", "pass");

static PASSING: LazyLock<Processor> = LazyLock::new(|| Processor::new(&config(&[PASS])).unwrap());
static WITH_ALL_FIELDS: LazyLock<Processor> =
    LazyLock::new(|| Processor::new(&config(&[&ALL_FIELDS[..], &[PASS]].concat())).unwrap());
static RETRYING: LazyLock<Processor> = LazyLock::new(|| Processor::new(&config(&[])).unwrap());

/// - It is accepted if and only if it is an object with an array `records` of objects.
/// - Each record has the event's id and data; invalid base64 counts as no data.
/// - Every record has one result, in order, with its id unchanged: `Ok` with its lines, or `ProcessingFailed`.
/// - The response is JSON, deterministic, and within any budget. It leaves no bytes unused that a line could have had.
pub fn check(data: &[u8]) {
    let Ok(payload) = str::from_utf8(data) else { return };
    let expected = expected(payload);
    let event = match (Event::parse(payload.as_bytes()), &expected) {
        (Ok(event), Some(_)) => event,
        (Err(error), expected) => {
            // Each of repeated members must be valid; the last one counts.
            let repeats_records = Members::of(payload).is_some_and(|event| event.count("records") > 1);
            assert!(expected.is_none() || repeats_records, "{error}");
            assert!(matches!(handle(&RETRYING, payload), Err(HandleError::Event(_))));
            return;
        }
        (Ok(event), None) => panic!("{event:?}"),
    };
    let expected = expected.unwrap_or_default();
    check_read(&event, &expected);
    check_handled(payload, &expected);
    check_budgets(&event, &expected, payload);
}

fn check_read(event: &Event, expected: &[Members]) {
    assert_eq!(event.len(), expected.len());
    for (index, (record, members)) in event.records().zip(expected).enumerate() {
        let id = event.record_id(index);
        let expected_id = members.some("recordId").map(|id| text(id).unwrap_or_else(|| id.to_owned()));
        assert_eq!(id.as_deref(), expected_id.as_deref());
        assert_eq!(record.as_ref().map(Record::data).ok(), self::data(members).as_deref());
        if let Ok(record) = record {
            assert_eq!(record.id(), id);
            // Any time and metadata can be read.
            let _ = (record.arrived_at(), record.kinesis_metadata(), record.msk_metadata());
        }
    }
}

fn check_handled(payload: &str, expected: &[Members]) {
    let expected_ok: Vec<Option<bool>> = expected.iter().map(|record| Some(is_ok(record))).collect();
    match handle(&RETRYING, payload) {
        Ok(response) => {
            assert!(!expected_ok.contains(&Some(true)), "a click without a look-up");
            assert_answers(&response, expected, &vec![Some(false); expected.len()]);
        }
        Err(HandleError::ServiceUnavailable(cause)) => {
            assert!(expected_ok.contains(&Some(true)), "nothing to look up");
            assert_eq!(cause, "no time left for a request");
        }
        Err(error) => panic!("{error}"),
    }
    let response = handle(&PASSING, payload).unwrap();
    assert_answers(&response, expected, &expected_ok);
    assert_eq!(handle(&PASSING, payload).unwrap(), response, "the same again");
    // The target `record` checks the partition keys.
    let at_most: Vec<Option<bool>> = expected_ok.iter().map(|expected_ok| expected_ok.filter(|is_ok| !is_ok)).collect();
    assert_answers(&handle(&WITH_ALL_FIELDS, payload).unwrap(), expected, &at_most);
}

/// Handles an event without time for look-ups, so that it never waits.
fn handle(processor: &Processor, payload: &str) -> Result<Vec<u8>, HandleError> {
    let invocation = Invocation::new("request", Instant::now());
    let mut report = Report::default();
    let response = processor.handle(payload.as_bytes(), &invocation, &mut report).now_or_never().expect("no wait")?;
    assert_eq!(report.requests.sent, 0);
    assert_eq!(report.ok + report.dropped + report.failed(), report.records);
    assert_eq!(report.response_bytes, response.len());
    Ok(response)
}

/// Tries `Ok` with budgets that hold nearly nothing, and a part.
fn check_budgets(event: &Event, expected: &[Members], payload: &str) {
    let shortest = response_of(&expected.iter().map(failed).collect::<Vec<_>>()).len();
    for budget in [shortest.saturating_sub(1), shortest, shortest + 1, shortest + 50, shortest + 500] {
        match Response::with_budget(event, budget) {
            Some(response) => check_filled(response, expected, payload, budget),
            // One byte is reserved for a comma before the first record, which has none.
            None => assert!(budget <= shortest),
        }
    }
}

/// Every record is `Ok` while the others still fit as failed.
fn check_filled(mut response: Response, expected: &[Members], payload: &str, budget: usize) {
    let mut results: Vec<String> = expected.iter().map(failed).collect();
    let keys: BTreeMap<&str, String> = [("k", payload.chars().take(8).collect())].into();
    for (index, members) in expected.iter().enumerate() {
        let lines = &payload.as_bytes()[..payload.len().min(index * 5)];
        let keys = if index % 2 == 0 { &BTreeMap::new() } else { &keys };
        let failed = std::mem::replace(&mut results[index], ok(members, lines, keys));
        let fits = response_of(&results).len() <= budget;
        assert_eq!(response.push_ok(lines, keys).is_ok(), fits, "{results:?} in {budget} bytes");
        if fits {
            continue;
        }
        assert!(response.remaining_bytes() < budget);
        if index % 3 == 0 {
            results[index] = failed.replace("ProcessingFailed", "Dropped");
            response.push_dropped();
        } else {
            results[index] = failed;
            response.push_failed();
        }
    }
    assert_eq!(str::from_utf8(&response.finish()).unwrap(), response_of(&results));
}

fn response_of(results: &[String]) -> String {
    format!("{{\"records\":[{}]}}", results.join(","))
}

fn failed(record: &Members) -> String {
    format!("{{{}\"result\":\"ProcessingFailed\"}}", id_of(record))
}

fn ok(record: &Members, lines: &[u8], keys: &BTreeMap<&str, String>) -> String {
    let data = format!("\"{}\":\"{}\"", data_name(record), STANDARD.encode(lines));
    let keys = serde_json::to_string(keys).unwrap();
    let metadata = if keys == "{}" { String::new() } else { format!(",\"metadata\":{{\"partitionKeys\":{keys}}}") };
    format!("{{{}\"result\":\"Ok\",{data}{metadata}}}", id_of(record))
}

fn id_of(record: &Members) -> String {
    record.some("recordId").map(|id| format!("\"recordId\":{id},")).unwrap_or_default()
}

/// The name of the data in the record and its result.
fn data_name(record: &Members) -> &'static str {
    let is_kafka = record.some("data").is_none() && record.some("kafkaRecordValue").is_some();
    if is_kafka { "kafkaRecordValue" } else { "data" }
}

/// Asserts that each record has its result, and the expected one if it is known.
fn assert_answers(response: &[u8], expected: &[Members], expected_ok: &[Option<bool>]) {
    assert!(response.len() <= RESPONSE_BUDGET_BYTES);
    let response = Members::of(str::from_utf8(response).unwrap()).expect("a response is JSON");
    assert_eq!(response.names(), ["records"]);
    let results: Vec<Members> = serde_json::from_str(response.get("records").unwrap()).unwrap();
    assert_eq!(results.len(), expected.len());
    for ((result, record), expected_ok) in results.iter().zip(expected).zip(expected_ok) {
        assert_eq!(result.get("recordId"), record.some("recordId"));
        match result.get("result").unwrap() {
            r#""Ok""# => {
                assert_ne!(*expected_ok, Some(false), "{record:?}");
                assert_lines(result, record);
            }
            r#""ProcessingFailed""# => {
                assert_ne!(*expected_ok, Some(true), "{record:?}");
                assert_eq!((result.get("data"), result.get("kafkaRecordValue")), (None, None));
            }
            result => panic!("{result}"),
        }
    }
}

fn assert_lines(result: &Members, record: &Members) {
    let lines = STANDARD.decode(text(result.get(data_name(record)).unwrap()).unwrap()).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.ends_with('\n'), "{lines:?}");
    assert!(lines.lines().all(|line| Members::of(line).is_some()), "{lines:?}");
    assert_eq!(lines.lines().count(), record::expected(&data(record).unwrap(), &record::CONFIGURED[0]).unwrap().len());
}

/// The event's records, if it is one.
fn expected(payload: &str) -> Option<Vec<Members<'_>>> {
    let records: Vec<&RawValue> = serde_json::from_str(Members::with_text_names(payload)?.get("records")?).ok()?;
    records.into_iter().map(|record| Members::with_text_names(record.get())).collect()
}

/// The data of a record, if it has some.
fn data(record: &Members) -> Option<Vec<u8>> {
    let encoded = record.some("data").or_else(|| record.some("kafkaRecordValue"))?;
    STANDARD.decode(text(encoded)?).ok()
}

/// Whether a record is `Ok` if no look-up is needed.
fn is_ok(record: &Members) -> bool {
    data(record).is_some_and(|data| record::expected(&data, &record::CONFIGURED[0]).is_some())
}
