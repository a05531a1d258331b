//! Request data stays out of logs and responses, and personal fields out of the stream.

use serde_json::{Value, json};

use crate::harness::{collector, http, invoke, messages, rest};
use crate::kinesis::{Kinesis, KinesisResponse};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// HMAC-SHA-256 of `+41790000000` with `KEY`, from openssl.
const HASH: &str = "5dad44d34a6a672bc84b8e5249523643b88da43285093fab96acaae34fcd032b";

#[tokio::test]
async fn personal_fields_are_masked_and_hashed() {
    let kinesis = Kinesis::start([]).await;
    let env = [
        ("COLLECTOR_FIELDS", "id,name,phone,address"),
        ("COLLECTOR_MASK_FIELDS", "name,address"),
        ("COLLECTOR_HASH_FIELDS", "phone"),
        ("COLLECTOR_HASH_KEY", KEY),
        ("COLLECTOR_PARTITION_KEY_FIELD", "phone"),
    ];
    let mut function = collector(&kinesis, &env).await;
    invoke(&mut function, &rest("POST", r#"{"id":1,"name":"Ada","phone":"+41790000000","address":null}"#)).await;
    let line = format!("{{\"id\":1,\"name\":\"***\",\"phone\":\"{HASH}\",\"address\":null}}\n");
    assert_eq!(kinesis.stored(), [(HASH.to_owned(), line)]);
}

/// At the lowest log level, with a Kinesis whose messages have request data.
#[tokio::test]
async fn no_request_data_is_logged_or_returned() {
    let base64 = "eyJpZCI6ImFhYWFodW50ZXIyYWFhYSJ9".to_owned();
    let bodies = [
        r#"{"id":"hunter2","name":"hunter2"}"#,
        r#"[{"id":"hunter2"},{"hunter2":"hunter2"}]"#,
        r#"{"id":"hunter2"#,
        r#""hunter2""#,
        r#"{"id":"hunter2","name":"\ud800"}"#,
        "hunter2",
    ];
    let events: Vec<Value> = bodies
        .iter()
        .map(|body| rest("POST", *body))
        .chain([http("POST", &base64, true), http("POST", "hunter2", true), messages(&bodies)])
        .chain([
            json!({"httpMethod": "PUT", "body": "hunter2"}),
            json!({"hunter2": "hunter2"}),
            json!({"Records": ["hunter2"]}),
        ])
        .collect();
    for response in [
        KinesisResponse::Store,
        KinesisResponse::Refuse(400, "InvalidArgumentException"),
        KinesisResponse::RefuseSome(vec![(0, "InternalFailure"), (1, "InternalFailure")]),
    ] {
        let kinesis = Kinesis::always(response).await;
        let env = [
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
            ("COLLECTOR_HASH_FIELDS", "phone"),
            ("COLLECTOR_HASH_KEY", "hunter2-hunter2-hunter2-hunter2-"),
        ];
        let mut function = collector(&kinesis, &env).await;
        for event in &events {
            let invocation = function.invoke(event.to_string()).await.unwrap();
            let all = format!("{invocation:?}");
            assert!(all.contains("duration_ms"), "{all}");
            assert!(!all.contains("hunter2") && !all.contains("aHVudGVyM"), "{event}: {all}");
            assert!(!all.contains(&base64), "{event}: {all}");
        }
    }
}
