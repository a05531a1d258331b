//! Streams that a caller creates in a running pipeline.

use std::process::Stdio;

use serde_json::{Value, json};
use test_support::http::{Connection, Response};
use test_support::up::{STREAM, Up, command, snapshot};
use test_support::{files, stand_in, until};

use crate::data_streams::{STREAMS, start};

/// The input that creates the stream `a`.
fn created() -> Value {
    let destination = json!({
        "RoleARN": "arn:aws:iam::123456789012:role/firehose", "BucketARN": "arn:aws:s3:::created",
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
    });
    json!({ "DeliveryStreamName": "a", "ExtendedS3DestinationConfiguration": destination })
}

#[test]
fn a_created_stream_delivers_and_is_shown() {
    let up = Up::start(&[]);
    up.call("CreateDeliveryStream", &created()).is(200);
    up.put_into("a", &["record"]);
    // Behind the configured stream, whatever their names are.
    until(|| snapshot(up.page(), 1)["delivered"] == 1);
    assert_eq!(snapshot(up.page(), 1)["stream"], "a");
    // Beside the bucket of the configured stream, not in it.
    assert_eq!(files::objects(&up.folder().join("out/buckets/created")), "record");
    let names = up.call("ListDeliveryStreams", &json!({})).json();
    assert_eq!(names["DeliveryStreamNames"], json!(["a", STREAM]));
}

#[test]
fn a_function_of_the_file_is_that_of_configured_and_created_streams() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[streams.{STREAM}]\nfunction = 'named'\n\
         [functions.named]\ncommand = '{}'\nenv = {{ MARK = 'own' }}\nmemory-mb = 256\n",
        stand_in()
    );
    let up = start(folder.path(), &config, &[]);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:named";
    let parameters = [("LambdaArn", arn), ("BufferSizeInMBs", "1"), ("BufferIntervalInSeconds", "0")];
    let parameters = parameters.map(|(name, value)| json!({ "ParameterName": name, "ParameterValue": value }));
    let mut input = created();
    input["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"] =
        json!({ "Enabled": true, "Processors": [{ "Type": "Lambda", "Parameters": parameters }] });
    up.call("CreateDeliveryStream", &input).is(200);
    let log = || up.log().lines().filter_map(|line| line.strip_prefix("saw ")).map(str::to_owned).collect::<Vec<_>>();
    // One after the other, so that the log has this order. Only a configured stream adds the address of the service.
    for (count, stream, has_service) in [(1, STREAM, true), (2, "a", false)] {
        up.put_into(stream, &[r#"{"do":"log"}"#]);
        until(|| log().len() == count);
        let seen: Value = serde_json::from_str(&log()[count - 1]).unwrap();
        let env = |name: &str| seen["env"][name].as_str();
        assert_eq!((env("AWS_LAMBDA_FUNCTION_NAME"), seen["function_arn"].as_str()), (Some("named"), Some(arn)));
        assert_eq!((env("MARK"), env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")), (Some("own"), Some("256")), "{stream}");
        assert_eq!(env("MYSFITS_API_URL").is_some(), has_service, "{stream}");
    }
}

#[test]
fn a_configured_stream_and_a_created_one_have_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start_in(folder.path(), &["--state", "state"]);
    up.call("CreateDeliveryStream", &created()).is(200);
    let headers = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.CreateStream\r\n";
    Connection::open(up.firehose()).ask("POST", "/", headers, r#"{"StreamName":"d","ShardCount":1}"#).is(200);
    assert_eq!(up.stop().code, Some(0));
    for (name, source) in [("a", "direct-put"), ("d", "kinesis")] {
        let mut command = command(folder.path(), &["--state", "state", "--stream", name, "--source", source]);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: the stream {name} is configured, and the folder of `--state`");
        assert!(stderr.starts_with(&expected), "{stderr}");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }

    // A stream that is not configured any more leaves its records.
    let up = Up::start_in(folder.path(), &["--state", "state", "--stream", "b"]);
    let mut left = created();
    left["DeliveryStreamName"] = json!(STREAM);
    let response = up.call("CreateDeliveryStream", &left);
    assert_eq!((response.status, &response.json()["__type"]), (400, &json!("ResourceInUseException")));
}

#[test]
fn a_configured_stream_is_tagged_and_not_changed() {
    let up = Up::start(&[]);
    let name = json!({ "DeliveryStreamName": STREAM });
    let mut tags = name.clone();
    tags["Tags"] = json!([{ "Key": "a", "Value": "1" }]);
    up.call("TagDeliveryStream", &tags).is(200);
    assert_eq!(up.call("ListTagsForDeliveryStream", &name).json()["Tags"], tags["Tags"]);
    let mut update = name.clone();
    update["CurrentDeliveryStreamVersionId"] = json!("1");
    update["DestinationId"] = json!("destinationId-000000000001");
    update["ExtendedS3DestinationUpdate"] = json!({});
    for (operation, input) in [("DeleteDeliveryStream", &name), ("UpdateDestination", &update)] {
        let response = up.call(operation, input);
        assert_eq!(
            (response.status, &response.json()["__type"]),
            (400, &json!("ResourceInUseException")),
            "{operation}"
        );
    }
    up.put(&["{}"]);
    up.until_processed(1);
}

/// Calls an operation of either API.
fn ask(address: &str, target: &str, input: &Value) -> Response {
    let headers = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {target}\r\n");
    Connection::open(address).ask("POST", "/", &headers, &input.to_string())
}

#[test]
fn a_created_data_stream_has_a_bounded_memory_and_begins_again_without_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start_in(folder.path(), &["--state", "state", "--retention-mb", "1"]);
    let kinesis = |operation: &str, input: Value| ask(up.firehose(), &format!("Kinesis_20131202.{operation}"), &input);
    kinesis("CreateStream", json!({ "StreamName": "d" })).is(200);
    // Two are more than the memory, and less than the rate of a shard.
    let record = json!({ "PartitionKey": "k", "Data": "AAAA".repeat(150_000) });
    let put = kinesis("PutRecords", json!({ "StreamName": "d", "Records": [record, record] })).json();
    let refused = put["Records"][1]["ErrorMessage"].as_str().unwrap();
    assert!(put["FailedRecordCount"] == 1 && refused.contains("--retention-mb"), "{put}");
    assert_eq!(up.stop().code, Some(0));
    let up = Up::start_in(folder.path(), &["--state", "state"]);
    let reported =
        "the data stream d begins without records: state (`--state`) has only those that delivery streams have read\n";
    assert!(up.stderr().contains(reported), "{}", up.stderr());
}

#[test]
fn both_ports_serve_both_apis() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &["--function", "none"]);
    for port in [up.firehose(), up.address("kinesis")] {
        for (target, member) in [
            ("Firehose_20150804.ListDeliveryStreams", "DeliveryStreamNames"),
            ("Kinesis_20131202.ListStreams", "StreamNames"),
        ] {
            let response = ask(port, target, &json!({}));
            assert!(response.status == 200 && response.json()[member].is_array(), "{port}: {response:?}");
        }
    }
}
