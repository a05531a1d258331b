//! This crate accepts every event that `aws_lambda_events` accepts, and reads the same of it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::time::UNIX_EPOCH;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firehose_transform::{Event, Outcome, Response};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// A member that may be missing or have several types.
fn member(
    name: &'static str,
    values: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Option<(String, Value)>> {
    prop::option::weighted(0.9, values.prop_map(move |value| (name.to_owned(), value))).boxed()
}

fn object(members: Vec<BoxedStrategy<Option<(String, Value)>>>) -> impl Strategy<Value = Value> {
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>()))
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![9 => any::<String>().prop_map(Value::from), 1 => Just(Value::Null)]
}

fn timestamp() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0_i64..4_102_444_800_000).prop_map(Value::from),
        1 => Just(json!("2017-05-18T02:02:29.453Z")),
        1 => Just(Value::Null),
    ]
}

fn data() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => any::<Vec<u8>>().prop_map(|data| Value::from(STANDARD.encode(data))),
        1 => "[A-Za-z0-9+/=_-]{0,12}".prop_map(Value::from),
        1 => Just(json!(7)),
    ]
}

fn metadata() -> impl Strategy<Value = Value> {
    object(vec![
        member("shardId", text()),
        member("partitionKey", text()),
        member("sequenceNumber", text()),
        member("subsequenceNumber", any::<i64>().prop_map(Value::from)),
        member("approximateArrivalTimestamp", timestamp()),
    ])
}

fn record() -> impl Strategy<Value = Value> {
    object(vec![
        member("recordId", text()),
        member("approximateArrivalTimestamp", timestamp()),
        member("data", data()),
        member("kinesisRecordMetadata", metadata()),
        member("somethingNew", text()),
    ])
}

fn event() -> impl Strategy<Value = String> {
    object(vec![
        member("invocationId", text()),
        member("deliveryStreamArn", text()),
        member("sourceKinesisStreamArn", text()),
        member("region", text()),
        member("records", prop::collection::vec(record(), 0..4).prop_map(Value::from)),
    ])
    .prop_map(|event| event.to_string())
}

/// Returns how many records were compared: none if `aws_lambda_events` rejects the event.
fn assert_agreement(payload: &str) -> usize {
    let Ok(expected) = serde_json::from_str::<KinesisFirehoseEvent>(payload) else { return 0 };
    let event = Event::parse(payload.as_bytes()).unwrap();
    assert_eq!(event.invocation_id().as_deref(), expected.invocation_id.as_deref());
    assert_eq!(event.delivery_stream_arn().as_deref(), expected.delivery_stream_arn.as_deref());
    assert_eq!(event.source_arn().as_deref(), expected.source_kinesis_stream_arn.as_deref());
    assert_eq!(event.region().as_deref(), expected.region.as_deref());
    assert_eq!(event.len(), expected.records.len());
    for (record, expected) in event.records().zip(&expected.records) {
        let record = record.unwrap();
        assert_eq!(record.id().as_deref(), expected.record_id.as_deref());
        assert_eq!(record.data(), expected.data.as_slice());
        let metadata = record.kinesis_metadata();
        let expected_metadata = expected.kinesis_firehose_record_metadata.as_ref();
        assert_eq!(metadata.is_some(), expected_metadata.is_some());
        if let (Some(metadata), Some(expected)) = (metadata, expected_metadata) {
            assert_eq!(metadata.shard_id.as_deref(), expected.shard_id.as_deref());
            assert_eq!(metadata.partition_key.as_deref(), expected.partition_key.as_deref());
            assert_eq!(metadata.sequence_number.as_deref(), expected.sequence_number.as_deref());
            assert_eq!(metadata.subsequence_number, u64::try_from(expected.subsequence_number).ok());
        }
        // aws_lambda_events parses milliseconds as a float, and may be off by one.
        let arrived = record.arrived_at().unwrap().duration_since(UNIX_EPOCH).unwrap();
        let arrived = i64::try_from(arrived.as_millis()).unwrap();
        let apart = arrived - expected.approximate_arrival_timestamp.timestamp_millis();
        assert!(apart.abs() <= 1, "{arrived} is {apart} ms apart");
    }
    assert_converted(&event, &expected);
    expected.records.len()
}

/// What is converted to the types of `aws_lambda_events` and back is the same.
fn assert_converted(event: &Event, expected: &KinesisFirehoseEvent) {
    let payload = serde_json::to_vec(expected).unwrap();
    let converted = Event::parse(&payload).unwrap();
    let both = event.records().map(Result::unwrap).zip(converted.records().map(Result::unwrap));
    for (record, converted) in both {
        assert_eq!((record.id(), record.data()), (converted.id(), converted.data()));
        assert_eq!(record.arrived_at().is_some(), converted.arrived_at().is_some());
    }
    let transformed = converted.transform(|record| {
        let keys = [("k".to_owned(), "v".to_owned())].into();
        Ok(Outcome::Partitioned { data: record.data().to_ascii_uppercase(), keys })
    });
    let response = KinesisFirehoseResponse::try_from(transformed).unwrap();
    for (read, record) in response.records.iter().zip(&expected.records) {
        assert_eq!((&read.record_id, read.result.as_deref()), (&record.record_id, Some("Ok")));
        assert_eq!((&*read.data, &*read.metadata.partition_keys["k"]), (&record.data.to_ascii_uppercase(), "v"));
    }
}

#[test]
fn the_fixtures_are_parsed_alike() {
    let mut read = 0;
    for name in ["direct-put", "kinesis", "msk", "localstack", "poisoned"] {
        let path = format!("{}/../../fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = std::fs::read_to_string(path).unwrap();
        read += assert_agreement(&payload);
    }
    // It rejects ISO times, MSK, and events with a record that is not base64.
    assert_eq!(read, 6, "aws_lambda_events reads the six records of direct-put.json alone");
}

#[test]
fn events_are_parsed_alike() {
    let mut runner = TestRunner::deterministic();
    let compared: usize = (0..2_000).map(|_| assert_agreement(&event().new_tree(&mut runner).unwrap().current())).sum();
    assert!(compared > 100, "only {compared} records were taken by both");
}

#[test]
fn metadata_of_the_source() {
    let kinesis = include_bytes!("../../../fixtures/kinesis.json");
    let event = Event::parse(kinesis).unwrap();
    let record = event.records().flatten().next().unwrap();
    let metadata = record.kinesis_metadata().unwrap();
    assert_eq!(metadata.shard_id.as_deref(), Some("shardId-000000000000"));
    assert_eq!((metadata.partition_key.is_some(), record.msk_metadata()), (true, None));
    let msk = Event::parse(include_bytes!("../../../fixtures/msk.json")).unwrap();
    let record = msk.records().flatten().nth(1).unwrap();
    let metadata = record.msk_metadata().unwrap();
    assert_eq!((metadata.offset.as_deref(), metadata.partition_id.as_deref()), (Some("1"), Some("1")));
    assert_eq!(record.kinesis_metadata(), None);
}

proptest! {
    #[test]
    fn responses_are_parsed_by_aws_lambda_events(
        records in prop::collection::vec((any::<String>(), any::<Vec<u8>>(), any::<String>()), 0..5),
    ) {
        let payload = json!({
            "records": records.iter().map(|(id, _, _)| json!({"recordId": id, "data": ""})).collect::<Vec<_>>(),
        })
        .to_string();
        let event = Event::parse(payload.as_bytes()).unwrap();
        let mut response = Response::new(&event);
        for (_, lines, key) in &records {
            response.push_ok(lines, [("key", key)]).unwrap();
        }
        let read: KinesisFirehoseResponse = serde_json::from_slice(&response.finish()).unwrap();
        prop_assert_eq!(read.records.len(), records.len());
        for (read, (id, lines, key)) in read.records.iter().zip(&records) {
            prop_assert_eq!(read.record_id.as_deref(), Some(id.as_str()));
            prop_assert_eq!(read.result.as_deref(), Some("Ok"));
            prop_assert_eq!(&*read.data, lines);
            prop_assert_eq!(&read.metadata.partition_keys["key"], key);
        }
    }

    #[test]
    fn any_bytes_as_an_event_are_parsed(payload: Vec<u8>) {
        let _ = Event::parse(&payload).map(|event| event.records().count());
    }
}
