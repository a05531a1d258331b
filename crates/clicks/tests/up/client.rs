//! A real client, boto3, and what it gets to see when the stream takes no more.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::http::Connection;
use test_support::up::{STREAM, Up, batch};

use crate::contract::base64;

/// The smallest backlog that there is.
const BACKLOG: [&str; 4] = ["--backlog-mb", "8", "--concurrency", "1"];

/// Where the workspace is.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A client that puts one record, and then as many as are asked for.
fn client(up: &Up, records: usize) -> Command {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make tools`", python.display());
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/firehose_client.py"));
    command.args([up.firehose(), STREAM, &records.to_string()]);
    command.arg(Path::new(ROOT).join("fixtures/mysfits.json"));
    // Nobody's own settings of AWS.
    command.env_clear().env("AWS_CONFIG_FILE", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Who the client says it is, in each of its clicks, sorted.
fn users(records: usize) -> Vec<String> {
    let mut users: Vec<String> = (0..=records).map(|number| format!("client-{number}")).collect();
    users.sort();
    users
}

/// What a field of the delivered lines says, sorted, where they have it.
fn delivered(up: &Up, field: &str) -> Vec<String> {
    let lines = up.delivered();
    let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()[field].take());
    let mut values: Vec<String> = values.filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect();
    values.sort();
    values
}

/// A pipeline whose only function holds an event until it is released.
struct Held {
    up: Up,
    release: PathBuf,
    _folder: TempDir,
}

impl Held {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path().join("release");
        let env = format!("RELEASE={}", release.display());
        let up = Up::start_in(folder.path(), &[&BACKLOG[..], &["--env", &env]].concat());
        up.put(&[r#"{"do":"wait"}"#]);
        up.until(|view| view["in_lambda"]["records"] == 1);
        Self { up, release, _folder: folder }
    }

    fn release(&self) {
        fs::write(&self.release, "").unwrap();
    }

    /// Puts batches of records of this size until some are refused. Gives the names of those that were accepted, and of those
    /// that were not.
    fn fill(&self, records: usize, bytes: usize) -> (Vec<String>, Vec<String>) {
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        // Far more than there is room for.
        for number in 0..100 {
            let names: Vec<String> = (0..records).map(|record| format!("{bytes}-{number:03}-{record:03}")).collect();
            let clicks = names.iter().map(|name| {
                let click = json!({ "name": name }).to_string();
                " ".repeat(bytes - click.len()) + &click
            });
            let answer = self.up.call("PutRecordBatch", &batch(STREAM, &clicks.collect::<Vec<_>>()));
            answer.is(200);
            let output: Value = serde_json::from_str(&answer.body).unwrap();
            let entries = output["RequestResponses"].as_array().unwrap();
            assert_eq!(entries.len(), records);
            for (entry, name) in entries.iter().zip(names) {
                if entry["RecordId"].is_string() {
                    accepted.push(name);
                } else {
                    let busy = json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." });
                    assert_eq!(*entry, busy);
                    refused.push(name);
                }
            }
            assert_eq!(output["FailedPutCount"], refused.len());
            if !refused.is_empty() {
                return (accepted, refused);
            }
        }
        panic!("{} records of {bytes} bytes were accepted", accepted.len());
    }
}

#[test]
fn a_real_client_puts_each_record_once() {
    let up = Up::start(&[]);
    let output = client(&up, 1200).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["records"], &done["failed_put_count"]), (&json!(1201), &json!(0)));
    up.until_processed(1201);
    assert_eq!(delivered(&up, "userId"), users(1200));
    // The calls that failed put nothing in.
    assert_eq!((&up.snapshot()["accepted"], up.delivered().len(), up.errors().len()), (&json!(1201), 1201, 0));
}

/// A producer as AWS wants it to be: what was refused it puts again, and only that.
#[test]
fn a_real_client_puts_again_what_was_refused() {
    let held = Held::start();
    let up = &held.up;
    // After this, there is less room than the client's clicks need.
    let (before, _) = held.fill(10, 400_000);
    let mut client = client(up, 2000).spawn().unwrap();
    let mut stderr = BufReader::new(client.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    assert!(told.ends_with(" records were refused\n"), "{told}");
    held.release();
    stderr.read_to_string(&mut told).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{told}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(done["records"] == 2001 && done["failed_put_count"].as_u64() > Some(0), "{done}");
    up.until_processed(1 + before.len() as u64 + 2001);
    assert_eq!(delivered(up, "userId"), users(2000));
    assert_eq!(delivered(up, "name"), before);
}

#[test]
fn a_full_backlog_is_told_at_every_door_and_what_was_accepted_is_delivered() {
    let held = Held::start();
    let up = &held.up;
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    // A batch of which the last records are too many; and so on, until nothing fits.
    for (records, bytes) in [(10, 400_000), (100, 10_000), (500, 40)] {
        let (these, not_these) = held.fill(records, bytes);
        assert!(!these.is_empty());
        accepted.extend(these);
        refused.extend(not_these);
    }
    let click = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
    let one = json!({ "DeliveryStreamName": STREAM, "Record": { "Data": base64(click) } });
    let answer = up.call("PutRecord", &one);
    let busy = json!({ "__type": "ServiceUnavailableException", "message": "Slow down." });
    assert_eq!((answer.status, serde_json::from_str::<Value>(&answer.body).unwrap()), (500, busy), "{answer:?}");
    let put_click = || Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", click);
    let answer = put_click();
    assert_eq!((answer.status, answer.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#), "{answer:?}");
    assert_eq!(up.snapshot()["accepted"], 1 + accepted.len());

    held.release();
    up.until_processed(1 + accepted.len() as u64);
    // There is room again.
    up.call("PutRecord", &one).is(200);
    put_click().is(200);
    up.until_processed(1 + accepted.len() as u64 + 2);
    accepted.sort();
    let names = delivered(up, "name");
    assert!(names == accepted, "{} of {}", names.len(), accepted.len());
    assert!(refused.len() > 3 && up.errors().is_empty());
}
