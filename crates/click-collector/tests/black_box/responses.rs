//! Requests: their responses, and the stored records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runtime_api::Outcome;
use serde_json::{Value, json};

use crate::harness::{InvokeResult, STORED, collector, http, invoke, rest};
use crate::kinesis::Kinesis;

/// An order with every default field, one more, and numbers that a float can't hold.
const ORDER: &str = r#"{ "item_name": "Mug", "id": "o-1", "title": "Cup \u2615", "price": 1.50, "category": null,
    "name": "Ada", "phone": "+41 79 000 00 00", "address": {"zip": 8000, "city": "Zürich"},
    "quantity": 123456789012345678901, "coupon": "X" }"#;
const LINE: &str = "{\"id\":\"o-1\",\"title\":\"Cup \\u2615\",\"price\":1.50,\"category\":null,\"name\":\"Ada\",\
    \"phone\":\"+41 79 000 00 00\",\"address\":{\"zip\":8000,\"city\":\"Zürich\"},\
    \"quantity\":123456789012345678901,\"item_id\":null,\"item_name\":\"Mug\"}\n";

#[tokio::test]
async fn an_order_is_stored_from_every_event_source() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let events = [rest("POST", ORDER), http("POST", ORDER, false), http("POST", &STANDARD.encode(ORDER), true)];
    for event in &events {
        let result = invoke(&mut function, event).await;
        assert_eq!(result.http(), (200, STORED));
        assert_eq!(result.response["headers"]["Content-Type"], "text/plain; charset=utf-8");
        assert_eq!(result.counts(), (1, 1, 0));
    }
    assert_eq!(kinesis.stored(), vec![("o-1".to_owned(), LINE.to_owned()); 3]);
    assert_eq!(kinesis.calls(), vec![("PutRecord".to_owned(), 1); 3]);
    assert_eq!(kinesis.streams(), ["orders"; 3]);
}

#[tokio::test]
async fn the_response_is_byte_for_byte() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let invocation = function.invoke(rest("POST", ORDER).to_string()).await.unwrap();
    let expected = concat!(
        r#"{"statusCode":200,"headers":{"Access-Control-Allow-Headers":"Content-Type","#,
        r#""Access-Control-Allow-Origin":"*","Access-Control-Allow-Methods":"OPTIONS,POST,GET","#,
        r#""Content-Type":"text/plain; charset=utf-8"},"#,
        r#""body":"Processed Data sent to Kinesis stream successfully.","isBase64Encoded":false}"#,
    );
    assert_eq!(invocation.outcome, Outcome::Reply(expected.into()));
}

#[tokio::test]
async fn an_array_is_split_within_the_limits_of_kinesis() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let orders: Vec<Value> = (0..1_001).map(|id| json!({"id": id})).collect();
    let result = invoke(&mut function, &rest("POST", json!(orders).to_string())).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (3, 1_001, 0)));
    let calls: Vec<_> = [("PutRecords", 500), ("PutRecords", 500), ("PutRecord", 1)]
        .map(|(operation, records)| (operation.to_owned(), records))
        .into();
    assert_eq!(kinesis.calls(), calls);
    let expected: Vec<_> = (0..1_001).map(|id| (id.to_string(), format!("{{\"id\":{id}}}\n"))).collect();
    assert_eq!(kinesis.stored(), expected);
}

#[tokio::test]
async fn the_most_objects_with_the_longest_names_are_stored() {
    // Each two bytes become 2,306, so 30 kB become 23 MB.
    let fields: Vec<String> = (0..32).map(|index| format!("{index:0>64}")).collect();
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", &fields.join(","))]).await;
    let body = format!("[{}]", vec!["{}"; 10_000].join(","));
    let result = invoke(&mut function, &rest("POST", body)).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (20, 10_000, 0)));
    let bytes: usize = kinesis.stored().iter().map(|(key, data)| key.len() + data.len()).sum();
    assert_eq!(result.summary()["stored_bytes"], bytes);
}

#[tokio::test]
async fn nothing_to_store_is_stored() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &rest("POST", "[]")).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (0, 0, 0)));
    assert_eq!(kinesis.sizes(), [0; 0]);
}

#[tokio::test]
async fn records_without_a_key_are_spread() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    invoke(&mut function, &rest("POST", r#"[{},{"id":null},{"id":""},{"id":[1]},{"id":true},{"id":true}]"#)).await;
    let mut keys: Vec<String> = kinesis.stored().into_iter().map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.iter().map(String::len).collect::<Vec<_>>(), [36; 6]);
}

#[tokio::test]
async fn a_rejected_body_is_never_sent_to_kinesis() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    let message = |text: &str| json!({ "message": text }).to_string();
    let no_json = message("the body is not JSON in UTF-8");
    let no_object = message("the body is neither a JSON object nor an array of JSON objects");
    let large = |bytes: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(bytes - 8));
    for (event, status, body) in [
        (rest("OPTIONS", Value::Null), 200, String::new()),
        (http("OPTIONS", "", false), 200, String::new()),
        (rest("GET", Value::Null), 405, message("the method is GET; accepted: POST")),
        (rest("PUT", ORDER), 405, message("the method is PUT; accepted: POST")),
        (http("DELETE", "", false), 405, message("the method is DELETE; accepted: POST")),
        (rest("POST", Value::Null), 400, no_json.clone()),
        (rest("POST", "id=1&name=Ada"), 400, no_json.clone()),
        (http("POST", &STANDARD.encode(b"{\"id\":\"\xff\"}"), true), 400, no_json),
        (http("POST", "{}", true), 400, message("the body is not base64, as its event says")),
        (rest("POST", "\"text\""), 400, no_object.clone()),
        (rest("POST", "[1]"), 400, no_object),
        (rest("POST", r#"{"id":"\ud800"}"#), 400, message("a string has an escape that is not valid Unicode")),
        (
            rest("POST", format!("{{\"id\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
            400,
            message("values nest deeper than 128 levels"),
        ),
        (rest("POST", large((1 << 20) + 1)), 413, message("the body has more than 1 MiB")),
        (http("POST", &STANDARD.encode(large((1 << 20) + 1)), true), 413, message("the body has more than 1 MiB")),
        (
            rest("POST", format!("[{}]", vec!["{}"; 10_001].join(","))),
            413,
            message("the array has more than 10000 objects"),
        ),
        (
            rest("POST", format!("[{{}},{{\"id\":\"{}\"}}]", "y".repeat((1 << 20) - 20))),
            413,
            message("a record has more than 1 MiB, its partition key included"),
        ),
    ] {
        let result = invoke(&mut function, &event).await;
        assert_eq!(result.http(), (status, body.as_str()), "{:.300}", event.to_string());
        assert_eq!(result.counts(), (0, 0, 0));
    }
    assert_eq!(kinesis.sizes(), [0; 0]);

    let base64 = http("POST", &STANDARD.encode(large(1 << 20)), true);
    assert_eq!(invoke(&mut function, &base64).await.http(), (200, STORED));
}

#[tokio::test]
async fn only_pages_of_allowed_origins_may_send() {
    let kinesis = Kinesis::start([]).await;
    let origins = "https://a.example, http://localhost:8000";
    let mut function = collector(&kinesis, &[("COLLECTOR_ALLOWED_ORIGINS", origins)]).await;
    for (name, origin, status) in [
        ("Origin", Some("https://a.example"), 200),
        ("origin", Some("http://localhost:8000"), 200),
        ("origin", None, 200),
        ("Origin", Some("https://b.example"), 403),
        ("origin", Some("https://a.example.b.example"), 403),
        ("origin", Some("null"), 403),
    ] {
        let mut event = rest("POST", "{}");
        event["headers"][name] = json!(origin);
        let InvokeResult { response, .. } = invoke(&mut function, &event).await;
        let headers = &response["headers"];
        assert_eq!((&response["statusCode"], &headers["Vary"]), (&json!(status), &json!("Origin")), "{response}");
        let error = origin.filter(|_| status == 403).map(|origin| format!("the origin {origin} is not allowed"));
        let body = error.map_or_else(|| STORED.to_owned(), |error| json!({ "message": error }).to_string());
        assert_eq!(response["body"], body);
        let readable = origin.filter(|_| status == 200);
        assert_eq!(headers["Access-Control-Allow-Origin"], json!(readable), "{response}");
    }
    assert_eq!(kinesis.stored().len(), 3);
}

#[tokio::test]
async fn an_invalid_event_fails_and_the_next_one_is_handled() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[]).await;
    for event in ["{}", "[]", r#"{"Records":[{"eventSource":"aws:s3"}]}"#] {
        let outcome = function.invoke(event).await.unwrap().outcome;
        let Outcome::Error { error_type, message } = outcome else { panic!("{event}: {outcome:?}") };
        assert_eq!(error_type, "NotAnEvent");
        assert_eq!(message, "neither a request of an API Gateway (REST or HTTP) nor messages of an SQS queue");
    }
    assert_eq!(invoke(&mut function, &rest("POST", ORDER)).await.http(), (200, STORED));
}
