//! The latest records: search, one record with its reason and its place in an object, and `clicks tap`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::clicks_command;
use test_support::exit::Exit;
use test_support::http::{Connection, Response};
use test_support::up::{PROCESSOR, STREAM, Up};

use crate::data_streams::{self, STREAMS};

const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
const UNKNOWN: &str = r#"{"userId":"guest","mysfitId":"00000000-0000-4000-8000-000000000000"}"#;

fn get(up: &Up, path: &str) -> Response {
    Connection::open(up.page()).get(path, "localhost")
}

/// The records of the first stream that a query finds.
fn find(up: &Up, query: &str) -> Vec<Value> {
    let page = get(up, &format!("/pipeline/records?stream={STREAM}&limit=200{query}")).json();
    page["records"].as_array().unwrap_or_else(|| panic!("{page}")).clone()
}

fn show(up: &Up, row: &Value) -> Value {
    get(up, &format!("/pipeline/record?stream={STREAM}&id={}", row["id"].as_str().unwrap())).json()
}

fn path_of(record: &Value) -> String {
    record["object"]["path"].as_str().unwrap().to_owned()
}

#[test]
fn each_failed_record_of_a_large_batch_has_its_reason_or_the_counts_of_its_invocation() {
    let up = Up::start(&[PROCESSOR, "--buffer-seconds", "1"]);
    up.put(&[&[CLICK; 60][..], &[UNKNOWN; 30]].concat());
    up.until_processed(90);

    let failed = find(&up, "&outcome=failed");
    assert_eq!(failed.len(), 30);
    let logged: Vec<&Value> = failed.iter().filter(|row| row["reason"] == "unknown_key").collect();
    assert_eq!(logged.len(), 20, "the processor logs the first twenty");
    assert_eq!(find(&up, "&reason=UNKNOWN_K").len(), 20);
    let record = show(&up, logged[0]);
    assert_eq!(record["code"], "Lambda.ProcessingFailedStatus");
    let line: Value = serde_json::from_str(record["log"][0].as_str().unwrap()).unwrap();
    assert_eq!((&line["record_id"], &line["reason"]), (&record["id"], &json!("unknown_key")));
    assert_eq!(record["data"]["text"], UNKNOWN);

    // The newest is the last of the batch, which is not logged.
    let record = show(&up, &failed[0]);
    assert_eq!((&record["reason"], &record["log"]), (&json!(null), &json!([])));
    let batch = &record["batch"];
    assert_eq!((&batch["records"], &batch["position"]), (&json!(90), &json!(89)));
    let attempt = &batch["attempts"][0];
    assert_eq!((&attempt["failed"], &attempt["failed_by_reason"]), (&json!(30), &json!({ "unknown_key": 30 })));
    assert_eq!(find(&up, &format!("&batch={}", batch["batch"])).len(), 90);
    assert!(path_of(&record).starts_with("errors/"), "{record}");
}

#[test]
fn a_record_is_found_in_its_object() {
    let up = Up::start(&["--buffer-seconds", "1", "--destination-seconds", "1"]);
    let texts: Vec<String> =
        (0..50).map(|number| json!({ "n": number, "é": "é".repeat(number) }).to_string()).collect();
    up.put(&texts);
    up.until_processed(50);
    let delivered = find(&up, "&outcome=delivered");
    assert_eq!(delivered.len(), 50);
    for row in &delivered {
        let record = show(&up, row);
        let object = &record["object"];
        let [offset, bytes] =
            ["offset", "bytes"].map(|field| usize::try_from(object[field].as_u64().unwrap()).unwrap());
        let stored = fs::read(up.folder().join("out/bucket").join(path_of(&record))).unwrap();
        assert_eq!(stored[offset..offset + bytes], *record["output"]["text"].as_str().unwrap().as_bytes());
        assert_eq!(record["output"]["text"].as_str().unwrap().trim_end(), record["data"]["text"]);
    }
    assert_eq!(find(&up, "&text=%22N%22:7,").len(), 1);
}

#[test]
fn an_exception_and_the_functions_log_stand_at_its_invocation() {
    let up = Up::start(&["--retries", "2"]);
    up.put(&[r#"{"do":"error"}"#]);
    up.until_processed(1);
    let record = show(&up, &find(&up, "&outcome=failed")[0]);
    assert_eq!(
        (&record["reason"], &record["error"]),
        (&json!(null), &json!(r"ServiceUnavailable: the service\n\u{1b}[31mis down"))
    );
    let attempts = record["batch"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt["attempt"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    for attempt in attempts {
        assert_eq!((&attempt["outcome"], &attempt["error"]["type"]), (&json!("error"), &json!("ServiceUnavailable")));
        let log = attempt["log"].as_array().unwrap();
        assert!(log.iter().any(|line| line.as_str().unwrap().starts_with("event ")), "{log:?}");
    }
    let invocation = &up.snapshot()["invocations"][0];
    assert_eq!(invocation["error"]["message"], r"the service\n\u{1b}[31mis down");
    assert_eq!(invocation["batch"], record["batch"]["batch"]);
    assert!(!invocation["log"].as_array().unwrap().is_empty());
}

#[test]
fn a_batch_in_flight_is_in_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    let up = Up::start(&["--env", &format!("RELEASE={}", release.display())]);
    up.put(&[r#"{"do":"wait"}"#]);
    up.until(|snapshot| snapshot["in_flight"][0]["records"] == 1);
    assert_eq!(find(&up, "&outcome=in_function").len(), 1);
    fs::write(release, "").unwrap();
    up.until_processed(1);
    up.until(|snapshot| snapshot["in_flight"] == json!([]));
}

#[test]
fn wrong_queries_are_refused() {
    let up = Up::start(&[]);
    let stream = format!("stream={STREAM}");
    for (path, status, message) in [
        ("records".to_owned(), 400, "missing field `stream`"),
        ("records?stream=none".to_owned(), 404, "unknown stream"),
        (format!("records?{stream}&limit=0"), 400, "found the limit 0; accepted is 1 to 200"),
        (format!("records?{stream}&limit=201"), 400, "found the limit 201; accepted is 1 to 200"),
        (format!("records?{stream}&outcome=lost"), 400, "unknown variant `lost`, expected one of `buffered`"),
        (format!("records?{stream}&from=yesterday"), 400, "from: invalid digit"),
        (format!("records?{stream}&color=red"), 400, "unknown field `color`"),
        (format!("record?{stream}"), 400, "accepted are the parameters stream and id"),
        (format!("record?{stream}&id=7"), 404, "this record is unknown, or no longer kept"),
        ("record?stream=none&id=7".to_owned(), 404, "unknown stream"),
        ("tap?stream=none".to_owned(), 404, "unknown stream"),
        ("tap?which=all".to_owned(), 400, "unknown variant `all`"),
        ("events?stream=a&stream=b".to_owned(), 400, "accepted is the parameter stream, at most once"),
    ] {
        let response = get(&up, &format!("/pipeline/{path}"));
        assert_eq!(response.status, status, "{path}");
        assert!(response.body.contains(message), "{path}: {}", response.body);
    }
}

#[test]
fn without_memory_for_records_the_pipeline_works() {
    let up = Up::start(&["--recent-records-mb", "0"]);
    up.put(&["{}", r#"{"do":"fail"}"#]);
    up.until_processed(2);
    assert_eq!(find(&up, ""), Vec::<Value>::new());
    let tap = tap(&up, &[]);
    tap.refuses(1, "no records are kept; `--recent-records-mb` is 0");
}

/// Runs `clicks tap` to its end.
fn tap(up: &Up, arguments: &[&str]) -> Exit {
    let mut command = clicks_command();
    command.args(["tap", "--url", up.page()]).args(arguments).env("TZ", "UTC");
    Exit::of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_tap_prints_records_as_they_are_put_returned_and_failed() {
    let mut up = Up::start(&[]);
    let start = |arguments: &[&str]| {
        let mut command = clicks_command();
        command.args(["tap", "--url", up.page()]).args(arguments).env("TZ", "UTC").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut taps =
        [&["--in"][..], &[STREAM, "--out"], &["--failed"], &["--grep", "SECOND"], &["--out", "--json"]].map(start);
    let mut readers: Vec<BufReader<ChildStdout>> =
        taps.iter_mut().map(|tap| BufReader::new(tap.stdout.take().unwrap())).collect();
    // A tap has the records after its start, so some are put until each tap has one.
    let done = AtomicBool::new(false);
    let lines: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                up.put(&["{}", r#"{"second":1}"#, r#"{"do":"fail"}"#]);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let lines = readers.iter_mut().map(|reader| {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line
        });
        let lines = lines.collect();
        done.store(true, Ordering::Relaxed);
        lines
    });
    let text = |index: usize| lines[index].split_once(' ').unwrap().1.to_owned();
    for index in [0, 1] {
        assert!(text(index).starts_with(&format!("{STREAM} {{")), "{lines:?}");
    }
    assert_eq!(text(2), format!("{STREAM} Lambda.ProcessingFailedStatus: {{\"do\":\"fail\"}}\n"));
    assert_eq!(text(3), format!("{STREAM} {{\"second\":1}}\n"));
    let record: Value = serde_json::from_str(&lines[4]).unwrap();
    assert_eq!((&record["stream"], &record["data"]["truncated"]), (&json!(STREAM), &json!(false)));

    // The rest of a tap has each record once, in its order.
    let rest = |reader: &mut BufReader<ChildStdout>| {
        let mut texts: Vec<u64> = Vec::new();
        while texts.last() != Some(&499) {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the last one was {:?}", texts.last());
            texts.extend(
                line.split_once("{\"n\":").map(|(_, number)| number.trim_end_matches("}\n").parse::<u64>().unwrap()),
            );
        }
        texts
    };
    let numbered: Vec<String> = (0..500).map(|number| json!({ "n": number }).to_string()).collect();
    up.put(&numbered);
    for reader in &mut readers[..2] {
        assert_eq!(rest(reader), (0..500).collect::<Vec<_>>());
    }

    // The end of the pipeline is theirs. Each is read until then.
    std::thread::scope(|scope| {
        for reader in readers {
            scope.spawn(move || std::io::copy(&mut { reader }, &mut std::io::sink()).unwrap());
        }
        assert_eq!(up.stop().code, Some(0));
    });
    for tap in taps {
        assert_eq!(Exit::of(tap).code, Some(0));
    }
}

#[test]
fn an_interrupt_ends_a_tap_whose_reader_does_not_read() {
    let up = Up::start(&[]);
    let mut command = clicks_command();
    command.args(["tap", "--url", &format!("{}/pipeline/", up.page())]).stdin(Stdio::null());
    let mut tap = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::with_capacity(1, tap.stdout.take().unwrap());
    // More than a pipe holds, once it follows.
    let large = json!({ "text": "x".repeat(60_000) }).to_string();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                up.put(&[&large; 5]);
            }
        });
        reader.fill_buf().unwrap();
        done.store(true, Ordering::Relaxed);
    });
    up.put(&[&large; 20]);
    assert_eq!(Exit::after("-INT", tap).code, Some(0));
    drop(reader);
}

#[test]
fn an_object_that_is_no_longer_among_the_last_ones_is_opened_by_its_record() {
    let up = Up::start(&[]);
    for number in 0..25 {
        up.put(&[json!({ "n": number }).to_string()]);
        up.until_processed(number + 1);
    }
    let record = show(&up, find(&up, "").last().unwrap());
    let last = up.snapshot()["objects"].as_array().unwrap().clone();
    assert!(last.iter().all(|object| object["path"] != record["object"]["path"]));
    let response = get(&up, &format!("/pipeline/object?stream={STREAM}&path={}", path_of(&record)));
    assert_eq!((response.status, response.body.as_str()), (200, "{\"n\":0}\n"));
    let absent = get(&up, &format!("/pipeline/object?stream={STREAM}&path=firehose/absent"));
    assert_eq!(absent.status, 404);
}

#[test]
fn a_tap_without_a_pipeline_or_with_wrong_options_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let up = data_streams::start(folder.path(), STREAMS, &[]);
    tap(&up, &["absent"]).refuses(2, "unknown stream: found absent; accepted are clicks, orders, reviews");
    tap(&up, &["--in", "--out"]).refuses(2, "cannot be used with");
    let other = |url: &str| {
        let mut command = clicks_command();
        command.args(["tap", "--url", url]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Exit::of(command.spawn().unwrap())
    };
    other("http://127.0.0.1:1/").refuses(1, "no pipeline at http://127.0.0.1:1/ (`--url`); is `clicks up` running?");
    other("https://localhost/").refuses(2, "`--url`: found https://localhost/; accepted is a URL with http://");
    other(up.firehose()).refuses(1, "this is the API of a local Amazon Data Firehose");
}
