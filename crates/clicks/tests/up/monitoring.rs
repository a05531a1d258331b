//! `/metrics`, `/health`, `/pipeline/history` and `/pipeline/ranking`, and the records that they count as refused.

use serde_json::{Value, json};
use test_support::http::{Connection, Response};
use test_support::s3::{Gate, S3};
use test_support::until;
use test_support::up::{STREAM, Up};

use crate::data_streams::{self, STREAMS, view_of};

const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

fn get(up: &Up, path: &str) -> Response {
    Connection::open(up.page()).get(path, "localhost")
}

#[track_caller]
fn has_metric(up: &Up, line: &str) {
    let metrics = get(up, "/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(metrics.body.contains(&format!("\n{line}\n")), "{line} is not in {}", metrics.body);
}

fn sum(column: &Value) -> u64 {
    column.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).sum()
}

#[test]
fn records_and_invocations_are_in_the_metrics_and_in_the_history() {
    let up = Up::start(&[]);
    up.put(&["{}", r#"{"do":"drop"}"#, r#"{"do":"fail"}"#]);
    up.until_processed(3);
    for outcome in ["delivered", "dropped", "failed"] {
        has_metric(&up, &format!(r#"firehose_records_total{{stream="{STREAM}",outcome="{outcome}"}} 1"#));
    }
    let invocations = up.snapshot()["invocations_by_outcome"]["response"].as_u64().unwrap();
    has_metric(&up, &format!(r#"firehose_invocations_total{{stream="{STREAM}",outcome="response"}} {invocations}"#));
    has_metric(&up, &format!(r#"firehose_invocation_duration_seconds_count{{stream="{STREAM}"}} {invocations}"#));
    // Without a collector.
    assert!(!get(&up, "/metrics").body.contains("collector"));

    let history = get(&up, &format!("/pipeline/history?stream={STREAM}")).json();
    for (column, records) in [("accepted", 3), ("delivered", 1), ("dropped", 1), ("failed", 1), ("refused", 0)] {
        assert_eq!(sum(&history[column]), records, "{column}: {history}");
    }
    assert_eq!(sum(&history["invocations"]), invocations);
    let percentiles = |column: &str| {
        history[column].as_array().unwrap().iter().filter(|value| value.as_f64().is_some_and(|ms| ms > 0.0)).count()
    };
    assert!(percentiles("p50_ms") > 0 && percentiles("p50_ms") == percentiles("p95_ms"), "{history}");
    for query in ["", "?stream=a&stream=b"] {
        assert_eq!(get(&up, &format!("/pipeline/history{query}")).status, 400);
    }
}

#[test]
fn frequent_values_are_ranked_by_minute() {
    let up = Up::start(&[]);
    let click = |mysfit: usize| json!({ "mysfitId": format!("m{mysfit:02}"), "goodevil": "Good" }).to_string();
    // The last ones have the most clicks.
    let clicks: Vec<String> = (0..25).flat_map(|mysfit| vec![click(mysfit); mysfit + 1]).collect();
    up.put(&clicks);
    up.put(&[r#"{"do":"fail","mysfitId":"m00"}"#, "not JSON"]);
    up.until_processed(clicks.len() as u64 + 2);
    let ranking = get(&up, &format!("/pipeline/ranking?stream={STREAM}")).json();
    assert_eq!((&ranking["bucket_ms"], ranking["at_ms"].as_array().map(Vec::len)), (&json!(60_000), Some(15)));
    let counts = |field: &str| {
        let ranked = ranking["fields"][field].as_array().unwrap();
        ranked.iter().map(|ranked| (ranked["value"].clone(), sum(&ranked["counts"]))).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (5..25_u64).rev().map(|mysfit| (json!(format!("m{mysfit:02}")), mysfit + 1)).collect();
    assert_eq!(counts("mysfitId"), expected);
    assert_eq!(counts("goodevil"), [(json!("Good"), clicks.len() as u64)]);
    assert!(ranking["fields"]["species"].is_null(), "{ranking}");
    for (query, status) in [("", 400), ("?stream=a&stream=b", 400), ("?stream=a", 404)] {
        get(&up, &format!("/pipeline/ranking{query}")).is(status);
    }
}

#[test]
fn the_edge_counts_refused_records_by_reason() {
    let folder = tempfile::tempdir().unwrap();
    let up = data_streams::start(folder.path(), STREAMS, &["--rate", "1", "--burst", "30"]);
    let mut connection = Connection::open(up.page());
    for (method, path) in [("PUT", "/clicks"), ("POST", "/v2/orders")] {
        let too_long = "x".repeat(1024 * 1024 + 1);
        for (headers, body, status) in [
            (JSON, CLICK, 200),
            (JSON, "[]", 400),
            (JSON, too_long.as_str(), 413),
            ("Content-Type: text/plain\r\n", CLICK, 415),
        ] {
            connection.ask(method, path, headers, body).is(status);
        }
        let throttled = (0..100).filter(|_| connection.ask(method, path, JSON, CLICK).status == 429).count();
        // Preflights have no record.
        let preflights = connection.ask("OPTIONS", path, "", "");
        assert!(throttled > 0 && [429, 403].contains(&preflights.status), "{preflights:?}");
        let stream = if path == "/clicks" { "clicks" } else { "orders" };
        let view = view_of(&up, stream);
        assert_eq!(view["refused_by_reason"], json!({ "rate": throttled, "invalid": 3 }), "{path}");
        assert_eq!(view["accepted"], json!(101 - throttled), "{path}");
    }
    // The record of an invalid request of the API.
    let record = json!({ "StreamName": "reviews", "Data": "no base64", "PartitionKey": "a" });
    data_streams::call(&up, "PutRecord", &record).is(400);
    has_metric(&up, r#"firehose_records_refused_total{stream="reviews",reason="invalid"} 1"#);
    until(|| up.stderr().contains("reviews: refused records: 1 (invalid requests)\n"));
}

#[test]
fn the_health_is_that_of_the_storage() {
    let s3 = S3::start(Gate::Refuses);
    let up = s3.up(&[]);
    let health = || get(&up, "/health");
    assert_eq!((health().status, health().json()), (200, json!({ "status": "ok" })));
    up.put(&["{}"]);
    up.until(|view| view["storage_errors"].as_u64() >= Some(2));
    let refuses = json!({ "status": "unavailable", "storage_refuses": [STREAM] });
    assert_eq!((health().status, health().json()), (503, refuses));
    has_metric(&up, &format!("firehose_storage_refusing{{stream=\"{STREAM}\"}} 1"));
    s3.gate.send_replace(Gate::Open);
    up.until_processed(1);
    assert_eq!(health().status, 200);
}
