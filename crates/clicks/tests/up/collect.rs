//! `/collect`: a function behind API Gateway, and the collector of this workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::PATIENCE;
use test_support::http::{Connection, Response};
use test_support::up::Up;

use crate::data_streams::{logged_events, start, until, until_processed, view_of};

/// A stream for the collector, and another one.
const STREAMS: &str = r#"
[streams.collected]
source = "kinesis"
function = "none"
[streams.orders]
source = "kinesis"
function = "none"
"#;

/// A function in Python, controlled by its requests.
const PYTHON: &str = r#"
import json, os, sys, time, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"

def response(event):
    try:
        action = json.loads(event["body"])
    except (TypeError, ValueError):
        action = {}
    if action.get("do") == "crash":
        sys.exit(7)
    if action.get("do") == "hang":
        time.sleep(600)
    if action.get("do") == "wait":
        open("waits", "w").close()
        while not os.path.exists("release"):
            time.sleep(0.005)
        if "data" not in action:
            return {"statusCode": 200}
    if action.get("do") in ("put", "wait"):
        headers = {"X-Amz-Target": "Kinesis_20131202.PutRecord", "Content-Type": "application/x-amz-json-1.1"}
        record = {"StreamName": os.environ["COLLECTOR_STREAM"], "PartitionKey": "a", "Data": action["data"]}
        request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL_KINESIS"], json.dumps(record).encode(), headers)
        with urllib.request.urlopen(request) as put:
            return {"statusCode": 200, "body": put.read().decode()}
    if action.get("do") == "response":
        return action["response"]
    env = {key: os.environ[key] for key in sorted(os.environ) if key.startswith(("AWS_", "COLLECTOR_"))}
    return {"statusCode": 200, "body": json.dumps({"event": event, "env": env})}

while True:
    with urllib.request.urlopen(API + "next") as polled:
        request, event = polled.headers["Lambda-Runtime-Aws-Request-Id"], json.load(polled)
    urllib.request.urlopen(API + request + "/response", json.dumps(response(event)).encode()).close()
"#;

fn start_collector(folder: &Path, streams: &str, arguments: &[&str]) -> Up {
    start(folder, streams, &[&["--collector-stream", "collected"], arguments].concat())
}

pub(crate) fn with_python(folder: &Path, arguments: &[&str]) -> Up {
    fs::write(folder.join("collector.py"), PYTHON).unwrap();
    // Lambda's PATH may not have this machine's `python3`.
    let path = format!("PATH={}", env::var("PATH").unwrap());
    let own = ["--collector", "python3 collector.py", "--collector-env", &path];
    start_collector(folder, STREAMS, &[&own, arguments].concat())
}

fn post(up: &Up, headers: &str, body: &str) -> Response {
    Connection::open(up.page()).ask("POST", "/collect", headers, body)
}

/// Checks the status, the body, the CORS headers and the id.
#[track_caller]
fn is(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (status, body), "{response:?}");
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "OPTIONS,POST,GET"),
        ("access-control-allow-headers", "Content-Type"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!(response.header("x-amzn-requestid").map(str::len), Some(36));
}

#[test]
fn a_function_gets_the_event_of_api_gateway_and_the_address_of_kinesis() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &["--collector-env", "COLLECTOR_MASK_FIELDS=phone"]);
    assert_eq!(up.address("collect"), format!("{}/collect", up.page()));
    let mut connection = Connection::open(up.page());
    let response =
        connection.ask("POST", "/collect?a=1&a=2", "Content-Type: text/plain\r\nX-Own: é\r\n", "any text: \u{e9}");
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")), "{response:?}");
    let reply: Value = serde_json::from_str(&response.body).unwrap();
    let event = &reply["event"];
    let id = response.header("x-amzn-requestid");
    assert_eq!(event["requestContext"]["requestId"].as_str(), id);
    for (pointer, value) in [
        ("/httpMethod", json!("POST")),
        ("/path", json!("/collect")),
        ("/resource", json!("/collect")),
        ("/headers/content-type", json!("text/plain")),
        ("/multiValueHeaders/x-own", json!(["é"])),
        ("/queryStringParameters", json!({ "a": "2" })),
        ("/multiValueQueryStringParameters", json!({ "a": ["1", "2"] })),
        ("/body", json!("any text: é")),
        ("/isBase64Encoded", json!(false)),
        ("/requestContext/httpMethod", json!("POST")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    let env = &reply["env"];
    for (name, value) in [
        ("COLLECTOR_STREAM", "collected"),
        ("COLLECTOR_MASK_FIELDS", "phone"),
        ("AWS_ENDPOINT_URL_KINESIS", up.address("kinesis")),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_LAMBDA_FUNCTION_NAME", "click-collector"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
}

#[test]
fn the_reply_of_a_function_is_the_response() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &[]);
    let replying = |response: Value| post(&up, "", &json!({ "do": "response", "response": response }).to_string());
    is(&replying(json!({ "statusCode": 200, "body": "text" })), 200, "text");
    is(&replying(json!({ "statusCode": 413, "headers": {}, "body": "{}" })), 413, "{}");
    is(&replying(json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true })), 200, "hi");
    // Its own CORS headers stay.
    let own = replying(json!({ "statusCode": 200, "headers": { "Access-Control-Allow-Origin": "https://a.example" } }));
    assert_eq!(own.header("access-control-allow-origin"), Some("https://a.example"));

    let failed = r#"{"message": "Internal server error"}"#;
    for malformed in [json!({}), json!("OK"), json!([]), json!({ "statusCode": 200, "body": {} }), json!(null)] {
        is(&replying(malformed), 502, failed);
    }
    is(&post(&up, "", r#"{"do":"crash"}"#), 502, failed);
    assert!(up.stderr().ends_with("the collector exited (exit status: 7)\n"), "{}", up.stderr());
    is(&replying(json!({ "statusCode": 200, "body": "again" })), 200, "again");
}

#[test]
fn the_edge_responds_itself_to_invalid_requests() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &["--rate", "1", "--burst", "4"]);
    let mut connection = Connection::open(up.page());
    let preflight = connection.ask("OPTIONS", "/collect", "Origin: https://a.example\r\n", "");
    is(&preflight, 200, "");
    assert_eq!(preflight.header("access-control-max-age"), Some("86400"));
    for method in ["GET", "PUT", "DELETE"] {
        is(&connection.ask(method, "/collect", "", "{}"), 403, r#"{"message":"Missing Authentication Token"}"#);
    }
    // Over the limit of Lambda, and over that of API Gateway.
    for megabytes in [7, 11] {
        let body = "x".repeat(megabytes * 1024 * 1024);
        is(&post(&up, "", &body), 413, r#"{"message":"Request Too Long"}"#);
    }
    let refused =
        (0..50).map(|_| connection.ask("OPTIONS", "/collect", "", "")).find(|response| response.status != 200);
    is(&refused.expect("50 requests came within 46 seconds"), 429, r#"{"message":"Too Many Requests"}"#);
    // Other routes have rates of their own.
    connection.ask("POST", "/v2/orders", "", "{}").is(200);
}

#[test]
fn records_of_the_function_are_delivered_under_rawdata() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = with_python(folder.path(), &[]);
    let put = |data: &str| post(&up, "", &json!({ "do": "put", "data": STANDARD.encode(data) }).to_string());
    let placed: Value = serde_json::from_str(&put("{\"id\":7}\n").body).unwrap();
    assert_eq!(placed["ShardId"], "shardId-000000000000");
    until_processed(&up, "collected", 1);
    assert_eq!(up.objects("rawdata"), "{\"id\":7}\n");
    assert_eq!(view_of(&up, "orders")["accepted"], 0);
    let metrics = Connection::open(up.page()).get("/metrics", "localhost").body;
    assert!(metrics.contains("\ncollector_requests_total{outcome=\"responded\"} 1\n"), "{metrics}");
    let end = up.stop();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_function_that_does_not_start_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let up = start_collector(folder.path(), STREAMS, &["--collector", "sh -c 'echo a reason; exit 3'"]);
    is(&post(&up, "", "{}"), 502, r#"{"message": "Internal server error"}"#);
    let expected = "the collector exited (exit status: 3) before it requested an event, and wrote:\na reason\n";
    assert!(up.stderr().ends_with(expected), "{}", up.stderr());
}

#[test]
fn a_function_that_hangs_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &["--collector-timeout-seconds", "1"]);
    is(&post(&up, "", r#"{"do":"hang"}"#), 504, r#"{"message": "Endpoint request timed out"}"#);
    assert!(up.stderr().ends_with("the collector timed out\n"), "{}", up.stderr());
}

#[test]
fn a_request_that_waits_for_another_is_a_timeout_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ["--collector-timeout-seconds", "2", "--collector-concurrency", "1"];
    let up = with_python(folder.path(), &limits);
    thread::scope(|scope| {
        let one = || post(&up, "", r#"{"do":"hang"}"#);
        for response in [scope.spawn(one), scope.spawn(one)] {
            is(&response.join().unwrap(), 504, r#"{"message": "Endpoint request timed out"}"#);
        }
    });
}

#[test]
fn requests_over_the_capacity_are_throttled() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &["--collector-concurrency", "1"]);
    // A process must start within ten seconds, so it starts before large requests keep the processors busy.
    post(&up, "", "{}").is(200);
    // At most eleven of these are pending at once.
    let body = json!({ "do": "wait", "filler": "x".repeat(5_900_000) }).to_string();
    thread::scope(|scope| {
        let (responses, come) = mpsc::channel();
        for _ in 0..14 {
            let responses = responses.clone();
            let (up, body) = (&up, &body);
            scope.spawn(move || responses.send(post(up, "", body)).unwrap());
        }
        for _ in 0..3 {
            is(&come.recv().unwrap(), 429, r#"{"message":"Too Many Requests"}"#);
        }
        fs::write(folder.path().join("release"), "").unwrap();
        for _ in 0..11 {
            come.recv().unwrap().is(200);
        }
    });
}

#[test]
fn an_invocation_in_flight_continues_without_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = with_python(folder.path(), &[]);
    let body = json!({ "do": "wait", "data": STANDARD.encode("{\"id\":7}\n") }).to_string();
    let mut client = Connection::open(up.page());
    client
        .send(format!("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let deadline = Instant::now() + PATIENCE;
    let until = |so: &dyn Fn() -> bool| {
        while !so() {
            assert!(Instant::now() < deadline, "timed out: {}", up.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    };
    until(&|| folder.path().join("waits").exists());
    drop(client);
    up.signal("-INT");
    let waits = "waiting for requests in flight of the collector; press Ctrl-C again to exit at once\n";
    until(&|| up.stderr().ends_with(waits));
    fs::write(folder.path().join("release"), "").unwrap();
    let end = up.end();
    assert_eq!((end.code, up.objects("rawdata").as_str()), (Some(0), "{\"id\":7}\n"), "{}", end.stderr);
    assert!(end.stdout.contains("collected: 1 accepted, 1 delivered, 0 dropped, 0 failed\n"), "{}", end.stdout);
}

#[test]
fn only_the_collector_puts_into_its_stream() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = with_python(folder.path(), &[]);
    let put = |stream: &str| Connection::open(up.page()).ask("POST", &format!("/v2/{stream}"), "", "{}");
    let refused = put("collected");
    assert_eq!((refused.status, refused.body.as_str()), (404, r#"{"message":"Not Found"}"#));
    put("orders").is(200);
    let page = up.page().to_owned();
    assert_eq!(up.address("stream"), format!("collected into out/bucket from {page}/collect"));
    let end = up.stop();
    let rest = format!("stream    orders into out/bucket from {page}/v2/orders\n");
    assert!(end.stdout.starts_with(&rest), "{}", end.stdout);
    assert!(end.stdout.contains("collected: 0 accepted"), "{}", end.stdout);
}

/// All configured fields in the configured order, and no others.
#[test]
fn the_collector_of_this_workspace_keeps_the_configured_fields() {
    let folder = tempfile::tempdir().unwrap();
    let up = start_collector(folder.path(), STREAMS, &["--collector-env", "COLLECTOR_FIELDS=id,title,price,phone"]);
    let body = r#"{"price": 12.50, "id": "7", "secret": "x", "phone": "555-0100"}"#;
    let response = post(&up, "Content-Type: application/json\r\n", body);
    is(&response, 200, "Processed Data sent to Kinesis stream successfully.");
    until_processed(&up, "collected", 1);
    assert_eq!(up.objects("rawdata"), "{\"id\":\"7\",\"title\":null,\"price\":12.50,\"phone\":\"555-0100\"}\n");
    post(&up, "", "no JSON").is(400);
    post(&up, "", r#""text""#).is(400);
    // Several at once, each on a line.
    let several = r#"[{"id":"7","title":"a"},{"id":"7","title":"b"}]"#;
    is(&post(&up, "", several), 200, "Processed Data sent to Kinesis stream successfully.");
    until(&up, "collected", |view| view["delivered"] == 3);
    let lines = up.objects("rawdata");
    assert!(lines.contains("{\"id\":\"7\",\"title\":\"a\",\"price\":null,\"phone\":null}\n"), "{lines}");
    assert_eq!(lines.lines().count(), 3);
}

/// The function of the stream logs its events.
#[test]
fn the_collector_of_this_workspace_puts_records_of_one_id_into_one_shard() {
    let folder = tempfile::tempdir().unwrap();
    let streams = "[streams.collected]\nsource = 'kinesis'\n";
    let up = start_collector(folder.path(), streams, &["--collector-env", "COLLECTOR_FIELDS=id,do"]);
    let ids: Vec<String> = (0..16).map(|id| id.to_string()).collect();
    let records: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "do": "log" })).collect();
    for _ in 0..2 {
        is(&post(&up, "", &json!(records).to_string()), 200, "Processed Data sent to Kinesis stream successfully.");
    }
    until_processed(&up, "collected", 32);
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut event in logged_events(&up) {
        for record in event["records"].as_array_mut().unwrap() {
            let metadata = record["kinesisRecordMetadata"].take();
            let text = |name: &str| metadata[name].as_str().unwrap().to_owned();
            let data: Value =
                serde_json::from_slice(&STANDARD.decode(record["data"].as_str().unwrap()).unwrap()).unwrap();
            assert_eq!(data["id"], metadata["partitionKey"]);
            shards.entry(text("partitionKey")).or_default().push(text("shardId"));
        }
    }
    assert!(shards.values().all(|of_an_id| of_an_id.len() == 2 && of_an_id[0] == of_an_id[1]), "{shards:?}");
    assert_eq!(shards.len(), ids.len());
    let all: BTreeSet<&String> = shards.values().flatten().collect();
    assert_eq!(all.len(), 4, "{shards:?}");
}
