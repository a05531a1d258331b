//! Delivery streams that boto3 creates.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use test_support::files::objects;
use test_support::{stand_in, until};

use crate::harness::{Serve, run_client};

/// Starts it with buckets as folders in `buckets`, and with the stand-in function.
fn start(folder: &Path, more: &[&str]) -> Serve {
    let function = format!("stand-in={}", stand_in());
    let arguments = ["--destination", "buckets", "--function-map", &function, "--function-log", "function.log"];
    Serve::start(folder, &[&arguments[..], more].concat())
}

/// Runs the checks of `control_client.py`.
#[track_caller]
fn check(serve: &Serve, folder: &Path, what: &[&str]) {
    let (buckets, log) = (folder.join("buckets"), folder.join("function.log"));
    let paths: [&OsStr; 3] = [serve.endpoint.as_ref(), buckets.as_ref(), log.as_ref()];
    let arguments: Vec<&OsStr> = paths.into_iter().chain(what.iter().map(OsStr::new)).collect();
    run_client("control_client.py", &arguments);
}

#[test]
fn boto3_manages_streams() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = start(folder.path(), &[]);
    check(&serve, folder.path(), &[]);
    serve.signal("-TERM");
    let end = serve.end();
    assert_eq!((end.code, end.stdout.as_str()), (Some(0), ""), "{}", end.stderr);
}

#[test]
fn boto3_manages_streams_with_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &["--state", "state"]);
    check(&serve, folder.path(), &[]);
}

#[test]
fn streams_tags_and_records_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = start(folder.path(), &["--state", "state"]);
    check(&serve, folder.path(), &["left"]);
    serve.signal("-KILL");
    assert_eq!(serve.end().code, None);
    let serve = start(folder.path(), &["--state", "state"]);
    check(&serve, folder.path(), &["found"]);
}

const ROLE: &str = "arn:aws:iam::123456789012:role/firehose";

/// A stream that waits longer than a test for its records.
fn create(serve: &Serve, more: &[(&str, Value)]) {
    let mut destination = json!({
        "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket",
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 900 },
    });
    for (member, value) in more {
        destination[member] = value.clone();
    }
    let input = json!({ "DeliveryStreamName": "s", "ExtendedS3DestinationConfiguration": destination });
    let created = serve.call("Firehose_20150804.CreateDeliveryStream", &input).json();
    assert_eq!(created, json!({ "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/s" }));
}

fn put(serve: &Serve) {
    let record = json!({ "DeliveryStreamName": "s", "Record": { "Data": "YQ==" } });
    let put: Value = serve.call("Firehose_20150804.PutRecord", &record).json();
    assert!(put["RecordId"].is_string(), "{put}");
}

#[test]
fn a_deletion_that_a_kill_interrupts_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("buckets/bucket");
    let name = json!({ "DeliveryStreamName": "s" });
    let mut serve = start(folder.path(), &["--state", "state"]);
    create(&serve, &[]);
    put(&serve);
    // So the storage refuses the record.
    fs::remove_dir(&bucket).unwrap();
    fs::write(&bucket, "").unwrap();
    serve.call("Firehose_20150804.DeleteDeliveryStream", &name).is(200);
    let described = serve.call("Firehose_20150804.DescribeDeliveryStream", &name).json();
    assert_eq!(described["DeliveryStreamDescription"]["DeliveryStreamStatus"], "DELETING", "{described}");
    serve.signal("-KILL");
    serve.end();

    fs::remove_file(&bucket).unwrap();
    let serve = start(folder.path(), &["--state", "state"]);
    until(|| serve.call("Firehose_20150804.DescribeDeliveryStream", &name).status == 400);
    assert_eq!(objects(&bucket), "a");
    assert!(!folder.path().join("state/s.redb").exists());
}

#[test]
fn a_stop_flushes_created_streams() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = start(folder.path(), &[]);
    create(&serve, &[]);
    put(&serve);
    serve.signal("-TERM");
    let end = serve.end();
    assert_eq!(
        (end.code, end.stdout.as_str()),
        (Some(0), "1 of 1 record delivered, none left\ns: 1 accepted, 1 delivered, 0 dropped, 0 failed\n")
    );
    assert_eq!(objects(&folder.path().join("buckets/bucket")), "a");
}

/// Takes the least time for the first object of a run.
#[test]
fn a_stop_does_not_wait_for_a_bucket_that_accepts_nothing() {
    for (refusing, more) in [("bucket", vec![]), ("backup", vec![("S3BackupMode", json!("Enabled"))])] {
        let folder = tempfile::tempdir().unwrap();
        let mut serve = start(folder.path(), &["--stop-seconds", "1"]);
        let backup = json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup" });
        create(&serve, &[&more[..], &[("S3BackupConfiguration", backup)]].concat());
        let path = folder.path().join("buckets").join(refusing);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        put(&serve);
        serve.signal("-TERM");
        let end = serve.end();
        assert_eq!(end.code, Some(1), "{}", end.stderr);
        let bucket = if refusing == "backup" { "the bucket of the source backup" } else { "buckets/bucket" };
        let reason = format!("s: {bucket} has accepted no object of this run; stopped after 1 s (`--stop-seconds`)");
        assert!(end.stderr.contains(&reason), "{}", end.stderr);
    }
}

#[test]
fn a_state_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _serve = start(folder.path(), &["--state", "state"]);
    let output = crate::harness::command(folder.path(), &["--state", "state"]).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "error: state/streams.lock is in use by another process: name another folder with `--state DIR`\n";
    assert_eq!((output.status.code(), stderr.as_str()), (Some(1), expected));
}
