//! Messages of an SQS queue.

use serde_json::{Value, json};

use crate::harness::{collector, invoke, messages};
use crate::kinesis::{Kinesis, KinesisResponse, THROTTLED};

fn failures(ids: &[&str]) -> Value {
    json!({"batchItemFailures": ids.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()})
}

#[tokio::test]
async fn messages_are_stored_together() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let event = messages(&[r#"{"id":"a"}"#, r#"[{"id":"b"},{"id":"c"}]"#, "[]", r#"{"id":"d"}"#]);
    let result = invoke(&mut function, &event).await;
    assert_eq!(result.response, failures(&[]));
    assert_eq!(kinesis.sizes(), [4]);
    assert_eq!(kinesis.lines(), ["a", "b", "c", "d"].map(|id| format!("{{\"id\":\"{id}\"}}\n")));
    let summary = result.summary();
    assert_eq!(
        (&summary["messages"], &summary["messages_failed"], &summary["stored"]),
        (&json!(4), &json!(0), &json!(4))
    );
    assert_eq!(summary.get("status"), None);
}

#[tokio::test]
async fn large_messages_are_split_within_the_limits_of_kinesis() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let body = |bytes: usize| format!("{{\"id\":\"{}\"}}", "x".repeat(bytes));
    let large = body(1_048_000);
    let event = messages(&[large.as_str(), &large, &large, &large, &large, &body(900_000)]);
    assert_eq!(invoke(&mut function, &event).await.response, failures(&[]));
    assert_eq!(kinesis.sizes(), [5, 1]);
}

#[tokio::test]
async fn one_message_is_one_record() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    assert_eq!(invoke(&mut function, &messages(&["{}"])).await.response, failures(&[]));
    assert_eq!(kinesis.calls(), [("PutRecord".to_owned(), 1)]);
}

#[tokio::test]
async fn an_invalid_body_fails_alone() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let event = messages(&["{}", "no json", "[{},1]", "{}"]);
    let result = invoke(&mut function, &event).await;
    assert_eq!(result.response, failures(&["m1", "m2"]));
    assert_eq!(kinesis.sizes(), [2]);
    let logged: Vec<(&Value, &Value)> = result
        .logs
        .iter()
        .filter(|line| line["message"] == "body rejected")
        .map(|line| (&line["message_id"], &line["reason"]))
        .collect();
    assert_eq!(logged, [(&json!("m1"), &json!("not_json")), (&json!("m2"), &json!("not_an_object"))]);
    assert_eq!((&result.summary()["rejected"], &result.summary()["messages_failed"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_message_fails_with_any_of_its_records() {
    // The remaining records of each round are refused again, except the first two.
    let throttled =
        |places: &[usize]| KinesisResponse::RefuseSome(places.iter().map(|place| (*place, THROTTLED)).collect());
    let kinesis = Kinesis::start([vec![throttled(&[2, 4])], vec![throttled(&[0, 1]); 6]].concat()).await;
    let mut function = collector(&kinesis, &[]).await;
    let event = messages(&["{}", "[{},{}]", "{}", "{}"]);
    let result = invoke(&mut function, &event).await;
    assert_eq!(result.response, failures(&["m1", "m3"]));
    assert_eq!((kinesis.sizes(), result.counts()), (vec![5, 2, 2, 2, 2, 2, 2], (7, 3, 2)));
}

#[tokio::test]
async fn every_message_fails_on_a_permanent_error() {
    let kinesis = Kinesis::always(KinesisResponse::Refuse(400, "ResourceNotFoundException")).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &messages(&["{}", "[{},{}]"])).await;
    assert_eq!((result.response.clone(), result.counts()), (failures(&["m0", "m1"]), (1, 0, 3)));
}

#[tokio::test]
async fn many_records_are_put_in_parts() {
    let many = format!("[{}]", vec!["{}"; 9_999].join(","));
    let bodies = [many.as_str(), "{}", "no json", &many];
    let refuse = || KinesisResponse::Refuse(400, "ResourceNotFoundException");
    // The first two bodies are a part of 20 calls, and the last one is another.
    for (script, failed, counts) in [
        (vec![refuse()], vec!["m0", "m1", "m2"], (21, 9_999, 10_000)),
        ([vec![KinesisResponse::Store; 20], vec![refuse()]].concat(), vec!["m2", "m3"], (21, 10_000, 9_999)),
    ] {
        let kinesis = Kinesis::start(script).await;
        let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
        let result = invoke(&mut function, &messages(&bodies)).await;
        assert_eq!((result.response.clone(), result.counts()), (failures(&failed), counts));
    }
}
