//! Kinesis as the source: its API, as producers meet it.

use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::files::objects;
use test_support::http::Connection;

use crate::data_streams::{STREAMS, call_json, start, view_of};

#[test]
fn each_printed_address_serves() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = start(folder.path(), STREAMS, &[]);
    let kinesis = up.address("kinesis").to_owned();
    let response = Connection::open(&kinesis).get("/", "localhost");
    response.is(404);
    assert!(response.body.contains("this is the API of a local Amazon Kinesis Data Streams"), "{}", response.body);
    assert!(response.body.contains("streams: orders, reviews"), "{}", response.body);
    let page = up.page().to_owned();
    let end = up.stop();
    let expected = format!(
        "stream    orders into out/bucket from {page}/v2/orders\nstream    reviews into out/bucket from {page}/v2/reviews\n\
         no record accepted\nclicks: 0 accepted, 0 delivered, 0 dropped, 0 failed\norders: 0 accepted, 0 delivered, 0 dropped, 0 failed\n\
         reviews: 0 accepted, 0 delivered, 0 dropped, 0 failed\n"
    );
    assert_eq!((end.code, end.stdout), (Some(0), expected));
}

#[test]
fn records_are_in_the_shards_of_their_md5() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &[]);
    let key = |partition_key: &str| json!({ "PartitionKey": partition_key, "Data": "aGk=" });
    let explicit = |hash_key: &str| json!({ "PartitionKey": "a", "ExplicitHashKey": hash_key, "Data": "aGk=" });
    let half = "170141183460469231731687303715884105728";
    // By the first digit of the MD5: 0c…, 92…, 90…, 66…, 12….
    for (stream, record, shard) in [
        ("orders", key("a"), 0),
        ("orders", key("b"), 1),
        ("orders", key("abc"), 1),
        ("orders", key("é"), 0),
        ("orders", explicit(half), 1),
        ("orders", explicit("170141183460469231731687303715884105727"), 0),
        ("reviews", key("a"), 0),
        ("reviews", key("b"), 2),
        ("reviews", key("é"), 1),
        ("reviews", key("orders"), 0),
        ("reviews", explicit("340282366920938463463374607431768211455"), 3),
    ] {
        let mut input = record.clone();
        input["StreamName"] = json!(stream);
        let (status, response) = call_json(&up, "PutRecord", &input);
        let shard_id = format!("shardId-{shard:012}");
        assert_eq!((status, &response["ShardId"], response.get("EncryptionType")), (200, &json!(shard_id), None));
        let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}");
        let (status, response) = call_json(&up, "PutRecords", &json!({ "StreamARN": arn, "Records": [record] }));
        assert_eq!((status, &response["Records"][0]["ShardId"]), (200, &json!(shard_id)), "{record}");
        assert_eq!((&response["FailedRecordCount"], response.get("EncryptionType")), (&json!(0), None));
    }
}

#[test]
fn an_invalid_record_is_refused_as_by_aws() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &[]);
    for (operation, input, code, message) in [
        (
            "PutRecord",
            json!({ "StreamName": "clicks", "PartitionKey": "a", "Data": "" }),
            "ResourceNotFoundException",
            "Stream clicks under account 000000000000 not found.",
        ),
        (
            "PutRecord",
            json!({ "StreamName": "orders", "Data": "" }),
            "ValidationException",
            "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null",
        ),
        (
            "PutRecord",
            json!({ "PartitionKey": "a", "Data": "" }),
            "InvalidArgumentException",
            "Either StreamName or StreamARN must be specified.",
        ),
        (
            "PutRecord",
            json!({ "StreamName": "orders", "PartitionKey": "a", "Data": "", "DryRun": true }),
            "DryRunOperationException",
            "The request was rejected because the DryRun parameter was specified.",
        ),
        (
            "SplitShard",
            json!({}),
            "InvalidArgumentException",
            "SplitShard is not supported by this local Kinesis: the shards of a stream stay those of its creation",
        ),
        (
            "GetShardIterator",
            json!({ "StreamName": "orders", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST" }),
            "InvalidArgumentException",
            "StreamName: orders is configured at the start of this process, and only its delivery stream reads it. Records of streams \
             that CreateStream creates can be read.",
        ),
    ] {
        let refusal = (400, json!({ "__type": code, "message": message }));
        assert_eq!(call_json(&up, operation, &input), refusal, "{operation}");
    }
    // From a page.
    let headers = "X-Amz-Target: Kinesis_20131202.PutRecord\r\nOrigin: http://127.0.0.1:8000\r\n";
    Connection::open(up.address("kinesis")).ask("POST", "/", headers, "{}").is(403);
    assert_eq!(view_of(&up, "orders")["accepted"], 0);
}

#[test]
fn firehose_describes_the_source_and_accepts_no_records() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &[]);
    let firehose = |operation: &str, input: Value| -> (u16, Value) {
        let response = up.call(operation, &input);
        (response.status, serde_json::from_str(&response.body).unwrap())
    };
    let not_permitted = (
        400,
        json!({
            "__type": "InvalidArgumentException",
            "message": "This operation is not permitted on KinesisStreamAsSource delivery stream type.",
        }),
    );
    let record = json!({ "Data": "aGk=" });
    let one = json!({ "DeliveryStreamName": "orders", "Record": record });
    assert_eq!(firehose("PutRecord", one), not_permitted);
    let several = json!({ "DeliveryStreamName": "orders", "Records": [record] });
    assert_eq!(firehose("PutRecordBatch", several), not_permitted);

    let (_, described) = firehose("DescribeDeliveryStream", json!({ "DeliveryStreamName": "orders" }));
    let described = &described["DeliveryStreamDescription"];
    assert_eq!(described["DeliveryStreamType"], "KinesisStreamAsSource");
    let source = &described["Source"]["KinesisStreamSourceDescription"];
    assert_eq!(source["KinesisStreamARN"], "arn:aws:kinesis:us-east-1:000000000000:stream/orders");
    for (input, names) in [
        (json!({}), &["clicks", "orders", "reviews"][..]),
        (json!({ "DeliveryStreamType": "DirectPut" }), &["clicks"]),
        (json!({ "DeliveryStreamType": "KinesisStreamAsSource" }), &["orders", "reviews"]),
    ] {
        assert_eq!(firehose("ListDeliveryStreams", input).1["DeliveryStreamNames"], json!(names));
    }
}

#[test]
fn a_shard_over_its_throughput_is_throttled_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none"]);
    // 5 MB at once for a shard with a throughput of 1 MB/s, and a record of the other shard among them.
    let large = json!({ "PartitionKey": "a", "Data": STANDARD.encode(vec![b'x'; 10_000]) });
    let mut records = vec![large; 499];
    records.push(json!({ "PartitionKey": "b", "Data": "aGk=" }));
    let (status, output) = call_json(&up, "PutRecords", &json!({ "StreamName": "orders", "Records": records }));
    let entries = output["Records"].as_array().unwrap();
    let refused: Vec<&Value> = entries.iter().filter(|entry| entry["ErrorCode"].is_string()).collect();
    assert_eq!((status, output["FailedRecordCount"].as_u64()), (200, Some(refused.len() as u64)));
    assert!(!refused.is_empty() && refused.len() < 499);
    let message = "Rate exceeded for shard shardId-000000000000 in stream orders under account 000000000000.";
    let expected = json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": message });
    assert!(refused.iter().all(|entry| **entry == expected));
    assert_eq!(entries[499]["ShardId"], "shardId-000000000001");

    // A call with a single record fails itself.
    let half = STANDARD.encode(vec![b'x'; 1_000_000]);
    let one = json!({ "StreamName": "orders", "PartitionKey": "a", "Data": half });
    let refusal = (0..50).map(|_| call_json(&up, "PutRecord", &one)).find(|(status, _)| *status != 200);
    let expected = json!({ "__type": "ProvisionedThroughputExceededException", "message": message });
    assert_eq!(refusal, Some((400, expected)));
    let (status, _) =
        call_json(&up, "PutRecord", &json!({ "StreamName": "reviews", "PartitionKey": "a", "Data": half }));
    assert_eq!(status, 200);
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn boto3_puts_each_record_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = start(folder.path(), STREAMS, &["--function", "none"]);
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make tools`", python.display());
    let mut client = Command::new(python);
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/kinesis_client.py"));
    client.args([up.address("kinesis"), "orders", "2", "3000"]);
    // Without AWS settings of this machine.
    client.env_clear().env("AWS_CONFIG_FILE", "/dev/null").stdin(Stdio::null());
    let output = client.output().unwrap();
    let output_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output_text}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["records"], 3001);
    assert_eq!(up.stop().code, Some(0));

    let delivered = objects(&folder.path().join("out/bucket/orders"));
    let mut numbers: Vec<u64> =
        delivered.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=3000).collect::<Vec<_>>());
}
