//! Messages of an SQS queue.

use serde_json::{Value, json};

use crate::harness::{collector, invoke, messages};
use crate::kinesis::{Answer, Kinesis, THROTTLED};

fn failures(ids: &[&str]) -> Value {
    json!({"batchItemFailures": ids.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()})
}

#[tokio::test]
async fn messages_are_stored_together() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let event = messages(&[r#"{"id":"a"}"#, r#"[{"id":"b"},{"id":"c"}]"#, "[]", r#"{"id":"d"}"#]);
    let answered = invoke(&mut function, &event).await;
    assert_eq!(answered.reply, failures(&[]));
    assert_eq!(kinesis.sizes(), [4]);
    assert_eq!(kinesis.lines(), ["a", "b", "c", "d"].map(|id| format!("{{\"id\":\"{id}\"}}\n")));
    let summary = answered.summary();
    assert_eq!((&summary["messages"], &summary["messages_failed"], &summary["put"]), (&json!(4), &json!(0), &json!(4)));
    assert_eq!(summary.get("status"), None);
}

#[tokio::test]
async fn large_messages_are_split_within_the_limits_of_kinesis() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let body = |bytes: usize| format!("{{\"id\":\"{}\"}}", "x".repeat(bytes));
    let large = body(1_048_000);
    let event = messages(&[large.as_str(), &large, &large, &large, &large, &body(900_000)]);
    assert_eq!(invoke(&mut function, &event).await.reply, failures(&[]));
    assert_eq!(kinesis.sizes(), [5, 1]);
}

#[tokio::test]
async fn one_message_is_one_record() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    assert_eq!(invoke(&mut function, &messages(&["{}"])).await.reply, failures(&[]));
    assert_eq!(kinesis.calls(), [("PutRecord".to_owned(), 1)]);
}

#[tokio::test]
async fn an_invalid_body_fails_alone() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let event = messages(&["{}", "no json", "[{},1]", "{}"]);
    let answered = invoke(&mut function, &event).await;
    assert_eq!(answered.reply, failures(&["m1", "m2"]));
    assert_eq!(kinesis.sizes(), [2]);
    let told: Vec<(&Value, &Value)> = answered
        .logs
        .iter()
        .filter(|line| line["message"] == "body refused")
        .map(|line| (&line["message_id"], &line["reason"]))
        .collect();
    assert_eq!(told, [(&json!("m1"), &json!("not_json")), (&json!("m2"), &json!("not_an_object"))]);
    assert_eq!((&answered.summary()["refused"], &answered.summary()["messages_failed"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_message_fails_with_any_of_its_records() {
    // What is left after each round is refused again, but for the first two records.
    let throttled = |places: &[usize]| Answer::RefuseSome(places.iter().map(|place| (*place, THROTTLED)).collect());
    let kinesis = Kinesis::start([vec![throttled(&[2, 4])], vec![throttled(&[0, 1]); 6]].concat()).await;
    let mut function = collector(&kinesis, &[]).await;
    let event = messages(&["{}", "[{},{}]", "{}", "{}"]);
    let answered = invoke(&mut function, &event).await;
    assert_eq!(answered.reply, failures(&["m1", "m3"]));
    assert_eq!((kinesis.sizes(), answered.counts()), (vec![5, 2, 2, 2, 2, 2, 2], (7, 3, 2)));
}

#[tokio::test]
async fn every_message_fails_on_a_permanent_error() {
    let kinesis = Kinesis::always(Answer::Refuse(400, "ResourceNotFoundException")).await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &messages(&["{}", "[{},{}]"])).await;
    assert_eq!((answered.reply.clone(), answered.counts()), (failures(&["m0", "m1"]), (1, 0, 3)));
}

#[tokio::test]
async fn many_records_are_put_in_parts() {
    let many = format!("[{}]", vec!["{}"; 9_999].join(","));
    let bodies = [many.as_str(), "{}", "no json", &many];
    let refuse = || Answer::Refuse(400, "ResourceNotFoundException");
    // The first two bodies make a part of 20 calls, and the last one another.
    for (script, failed, counts) in [
        (vec![refuse()], vec!["m0", "m1", "m2"], (21, 9_999, 10_000)),
        ([vec![Answer::Store; 20], vec![refuse()]].concat(), vec!["m2", "m3"], (21, 10_000, 9_999)),
    ] {
        let kinesis = Kinesis::start(script).await;
        let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
        let answered = invoke(&mut function, &messages(&bodies)).await;
        assert_eq!((answered.reply.clone(), answered.counts()), (failures(&failed), counts));
    }
}
