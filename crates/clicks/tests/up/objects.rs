//! The objects in the bucket: their names, contents and times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::{Value, json};
use test_support::files::{files, objects};
use test_support::stand_in;
use test_support::up::{Up, snapshot};
use uuid::Uuid;

use crate::contract::base64;

/// So long that only a stop flushes.
const NEVER: &str = "900";

/// The parts of an object's name.
#[derive(Debug)]
struct Name {
    prefix: String,
    stream: String,
    time: DateTime,
    extension: String,
}

impl Name {
    /// `PREFIX` `STREAM`-1-`YYYY-MM-DD-HH-MM-SS`-`UUID``.gz`
    fn read(path: &str) -> Self {
        let (path, extension) = path.strip_suffix(".gz").map_or((path, ""), |path| (path, ".gz"));
        let (path, id) = path.split_at(path.len() - 36);
        id.parse::<Uuid>().unwrap();
        let (path, time) = path.split_at(path.len() - "2026-11-20-08-22-01-".len());
        let time = DateTime::strptime("%Y-%m-%d-%H-%M-%S-", time).unwrap();
        let path = path.strip_suffix("-1-").unwrap();
        let (folder, stream) = path.rsplit_once('/').map_or(("", path), |(folder, stream)| (folder, stream));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Self { prefix, stream: stream.to_owned(), time, extension: extension.to_owned() }
    }
}

/// The names of all objects, sorted.
fn names(up: &Up) -> Vec<String> {
    let bucket = up.folder().join("out/bucket");
    let paths = files(&bucket);
    let mut names: Vec<String> =
        paths.iter().map(|path| path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The numbers of records in the objects of a kind, the oldest first.
fn records_of_objects(up: &Up, kind: &str) -> Vec<u64> {
    let view = up.snapshot();
    let objects = view["objects"].as_array().unwrap().iter().rev();
    objects.filter(|object| object["kind"] == kind).map(|object| object["records"].as_u64().unwrap()).collect()
}

/// The numbers of records in the events, in their order.
fn records_of_events(up: &Up) -> Vec<usize> {
    up.log().lines().filter(|line| line.starts_with("event ")).map(|line| line.matches(',').count() + 1).collect()
}

fn padded(click: &str, bytes: usize) -> String {
    click.to_owned() + &" ".repeat(bytes - click.len())
}

#[test]
fn names_have_the_prefix_and_the_oldest_arrival() {
    for (prefix, error_prefix, delivered, failed) in [
        ("firehose/", "errors/!{firehose:error-output-type}/", "firehose/%Y/%m/%d/%H/", "errors/processing-failed/"),
        ("", "failed", "%Y/%m/%d/%H/", "failed"),
        ("clicks-", "failed/", "clicks-%Y/%m/%d/%H/", "failed/"),
        (
            "year=!{timestamp:yyyy}/day=!{timestamp:MM-dd}/",
            "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd'T'HHmmss}/",
            "year=%Y/day=%m-%d/",
            "processing-failed/%Y/%m/%dT%H%M%S/",
        ),
    ] {
        let mut up = Up::start(&["--prefix", prefix, "--error-prefix", error_prefix]);
        up.put(&["{}", r#"{"do":"fail"}"#]);
        up.stop();
        let view = names(&up);
        let of = |expected: &str| {
            let is = |name: &&String| {
                let Name { prefix, stream, time, extension } = Name::read(name);
                prefix + &stream + &extension == time.strftime(expected).to_string() + "mysfits-clicks"
            };
            view.iter().filter(is).count()
        };
        assert_eq!((view.len(), of(delivered), of(failed)), (2, 1, 1), "{view:?}");
    }
}

/// The time in a name is that of the first record in the object.
#[test]
fn an_object_is_named_by_its_oldest_record() {
    let mut up = Up::start(&["--destination-seconds", NEVER]);
    let second = || Timestamp::now().as_second();
    up.put(&[r#"{"do":"fail"}"#]);
    let first = second();
    test_support::until(|| second() > first);
    up.put(&[r#"{"do":"fail"}"#]);
    up.stop();
    let errors = up.errors();
    let mut arrivals: Vec<i64> = errors.iter().map(|error| error["arrivalTimestamp"].as_i64().unwrap()).collect();
    // Two concurrent invocations return in any order.
    arrivals.sort_unstable();
    assert!(arrivals.len() == 2 && arrivals[0] / 1000 < arrivals[1] / 1000, "{arrivals:?}");
    let named = Name::read(&names(&up)[0]).time;
    assert_eq!(Offset::UTC.to_timestamp(named).unwrap().as_second(), arrivals[0] / 1000);
}

#[test]
fn gzip_is_for_delivered_objects_and_the_backup() {
    let mut up = Up::start(&["--compression", "gzip", "--backup-prefix", "source/"]);
    up.put(&[r#"{"n":1}"#, r#"{"do":"fail"}"#]);
    up.stop();
    let kinds: BTreeMap<String, bool> = names(&up)
        .iter()
        .map(|name| {
            let bytes = fs::read(up.folder().join("out/bucket").join(name)).unwrap();
            let compressed = bytes.starts_with(b"\x1f\x8b");
            assert_eq!(Name::read(name).extension == ".gz", compressed, "{name}");
            (name.split('/').next().unwrap().to_owned(), compressed)
        })
        .collect();
    let expected = [("errors", false), ("firehose", true), ("source", true)];
    assert_eq!(kinds, expected.map(|(folder, compressed)| (folder.to_owned(), compressed)).into());
    assert_eq!(
        (up.delivered(), up.objects("source")),
        (vec![r#"{"n":1}"#.to_owned()], r#"{"n":1}{"do":"fail"}"#.to_owned())
    );
    assert_eq!(up.errors().len(), 1);
}

/// Records with every outcome are in the backup, and are counted once.
#[test]
fn the_backup_has_the_source_records() {
    let mut up = Up::start(&["--backup-prefix", "source/!{timestamp:yyyy}/"]);
    up.put(&[&b"{\"n\":1}\n"[..], b"\xff\x00", br#"{"do":"fail"}"#, br#"{"do":"drop"}"#]);
    let end = up.stop();
    assert_eq!(end.stdout.lines().last(), Some("mysfits-clicks: 4 accepted, 2 delivered, 1 dropped, 1 failed"));
    let names = names(&up);
    let [backup] = &names.iter().filter(|name| name.starts_with("source/")).collect::<Vec<_>>()[..] else {
        panic!("{names:?}")
    };
    let Name { prefix, stream, time, .. } = Name::read(backup);
    assert_eq!((prefix, stream.as_str()), (format!("source/{:04}/", time.year()), "mysfits-clicks"));
    let bytes = fs::read(up.folder().join("out/bucket").join(backup)).unwrap();
    assert_eq!(bytes, b"{\"n\":1}\n\xff\x00{\"do\":\"fail\"}{\"do\":\"drop\"}");
}

/// Records of JSON without a delimiter, and one of bytes, whose end is unknown.
#[test]
fn the_backup_can_be_replayed() {
    for (compression, records, expected) in [
        ("gzip", &[r#"{"n":1}"#, r#"{"n":2}"#, "{\"n\":3}\n", r#"{"n":[{}]}"#][..], (0, 4, 0)),
        ("none", &[r#"{"n":1}"#, "\0\u{1}", r#"{"n":2}"#], (1, 2, 1)),
    ] {
        let mut up = Up::start(&["--compression", compression, "--backup-prefix", "source/"]);
        up.put(records);
        up.stop();
        let out = up.folder().join("replayed");
        let mut replay = Command::new(env!("CARGO_BIN_EXE_clicks"));
        replay
            .args(["replay", "--json", "--service", "http://127.0.0.1:9", "--function", &stand_in(), "--out"])
            .arg(&out);
        let end = replay.arg(up.folder().join("out/bucket/source")).output().unwrap();
        let (code, ok, skipped) = expected;
        assert_eq!(end.status.code(), Some(code), "{}", String::from_utf8_lossy(&end.stderr));
        let report: Value = serde_json::from_slice(&end.stdout).unwrap();
        assert_eq!((&report["records"]["ok"], &report["skipped"]), (&json!(ok), &json!(skipped)));
        let delivered: Vec<String> = objects(&out.join("firehose")).lines().map(str::to_owned).collect();
        let json = records.iter().filter(|record| record.starts_with('{')).map(|record| record.trim());
        assert!(json.eq(&delivered), "{delivered:?}");
    }
}

/// Options of dynamic partitioning, with a folder for each species.
const BY_SPECIES: [&str; 5] = [
    "--dynamic-partitioning",
    "--prefix",
    "by/!{partitionKeyFromLambda:species}/",
    "--error-prefix",
    "errors/!{firehose:error-output-type}/",
];

#[test]
fn partitions_are_by_the_keys_that_the_function_returns() {
    let mut up = Up::start(&BY_SPECIES);
    let clicks = |keys: &Value| json!({ "do": "partition", "keys": keys }).to_string();
    let [chimera, troll, other] = [
        json!({ "species": "Chimera" }),
        json!({ "species": "Troll" }),
        json!({ "species": "Chimera", "more": "of no matter" }),
    ]
    .map(|keys| clicks(&keys));
    let failing =
        [json!({}), json!(null), json!({ "species": "" }), json!({ "species": 7 }), json!({ "kind": "Troll" })]
            .map(|keys| clicks(&keys));
    let failed = r#"{"do":"fail"}"#.to_owned();
    let mut records = vec![chimera.clone(), troll.clone(), other.clone(), failed.clone()];
    records.extend(failing.clone());
    up.put(&records);
    let end = up.stop();
    assert_eq!(end.stdout.lines().last(), Some("mysfits-clicks: 9 accepted, 3 delivered, 0 dropped, 6 failed"));

    // Without the hour.
    let folders: Vec<String> = names(&up).iter().map(|name| Name::read(name).prefix).collect();
    assert_eq!(folders, ["by/Chimera/", "by/Troll/", "errors/partitioning-failed/", "errors/processing-failed/"]);
    let lines = |records: &[String]| records.join("\n") + "\n";
    assert_eq!((up.objects("by/Chimera"), up.objects("by/Troll")), (lines(&[chimera, other]), lines(&[troll])));
    let errors = up.errors();
    for (error, original) in errors.iter().zip(&failing) {
        let expected = json!({
            "rawData": base64(original),
            "errorCode": "DynamicPartitioning.MetadataExtractionFailed",
            "errorMessage": "partitionKeys values must not be null or empty",
            "attemptsMade": 1,
            "arrivalTimestamp": error["arrivalTimestamp"],
            "attemptEndingTimestamp": error["attemptEndingTimestamp"],
            "lambdaARN": "arn:aws:lambda:us-east-1:000000000000:function:click-processor:$LATEST",
        });
        assert_eq!(*error, expected);
    }
    assert_eq!(errors.len(), 6);
    assert_eq!(errors[5]["rawData"], base64(&failed));
}

#[test]
fn the_501st_partition_is_over_the_limit() {
    let options = ["--concurrency", "1", "--destination-seconds", NEVER];
    let mut up = Up::start(&[&BY_SPECIES[..], &options].concat());
    let click = |species: usize| json!({ "do": "partition", "keys": { "species": species.to_string() } }).to_string();
    up.put(&(0..500).map(click).collect::<Vec<_>>());
    // New, existing, new.
    up.put(&[click(500), click(0), click(501)]);
    let end = up.stop();
    assert_eq!(end.stdout.lines().last(), Some("mysfits-clicks: 503 accepted, 501 delivered, 0 dropped, 2 failed"));

    let names = names(&up);
    assert_eq!(names.len(), 501);
    assert_eq!(Name::read(&names[500]).prefix, "errors/activePartitionExceeded/");
    assert_eq!(up.objects("by/0"), format!("{}\n", click(0)).repeat(2));
    let errors: Vec<Value> = up.errors();
    let failed = errors.iter().map(|error| (error["rawData"].clone(), error["errorCode"].as_str().unwrap()));
    let expected =
        [500, 501].map(|species| (json!(base64(&click(species))), "DynamicPartitioning.ActivePartitionsLimitExceeded"));
    assert_eq!(failed.collect::<Vec<_>>(), expected);
}

#[test]
fn delivered_partitions_do_not_count() {
    let up = Up::start(&BY_SPECIES);
    let click = |species: usize| json!({ "do": "partition", "keys": { "species": species.to_string() } }).to_string();
    for (puts, species) in [(1, 0..400), (2, 400..800)] {
        up.put(&species.map(click).collect::<Vec<_>>());
        up.until_processed(puts * 400);
    }
    assert_eq!(up.snapshot()["delivered"], 800);
}

#[test]
fn an_object_is_delivered_by_size() {
    let mut up = Up::start(&["--destination-mb", "1", "--destination-seconds", NEVER, "--concurrency", "1"]);
    // With its newline, each has a little over 0.1 MB: ten of them are less than one, eleven are more.
    let clicks: Vec<String> = (0..25).map(|n| padded(&json!({ "n": n }).to_string(), 104_000)).collect();
    up.put(&clicks);
    up.until(|view| view["delivered"] == 22 && view["waiting"]["records"] == 3);
    assert_eq!(records_of_objects(&up, "delivered"), [11, 11]);
    let view = up.snapshot();
    assert_eq!(view["waiting"]["bytes"], 3 * 104_001);
    assert!(view["waiting"]["flush_in_ms"].as_u64().is_some_and(|left| left > 0), "{view:#}");
    up.stop();
    let mut delivered = up.delivered();
    delivered.sort();
    let mut expected = clicks;
    expected.sort();
    assert!(delivered == expected);
}

#[test]
fn an_object_is_delivered_by_time_and_by_a_stop() {
    for seconds in ["0", "1"] {
        let up = Up::start(&["--destination-seconds", seconds]);
        up.put(&["{}"]);
        up.until_processed(1);
    }
    let mut up = Up::start(&["--destination-seconds", NEVER]);
    for waiting in 1..=3 {
        up.put(&["{}"]);
        up.until(|view| view["waiting"]["records"] == waiting);
    }
    assert!(names(&up).is_empty());
    up.stop();
    assert_eq!((names(&up).len(), up.delivered()), (1, vec!["{}".to_owned(); 3]));
}

/// A buffer without a time: the records of the events, those in the buffer, and those that a stop sends.
#[test]
fn an_event_is_full_by_size_or_by_count() {
    let small = || (0..7).map(|n| json!({ "n": n }).to_string()).collect::<Vec<_>>();
    let large = |bytes: usize, records: usize| vec![padded("{}", bytes); records];
    for (arguments, records, running, left) in [
        (["--buffer-records", "3"], small(), &[3, 3][..], 1),
        // A full buffer does not wait for the next record.
        (["--buffer-records", "7"], small(), &[7], 0),
        (["--buffer-mb", "0.2"], large(50_000, 10), &[4, 4], 2),
        (["--buffer-mb", "1"], large(131_072, 8), &[8], 0),
        // One record may be larger than the buffer.
        (["--buffer-mb", "0.2"], large(500_000, 3), &[1, 1, 1], 0),
        (["--buffer-mb", "3"], small(), &[], 7),
    ] {
        let options = ["--buffer-seconds", NEVER, "--concurrency", "1"];
        let mut up = Up::start(&[&arguments[..], &options].concat());
        up.put(&records);
        let sent: usize = running.iter().sum();
        up.until_processed(sent as u64);
        let view = up.snapshot();
        let buffered = &view["buffered"];
        assert_eq!(buffered["records"], left, "{arguments:?} {view:#}");
        assert_eq!(
            (buffered["flush_in_ms"].is_null(), buffered["bytes"] == 0),
            (left == 0, left == 0),
            "{arguments:?} {view:#}"
        );
        up.stop();
        let stopped = if left == 0 { vec![] } else { vec![left] };
        assert_eq!(records_of_events(&up), [running, &stopped].concat(), "{arguments:?}");
        assert_eq!(up.delivered().len(), records.len(), "{arguments:?}");
    }
}

#[test]
fn an_event_is_due_by_time() {
    for seconds in ["0", "1"] {
        let up = Up::start(&["--buffer-seconds", seconds]);
        up.put(&["{}"]);
        up.until_processed(1);
        assert_eq!(records_of_events(&up), [1]);
    }
}

const TWO_STREAMS: &str = r#"
[pipeline]
click-stream = "clicks"

[defaults]
buffer-records = 2

[streams.clicks]
prefix = "here/"
error-prefix = "here-failed/!{firehose:error-output-type}/"

[streams.more-clicks]
prefix = "there/!{timestamp:yyyy}/"
compression = "gzip"
destination = "other"
buffer-records = 1
"#;

#[test]
fn two_streams_are_isolated() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("up.toml"), TWO_STREAMS).unwrap();
    let mut up = Up::start_in(folder.path(), &["--config", "up.toml"]);
    let clicks = ["a", "b"].map(|stream| [0, 1].map(|n| json!({ "stream": stream, "n": n }).to_string()));
    let failed = r#"{"do":"fail"}"#.to_owned();
    up.put_into("clicks", &[&clicks[0][..], std::slice::from_ref(&failed)].concat());
    up.put_into("more-clicks", &clicks[1]);
    let names: Vec<Value> = [0, 1].map(|stream| snapshot(up.page(), stream)["stream"].take()).into();
    assert_eq!(names, ["clicks", "more-clicks"]);
    let end = up.stop();
    let totals = "clicks: 3 accepted, 2 delivered, 0 dropped, 1 failed\n\
                  more-clicks: 2 accepted, 2 delivered, 0 dropped, 0 failed\n";
    assert!(end.stdout.ends_with(totals), "{}", end.stdout);

    // Without the hour.
    let found = |bucket: &str| -> BTreeSet<String> {
        let bucket = folder.path().join(bucket);
        let paths = files(&bucket);
        let names = paths.iter().map(|path| Name::read(path.strip_prefix(&bucket).unwrap().to_str().unwrap()));
        names
            .map(|name| name.prefix.split('/').next().unwrap().to_owned() + "/" + &name.stream + &name.extension)
            .collect()
    };
    assert_eq!(found("out/bucket"), ["here-failed/clicks", "here/clicks"].map(ToOwned::to_owned).into());
    assert_eq!(found("other"), ["there/more-clicks.gz"].map(ToOwned::to_owned).into());
    assert_eq!(up.objects("here").lines().collect::<Vec<_>>(), clicks[0]);
    let other = objects(&folder.path().join("other/there"));
    let mut lines: Vec<&str> = other.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, clicks[1]);
}
