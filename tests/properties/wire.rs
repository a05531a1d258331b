//! `click_processor::firehose` agrees with `aws_lambda_events` on all events that both accept, and accepts all that the crate does.

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use click_processor::firehose::{Event, RESPONSE_BUDGET_BYTES, Response};
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
    let event = Event::parse(payload).unwrap();
    assert_eq!(event.invocation_id().as_deref(), expected.invocation_id.as_deref());
    assert_eq!(event.records.len(), expected.records.len());
    let decoded = event.decode();
    for ((record, data), expected) in event.records.iter().zip(decoded.iter()).zip(&expected.records) {
        assert_eq!(record.id().as_deref(), expected.record_id.as_deref());
        assert_eq!(data, Ok(expected.data.as_slice()));
        // aws_lambda_events parses milliseconds as a float, and may be off by one.
        let arrived = record.arrived_at().unwrap().as_millisecond();
        let apart = arrived - expected.approximate_arrival_timestamp.timestamp_millis();
        assert!(apart.abs() <= 1, "{arrived} is {apart} ms apart");
    }
    expected.records.len()
}

#[test]
fn the_fixtures_are_parsed_alike() {
    let mut read = 0;
    for name in ["direct-put", "kinesis", "msk", "localstack", "poisoned"] {
        let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
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

proptest! {
    #[test]
    fn responses_are_parsed_by_aws_lambda_events(
        records in prop::collection::vec((any::<String>(), any::<Vec<u8>>(), any::<String>()), 0..5),
    ) {
        let payload = json!({
            "records": records.iter().map(|(id, _, _)| json!({"recordId": id, "data": ""})).collect::<Vec<_>>(),
        })
        .to_string();
        let event = Event::parse(&payload).unwrap();
        let mut reply = Response::to(&event, RESPONSE_BUDGET_BYTES).unwrap();
        for (record, (_, lines, key)) in event.records.iter().zip(&records) {
            reply.ok(record, lines, &[("key", key.clone())].into()).unwrap();
        }
        let read: KinesisFirehoseResponse = serde_json::from_slice(&reply.finish()).unwrap();
        prop_assert_eq!(read.records.len(), records.len());
        for (read, (id, lines, key)) in read.records.iter().zip(&records) {
            prop_assert_eq!(read.record_id.as_deref(), Some(id.as_str()));
            prop_assert_eq!(read.result.as_deref(), Some("Ok"));
            prop_assert_eq!(&*read.data, lines);
            prop_assert_eq!(&read.metadata.partition_keys["key"], key);
        }
    }

    #[test]
    fn any_text_as_an_event_is_parsed(payload: String) {
        let _ = Event::parse(&payload).map(|event| event.decode().iter().count());
    }
}
