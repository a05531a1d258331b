//! Refused records and requests: what clients have seen, in the metrics, in the page's events, and in the history.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};
use test_support::http::Connection;
use test_support::up::{STREAM, Up, batch, first_event};

use crate::browser::browse;
use crate::collect::with_python;

const JSON: &str = "Content-Type: application/json\r\n";

#[track_caller]
fn has_metric(up: &Up, line: &str) {
    let metrics = Connection::open(up.page()).get("/metrics", "localhost").body;
    assert!(metrics.contains(&format!("\n{line}\n")), "{line} is not in {metrics}");
}

/// The accepted and the refused records of a client.
fn put(up: &Up, calls: usize) -> [u64; 2] {
    let record = json!({ "padding": "x".repeat(200) }).to_string();
    let input = batch(STREAM, &vec![record; 500]).to_string();
    let mut connection = Connection::open(up.firehose());
    let headers = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.PutRecordBatch\r\n";
    let mut counts = [0, 0];
    for _ in 0..calls {
        let response = connection.ask("POST", "/", headers, &input);
        response.is(200);
        let output = response.json();
        let refused = output["FailedPutCount"].as_u64().unwrap();
        let entries = output["RequestResponses"].as_array().unwrap();
        let errors = entries.iter().filter(|entry| entry["ErrorCode"] == "ServiceUnavailableException").count();
        assert_eq!((entries.len(), errors as u64), (500, refused));
        counts[0] += 500 - refused;
        counts[1] += refused;
    }
    counts
}

/// Nothing is delivered before the stop, so the backlog stays full.
#[test]
fn records_that_a_full_backlog_refuses_are_counted_exactly() {
    let mut up = Up::start(&["--backlog-mb", "8", "--destination-seconds", "900", "--destination-mb", "128"]);
    let counts: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = [(); 4].map(|()| scope.spawn(|| put(&up, 60))).into();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let [accepted, refused] = [0, 1].map(|index| counts.iter().map(|counts| counts[index]).sum::<u64>());
    assert_eq!(accepted + refused, 120_000);
    assert!(accepted > 0 && refused > 60_000, "{accepted} accepted, {refused} refused");

    let event = first_event(up.page(), "");
    for view in [&event["stream"], &event["streams"][0]] {
        let seen = (&view["accepted"], &view["refused"], &view["failed"]);
        assert_eq!(seen, (&json!(accepted), &json!(refused), &json!(0)), "{view:#}");
    }
    assert_eq!(event["stream"]["refused_by_reason"], json!({ "backlog": refused }));
    has_metric(&up, &format!(r#"firehose_records_refused_total{{stream="{STREAM}",reason="backlog"}} {refused}"#));
    has_metric(&up, &format!(r#"firehose_records_accepted_total{{stream="{STREAM}"}} {accepted}"#));
    let history = Connection::open(up.page()).get(&format!("/pipeline/history?stream={STREAM}"), "localhost").json();
    let sum = |column: &str| history[column].as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!((sum("accepted"), sum("refused")), (accepted, refused));
    browse(&up, "refused.mjs", &[&refused.to_string()]);

    let end = up.stop();
    assert_eq!((end.code, up.delivered().len() as u64), (Some(0), accepted), "{}", end.stderr);
    let reported = end.stderr.lines().filter_map(|line| line.split_once("refused records: "));
    let reported = reported.filter_map(|(_, records)| records.split(' ').next()?.replace(',', "").parse::<u64>().ok());
    assert_eq!(reported.sum::<u64>(), refused, "{}", end.stderr);
}

/// Each route has a rate of its own.
#[test]
fn refused_requests_of_all_streams_and_of_the_collector_are_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let up = with_python(folder.path(), &["--rate", "1", "--burst", "10"]);
    let mut statuses: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    // One request over the limit of the path, and then as fast as possible.
    for (path, bytes) in [("/collect", 11 * 1024 * 1024), ("/v2/orders", 1024 * 1024 + 1)] {
        Connection::open(up.page()).ask("POST", path, JSON, &"x".repeat(bytes)).is(413);
        let mut connection = Connection::open(up.page());
        let seen = (0..60).map(|_| connection.ask("POST", path, JSON, r#"{"id":7}"#).status);
        statuses.insert(path, seen.collect());
    }
    let [collect, orders] = ["/collect", "/v2/orders"].map(|path| {
        let of = |status: u16| statuses[path].iter().filter(|seen| **seen == status).count();
        let (responded, throttled) = (of(200), of(429));
        assert!(responded > 0 && throttled > 0 && responded + throttled == 60, "{path}: {:?}", statuses[path]);
        (responded, throttled)
    });

    let event = first_event(up.page(), "");
    let (accepted, throttled) = orders;
    let view = event["streams"].as_array().unwrap().iter().find(|view| view["stream"] == "orders").unwrap();
    assert_eq!((&view["accepted"], &view["refused"]), (&json!(accepted), &json!(throttled + 1)), "{view:#}");
    for (reason, records) in [("rate", throttled), ("invalid", 1)] {
        has_metric(&up, &format!(r#"firehose_records_refused_total{{stream="orders",reason="{reason}"}} {records}"#));
    }
    let (responded, throttled) = collect;
    let expected = json!({
        "responded": responded, "failed": 0, "timed_out": 0, "refused": throttled + 1,
        "refused_by_reason": { "rate": throttled, "invalid": 1 },
    });
    assert_eq!(event["collector"], expected);
    for (reason, requests) in [("rate", throttled), ("invalid", 1)] {
        has_metric(&up, &format!(r#"collector_requests_refused_total{{reason="{reason}"}} {requests}"#));
    }
}
