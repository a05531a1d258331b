//! A disk that is full for a while: records that can't be stored are refused.

use std::fs;

use serde_json::{Value, json};
use test_support::up::{STREAM, Up, batch, command};
use test_support::without_file_signal;

/// A large record with a number.
fn record(number: usize) -> String {
    format!("{number} {}\n", "x".repeat(1000))
}

#[test]
fn a_state_recovers_from_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    // Accepted records stay in the state until the stop, so that it grows.
    let arguments =
        ["--state", "state", "--function", "none", "--destination-seconds", "900", "--destination-mb", "128"];
    let mut up = Up::run(folder.path(), without_file_signal(&command(folder.path(), &arguments)));

    let mut accepted: Vec<usize> = Vec::new();
    let mut next = 0;
    let mut put = |up: &Up| {
        let numbers: Vec<usize> = (next..next + 500).collect();
        next += 500;
        let records: Vec<String> = numbers.iter().map(|number| record(*number)).collect();
        let response = up.call("PutRecordBatch", &batch(STREAM, &records));
        let output: Value = serde_json::from_str(&response.body).unwrap();
        let all = response.status == 200 && output["FailedPutCount"] == 0;
        if all {
            accepted.extend(numbers);
        } else {
            assert_eq!((response.status, output), (500, json!({ "__type": "InternalFailure" })), "{response:?}");
        }
        all
    };
    assert!(put(&up));
    let size = fs::metadata(folder.path().join("state").join(format!("{STREAM}.redb"))).unwrap().len();
    up.limit_files(Some(size));
    assert!((0..200).any(|_| !put(&up)), "the state did not grow");
    up.limit_files(None);
    assert!((0..200).any(|_| put(&up)), "{}", up.stderr());
    assert!(put(&up));

    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let state = format!("state/{STREAM}.redb");
    assert!(end.stderr.contains(&format!("{state} (`--state`) cannot be written: ")), "{}", end.stderr);
    assert!(end.stderr.contains(&format!("{state} can be written again\n")), "{}", end.stderr);
    let mut delivered: Vec<usize> =
        up.delivered().iter().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
    delivered.sort_unstable();
    assert_eq!(delivered, accepted);

    // Delivered records are removed from the disk.
    let mut up = Up::start_in(folder.path(), &arguments);
    assert_eq!(
        up.stop().stdout,
        format!("no record accepted\n{STREAM}: 0 accepted, 0 delivered, 0 dropped, 0 failed\n")
    );
}
