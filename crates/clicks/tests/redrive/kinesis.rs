//! A scripted Kinesis, and that of `clicks up`.

use std::collections::{BTreeMap, VecDeque};
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::exit::Exit;
use test_support::http::Connection;
use test_support::stand_in;
use test_support::until;
use test_support::up::Up;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::run::{Numbers, Redrive, all, each, numbered};

/// How a call of `PutRecords` is handled.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    /// All are stored but these, by index, with this code.
    Refuses(Vec<usize>, &'static str),
    /// Nothing is stored: a response with a status and a code.
    Fails(u16, &'static str),
    /// Stored; the response is an error.
    Lies(u16, &'static str),
    /// Stored; this is the response.
    Babbles(&'static str),
    /// Stored, without a response.
    Hangs,
}

#[derive(Default)]
struct ServerState {
    script: VecDeque<Act>,
    describe: Option<(u16, Value)>,
    /// The bytes of each call, and its records, with their partition keys.
    calls: Vec<(usize, Vec<(String, String)>)>,
    stored: Vec<(String, String)>,
}

struct Kinesis {
    port: u16,
    state: Arc<Mutex<ServerState>>,
    _runtime: Runtime,
}

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";

impl Kinesis {
    fn with(script: &[Act]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let state =
            Arc::new(Mutex::new(ServerState { script: script.iter().cloned().collect(), ..ServerState::default() }));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { port, state, _runtime: runtime }
    }

    fn command(&self, redrive: &Redrive, arguments: &[&str]) -> Command {
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut command = redrive.bare_command(&["errors", "--data-stream", "orders", "--json", "--endpoint", &url]);
        command.args(["--journal", "state/journal", "--rate", "100000"]).args(arguments);
        command
    }

    #[track_caller]
    fn run(&self, redrive: &Redrive, arguments: &[&str], code: i32, records: &Value) -> Exit {
        let exit = Exit::from(self.command(redrive, arguments).output().unwrap());
        exit.comes_to(code, records);
        exit
    }

    fn target(&self) -> String {
        format!("orders@kinesis@localhost-{}", self.port)
    }

    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (data, _) in &self.state.lock().unwrap().stored {
            *counts.entry(data.clone()).or_default() += 1;
        }
        counts
    }

    fn calls(&self) -> Vec<usize> {
        self.state.lock().unwrap().calls.iter().map(|(_, records)| records.len()).collect()
    }
}

fn summary(status: &str) -> Value {
    json!({ "StreamDescriptionSummary": {
        "StreamName": "orders", "StreamARN": ARN, "StreamStatus": status, "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": 1_700_000_000.5, "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }], "OpenShardCount": 1,
    } })
}

async fn answer(State(state): State<Arc<Mutex<ServerState>>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["StreamName"], "orders");
    match headers["x-amz-target"].to_str().unwrap() {
        "Kinesis_20131202.DescribeStreamSummary" => {
            let described = state.lock().unwrap().describe.clone();
            let (status, body) = described.unwrap_or_else(|| (200, summary("ACTIVE")));
            reply(status, &body)
        }
        "Kinesis_20131202.PutRecords" => put(&state, &body).await,
        other => panic!("{other}"),
    }
}

async fn put(state: &Mutex<ServerState>, body: &Value) -> Response {
    let record = |record: &Value| {
        let data = STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
        (String::from_utf8(data).unwrap(), record["PartitionKey"].as_str().unwrap().to_owned())
    };
    let records: Vec<(String, String)> = body["Records"].as_array().unwrap().iter().map(record).collect();
    let (act, count) = {
        let mut state = state.lock().unwrap();
        let act = state.script.pop_front().unwrap_or(Act::Refuses(Vec::new(), ""));
        if !matches!(act, Act::Fails(..)) {
            let refused = |index| matches!(&act, Act::Refuses(refused, _) if refused.contains(&index));
            let stored =
                records.iter().enumerate().filter(|(index, _)| !refused(*index)).map(|(_, record)| record.clone());
            state.stored.extend(stored);
        }
        let count = records.len();
        state.calls.push((records.iter().map(|(data, key)| data.len() + key.len()).sum(), records));
        (act, count)
    };
    match act {
        Act::Refuses(refused, code) => {
            let entry = |index: usize| {
                if refused.contains(&index) {
                    json!({ "ErrorCode": code, "ErrorMessage": "Rate exceeded for shard shardId-000000000000" })
                } else {
                    json!({ "SequenceNumber": format!("{index:056}"), "ShardId": "shardId-000000000000" })
                }
            };
            let entries: Vec<Value> = (0..count).map(entry).collect();
            reply(200, &json!({ "FailedRecordCount": refused.len(), "Records": entries }))
        }
        Act::Fails(status, code) | Act::Lies(status, code) => {
            reply(status, &json!({ "__type": code, "message": "scripted" }))
        }
        Act::Babbles(text) => text.into_response(),
        Act::Hangs => std::future::pending().await,
    }
}

fn reply(status: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}

#[test]
fn only_refused_records_are_sent_again() {
    let kinesis = Kinesis::with(&[
        Act::Refuses(vec![0, 7, 499], "ProvisionedThroughputExceededException"),
        Act::Refuses(vec![1], "InternalFailure"),
        Act::Fails(400, "ProvisionedThroughputExceededException"),
        Act::Fails(400, "KMSThrottlingException"),
        Act::Fails(400, "LimitExceededException"),
    ]);
    let records = numbered(0, 600);
    let redrive = Redrive::of(&[("a", &all(&records))]);
    let exit = kinesis.run(&redrive, &["--archive", "done"], 0, &json!({ "found": 600, "selected": 600, "put": 600 }));
    assert_eq!((kinesis.calls(), kinesis.counts()), (vec![500, 3, 1, 1, 1, 1, 100], each(records, 1)));
    let report = exit.report();
    assert_eq!((&report["refusals"], &report["target"]), (&json!(7), &json!(kinesis.target())));
    kinesis.run(&redrive, &["--archive", "done"], 0, &json!({}));
}

#[test]
fn records_sent_without_a_response_are_put_again_only_by_option() {
    for (act, why) in [
        (Act::Lies(500, "InternalFailure"), "InternalFailure: scripted"),
        (Act::Babbles("<html>"), "unreadable response with status 200"),
        (
            Act::Babbles(r#"{"Records":[{"SequenceNumber":"1","ShardId":"s"}]}"#),
            "the response has 1 result for 3 records",
        ),
        (Act::Babbles(r#"{"Records":[{},{},{}]}"#), "the response has no result for a record"),
    ] {
        let (kinesis, redrive) =
            (Kinesis::with(std::slice::from_ref(&act)), Redrive::of(&[("a", &all(["a", "b", "c"]))]));
        let exit = kinesis.run(&redrive, &[], 1, &json!({ "found": 3, "selected": 3, "uncertain_now": 3 }));
        assert!(
            exit.stderr.contains(&format!("3 records were sent without a response and may be stored: {why}")),
            "{}",
            exit.stderr
        );
        kinesis.run(&redrive, &["--again"], 1, &json!({ "found": 3, "uncertain": 3 }));
        assert_eq!(kinesis.calls().len(), 1, "{act:?}");
        kinesis.run(&redrive, &["--again=uncertain"], 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
        assert_eq!(kinesis.counts(), each(["a", "b", "c"], 2), "{act:?}");
    }
    let kinesis = Kinesis::with(&vec![Act::Lies(500, "InternalFailure"); 3]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 1_500)))]);
    let exit = kinesis.run(&redrive, &[], 1, &json!({ "found": 1_500, "selected": 1_500, "uncertain_now": 1_500 }));
    assert!(exit.stderr.ends_with("\nerror: no response from Kinesis: InternalFailure: scripted\n"), "{}", exit.stderr);
}

#[test]
fn a_kill_leaves_sent_records_uncertain() {
    let kinesis = Kinesis::with(&[Act::Refuses(vec![], ""), Act::Hangs]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 1_200)))]);
    let mut child = kinesis.command(&redrive, &[]).spawn().unwrap();
    until(|| kinesis.calls().len() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = json!({ "found": 1_200, "put_before": 500, "uncertain": 500, "selected": 200 });
    kinesis.run(&redrive, &["--dry-run"], 0, &rest);
    let mut rest = rest;
    rest["put"] = json!(200);
    let exit = kinesis.run(&redrive, &[], 1, &rest);
    // A kill is no damage.
    exit.reports(&[]);
    assert_eq!(kinesis.counts(), each(numbered(0, 1_200), 1));
}

#[test]
fn a_call_has_the_limits_of_kinesis() {
    let text = |bytes: usize| "x".repeat(bytes);
    for (records, expected) in [
        (numbered(0, 1_001), vec![500, 500, 1]),
        // With keys of 32 characters: 5 MiB, neither a byte more nor less.
        (vec![text(655_328); 9], vec![8, 1]),
        (vec![text(655_329); 9], vec![7, 2]),
    ] {
        let (kinesis, redrive) = (Kinesis::with(&[]), Redrive::of(&[("a", &all(&records))]));
        let count = records.len();
        kinesis.run(&redrive, &[], 0, &json!({ "found": count, "selected": count, "put": count }));
        assert_eq!(kinesis.calls(), expected);
        assert!(kinesis.state.lock().unwrap().calls.iter().all(|(bytes, _)| *bytes <= 5 * 1024 * 1024));
    }
}

#[test]
fn partition_keys_are_a_field_or_a_hash() {
    let records = [r#"{"customer":"7"}"#, r#"{"customer":8}"#, r#"{"total":1}"#, "no JSON"];
    let keys = |arguments: &[&str]| {
        let (kinesis, redrive) = (Kinesis::with(&[]), Redrive::of(&[("a", &all(records))]));
        kinesis.run(&redrive, arguments, 0, &json!({ "found": 4, "selected": 4, "put": 4 }));
        let stored = kinesis.state.lock().unwrap().stored.clone();
        stored.into_iter().map(|(_, key)| key).collect::<Vec<_>>()
    };
    let hashes = keys(&[]);
    assert_eq!(hashes.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{hashes:?}");
    assert_eq!(keys(&["--partition-key", "customer"]), ["7", "8", &hashes[2], &hashes[3]]);
}

#[test]
fn a_stream_that_accepts_no_records_is_refused() {
    let (kinesis, redrive) = (Kinesis::with(&[]), Redrive::of(&[("a", &all(["a"]))]));
    for (status, answer, code, message) in [
        (
            400,
            json!({ "__type": "ResourceNotFoundException" }),
            2,
            "no such stream; accepted is the name of an existing one (`--data-stream`)\n",
        ),
        (200, summary("CREATING"), 2, "the stream is CREATING; accepted is ACTIVE\n"),
        (
            400,
            json!({ "__type": "AccessDeniedException", "message": "no" }),
            1,
            "could not describe the stream: AccessDeni",
        ),
        (
            200,
            json!({ "StreamDescriptionSummary": { "StreamStatus": "ACTIVE" } }),
            1,
            "could not describe the stream: ",
        ),
    ] {
        kinesis.state.lock().unwrap().describe = Some((status, answer));
        let exit = Exit::from(kinesis.command(&redrive, &[]).output().unwrap());
        exit.refuses(code, &format!("error: {}: {message}", kinesis.target()));
    }
    assert!(kinesis.calls().is_empty() && !redrive.journal().exists());
    // The required fields only, while shards are split.
    let minimal = json!({ "StreamDescriptionSummary": { "StreamARN": ARN, "StreamStatus": "UPDATING" } });
    kinesis.state.lock().unwrap().describe = Some((200, minimal));
    kinesis.run(&redrive, &[], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
}

#[test]
fn a_data_stream_has_its_own_journal() {
    let (kinesis, redrive) = (Kinesis::with(&[]), Redrive::of(&[("a", &all(["a"]))]));
    let url = format!("http://127.0.0.1:{}", kinesis.port);
    let mut command = redrive.bare_command(&["errors", "--data-stream", "orders", "--json"]);
    let exit = Exit::from(command.env("AWS_ENDPOINT_URL_KINESIS", &url).output().unwrap());
    exit.comes_to(0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    let journal = redrive.folder.path().join(format!(".local/state/clicks/redrive/{}.journal", kinesis.target()));
    assert_eq!(exit.report()["journal"], json!(journal));
    assert!(journal.is_file());
    for (arguments, message) in [
        (&["errors"][..], "<--stream <NAME>|--data-stream <NAME>>"),
        (&["errors", "--stream", "a", "--data-stream", "b"], "cannot be used with"),
        (&["errors", "--stream", "a", "--partition-key", "f"], "cannot be used with"),
        (&["errors", "--data-stream", "a b"], "accepted is a name of 1 to 128 of the characters"),
        (&["errors", "--data-stream", "a", "--partition-key", ""], "accepted is the name of a field"),
    ] {
        Exit::from(redrive.bare_command(arguments).output().unwrap()).refuses(2, message);
    }
}

/// Records that a function failed are put into the data stream, in the local Kinesis.
#[test]
fn records_that_failed_behind_a_data_stream_are_delivered_once() {
    let folder = Redrive::of(&[]);
    let root = folder.folder.path();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ingestion.toml");
    let config = std::fs::read_to_string(fixture).unwrap();
    let orders = config.split("[streams.orders]").nth(1).unwrap().split("\n#").next().unwrap();
    std::fs::write(root.join("orders.toml"), format!("[streams.orders]{orders}")).unwrap();
    let start = |function: &str| {
        Up::start_in(root, &["--config", "orders.toml", "--kinesis-port", "0", "--function", function])
    };
    let mut up = start(&stand_in());
    let failing: Vec<String> =
        (0..20).map(|number| json!({ "do": "fail", "customer": number % 3, "n": number }).to_string()).collect();
    for record in &failing {
        let answer =
            Connection::open(up.page()).ask("POST", "/v2/orders", "Content-Type: application/json\r\n", record);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    up.until_processed(20);
    up.stop();
    let mut up = start("none");
    let arguments = ["out/bucket/errors", "--data-stream", "orders", "--partition-key", "customer", "--json"];
    for records in [json!({ "found": 20, "selected": 20, "put": 20 }), json!({})] {
        let mut command = folder.bare_command(&arguments);
        command.args(["--journal", "journal", "--endpoint", up.address("kinesis")]);
        Exit::from(command.output().unwrap()).comes_to(0, &records);
    }
    up.until_processed(20);
    up.stop();
    let mut delivered: Vec<String> = up.objects("orders").lines().map(str::to_owned).collect();
    delivered.sort();
    let mut expected = failing;
    expected.sort();
    assert_eq!(delivered, expected);
}

/// A record counts with its partition key, here a hash of 32 characters.
#[test]
fn a_record_may_be_as_large_as_the_stream_accepts() {
    const KIB: usize = 1024;
    for (max_record_kib, most) in
        [(None, KIB * KIB - 32), (Some(2 * KIB), 2 * KIB * KIB - 32), (Some(10 * KIB), 10 * KIB * KIB - 32)]
    {
        let (largest, too_large) = ("x".repeat(most), "x".repeat(most + 1));
        let redrive = Redrive::of(&[("a", &all(["a", &largest, &too_large, "b"]))]);
        let kinesis = Kinesis::with(&[]);
        if let Some(kib) = max_record_kib {
            let mut summary = summary("ACTIVE");
            summary["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] = json!(kib);
            kinesis.state.lock().unwrap().describe = Some((200, summary));
        }
        let exit = kinesis.run(&redrive, &[], 1, &json!({ "found": 4, "selected": 3, "put": 3, "corrupt": 1 }));
        let limit = most + 32;
        let message = format!(": a record of {} bytes; Kinesis accepts at most {limit}", limit + 1);
        assert!(exit.stderr.lines().any(|line| line.ends_with(&message)), "{}", exit.stderr);
        assert!(kinesis.counts() == each(["a", "b", &largest].map(ToOwned::to_owned), 1), "{max_record_kib:?}");
    }
}

#[test]
fn a_record_over_the_limit_is_put_after_the_limit_is_raised() {
    const MIB: usize = 1024 * 1024;
    let (large, largest) = ("x".repeat(2 * MIB - 32), "x".repeat(10 * MIB - 31));
    let redrive = Redrive::of(&[("a", &all(["a", &large])), ("b", &all(["b", &largest]))]);
    let kinesis = Kinesis::with(&[]);
    // The limit is not known to a dry run, which assumes the largest that a stream can have.
    kinesis.run(&redrive, &["--dry-run"], 0, &json!({ "found": 4, "selected": 3, "corrupt": 1 }));
    let open = json!({ "found": 2, "put_before": 1, "corrupt_before": 1 });
    for (limit_kib, code, records, objects) in [
        (1024, 1, json!({ "found": 4, "selected": 2, "put": 2, "corrupt": 2 }), json!({ "found": 2, "done": 1 })),
        (2047, 0, open, json!({ "found": 2, "done": 1 })),
        (2048, 0, json!({ "found": 2, "put_before": 1, "selected": 1, "put": 1 }), json!({ "found": 2, "done": 2 })),
        // No stream accepts the rest.
        (10_240, 0, json!({}), json!({ "found": 2, "done": 2 })),
    ] {
        let mut summary = summary("ACTIVE");
        summary["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] = json!(limit_kib);
        kinesis.state.lock().unwrap().describe = Some((200, summary));
        kinesis.run(&redrive, &[], code, &records).objects(&objects);
    }
    assert!(kinesis.counts() == each(["a", "b", &large].map(ToOwned::to_owned), 1));
}
