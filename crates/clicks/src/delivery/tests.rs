use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn records(ids: &[&str]) -> Vec<Record> {
    let record = |id: &&str| Record { record_id: (*id).to_owned(), arrival_ms: 0, data: String::new() };
    ids.iter().map(record).collect()
}

fn failed(fault: Fault) -> Fate {
    Fate::Failed(fault)
}

fn delivered(data: &str) -> Fate {
    Fate::Delivered(data.as_bytes().to_vec())
}

/// A reply for the records `a` and `b`, and their fates.
#[track_caller]
fn case(reply: &Value, a: Fate, b: Fate) {
    assert_eq!(apply(&records(&["a", "b"]), reply.to_string().as_bytes()), [a, b], "{reply}");
}

fn a_and(b: &Value) -> Value {
    json!({ "records": [{ "recordId": "a", "result": "Ok", "data": "YQo=" }, b] })
}

#[test]
fn the_three_results() {
    case(&a_and(&json!({ "recordId": "b", "result": "Ok", "data": "" })), delivered("a\n"), delivered(""));
    case(&a_and(&json!({ "recordId": "b", "result": "Dropped" })), delivered("a\n"), Fate::Dropped);
    case(&a_and(&json!({ "recordId": "b", "result": "Dropped", "data": null })), delivered("a\n"), Fate::Dropped);
    let failed_b = json!({ "recordId": "b", "result": "ProcessingFailed", "data": "Yg==" });
    case(&a_and(&failed_b), delivered("a\n"), failed(Fault::ProcessingFailed));
    let kafka = json!({ "recordId": "b", "result": "Ok", "kafkaRecordValue": "Yg==" });
    case(&a_and(&kafka), delivered("a\n"), delivered("b"));
}

#[test]
fn faults_of_one_record() {
    let missing = failed(Fault::MissingRecordId);
    case(&json!({ "records": [{ "recordId": "b", "result": "Dropped" }] }), missing.clone(), Fate::Dropped);
    case(&a_and(&json!({ "result": "Dropped" })), delivered("a\n"), missing.clone());
    case(&a_and(&json!({ "recordId": 7, "result": "Dropped" })), delivered("a\n"), missing.clone());
    case(&a_and(&json!({ "recordId": "unknown", "result": "Dropped" })), delivered("a\n"), missing.clone());
    let twice = json!({ "recordId": "a", "result": "Dropped" });
    case(&a_and(&twice), failed(Fault::DuplicatedRecordId), missing);
    let no_data = failed(Fault::InvalidReturnFormat);
    case(&a_and(&json!({ "recordId": "b", "result": "Ok" })), delivered("a\n"), no_data.clone());
    case(&a_and(&json!({ "recordId": "b", "result": "Ok", "data": null })), delivered("a\n"), no_data);
}

#[test]
fn order_and_strangers_change_nothing() {
    let reply = json!({ "records": [
        { "recordId": "b", "result": "Ok", "data": "Yg==" },
        { "recordId": "unknown", "result": "Ok", "data": "eA==" },
        { "recordId": "a", "result": "Ok", "data": "YQ==" },
    ] });
    case(&reply, delivered("a"), delivered("b"));
}

#[test]
fn a_reply_without_readable_records_misses_every_id() {
    for reply in
        [json!(null), json!({}), json!([]), json!("text"), json!({ "records": {} }), json!({ "records": null })]
    {
        case(&reply, failed(Fault::MissingRecordId), failed(Fault::MissingRecordId));
    }
    assert_eq!(apply(&records(&["a"]), b"{\"records\":["), [failed(Fault::MissingRecordId)]);
    assert_eq!(apply(&records(&["a"]), b""), [failed(Fault::MissingRecordId)]);
    assert_eq!(apply(&[], b""), []);
}

#[test]
fn one_unreadable_record_spoils_the_reply() {
    for b in [
        json!({ "recordId": "b", "result": "Ok", "data": "no base64" }),
        json!({ "recordId": "b", "result": "Ok", "data": "Yg" }),
        json!({ "recordId": "b", "result": "Ok", "data": 7 }),
        json!({ "recordId": "b", "result": "Dropped", "data": "no base64" }),
        json!({ "recordId": "b", "result": "OK", "data": "Yg==" }),
        json!({ "recordId": "b", "result": null }),
        json!({ "recordId": "b" }),
        json!(7),
    ] {
        case(&a_and(&b), failed(Fault::FunctionError), failed(Fault::FunctionError));
    }
}

#[test]
fn only_a_failed_invocation_is_tried_again() {
    let records = records(&["a"]);
    let settled = Attempt::Settled(vec![failed(Fault::MissingRecordId)]);
    let error = Outcome::Error { error_type: "Function.ResponseSizeTooLarge".into(), message: String::new() };
    for (outcome, expected) in [
        (Outcome::Reply(Bytes::from_static(b"not a reply")), settled),
        (error, Attempt::Failed(Fault::FunctionError)),
        (Outcome::Exited(std::process::ExitStatus::default()), Attempt::Failed(Fault::FunctionError)),
        (Outcome::TimedOut, Attempt::Failed(Fault::FunctionTimedOut)),
    ] {
        assert_eq!(judge(&records, &outcome), expected, "{outcome:?}");
    }
}

/// Replies that are nearly right: ids of the event and strangers, results and data good and bad.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let id = prop::sample::select(vec![json!("a"), json!("b"), json!("c"), json!("x"), json!(null), json!(1)]);
    let result = prop::sample::select(vec![json!("Ok"), json!("Dropped"), json!("ProcessingFailed"), json!("ok")]);
    let data = prop::sample::select(vec![json!("YQ=="), json!(""), json!(null), json!("?"), json!([])]);
    let record =
        (id, result, data).prop_map(|(id, result, data)| json!({ "recordId": id, "result": result, "data": data }));
    prop::collection::vec(record, 0..6).prop_map(|records| json!({ "records": records }).to_string().into_bytes())
}

proptest! {
    #[test]
    fn every_record_ends_once_whatever_the_reply(
        reply in prop_oneof![nearly_right(), prop::collection::vec(any::<u8>(), 0..200)],
    ) {
        let records = records(&["a", "b", "c"]);
        let fates = apply(&records, &reply);
        prop_assert_eq!(fates.len(), records.len());
        let is = |kind: fn(&Fate) -> bool| fates.iter().filter(|fate| kind(fate)).count();
        let delivered = is(|fate| matches!(fate, Fate::Delivered(_)));
        let dropped = is(|fate| matches!(fate, Fate::Dropped));
        let failed = is(|fate| matches!(fate, Fate::Failed(_)));
        prop_assert_eq!(delivered + dropped + failed, records.len());
    }
}
