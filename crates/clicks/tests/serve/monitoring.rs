//! `/metrics` and `/health` at the address of the APIs.

use serde_json::json;
use test_support::http::Connection;

use crate::harness::Serve;

#[test]
fn metrics_and_health_are_at_the_address_of_the_apis() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(folder.path(), &["--function-log", "function.log", "--retention-mb", "1"]);
    let mut connection = Connection::open(&serve.endpoint);
    let health = connection.get("/health", "localhost");
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok" })));

    serve.call("Kinesis_20131202.CreateStream", &json!({ "StreamName": "orders", "ShardCount": 1 })).is(200);
    let record = json!({ "StreamName": "orders", "Data": "A".repeat(700_000), "PartitionKey": "a" });
    let put = || serve.call("Kinesis_20131202.PutRecord", &record).status;
    assert_eq!([put(), put()], [200, 400]);
    let metrics = connection.get("/metrics", "localhost");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        r#"kinesis_records_accepted_total{stream="orders"} 1"#,
        r#"kinesis_records_refused_total{stream="orders",reason="memory"} 1"#,
    ] {
        assert!(metrics.body.contains(&format!("\n{line}\n")), "{line} is not in {}", metrics.body);
    }
    // Any other path is that of an API.
    assert_eq!(connection.get("/", "localhost").json()["__type"], "UnknownOperationException");
}
