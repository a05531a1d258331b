//! A real client, boto3, also with a full backlog.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::http::Connection;
use test_support::up::{STREAM, Up, batch};

use crate::contract::base64;

/// The smallest backlog.
const BACKLOG: [&str; 4] = ["--backlog-mb", "8", "--concurrency", "1"];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A client that puts one record, and then this many.
fn client(up: &Up, records: usize) -> Command {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make tools`", python.display());
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/firehose_client.py"));
    command.args([up.firehose(), STREAM, &records.to_string()]);
    command.arg(Path::new(ROOT).join("fixtures/mysfits.json"));
    // Without AWS settings of this machine.
    command.env_clear().env("AWS_CONFIG_FILE", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The user of each click of the client, sorted.
fn users(records: usize) -> Vec<String> {
    let mut users: Vec<String> = (0..=records).map(|number| format!("client-{number}")).collect();
    users.sort();
    users
}

/// The values of a field in the delivered lines, sorted.
fn delivered(up: &Up, field: &str) -> Vec<String> {
    let lines = up.delivered();
    let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()[field].take());
    let mut values: Vec<String> = values.filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect();
    values.sort();
    values
}

/// A pipeline whose only function waits with an event until it is released.
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
        up.until(|view| view["in_function"]["records"] == 1);
        Self { up, release, _folder: folder }
    }

    fn release(&self) {
        fs::write(&self.release, "").unwrap();
    }

    /// Puts batches of records of this size until some are refused. Returns the names of the accepted and of the refused records.
    fn fill(&self, records: usize, bytes: usize) -> (Vec<String>, Vec<String>) {
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        // Far more than the backlog.
        for number in 0..100 {
            let names: Vec<String> = (0..records).map(|record| format!("{bytes}-{number:03}-{record:03}")).collect();
            let clicks = names.iter().map(|name| {
                let click = json!({ "name": name }).to_string();
                " ".repeat(bytes - click.len()) + &click
            });
            let response = self.up.call("PutRecordBatch", &batch(STREAM, &clicks.collect::<Vec<_>>()));
            response.is(200);
            let output: Value = serde_json::from_str(&response.body).unwrap();
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
fn boto3_puts_each_record_once() {
    let up = Up::start(&[]);
    let output = client(&up, 1200).output().unwrap();
    let stderr_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr_text.is_empty(), "{stderr_text}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["records"], &done["failed_put_count"]), (&json!(1201), &json!(0)));
    up.until_processed(1201);
    assert_eq!(delivered(&up, "userId"), users(1200));
    // Failed calls have put nothing.
    assert_eq!((&up.snapshot()["accepted"], up.delivered().len(), up.errors().len()), (&json!(1201), 1201, 0));
}

/// A producer as AWS documents it: it retries refused records only.
#[test]
fn boto3_retries_refused_records() {
    let held = Held::start();
    let up = &held.up;
    // After this, the backlog has less space than the client's clicks need.
    let (before, _) = held.fill(10, 400_000);
    let mut client = client(up, 2000).spawn().unwrap();
    let mut stderr = BufReader::new(client.stderr.take().unwrap());
    let mut stderr_text = String::new();
    stderr.read_line(&mut stderr_text).unwrap();
    assert!(stderr_text.ends_with(" records were refused\n"), "{stderr_text}");
    held.release();
    stderr.read_to_string(&mut stderr_text).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{stderr_text}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(done["records"] == 2001 && done["failed_put_count"].as_u64() > Some(0), "{done}");
    up.until_processed(1 + before.len() as u64 + 2001);
    assert_eq!(delivered(up, "userId"), users(2000));
    assert_eq!(delivered(up, "name"), before);
}

#[test]
fn a_full_backlog_refuses_records_on_every_path_and_delivers_the_accepted() {
    let mut held = Held::start();
    let up = &held.up;
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    // Batches whose last records are refused, until nothing fits.
    for (records, bytes) in [(10, 400_000), (100, 10_000), (500, 40)] {
        let (these, not_these) = held.fill(records, bytes);
        assert!(!these.is_empty());
        accepted.extend(these);
        refused.extend(not_these);
    }
    let click = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
    let one = json!({ "DeliveryStreamName": STREAM, "Record": { "Data": base64(click) } });
    let response = up.call("PutRecord", &one);
    let busy = json!({ "__type": "ServiceUnavailableException", "message": "Slow down." });
    assert_eq!((response.status, serde_json::from_str::<Value>(&response.body).unwrap()), (500, busy), "{response:?}");
    let put_click = || Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", click);
    let response = put_click();
    assert_eq!((response.status, response.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#), "{response:?}");
    let view = up.snapshot();
    // With PutRecord and the click.
    let all_refused = refused.len() + 2;
    assert_eq!((&view["accepted"], &view["refused"]), (&json!(1 + accepted.len()), &json!(all_refused)));
    assert_eq!(view["refused_by_reason"], json!({ "backlog": all_refused }));
    let metrics = Connection::open(up.page()).get("/metrics", "localhost").body;
    let expected = format!("firehose_records_refused_total{{stream=\"{STREAM}\",reason=\"backlog\"}} {all_refused}\n");
    assert!(metrics.contains(&expected), "{metrics}");

    held.release();
    up.until_processed(1 + accepted.len() as u64);
    // The backlog has space again.
    up.call("PutRecord", &one).is(200);
    put_click().is(200);
    up.until_processed(1 + accepted.len() as u64 + 2);
    accepted.sort();
    let names = delivered(up, "name");
    assert!(names == accepted, "{} of {}", names.len(), accepted.len());
    assert!(refused.len() > 3 && up.errors().is_empty());
    let stderr = held.up.stop().stderr;
    let reported = stderr.lines().filter_map(|line| line.strip_prefix("warning: mysfits-clicks: refused records: "));
    let reported = reported.map(|line| line.strip_suffix(" (the backlog is full: `--backlog-mb`)").unwrap());
    assert_eq!(reported.map(|records| records.parse::<usize>().unwrap()).sum::<usize>(), all_refused, "{stderr}");
}
