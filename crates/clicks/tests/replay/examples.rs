//! The examples of `firehose-transform`, run as functions.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use runtime_api::{Function, FunctionSettings, Outcome};
use serde_json::{Value, json};
use test_support::executable;
use test_support::exit::Exit;
use test_support::replay::Replay;

/// The folder of the examples' executables. The workspace as a whole has the features that its other tests were built with.
fn built() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root).args(["build", "--locked", "--quiet", "--workspace", "--examples"]);
    // With the variables of this test's package, cargo would run build scripts again.
    let of_package = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        build.env_remove(name);
    }
    assert!(build.status().unwrap().success());
    Path::new(&executable("clicks")).with_file_name("examples")
}

fn gzip(value: &Value) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(value.to_string().as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

fn event(records: Vec<Vec<u8>>) -> String {
    let records = records.into_iter().enumerate();
    let records = records.map(|(number, data)| {
        let arrival = 1_795_000_000_000_u64;
        json!({"recordId": number.to_string(), "approximateArrivalTimestamp": arrival, "data": STANDARD.encode(data)})
    });
    json!({ "records": records.collect::<Vec<_>>() }).to_string()
}

#[test]
fn each_example_does_what_it_says() {
    let examples = built();
    let orders = include_str!("../../../../fixtures/orders/orders.jsonl");
    let services = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/orders/service");
    let logs = [
        gzip(&json!({"messageType": "CONTROL_MESSAGE", "logEvents": [{"timestamp": 0, "message": "check"}]})),
        gzip(&json!({
            "messageType": "DATA_MESSAGE",
            "logGroup": "g",
            "logEvents": [{"timestamp": 1, "message": "é\n"}, {"timestamp": 2, "message": "b"}],
        })),
        gzip(&json!({"messageType": "OTHER"})),
        gzip(&json!({"messageType": "x".repeat(7_000_000)})),
        gzip(&json!({
            "messageType": "DATA_MESSAGE",
            "logGroup": "x".repeat(1_000_000),
            "logEvents": vec![json!({"timestamp": 0, "message": ""}); 1_000],
        })),
        b"not gzip".to_vec(),
    ];
    let heartbeats = "{\"type\":\"click\"}\n{\"type\":\"heartbeat\"}\n{\"type\":\"click\",\"n\":1}\n[]";
    let log_lines = "{\"timestamp\":1,\"logGroup\":\"g\",\"message\":\"é\\n\"}\n{\"timestamp\":2,\"logGroup\":\"g\",\"message\":\"b\"}\n";
    let countries = "{\"country\":\"FR\"}\n{\"country\":\"fr\"}\n{}";
    for (name, records, delivered, [ok, dropped, failed]) in [
        ("upper_case", lines("a1\nb"), "A1B", [2, 0, 0]),
        ("filter", lines(heartbeats), "{\"type\":\"click\"}\n{\"type\":\"click\",\"n\":1}\n", [2, 1, 1]),
        ("partition_keys", lines(countries), "{\"country\":\"FR\"}\n", [1, 0, 2]),
        ("cloudwatch_logs", logs.to_vec(), log_lines, [1, 1, 4]),
    ] {
        let replay = Replay::of(&[("event.json", &event(records))]);
        let function = examples.join(name);
        let arguments = ["--json", "--out", "out", "--function", function.to_str().unwrap(), "in"];
        let exit = Exit::from(replay.bare_command(&arguments).output().unwrap());
        let report = exit.report();
        assert_eq!(
            report["records"],
            json!({"ok": ok, "dropped": dropped, "failed": failed, "total": ok + dropped + failed}),
            "{name}: {report}"
        );
        assert_eq!(replay.delivered(), delivered, "{name}");
    }

    let replay = Replay::of(&[("orders.jsonl", orders)]);
    let function = examples.join("enrich");
    let arguments =
        ["--json", "--out", "out", "--service-files", services, "--function", function.to_str().unwrap(), "in"];
    let exit = Exit::from(replay.bare_command(&arguments).output().unwrap());
    let report = exit.report();
    assert_eq!(report["records"], json!({"ok": 3, "dropped": 0, "failed": 3, "total": 6}), "{report}");
    let delivered = replay.delivered();
    let products: Vec<Value> =
        delivered.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["product"]["id"].clone()).collect();
    assert_eq!(products, [7, 12, 31], "{delivered}");
}

/// `clicks replay` ignores partition keys.
#[tokio::test]
async fn the_keys_of_partition_keys_are_those_of_the_order() {
    let mut function = Function::start(FunctionSettings::new(built().join("partition_keys"))).await.unwrap();
    let invocation = function.invoke(event(lines("{\"country\":\"FR\"}")).into_bytes()).await.unwrap();
    function.stop().await;
    let Outcome::Reply(response) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    let response: Value = serde_json::from_slice(&response).unwrap();
    let keys = json!({"country": "FR", "date": "2026-11-18"});
    assert_eq!(response["records"][0]["metadata"]["partitionKeys"], keys, "{response}");
}

/// A sample is what functions start from.
#[test]
fn the_first_examples_are_short() {
    for (name, most) in [("upper_case", 20), ("enrich", 60)] {
        let path = format!("{}/../firehose-transform/examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let count = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(count <= most, "{name} has {count} lines; its documentation says at most {most}");
    }
}
