//! Delivery to a local S3 server that refuses for a while, or is down.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;

use serde_json::json;
use test_support::s3::{Gate, S3};
use test_support::until_or;
use test_support::up::Up;

fn clicks(numbers: Range<usize>) -> Vec<String> {
    numbers.map(|n| json!({ "n": n }).to_string()).collect()
}

#[test]
fn objects_are_delivered_to_s3() {
    let s3 = S3::start(Gate::Open);
    let mut up = s3.up(&["--compression", "gzip", "--backup-prefix", "source/"]);
    let records = [clicks(0..3), vec![r#"{"do":"fail"}"#.to_owned()]].concat();
    up.put(&records);
    let end = up.stop();
    assert_eq!(
        end.stdout,
        "3 of 4 records delivered, 1 failed, none left\nmysfits-clicks: 4 accepted, 3 delivered, 0 dropped, 1 failed\n",
        "{}",
        end.stderr
    );
    assert_eq!(s3.objects("firehose"), (1, clicks(0..3)));
    assert_eq!(s3.objects("source"), (1, vec![records.concat()]));
    assert_eq!(s3.objects("errors/processing-failed").0, 1);
    assert!(!up.folder().join("out/bucket").exists());
}

#[test]
fn a_refused_object_is_retried_until_it_is_stored() {
    for gate in [Gate::Refuses, Gate::Forgets] {
        let s3 = S3::start(gate);
        let mut up = s3.up(&[]);
        up.put(&clicks(0..5));
        // More than once, while the stream accepts records.
        up.until(|view| view["storage_error"].is_string() && s3.met(gate) >= 2);
        up.put(&clicks(5..10));
        up.until(|view| view["waiting"]["records"] == 10);
        let view = up.snapshot();
        let error = view["storage_error"].as_str().unwrap();
        assert!(error.starts_with("could not write s3://clicks/firehose/"), "{error}");
        assert!(error.ends_with(": 503 Service Unavailable: SlowDown: Please reduce your request rate."), "{error}");
        assert_eq!((&view["accepted"], &view["delivered"], &view["objects"]), (&json!(10), &json!(0), &json!([])));

        // Reported once for all retries.
        assert_eq!(up.stderr().matches("retrying until it succeeds").count(), 1, "{}", up.stderr());

        s3.gate.send_replace(Gate::Open);
        up.until_processed(10);
        assert!(up.snapshot()["storage_error"].is_null());
        let end = up.stop();
        assert_eq!(
            end.stdout,
            "10 of 10 records delivered, none left\nmysfits-clicks: 10 accepted, 10 delivered, 0 dropped, 0 failed\n"
        );
        let (objects, mut delivered) = s3.objects("firehose");
        delivered.sort();
        assert_eq!((objects, delivered), (2, clicks(0..10)), "{gate:?}");
        assert!(end.stderr.contains("the storage accepts objects again"), "{}", end.stderr);
    }
}

#[test]
fn a_storage_that_hangs_and_stops_gets_each_object_after_its_restart() {
    let mut s3 = S3::start(Gate::Hangs);
    let mut up = s3.up(&[]);
    up.put(&clicks(0..5));
    up.until(|_| s3.met(Gate::Hangs) > 0);
    // During the request.
    s3.switch_off();
    up.until(|view| view["storage_error"].is_string());
    up.put(&clicks(5..10));
    up.until(|view| view["waiting"]["records"] == 10);
    s3.gate.send_replace(Gate::Open);
    s3.switch_on();
    assert_eq!(up.stop().code, Some(0));
    let (objects, mut delivered) = s3.objects("firehose");
    delivered.sort();
    assert_eq!((objects, delivered), (2, clicks(0..10)));
}

#[test]
fn a_stop_waits_for_the_storage() {
    let s3 = S3::start(Gate::Refuses);
    let mut up = s3.up(&["--destination-seconds", "900", "--stop-seconds", "3600"]);
    up.put(&clicks(0..3));
    up.until(|view| view["waiting"]["records"] == 3);
    assert_eq!(s3.met(Gate::Refuses), 0);
    up.signal("-TERM");
    // The page has stopped.
    until_or(|| s3.met(Gate::Refuses) >= 2, || up.stderr());
    s3.gate.send_replace(Gate::Open);
    let end = up.end();
    assert_eq!((end.code, s3.objects("firehose")), (Some(0), (1, clicks(0..3))));
}

#[test]
fn a_stop_does_not_wait_for_a_destination_that_has_accepted_nothing() {
    let s3 = S3::start(Gate::Refuses);
    let folder = tempfile::tempdir().unwrap();
    for (state, left) in [
        (&[][..], " and are lost (`--state DIR` would keep them)"),
        (&["--state", "state"], "; state keeps them for the next start"),
    ] {
        let mut up = Up::start_in(folder.path(), &[&s3.options()[..], &["--stop-seconds", "1"], state].concat());
        up.put(&clicks(0..3));
        up.until(|view| view["storage_error"].is_string());
        up.signal("-TERM");
        let end = up.end();
        let expected = format!(
            "mysfits-clicks: s3://clicks has accepted no object of this run; stopped after 1 s (`--stop-seconds`)\n\
             warning: 3 records were not flushed{left}\n"
        );
        assert!(end.stderr.ends_with(&expected), "{}", end.stderr);
        assert_eq!(
            (end.code, end.stdout.as_str()),
            (
                Some(1),
                "0 of 3 records delivered, 3 left\nmysfits-clicks: 3 accepted, 0 delivered, 0 dropped, 0 failed\n"
            )
        );
    }
    s3.gate.send_replace(Gate::Open);
    let mut up = Up::start_in(folder.path(), &[&s3.options()[..], &["--state", "state"]].concat());
    up.until_processed(3);
    assert_eq!((up.stop().code, s3.objects("firehose")), (Some(0), (1, clicks(0..3))));
}

#[test]
fn a_stop_waits_for_a_destination_that_has_accepted_an_object() {
    let s3 = S3::start(Gate::Open);
    let mut up = s3.up(&["--stop-seconds", "0"]);
    up.put(&clicks(0..1));
    up.until_processed(1);
    s3.gate.send_replace(Gate::Refuses);
    up.put(&clicks(1..2));
    up.signal("-TERM");
    until_or(|| s3.met(Gate::Refuses) >= 6, || up.stderr());
    s3.gate.send_replace(Gate::Open);
    let end = up.end();
    assert_eq!((end.code, s3.objects("firehose").1.len()), (Some(0), 2), "{}", end.stderr);
}

/// The first object is not due while the function has the records.
#[test]
fn a_stop_waits_for_a_destination_without_a_request() {
    let s3 = S3::start(Gate::Open);
    let release = tempfile::tempdir().unwrap();
    let file = release.path().join("release");
    let env = format!("RELEASE={}", file.display());
    let mut up = s3.up(&["--stop-seconds", "0", "--env", &env]);
    up.put(&[r#"{"do":"wait"}"#]);
    up.until(|view| view["in_function"]["records"] == 1);
    up.signal("-TERM");
    until_or(|| up.stderr().contains("flushing 1 record"), || up.stderr());
    fs::write(&file, "").unwrap();
    let end = up.end();
    assert_eq!((end.code, s3.objects("firehose").0), (Some(0), 1), "{}", end.stderr);
}

/// The first object may take longer than `--stop-seconds`.
#[test]
fn a_stop_waits_for_the_first_object() {
    let s3 = S3::start(Gate::Hangs);
    let mut up = s3.up(&["--stop-seconds", "0"]);
    up.put(&clicks(0..1));
    up.until(|_| s3.met(Gate::Hangs) > 0);
    up.signal("-TERM");
    until_or(|| up.stderr().contains("flushing 1 record"), || up.stderr());
    s3.gate.send_replace(Gate::Open);
    let end = up.end();
    assert_eq!((end.code, s3.objects("firehose").0), (Some(0), 1), "{}", end.stderr);
}

#[test]
fn without_records_an_unused_destination_is_no_error() {
    let mut up = Up::start(&["--stop-seconds", "0"]);
    assert_eq!(up.stop().code, Some(0));
}

#[test]
fn refused_objects_do_not_block_others() {
    let folder = tempfile::tempdir().unwrap();
    // A dangling link, as to a disk that is not mounted: writes below it fail.
    let bad = folder.path().join("out/bucket/bad");
    fs::create_dir_all(bad.parent().unwrap()).unwrap();
    symlink("missing", &bad).unwrap();
    let prefix = "!{partitionKeyFromLambda:a}/!{partitionKeyFromLambda:b}/";
    let mut up = Up::start_in(folder.path(), &["--dynamic-partitioning", "--prefix", prefix]);
    let click = |a: &str, b: usize| json!({ "do": "partition", "keys": { "a": a, "b": b.to_string() } }).to_string();
    // More than the concurrent uploads.
    up.put(&(0..40).map(|b| click("bad", b)).collect::<Vec<_>>());
    up.until(|view| !view["storage_error"].is_null());
    up.put(&[click("good", 0)]);
    up.until_processed(1);
    let view = up.snapshot();
    assert_eq!((&view["delivered"], view["storage_error"].is_null()), (&json!(1), false), "{view:#}");
    fs::remove_file(&bad).unwrap();
    up.until_processed(41);
    up.until(|view| view["storage_error"].is_null());
    let end = up.stop();
    // One report of the error, and one of the recovery.
    let count = |text: &str| end.stderr.matches(text).count();
    assert_eq!((count("retrying until it succeeds"), count("the storage accepts objects again")), (1, 1));
}
