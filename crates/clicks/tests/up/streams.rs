//! `POST /v2/{stream-name}`: a record for each service's stream, and the isolation of streams.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use test_support::http::{Connection, Response};
use test_support::up::Up;

use crate::data_streams::{STREAMS, call, logged_events, start, until, until_processed, view_of};

const JSON: &str = "Content-Type: application/json\r\n";

fn post(up: &Up, stream: &str, headers: &str, body: &str) -> Response {
    Connection::open(up.page()).ask("POST", &format!("/v2/{stream}"), headers, body)
}

/// The shard and the sequence number in a response.
#[track_caller]
fn placed(response: &Response) -> (String, String) {
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some("application/json")),
        "{}",
        response.body
    );
    let body: BTreeMap<String, String> = serde_json::from_str(&response.body).unwrap();
    assert_eq!(body.keys().collect::<Vec<_>>(), ["sequenceNumber", "shardId"]);
    assert!(response.body.starts_with(r#"{"sequenceNumber":"49"#), "{}", response.body);
    (body["shardId"].clone(), body["sequenceNumber"].clone())
}

#[test]
fn responses_are_those_of_api_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none"]);
    let mebibyte = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let mut connection = Connection::open(up.page());
    // One connection for all: an error does not close it.
    for (stream, headers, body, status, response) in [
        (
            "orders",
            format!("{JSON}x-partition-key: {}\r\n", "k".repeat(257)),
            "{}".to_owned(),
            400,
            r#"{"message":"Invalid partition key: it is longer than 256 characters"}"#,
        ),
        (
            "orders",
            JSON.to_owned(),
            "[]".to_owned(),
            400,
            r#"{"message":"Invalid request body: it is not of type object"}"#,
        ),
        (
            "orders",
            JSON.to_owned(),
            "{".to_owned(),
            400,
            r#"{"message":"Invalid request body: it is not JSON (EOF while parsing an object at line 1 column 1)"}"#,
        ),
        (
            "orders",
            "Content-Type: text/plain\r\n".to_owned(),
            "{}".to_owned(),
            415,
            r#"{"message":"Unsupported Media Type"}"#,
        ),
        ("orders", JSON.to_owned(), mebibyte(1_048_577), 413, r#"{"message":"Request Too Long"}"#),
        (
            "orders",
            format!("{JSON}x-partition-key: k\r\n"),
            mebibyte(1_048_575),
            413,
            r#"{"message":"Request Too Long"}"#,
        ),
        // Names that are not configured, or not of a data stream.
        ("unknown", JSON.to_owned(), "{}".to_owned(), 404, r#"{"message":"Not Found"}"#),
        ("clicks", JSON.to_owned(), "{}".to_owned(), 404, r#"{"message":"Not Found"}"#),
        ("Orders", JSON.to_owned(), "{}".to_owned(), 404, r#"{"message":"Not Found"}"#),
        ("orders%00", JSON.to_owned(), "{}".to_owned(), 404, r#"{"message":"Not Found"}"#),
        ("%ff", JSON.to_owned(), "no JSON".to_owned(), 404, r#"{"message":"Not Found"}"#),
    ] {
        let found = connection.ask("POST", &format!("/v2/{stream}"), &headers, &body);
        assert_eq!((found.status, found.body.as_str()), (status, response), "{stream} {body:.20}");
        assert_eq!(found.header("content-type"), Some("application/json"));
        assert_eq!(found.header("x-amzn-requestid").map(str::len), Some(36));
    }
    for method in ["GET", "PUT", "OPTIONS", "DELETE"] {
        let found = connection.ask(method, "/v2/orders", JSON, "{}");
        let expected = (403, r#"{"message":"Missing Authentication Token"}"#);
        assert_eq!((found.status, found.body.as_str()), expected, "{method}");
    }
    assert_eq!((&view_of(&up, "orders")["accepted"], &view_of(&up, "reviews")["accepted"]), (&json!(0), &json!(0)));
    placed(&connection.ask("POST", "/v2/orders", &format!("{JSON}x-partition-key: k\r\n"), &mebibyte(1_048_574)));
    // The content types that API Gateway accepts as JSON.
    placed(&connection.ask("POST", "/v2/reviews", "", "{}"));
    placed(&connection.ask("POST", "/v2/reviews", "Content-Type: application/json; charset=utf-8\r\n", "{}"));
}

/// A browser sends such a request of any page without a preflight.
#[test]
fn a_page_of_another_site_puts_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none"]);
    let refused = (415, r#"{"message":"Unsupported Media Type"}"#);
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
        for content_type in ["", "Content-Type: text/plain\r\n"] {
            let response = post(&up, "orders", &format!("Origin: {origin}\r\n{content_type}"), "{}");
            assert_eq!((response.status, response.body.as_str()), refused, "{origin} {content_type}");
        }
    }
    assert_eq!(view_of(&up, "orders")["accepted"], 0);
    // With JSON, a browser asks first, and gets no permission.
    let asks = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\
                Access-Control-Request-Headers: content-type\r\n";
    let preflight = Connection::open(up.page()).ask("OPTIONS", "/v2/orders", asks, "");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (403, None));
    // `ask` sends `Host: localhost`.
    placed(&post(&up, "orders", "Origin: http://localhost\r\n", "{}"));
}

#[test]
fn each_stream_has_a_prefix_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none"]);
    post(&up, "orders", JSON, "{ \"customer\": \"7\",\r\n \"total\": 12.50 }");
    post(&up, "reviews", JSON, r#"{"stars":5,"text":"a b \u00e9 é"}"#);
    until_processed(&up, "orders", 1);
    until_processed(&up, "reviews", 1);
    assert_eq!(up.objects("orders"), "{ \"customer\": \"7\",   \"total\": 12.50 }\n");
    assert_eq!(up.objects("reviews"), "{\"stars\":5,\"text\":\"a b \\u00e9 é\"}\n");
    // By the hour.
    let path = view_of(&up, "orders")["objects"][0]["path"].take();
    let folders: Vec<&str> = path.as_str().unwrap().split('/').collect();
    assert_eq!(folders.iter().map(|folder| folder.len()).take(5).collect::<Vec<_>>(), [6, 4, 2, 2, 2]);
    assert!(folders[5].starts_with("orders-1-"), "{path}");
    let mut bucket: Vec<_> =
        fs::read_dir(folder.path().join("out/bucket")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    bucket.sort();
    assert_eq!(bucket, ["orders", "reviews"]);
}

#[test]
fn the_partition_key_is_the_header_or_the_field_or_the_request_id() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &[]);
    let record = |customer: Value| json!({ "do": "log", "customer": customer }).to_string();
    let header = format!("{JSON}x-partition-key: b\r\n");
    for (stream, headers, body, key) in [
        ("orders", header.as_str(), record(json!("a")), Some("b")),
        ("orders", JSON, record(json!("a")), Some("a")),
        ("orders", JSON, record(json!(7)), Some("7")),
        ("orders", JSON, record(json!(null)), None),
        ("reviews", header.as_str(), record(json!("a")), Some("b")),
        ("reviews", JSON, record(json!("a")), None),
    ] {
        let before = logged_events(&up).len();
        let response = post(&up, stream, headers, &body);
        let (shard, number) = placed(&response);
        until(&up, stream, |_| logged_events(&up).len() > before);
        let event = logged_events(&up).remove(before);
        let metadata = &event["records"][0]["kinesisRecordMetadata"];
        let request = response.header("x-amzn-requestid").unwrap();
        assert_eq!(metadata["partitionKey"], key.unwrap_or(request), "{stream} {body}");
        assert_eq!((&metadata["shardId"], &metadata["sequenceNumber"]), (&json!(shard), &json!(number)));
    }
}

#[test]
fn each_stream_has_a_rate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none", "--rate", "1", "--burst", "3"]);
    let mut connection = Connection::open(up.page());
    let responses: Vec<Response> = (0..50).map(|_| connection.ask("POST", "/v2/orders", JSON, "{}")).collect();
    let refused = responses.iter().find(|response| response.status != 200).expect("50 requests came within 47 seconds");
    assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#));
    for response in &responses[..3] {
        placed(response);
    }
    for _ in 0..3 {
        placed(&connection.ask("POST", "/v2/reviews", JSON, "{}"));
    }
    let click = r#"{"userId":"guest","mysfitId":"a"}"#;
    connection.ask("PUT", "/clicks", JSON, click).is(200);
}

#[test]
fn a_full_backlog_and_a_hanging_function_do_not_affect_other_streams() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    // Enough shards for the throughput, and one concurrent invocation.
    let streams = STREAMS.replace("shards = 2", "shards = 100\nconcurrency = 1");
    let config = format!("env = {{ RELEASE = '{}' }}\nbacklog-mb = 8\n{streams}", release.display());
    let up = start(folder.path(), &config, &[]);
    placed(&post(&up, "orders", JSON, r#"{"do":"wait"}"#));
    until(&up, "orders", |view| view["in_function"]["records"] == 1);
    let large = |customer: usize| format!("{{\"customer\":{customer},\"a\":\"{}\"}}", "x".repeat(900_000));
    let responses: Vec<Response> = (0..20).map(|customer| post(&up, "orders", JSON, &large(customer))).collect();
    let (accepted, refused): (Vec<&Response>, Vec<&Response>) =
        responses.iter().partition(|response| response.status == 200);
    // Six are 7.2 MB as base64, and seven are too many.
    assert_eq!(accepted.len(), 6);
    for response in refused {
        assert_eq!((response.status, response.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#));
    }
    let record = json!({ "StreamName": "orders", "PartitionKey": "new", "Data": "x".repeat(1_200_000) });
    let response: Value = serde_json::from_str(&call(&up, "PutRecord", &record).body).unwrap();
    assert_eq!(response["__type"], "ProvisionedThroughputExceededException");

    // The others deliver.
    placed(&post(&up, "reviews", JSON, r#"{"stars":5}"#));
    let click = r#"{"userId":"guest","mysfitId":"a"}"#;
    Connection::open(up.page()).ask("PUT", "/clicks", JSON, click).is(200);
    until_processed(&up, "reviews", 1);
    until_processed(&up, "clicks", 1);
    assert_eq!(up.objects("reviews"), "{\"stars\":5}\n\n");
    let view = view_of(&up, "orders");
    assert_eq!((view["delivered"].as_u64(), view["accepted"].as_u64()), (Some(0), Some(7)), "{view:#}");

    fs::write(release, "").unwrap();
    until_processed(&up, "orders", 7);
    placed(&post(&up, "orders", JSON, &large(0)));
}

#[test]
fn a_failing_function_does_not_affect_other_streams() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--retries", "1"]);
    post(&up, "orders", JSON, r#"{"do":"crash","customer":"a"}"#);
    post(&up, "reviews", JSON, r#"{"stars":5}"#);
    until_processed(&up, "orders", 1);
    until_processed(&up, "reviews", 1);
    assert_eq!((&view_of(&up, "orders")["failed"], &view_of(&up, "reviews")["delivered"]), (&json!(1), &json!(1)));
    assert_eq!((up.objects("orders").as_str(), up.errors().len()), ("", 1));
}

#[test]
fn without_a_stream_of_direct_put_there_is_no_route_for_clicks() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = start(folder.path(), "[streams.orders]\nsource = 'kinesis'\nfunction = 'none'\n", &[]);
    let click = r#"{"userId":"guest","mysfitId":"a"}"#;
    Connection::open(up.page()).ask("PUT", "/clicks", JSON, click).is(405);
    Connection::open(up.page()).ask("POST", "/collect", JSON, "{}").is(405);
    placed(&post(&up, "orders", JSON, "{}"));
    let end = up.stop();
    let totals = "orders: 1 accepted, 1 delivered, 0 dropped, 0 failed";
    assert_eq!((end.code, end.stdout.lines().last()), (Some(0), Some(totals)));
}
