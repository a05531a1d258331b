//! Data streams that Python clients create and read, by themselves and through delivery streams.

use std::fs;
use std::path::Path;

use serde_json::json;
use test_support::{limit_files, stand_in, until, without_file_signal};

use crate::harness::{Serve, command, run_client};

fn start(folder: &Path, more: &[&str]) -> Serve {
    let arguments = ["--destination", "buckets", "--function-log", "function.log", "--retention-mb", "2"];
    Serve::start(folder, &[&arguments[..], more].concat())
}

/// Runs the checks of `data_streams_client.py`.
#[track_caller]
fn check(serve: &Serve, folder: &Path, what: &str) {
    let buckets = folder.join("buckets");
    run_client("data_streams_client.py", &[serve.endpoint.as_ref(), buckets.as_ref(), what.as_ref()]);
}

#[test]
fn boto3_creates_and_reads_data_streams() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = start(folder.path(), &[]);
    check(&serve, folder.path(), "all");
    serve.signal("-TERM");
    let end = serve.end();
    assert_eq!((end.code, end.stdout.as_str()), (Some(0), ""), "{}", end.stderr);
}

#[test]
fn aggregated_records_reach_the_function_as_user_records() {
    for state in [&[][..], &["--state", "state"]] {
        let folder = tempfile::tempdir().unwrap();
        let function = format!("stand-in={}", stand_in());
        let mut serve = start(folder.path(), &[&["--function-map", function.as_str()][..], state].concat());
        let (buckets, log) = (folder.path().join("buckets"), folder.path().join("function.log"));
        run_client("kpl_client.py", &[serve.endpoint.as_ref(), buckets.as_ref(), log.as_ref()]);
        serve.signal("-TERM");
        let end = serve.end();
        // Of two such records.
        let reports = end.stderr.matches("kpl-reader: an aggregated record has more than 500 user records").count();
        assert_eq!((end.code, reports), (Some(0), 1), "{}", end.stderr);
    }
}

/// As the AWS SDK for Java calls it.
#[test]
fn kinesis_is_called_with_cbor() {
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &[]);
    run_client("cbor_client.py", &[serve.endpoint.as_ref()]);
}

#[test]
fn data_streams_survive_a_kill_without_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = start(folder.path(), &["--state", "state"]);
    check(&serve, folder.path(), "left");
    serve.signal("-KILL");
    let end = serve.end();
    assert!(end.code.is_none() && !end.stderr.contains("without records"), "{}", end.stderr);
    let mut serve = start(folder.path(), &["--state", "state"]);
    check(&serve, folder.path(), "found");
    serve.signal("-TERM");
    let end = serve.end();
    let reported = "the data stream left begins without records: state (`--state`) has only those that delivery streams have read\n";
    assert!(end.code == Some(0) && end.stderr.contains(reported), "{}", end.stderr);
}

/// A delivery stream whose state cannot grow reads nothing more.
#[test]
fn a_stop_reports_records_that_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--destination", "buckets", "--function-log", "function.log", "--state", "state"];
    let mut serve = Serve::run(folder.path(), without_file_signal(&command(folder.path(), &arguments)));
    serve.call("Kinesis_20131202.CreateStream", &json!({ "StreamName": "d", "ShardCount": 8 })).is(200);
    let role = "arn:aws:iam::123456789012:role/firehose";
    let create = json!({
        "DeliveryStreamName": "s",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/d", "RoleARN": role,
        },
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": role, "BucketARN": "arn:aws:s3:::bucket",
            "BufferingHints": { "SizeInMBs": 128, "IntervalInSeconds": 900 },
        },
    });
    serve.call("Firehose_20150804.CreateDeliveryStream", &create).is(200);
    let size = fs::metadata(folder.path().join("state/s.redb")).unwrap().len();
    limit_files(serve.process(), Some(size));
    for shard in 0..8_u128 {
        let hash_key = (shard << 125).to_string();
        let data = "A".repeat(1_200_000);
        let record = json!({ "StreamName": "d", "Data": data, "PartitionKey": "k", "ExplicitHashKey": hash_key });
        serve.call("Kinesis_20131202.PutRecord", &record).is(200);
    }
    until(|| fs::read_to_string(folder.path().join("stderr")).unwrap().contains(" cannot be written: "));
    serve.signal("-TERM");
    let end = serve.end();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    for expected in [
        "flushing ",
        "s: the data stream d: ",
        " lost: `--state` cannot be written\n",
        " of the data stream d not read: lost\n",
    ] {
        assert!(end.stderr.contains(expected), "{expected}: {}", end.stderr);
    }
}
