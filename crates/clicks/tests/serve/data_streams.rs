//! Data streams that Python clients create and read, by themselves and through delivery streams.

use std::path::Path;

use test_support::stand_in;

use crate::harness::{Serve, run_client};

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
        let serve = start(folder.path(), &[&["--function-map", function.as_str()][..], state].concat());
        let (buckets, log) = (folder.path().join("buckets"), folder.path().join("function.log"));
        run_client("kpl_client.py", &[serve.endpoint.as_ref(), buckets.as_ref(), log.as_ref()]);
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
