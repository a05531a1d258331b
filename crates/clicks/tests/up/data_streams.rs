//! A pipeline with data streams, and calls of Kinesis' API.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::http::{Connection, Response};
use test_support::stand_in;
use test_support::up::{Up, bare_command, snapshot};
use test_support::{PATIENCE, own_address};

/// Two data streams with different options, and a stream of clicks.
pub(crate) const STREAMS: &str = r#"
[streams.clicks]
[streams.orders]
source = "kinesis"
shards = 2
partition-key-field = "customer"
[streams.reviews]
source = "kinesis"
"#;

/// Starts a pipeline with free ports, an address of its own, short buffers, and the stand-in as the default function. The config
/// starts within the table [defaults].
pub(crate) fn start(folder: &Path, config: &str, arguments: &[&str]) -> Up {
    let top = format!(
        "[pipeline]\nhost = \"{}\"\nport = 0\nfirehose-port = 0\nkinesis-port = 0\nservice-port = 0\n[defaults]\nbuffer-seconds = 0\ndestination-seconds = 0\n\
         function = \"{}\"\n",
        own_address(),
        stand_in(),
    );
    fs::write(folder.join("up.toml"), top + config).unwrap();
    let mut command = bare_command(folder);
    command.args(["--config", "up.toml"]).args(arguments);
    Up::run(folder, command)
}

/// One call of Kinesis' API.
pub(crate) fn call(up: &Up, operation: &str, input: &Value) -> Response {
    let headers = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.{operation}\r\n");
    Connection::open(up.address("kinesis")).ask("POST", "/", &headers, &input.to_string())
}

/// A record's shard and sequence number.
pub(crate) type Place = (String, String);

/// Puts records with their partition keys, 500 at a time. All must be accepted.
#[track_caller]
pub(crate) fn put(up: &Up, stream: &str, records: &[(String, String)]) -> Vec<Place> {
    let mut places = Vec::new();
    for records in records.chunks(500) {
        let entry = |(key, data): &(String, String)| json!({ "PartitionKey": key, "Data": STANDARD.encode(data) });
        let entries: Vec<Value> = records.iter().map(entry).collect();
        let response = call(up, "PutRecords", &json!({ "StreamName": stream, "Records": entries }));
        let output = response.json();
        assert_eq!((response.status, &output["FailedRecordCount"]), (200, &json!(0)), "{response:?}");
        places.extend(output["Records"].as_array().unwrap().iter().map(place));
    }
    places
}

/// The place in an entry of the response.
pub(crate) fn place(entry: &Value) -> Place {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    (text("ShardId"), text("SequenceNumber"))
}

/// The index of a stream in a page's events.
pub(crate) fn index(up: &Up, stream: &str) -> usize {
    (0..9).find(|index| snapshot(up.page(), *index)["stream"] == stream).unwrap()
}

pub(crate) fn view_of(up: &Up, stream: &str) -> Value {
    snapshot(up.page(), index(up, stream))
}

/// Waits until a stream's snapshot satisfies a condition.
#[track_caller]
pub(crate) fn until(up: &Up, stream: &str, so: impl Fn(&Value) -> bool) {
    let index = index(up, stream);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view = snapshot(up.page(), index);
        if so(&view) {
            return;
        }
        assert!(Instant::now() < deadline, "timed out: {view:#}\n{}", up.stderr());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until this many records of a stream are delivered or failed.
#[track_caller]
pub(crate) fn until_processed(up: &Up, stream: &str, records: u64) {
    until(up, stream, |view| view["delivered"].as_u64().unwrap() + view["failed"].as_u64().unwrap() >= records);
}

/// The events that the function logged.
pub(crate) fn logged_events(up: &Up) -> Vec<Value> {
    let log = up.log();
    let events = log.lines().filter_map(|line| line.strip_prefix("saw "));
    events.map(|event| serde_json::from_str::<Value>(event).unwrap()["event"].take()).collect()
}

/// Lines by shard, in the order of sequence numbers.
pub(crate) fn by_shard(lines: &[String], places: &[Place]) -> BTreeMap<String, Vec<String>> {
    let mut numbered: Vec<(&Place, &String)> = places.iter().zip(lines).collect();
    numbered.sort_unstable();
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((shard, _), line) in numbered {
        shards.entry(shard.clone()).or_default().push(line.clone());
    }
    shards
}

/// The status and the body of a call.
pub(crate) fn call_json(up: &Up, operation: &str, input: &Value) -> (u16, Value) {
    let response = call(up, operation, input);
    (response.status, serde_json::from_str(&response.body).unwrap())
}
