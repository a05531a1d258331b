//! A transformation event, and the reply to it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use click_processor::firehose::{Event, RESPONSE_BUDGET_BYTES, Response};
use click_processor::{HandleError, Invocation, Processor, Report};
use futures_util::FutureExt as _;
use serde_json::value::RawValue;

use crate::json::{Members, text};
use crate::line::{ALL_FIELDS, config};
use crate::record;

const PASS: (&str, &str) = ("ON_SERVICE_UNAVAILABLE", "pass");

static PASSING: LazyLock<Processor> = LazyLock::new(|| Processor::new(&config(&[PASS])).unwrap());
static WITH_ALL_FIELDS: LazyLock<Processor> =
    LazyLock::new(|| Processor::new(&config(&[&ALL_FIELDS[..], &[PASS]].concat())).unwrap());
static RETRYING: LazyLock<Processor> = LazyLock::new(|| Processor::new(&config(&[])).unwrap());

/// - It is accepted exactly where it is an object with an array `records` of objects.
/// - Of each record, the id and the data are what the event says, and data that is no base64 is none.
/// - Every record is answered once, in order, with its own id as it came: `Ok` with its lines, or `ProcessingFailed`.
/// - The reply is JSON, the same each time, and within whatever budget, of which it leaves no room that a line could have had.
pub fn check(data: &[u8]) {
    let Ok(payload) = str::from_utf8(data) else { return };
    let expected = expected(payload);
    let event = match (Event::parse(payload), &expected) {
        (Ok(event), Some(_)) => event,
        (Err(error), expected) => {
            // Of a member that comes twice the first must be as good as the last, which counts.
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
    assert_eq!(event.record_count(), expected.len());
    let decoded = event.decode();
    for ((record, data), members) in event.records.iter().zip(decoded.iter()).zip(expected) {
        let id = members.some("recordId").map(|id| text(id).unwrap_or_else(|| id.to_owned()));
        assert_eq!(record.id().as_deref(), id.as_deref());
        assert_eq!(data.ok(), self::data(members).as_deref());
        // Whatever it is, it can be written.
        let _ = record.arrived_at().map(|at| format!("{at:.3}"));
    }
}

fn check_handled(payload: &str, expected: &[Members]) {
    let verdicts: Vec<Option<bool>> = expected.iter().map(|record| Some(is_ok(record))).collect();
    match handle(&RETRYING, payload) {
        Ok(reply) => {
            assert!(!verdicts.contains(&Some(true)), "a click without an answer");
            assert_answers(&reply, expected, &vec![Some(false); expected.len()]);
        }
        Err(HandleError::ServiceUnavailable(_)) => assert!(verdicts.contains(&Some(true)), "nothing to ask for"),
        Err(error) => panic!("{error}"),
    }
    let reply = handle(&PASSING, payload).unwrap();
    assert_answers(&reply, expected, &verdicts);
    assert_eq!(handle(&PASSING, payload).unwrap(), reply, "the same again");
    // Whether a click has partition keys is for the target `record` to judge.
    let at_most: Vec<Option<bool>> = verdicts.iter().map(|verdict| verdict.filter(|is_ok| !is_ok)).collect();
    assert_answers(&handle(&WITH_ALL_FIELDS, payload).unwrap(), expected, &at_most);
}

/// Handles an event without time for look-ups, so that there is nothing to wait for.
fn handle(processor: &Processor, payload: &str) -> Result<Vec<u8>, HandleError> {
    let invocation = Invocation { lookup_deadline: Instant::now(), trace_id: None };
    let mut report = Report::default();
    let reply = processor.handle(payload, &invocation, &mut report).now_or_never().expect("no wait")?;
    assert_eq!(report.requests.sent, 0);
    assert_eq!(report.ok + report.dropped + report.failed(), report.records);
    assert_eq!(report.response_bytes, reply.len());
    Ok(reply)
}

/// `Ok` is tried with budgets that hold next to nothing, and ones that hold some of it.
fn check_budgets(event: &Event, expected: &[Members], payload: &str) {
    let shortest = reply_of(&expected.iter().map(failed).collect::<Vec<_>>()).len();
    for budget in [shortest.saturating_sub(1), shortest, shortest + 1, shortest + 50, shortest + 500] {
        match Response::to(event, budget) {
            Ok(reply) => check_filled(reply, event, expected, payload, budget),
            // One byte is for a comma before the first record, which has none.
            Err(_) => assert!(budget <= shortest),
        }
    }
}

/// Every record is `Ok` as long as that leaves the others their room.
fn check_filled(mut reply: Response, event: &Event, expected: &[Members], payload: &str, budget: usize) {
    let mut answers: Vec<String> = expected.iter().map(failed).collect();
    let keys: BTreeMap<&str, String> = [("k", payload.chars().take(8).collect())].into();
    for (index, (record, members)) in event.records.iter().zip(expected).enumerate() {
        let lines = &payload.as_bytes()[..payload.len().min(index * 5)];
        let keys = if index % 2 == 0 { &BTreeMap::new() } else { &keys };
        let failed = std::mem::replace(&mut answers[index], ok(members, lines, keys));
        let fits = reply_of(&answers).len() <= budget;
        assert_eq!(reply.ok(record, lines, keys).is_ok(), fits, "{answers:?} in {budget} bytes");
        if fits {
            continue;
        }
        assert!(reply.room(record) < budget);
        if index % 3 == 0 {
            answers[index] = failed.replace("ProcessingFailed", "Dropped");
            reply.dropped(record);
        } else {
            answers[index] = failed;
            reply.failed(record);
        }
    }
    assert_eq!(str::from_utf8(&reply.finish()).unwrap(), reply_of(&answers));
}

fn reply_of(answers: &[String]) -> String {
    format!("{{\"records\":[{}]}}", answers.join(","))
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

/// The reply names the data as the record does.
fn data_name(record: &Members) -> &'static str {
    let is_kafka = record.some("data").is_none() && record.some("kafkaRecordValue").is_some();
    if is_kafka { "kafkaRecordValue" } else { "data" }
}

/// Asserts that each record has its answer, and is `Ok` or not where that is known.
fn assert_answers(reply: &[u8], expected: &[Members], verdicts: &[Option<bool>]) {
    assert!(reply.len() <= RESPONSE_BUDGET_BYTES);
    let reply = Members::of(str::from_utf8(reply).unwrap()).expect("a reply is JSON");
    assert_eq!(reply.names(), ["records"]);
    let answers: Vec<Members> = serde_json::from_str(reply.get("records").unwrap()).unwrap();
    assert_eq!(answers.len(), expected.len());
    for ((answer, record), verdict) in answers.iter().zip(expected).zip(verdicts) {
        assert_eq!(answer.get("recordId"), record.some("recordId"));
        match answer.get("result").unwrap() {
            r#""Ok""# => {
                assert_ne!(*verdict, Some(false), "{record:?}");
                assert_lines(answer, record);
            }
            r#""ProcessingFailed""# => {
                assert_ne!(*verdict, Some(true), "{record:?}");
                assert_eq!((answer.get("data"), answer.get("kafkaRecordValue")), (None, None));
            }
            result => panic!("{result}"),
        }
    }
}

fn assert_lines(answer: &Members, record: &Members) {
    let lines = STANDARD.decode(text(answer.get(data_name(record)).unwrap()).unwrap()).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.ends_with('\n'), "{lines:?}");
    assert!(lines.lines().all(|line| Members::of(line).is_some()), "{lines:?}");
    assert_eq!(lines.lines().count(), record::expected(&data(record).unwrap(), &[]).unwrap().len());
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

/// Whether a record is `Ok` where nothing is asked of the service.
fn is_ok(record: &Members) -> bool {
    data(record).is_some_and(|data| record::expected(&data, &[]).is_some())
}
