//! A function controlled by its clicks, such as `{"do":"fail"}`; anything else is delivered.
//!
//! For a record: `fail`, `drop`, `lose`, `double`, `no-data`, `no-base64`, `no-result`, `partition` (by the click's `keys`). For
//! the whole event: `error`, `crash`, `hang`, `garble`, `ask` (the service), `shuffle`, `unknown` (an unknown id), `flood` (a
//! reply over 6 MB), `log` (its environment and event), `wait` (until there is a file `RELEASE`). It logs each event's invocation and
//! records, and reports like the click processor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime_api::client;
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let has = |name: &str| std::env::var(name).is_ok();
    let service = std::env::var("MYSFITS_API_URL").unwrap_or_default();
    println!("service {service}");
    let shown = ["LOOKUP_TIMEOUT_MS", "SSL_CERT_FILE", "HOME"];
    for (key, value) in std::env::vars().filter(|(key, _)| shown.contains(&key.as_str())) {
        println!("inherited {key}={value}");
    }
    if has("REFUSE_TO_START") || std::env::var("START_ONCE").is_ok_and(|mark| File::create_new(mark).is_err()) {
        (1..=30).for_each(|number| eprintln!("\x1b[31mrefusal {number}"));
        std::process::exit(78);
    }
    let mut fail_once = has("FAIL_ONCE");
    loop {
        let event = client::next()?;
        let body: Value = serde_json::from_slice(&event.body)?;
        let records = body["records"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<&str> = records.iter().filter_map(|record| record["recordId"].as_str()).collect();
        println!("event {} {}", body["invocationId"], ids.join(","));

        let clicks: Vec<(&str, Vec<u8>)> = ids
            .iter()
            .zip(records)
            .map(|(id, record)| {
                let data = record["data"].as_str().or(record["kafkaRecordValue"].as_str()).unwrap_or_default();
                (*id, STANDARD.decode(data).unwrap_or_default())
            })
            .collect();
        let any = |what: &str| clicks.iter().any(|(_, click)| action(click) == what);
        if any("log") {
            log(&event, &body);
        }
        if any("wait") {
            wait();
        }
        if any("crash") {
            std::process::exit(7);
        }
        if any("ask") {
            ask(&service)?;
        }
        if any("garble") {
            client::reply(&event.request_id, b"\x1b[31mOK")?;
            continue;
        }
        if any("hang") {
            if let Ok(mark) = std::env::var("HANG_MARK") {
                std::fs::write(mark, std::process::id().to_string())?;
            }
            std::thread::sleep(Duration::from_mins(10));
        }
        let slow_failure = std::mem::take(&mut fail_once);
        if slow_failure {
            std::thread::sleep(Duration::from_millis(300));
        }
        if any("error") || slow_failure {
            println!("{}", json!({ "_aws": {}, "Records": 1, "ServiceRequests": 5 }));
            client::error(&event.request_id, "ServiceUnavailable", "the service\n\x1b[31mis down")?;
            continue;
        }
        let mut outputs: Vec<Value> = clicks.iter().flat_map(|(id, click)| output(id, click)).collect();
        if any("shuffle") {
            outputs.reverse();
        }
        if any("unknown") {
            outputs.push(json!({ "recordId": "unknown", "result": "Ok", "data": "dW5rbm93bgo=" }));
        }
        if any("flood") {
            outputs.push(json!({ "recordId": "flood", "result": "Dropped", "data": "a".repeat(7_000_000) }));
        }
        client::reply(&event.request_id, json!({ "records": outputs }).to_string().as_bytes())?;
        if !has("NO_METRICS") {
            let failed = clicks.iter().filter(|(_, click)| action(click) == "fail").count();
            println!("{}", json!({ "_aws": {}, "Records": clicks.len(), "ServiceRequests": 1 }));
            if failed > 0 {
                println!("{}", json!({ "_aws": {}, "Reason": "on_request", "Failed": failed }));
            }
        }
    }
}

/// Logs the function's environment and event.
fn log(event: &client::Event, body: &Value) {
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let (deadline_ms, function_arn) = (&event.deadline_ms, &event.function_arn);
    println!("saw {}", json!({ "deadline_ms": deadline_ms, "function_arn": function_arn, "env": env, "event": body }));
}

/// Waits for the file, or for the end of the test, which removes its folder.
fn wait() {
    let release = std::env::var("RELEASE").unwrap_or_default();
    let release = Path::new(&release);
    while !release.exists() && release.parent().is_some_and(Path::exists) {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("waited {}", std::process::id());
}

/// One request to the service, with any response.
fn ask(service: &str) -> std::io::Result<()> {
    let host = service.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /mysfits HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn action(click: &[u8]) -> String {
    let click: Value = serde_json::from_slice(click).unwrap_or_default();
    click["do"].as_str().unwrap_or_default().to_owned()
}

fn output(id: &str, click: &[u8]) -> Vec<Value> {
    let ok = || json!({ "recordId": id, "result": "Ok", "data": STANDARD.encode([click, b"\n"].concat()) });
    match action(click).as_str() {
        "lose" => vec![],
        "double" => vec![ok(), ok()],
        "fail" => vec![json!({ "recordId": id, "result": "ProcessingFailed" })],
        "drop" => vec![json!({ "recordId": id, "result": "Dropped" })],
        "no-data" => vec![json!({ "recordId": id, "result": "Ok" })],
        "no-base64" => vec![json!({ "recordId": id, "result": "Ok", "data": "###" })],
        "no-result" => vec![json!({ "recordId": id, "result": "Fine", "data": "" })],
        "partition" => {
            let click: Value = serde_json::from_slice(click).unwrap_or_default();
            let mut output = ok();
            output["metadata"] = json!({ "partitionKeys": click["keys"] });
            vec![output]
        }
        _ => vec![ok()],
    }
}
