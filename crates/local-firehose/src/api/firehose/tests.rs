//! The API as a client meets it, over TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::*;
use crate::api::{Api, router};
use crate::control::{ControlOptions, FunctionMap, Root};
use crate::functions::FunctionLog;
use crate::registry::Registry;
use crate::stream::StreamSettings;
use object_storage::Bucket;

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(key, _)| key == name).unwrap().1
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn serve(names: &[&str]) -> SocketAddr {
    serve_with_registry(names).await.0
}

async fn serve_with_registry(names: &[&str]) -> (SocketAddr, Registry) {
    let (streams, mut folders) = (Registry::default(), Vec::new());
    for name in names {
        let (stream, folder) = stream(name);
        streams.add(stream).unwrap();
        folders.push(folder);
    }
    let root = tempfile::tempdir().unwrap();
    let log = Arc::new(FunctionLog::open(&root.path().join("function.log"), false).unwrap());
    let (functions, retention_bytes) = (FunctionMap::default(), 1_000_000);
    let options =
        ControlOptions { root: Root::Folder(root.path().to_owned()), functions, state: None, retention_bytes };
    folders.push(root);
    let router = router(&Control::open(streams.clone(), options, log).await.unwrap(), Api::Firehose);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let _until_the_end = folders;
        axum::serve(listener, router).await
    });
    (address, streams)
}

/// A stream that accepts what comes.
fn stream(name: &str) -> (DeliveryStream, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let function_log = FunctionLog::open(&folder.path().join("function.log"), false).unwrap();
    let settings = StreamSettings::untransformed(name, folder.path());
    let bucket = Bucket::open(&settings.destination, false).unwrap();
    (DeliveryStream::start(settings, Arc::new(bucket), Arc::new(function_log), None).unwrap(), folder)
}

async fn send(address: SocketAddr, request_line: &str, headers: &str, body: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{request_line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(body).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

async fn call(address: SocketAddr, operation: &str, body: Value) -> Answer {
    let headers =
        format!("content-type: application/x-amz-json-1.1\r\nx-amz-target: Firehose_20150804.{operation}\r\n");
    send(address, "POST /", &headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn records_come_in_signed_or_not() {
    let address = serve(&["clicks"]).await;
    let record = json!({ "DeliveryStreamName": "clicks", "Record": { "Data": "aGk=" } });
    let answer = call(address, "PutRecord", record.clone()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-amz-json-1.1"));
    assert_eq!(answer.json()["Encrypted"], false);
    assert!(!answer.json()["RecordId"].as_str().unwrap().is_empty());

    let signed = "x-amz-target: Firehose_20150804.PutRecord\r\nauthorization: AWS4-HMAC-SHA256 Credential=anyone\r\n";
    let again = send(address, "POST /", signed, record.to_string().as_bytes()).await;
    assert_eq!(again.status, 200);
    assert_ne!(again.json()["RecordId"], answer.json()["RecordId"]);

    let ids = [&answer, &again].map(|answer| Uuid::parse_str(answer.header("x-amzn-requestid")).unwrap());
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_records_of_an_invalid_request_are_counted_at_its_stream() {
    let (address, streams) = serve_with_registry(&["clicks"]).await;
    let refused = || streams.get("clicks").unwrap().snapshot().refused;
    let valid = json!({ "Data": "aGk=" });
    for (operation, input, expected) in [
        ("PutRecordBatch", json!({ "DeliveryStreamName": "clicks", "Records": [valid, { "Data": "no base64" }] }), 2),
        ("PutRecordBatch", json!({ "DeliveryStreamName": "clicks", "Records": vec![&valid; 501] }), 501),
        ("PutRecordBatch", json!({ "DeliveryStreamName": "clicks", "Records": [] }), 0),
        ("PutRecord", json!({ "DeliveryStreamName": "clicks", "Record": { "Data": 7 } }), 1),
        // Without a stream.
        ("PutRecord", json!({ "DeliveryStreamName": "others", "Record": valid }), 0),
        ("PutRecord", json!({ "Record": valid }), 0),
        ("PutRecord", json!([]), 0),
    ] {
        let before = refused();
        assert_eq!(call(address, operation, input.clone()).await.status, 400, "{input}");
        assert_eq!(refused() - before, expected, "{operation} {input}");
    }
    let batch = json!({ "DeliveryStreamName": "clicks", "Records": [valid] });
    assert_eq!((call(address, "PutRecordBatch", batch).await.status, refused()), (200, 504));
}

#[tokio::test]
async fn a_page_may_not_put_records() {
    let address = serve(&["clicks"]).await;
    let record = json!({ "DeliveryStreamName": "clicks", "Record": { "Data": "aGk=" } }).to_string();
    let target = "x-amz-target: Firehose_20150804.PutRecord\r\n";
    for (origin, status) in [("", 200), ("origin: http://127.0.0.1:8000\r\n", 403), ("origin: null\r\n", 403)] {
        let answer = send(address, "POST /", &format!("{target}{origin}"), record.as_bytes()).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_batch_comes_in_with_an_id_for_each_record() {
    let address = serve(&["clicks"]).await;
    let records = vec![json!({ "Data": "aGk=" }); 500];
    let answer = call(address, "PutRecordBatch", json!({ "DeliveryStreamName": "clicks", "Records": records })).await;
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.json()["FailedPutCount"], &answer.json()["Encrypted"]), (&json!(0), &json!(false)));
    let answer = answer.json();
    let ids = answer["RequestResponses"].as_array().unwrap().iter().map(|entry| entry["RecordId"].as_str().unwrap());
    assert_eq!(ids.collect::<std::collections::HashSet<_>>().len(), 500);
}

#[tokio::test]
async fn streams_are_listed_by_name_and_described() {
    let address = serve(&["clicks", "Other", "audit"]).await;
    let answer = call(address, "ListDeliveryStreams", json!({ "Limit": 2 })).await;
    let expected = json!({ "DeliveryStreamNames": ["Other", "audit"], "HasMoreDeliveryStreams": true });
    assert_eq!((answer.status, answer.json()), (200, expected));

    let answer = call(address, "DescribeDeliveryStream", json!({ "DeliveryStreamName": "audit" })).await;
    let description = &answer.json()["DeliveryStreamDescription"];
    assert_eq!((answer.status, &description["DeliveryStreamName"]), (200, &json!("audit")));
    assert_eq!(description["DeliveryStreamARN"], "arn:aws:firehose:us-east-1:000000000000:deliverystream/audit");
}

#[tokio::test]
async fn a_refusal_has_the_status_headers_and_body_of_aws() {
    let address = serve(&["clicks"]).await;
    for (operation, body, code) in [
        (
            "PutRecord",
            json!({ "DeliveryStreamName": "missing", "Record": { "Data": "" } }),
            "ResourceNotFoundException",
        ),
        (
            "PutRecordBatch",
            json!({ "DeliveryStreamName": "Clicks", "Records": [{ "Data": "" }] }),
            "ResourceNotFoundException",
        ),
        ("DescribeDeliveryStream", json!({ "DeliveryStreamName": "missing" }), "ResourceNotFoundException"),
        // Violations are reported first.
        ("PutRecord", json!({ "DeliveryStreamName": "missing" }), "ValidationException"),
        ("PutRecord", json!([]), "SerializationException"),
        ("ListDeliveryStreams", json!({ "Limit": 0 }), "ValidationException"),
        ("CreateDeliveryStream", json!({ "DeliveryStreamName": "clicks" }), "InvalidArgumentException"),
        ("StartDeliveryStreamEncryption", json!({ "DeliveryStreamName": "clicks" }), "InvalidArgumentException"),
        ("StopDeliveryStreamEncryption", json!({ "DeliveryStreamName": "clicks" }), "InvalidArgumentException"),
        ("putrecord", json!({}), "UnknownOperationException"),
    ] {
        let answer = call(address, operation, body).await;
        assert_eq!((answer.status, answer.json()["__type"].as_str()), (400, Some(code)), "{operation}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
        assert!(Uuid::parse_str(answer.header("x-amzn-requestid")).is_ok());
    }
}

#[tokio::test]
async fn whoever_comes_without_an_operation_is_told_what_this_is() {
    let address = serve(&["clicks", "audit"]).await;
    for (request_line, headers, status) in [
        ("POST /", "", 400),
        ("POST /other", "x-amz-target: Firehose_20150804.PutRecord\r\n", 404),
        ("GET /favicon.ico", "", 404),
        ("GET /", "", 404),
    ] {
        let answer = send(address, request_line, headers, b"").await;
        let code = answer.json()["__type"].as_str().map(str::to_owned);
        assert_eq!((answer.status, code.as_deref()), (status, Some("UnknownOperationException")), "{request_line}");
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
    }
    let answer = send(address, "GET /", "", b"").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.body.contains("streams: audit, clicks"), "{}", answer.body);
}

#[tokio::test]
async fn an_arn_has_the_region_and_account_of_the_caller() {
    let address = serve(&["clicks"]).await;
    let target = "x-amz-target: Firehose_20150804.DescribeDeliveryStream\r\n";
    let body = json!({ "DeliveryStreamName": "clicks" }).to_string();
    for (credential, scope) in [
        ("local/20261120/us-east-1", "us-east-1:000000000000"),
        ("123456789012/20261120/eu-west-1", "eu-west-1:123456789012"),
    ] {
        let signed =
            format!("{target}authorization: AWS4-HMAC-SHA256 Credential={credential}/firehose/aws4_request\r\n");
        let answer = send(address, "POST /", &signed, body.as_bytes()).await.json();
        let arn = &answer["DeliveryStreamDescription"]["DeliveryStreamARN"];
        assert_eq!(*arn, format!("arn:aws:firehose:{scope}:deliverystream/clicks"));
    }
}

#[tokio::test]
async fn one_address_serves_both_apis() {
    let address = serve(&["clicks"]).await;
    for (target, member) in [
        ("Firehose_20150804.ListDeliveryStreams", "DeliveryStreamNames"),
        ("Kinesis_20131202.ListStreams", "StreamNames"),
    ] {
        let answer = send(address, "POST /", &format!("x-amz-target: {target}\r\n"), b"{}").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()[member].is_array(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_is_bounded() {
    let address = serve(&["clicks"]).await;
    let headers = "x-amz-target: Firehose_20150804.ListDeliveryStreams\r\n";
    for (size, status) in [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413), (2 * MAX_BODY_BYTES, 413)] {
        let mut body = vec![b' '; size];
        body[..2].copy_from_slice(b"{}");
        let answer = send(address, "POST /", headers, &body).await;
        assert_eq!(answer.status, status, "{size}");
    }
}

#[tokio::test]
async fn a_batch_somewhat_too_large_is_told_the_limit() {
    let address = serve(&["clicks"]).await;
    let records = vec![json!({ "Data": "AAAA".repeat(25_000) }); 70];
    let answer = call(address, "PutRecordBatch", json!({ "DeliveryStreamName": "clicks", "Records": records })).await;
    let expected = json!({ "__type": "InvalidArgumentException", "message": "Records size exceeds 4 MB limit" });
    assert_eq!((answer.status, answer.json()), (400, expected));
}
