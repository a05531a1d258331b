use proptest::prelude::*;
use serde_json::json;

use super::*;

fn records(ids: &[&str]) -> Vec<Record> {
    let record = |id: &&str| Record {
        record_id: (*id).to_owned(),
        arrival_ms: 0,
        data: String::new(),
        kinesis: None,
        original: None,
    };
    ids.iter().map(record).collect()
}

fn failed(fault: ErrorCode) -> RecordOutcome {
    RecordOutcome::Failed(fault)
}

fn delivered(data: &str) -> RecordOutcome {
    RecordOutcome::delivered(data)
}

/// A reply for the records `a` and `b`, and their outcomes.
#[track_caller]
fn case(reply: &Value, a: RecordOutcome, b: RecordOutcome) {
    let attempt = evaluate(&records(&["a", "b"]), reply.to_string().as_bytes());
    assert_eq!(attempt, Evaluation::Outcomes(vec![a, b]), "{reply}");
}

fn a_and(b: &Value) -> Value {
    json!({ "records": [{ "recordId": "a", "result": "Ok", "data": "YQo=" }, b] })
}

#[test]
fn the_three_results() {
    case(&a_and(&json!({ "recordId": "b", "result": "Ok", "data": "" })), delivered("a\n"), delivered(""));
    case(&a_and(&json!({ "recordId": "b", "result": "Dropped" })), delivered("a\n"), RecordOutcome::Dropped);
    case(
        &a_and(&json!({ "recordId": "b", "result": "Dropped", "data": null })),
        delivered("a\n"),
        RecordOutcome::Dropped,
    );
    let failed_b = json!({ "recordId": "b", "result": "ProcessingFailed", "data": "Yg==" });
    case(&a_and(&failed_b), delivered("a\n"), failed(ErrorCode::ProcessingFailed));
    let kafka = json!({ "recordId": "b", "result": "Ok", "kafkaRecordValue": "Yg==" });
    case(&a_and(&kafka), delivered("a\n"), delivered("b"));
}

#[test]
fn partition_keys_are_texts_of_what_is_delivered() {
    let keys = |pairs: &[(&str, &str)]| -> PartitionKeys {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let both = keys(&[("species", "Chimera"), ("a b", "é/")]);
    for (metadata, expected) in [
        (json!({ "partitionKeys": { "species": "Chimera", "a b": "é/" } }), both.clone()),
        (json!({ "partitionKeys": { "species": "Chimera", "a b": "é/" }, "otfMetadata": {} }), both),
        // An empty one is there; that it is none is the prefix's to say.
        (json!({ "partitionKeys": { "species": "" } }), keys(&[("species", "")])),
        (
            json!({ "partitionKeys": { "a": 1, "b": null, "c": true, "d": ["x"], "e": {}, "f": "x" } }),
            keys(&[("f", "x")]),
        ),
        (json!({ "partitionKeys": {} }), keys(&[])),
        (json!({ "partitionKeys": null }), keys(&[])),
        (json!({ "partitionKeys": ["species"] }), keys(&[])),
        (json!({ "partitionkeys": { "species": "Chimera" } }), keys(&[])),
        (json!({ "species": "Chimera" }), keys(&[])),
        (json!("species"), keys(&[])),
        (json!(null), keys(&[])),
    ] {
        let delivered_b = RecordOutcome::Delivered { data: b"b".to_vec(), keys: expected };
        for (result, outcome) in [
            ("Ok", delivered_b),
            ("Dropped", RecordOutcome::Dropped),
            ("ProcessingFailed", failed(ErrorCode::ProcessingFailed)),
        ] {
            let b = json!({ "recordId": "b", "result": result, "data": "Yg==", "metadata": metadata });
            case(&a_and(&b), delivered("a\n"), outcome);
        }
    }
}

#[test]
fn faults_of_one_record() {
    let missing = failed(ErrorCode::MissingRecordId);
    case(&json!({ "records": [{ "recordId": "b", "result": "Dropped" }] }), missing.clone(), RecordOutcome::Dropped);
    case(&a_and(&json!({ "result": "Dropped" })), delivered("a\n"), missing.clone());
    case(&a_and(&json!({ "recordId": 7, "result": "Dropped" })), delivered("a\n"), missing.clone());
    case(&a_and(&json!({ "recordId": "unknown", "result": "Dropped" })), delivered("a\n"), missing.clone());
    let twice = json!({ "recordId": "a", "result": "Dropped" });
    case(&a_and(&twice), failed(ErrorCode::DuplicatedRecordId), missing);
    let no_data = failed(ErrorCode::InvalidReturnFormat);
    case(&a_and(&json!({ "recordId": "b", "result": "Ok" })), delivered("a\n"), no_data.clone());
    case(&a_and(&json!({ "recordId": "b", "result": "Ok", "data": null })), delivered("a\n"), no_data);
}

#[test]
fn order_and_unknown_ids_change_nothing() {
    let reply = json!({ "records": [
        { "recordId": "b", "result": "Ok", "data": "Yg==" },
        { "recordId": "unknown", "result": "Ok", "data": "eA==" },
        { "recordId": "a", "result": "Ok", "data": "YQ==" },
    ] });
    case(&reply, delivered("a"), delivered("b"));
}

#[test]
fn what_is_not_of_the_event_spoils_nothing() {
    let dropped = json!({ "recordId": "b", "result": "Dropped" });
    for unknown in [
        json!({ "recordId": "unknown", "result": "Ok", "data": "no base64" }),
        json!({ "recordId": "unknown", "result": "OK" }),
        json!({ "data": "no base64" }),
        json!(7),
    ] {
        case(&json!({ "records": [unknown, dropped] }), failed(ErrorCode::MissingRecordId), RecordOutcome::Dropped);
    }
}

#[test]
fn a_reply_without_readable_records_misses_every_id() {
    for reply in ["null", "{}", "[]", "\"text\"", "{\"records\":{}}", "{\"records\":null}", "{\"records\":[", ""] {
        let why = format!("it is no JSON object with an array `records`: `{reply}`");
        let expected = Evaluation::InvalidResponse(ErrorCode::MissingRecordId, why);
        assert_eq!(evaluate(&records(&["a"]), reply.as_bytes()), expected);
    }
    let Evaluation::InvalidResponse(_, why) = evaluate(&[], "\u{1b}\n".repeat(99).as_bytes()) else { panic!() };
    assert!(why.ends_with("…`") && why.len() < 1000 && !why.contains(['\u{1b}', '\n']), "{why}");
}

#[test]
fn one_unreadable_record_spoils_the_reply() {
    let known = "known are Ok, Dropped, ProcessingFailed";
    for (b, why) in [
        (json!({ "result": "Ok", "data": "no base64" }), "its data `\"no base64\"` is not base64".to_owned()),
        (json!({ "result": "Ok", "data": "Yg" }), "its data `\"Yg\"` is not base64".to_owned()),
        (json!({ "result": "Ok", "data": 7 }), "its data `7` is not base64".to_owned()),
        (json!({ "result": "Dropped", "data": "?" }), "its data `\"?\"` is not base64".to_owned()),
        (json!({ "result": "OK", "data": "Yg==" }), format!("its result is `\"OK\"`; {known}")),
        (json!({ "result": null }), format!("its result is `null`; {known}")),
        (json!({}), format!("it has no result; {known}")),
    ] {
        let mut b = b;
        b["recordId"] = "b".into();
        let attempt = evaluate(&records(&["a", "b"]), a_and(&b).to_string().as_bytes());
        assert_eq!(attempt, Evaluation::InvalidResponse(ErrorCode::FunctionError, format!("`records[1]`: {why}")));
    }
}

#[test]
fn every_fault_has_firehoses_code_and_message() {
    for (fault, code, message) in [
        (ErrorCode::ProcessingFailed, "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"),
        (
            ErrorCode::MissingRecordId,
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
        ),
        (
            ErrorCode::DuplicatedRecordId,
            "Lambda.DuplicatedRecordId",
            "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique \
             record Id for each record.",
        ),
        (
            ErrorCode::InvalidReturnFormat,
            "Lambda.InvalidReturnFormat",
            "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing \
             result is Ok. The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok.",
        ),
        (
            ErrorCode::FunctionError,
            "Lambda.FunctionError",
            "The Lambda function was successfully invoked but it returned an error result.",
        ),
        (
            ErrorCode::FunctionTimedOut,
            "Lambda.FunctionTimedOut",
            "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
        ),
        (
            ErrorCode::FunctionNotFound,
            "Lambda.ResourceNotFound",
            "The specified Lambda function does not exist. Use a different function that does exist.",
        ),
        (ErrorCode::NotJson, "DynamicPartitioning.MetadataExtractionFailed", "Non JSON record provided"),
        (
            ErrorCode::NoPartition,
            "DynamicPartitioning.MetadataExtractionFailed",
            "partitionKeys values must not be null or empty",
        ),
        (
            ErrorCode::TooManyPartitions,
            "DynamicPartitioning.ActivePartitionsLimitExceeded",
            "The number of active partitions has exceeded the limit.",
        ),
    ] {
        assert_eq!((fault.code(), fault.to_string().as_str()), (code, message));
        let folder = match fault {
            ErrorCode::NotJson | ErrorCode::NoPartition => ErrorOutputType::PartitioningFailed,
            ErrorCode::TooManyPartitions => ErrorOutputType::ActivePartitionExceeded,
            _ => ErrorOutputType::ProcessingFailed,
        };
        assert_eq!(fault.output_type(), folder, "{code}");
    }
}

/// Replies that are nearly right: ids of the event and unknown ones, results and data good and bad.
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
        match evaluate(&records, &reply) {
            Evaluation::Outcomes(outcomes) => prop_assert_eq!(outcomes.len(), records.len()),
            Evaluation::InvalidResponse(..) => {}
            Evaluation::InvocationFailed(_) => prop_assert!(false, "a reply is final"),
        }
    }
}
