//! `/pipeline/sql`: its queries over the objects of a pipeline.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use test_support::http::Connection;
use test_support::up::{STREAM, Up};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Folders whose names are special in SQL and in patterns, and in URLs.
const QUOTED: &str = "it's [1] */bucket";
const LIKE_URL: &str = "a?b=c/bucket";

fn queries(up: &Up) -> Value {
    let response = Connection::open(up.page()).get(&format!("/pipeline/sql?stream={STREAM}"), "localhost");
    response.is(200);
    response.json()
}

/// The rows of `DuckDB` and of Athena.
#[track_caller]
fn rows(up: &Up, bucket: &str) -> [Value; 2] {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make tools`", python.display());
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/sql.py")).arg(up.folder().join(bucket));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let queries = queries(up);
    child.stdin.take().unwrap().write_all(queries.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{queries:#}", String::from_utf8_lossy(&output.stderr));
    let mut rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    [rows["duckdb"].take(), rows["athena"].take()]
}

fn click(mysfit: &str, species: &str) -> String {
    json!({ "userId": "it's", "mysfitId": mysfit, "species": species, "goodevil": "Good", "lawchaos": "Lawful" })
        .to_string()
}

/// The error objects and the backup are not among the clicks, and lines of another kind are skipped.
#[test]
fn the_ranking_has_the_clicks_of_all_delivered_objects() {
    for (compression, prefix, bucket) in [
        ("none", "firehose/", QUOTED),
        ("gzip", "firehose/", QUOTED),
        ("gzip", "firehose/", LIKE_URL),
        ("none", "", QUOTED),
        ("gzip", "", QUOTED),
        ("gzip", "clicks's-", QUOTED),
        ("none", "species=any/!{timestamp:yyyy/MM/dd/HH}/", LIKE_URL),
    ] {
        let up = Up::start(&[
            "--destination",
            bucket,
            "--compression",
            compression,
            "--prefix",
            prefix,
            "--backup-prefix",
            "source/",
        ]);
        let clicks = [vec![click("a", "Cyclops"); 2], vec![click("b's", "Troll"); 3]].concat();
        // Two objects of each kind.
        for _ in 0..2 {
            up.put(&clicks);
            up.put(&[r#"{"do":"fail","mysfitId":"a"}"#, "not JSON"]);
        }
        up.until(|view| view["delivered"] == 12 && view["failed"] == 2 && view["waiting"]["bytes"] == 0);
        let expected = json!([["b's", "Troll", "Good", "Lawful", 6], ["a", "Cyclops", "Good", "Lawful", 4]]);
        for (engine, rows) in ["DuckDB", "Athena"].into_iter().zip(rows(&up, bucket)) {
            assert_eq!(rows, expected, "{engine} {compression} {prefix:?}\n{:#}", queries(&up));
        }
    }
}

#[test]
fn records_without_known_fields_are_shown() {
    for (function, compression) in [(None, "none"), (None, "gzip"), (Some("none"), "none")] {
        let mut options = vec!["--destination", QUOTED, "--compression", compression, "--prefix", "orders/"];
        options.extend(function.iter().flat_map(|function| ["--function", function]));
        let up = Up::start(&options);
        let orders: Vec<String> = (1..=3).map(|order| json!({ "order": order }).to_string() + "\n").collect();
        up.put(&orders);
        up.until_processed(3);
        let [duckdb, athena] = rows(&up, QUOTED);
        assert_eq!(duckdb, json!([[1], [2], [3]]), "{function:?} {compression}");
        let lines: Vec<Value> = (1..=3).map(|order| json!(vec![format!(r#"{{"order":{order}}}"#); 2])).collect();
        assert_eq!(athena, json!(lines), "{function:?} {compression}");
    }
}

#[test]
fn the_query_before_the_first_record_is_that_of_the_source() {
    for (options, has_clicks) in
        [(&[][..], true), (&["--function", "none"], false), (&["--source", "kinesis", "--kinesis-port", "0"], false)]
    {
        let up = Up::start(options);
        let queries = queries(&up);
        for query in ["duckdb", "athena"] {
            let query = queries[query].as_str().unwrap();
            assert_eq!(query.contains("-- The clicks of each mysfit."), has_clicks, "{options:?}: {query}");
        }
    }
    let up = Up::start(&[]);
    for (query, status) in [("", 400), ("?stream=a", 404)] {
        Connection::open(up.page()).get(&format!("/pipeline/sql{query}"), "localhost").is(status);
    }
}
