//! `cargo lambda watch` and `cargo lambda invoke`, as in docs/guides/test-locally.md, except for the ports.
//!
//! Its deadline is the constant 600000, ten minutes after the start of 1970. These tests show that it fails no batch.

use std::net::SocketAddr;

use serde_json::{Value, json};
use test_support::mysfits_service::ScriptedMysfitsService;

use crate::emulator::{Emulator, free_addresses};
use crate::tools::{cargo_lambda, output, stdout};
use crate::{expected, fixture};

/// Starts `cargo lambda watch`; returns its address, too. The first invocation waits until the function is compiled.
fn watch(mysfits_api_url: &str) -> (Emulator, SocketAddr) {
    let [address] = free_addresses();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut command = cargo_lambda(["watch", "--ignore-changes", "-A", &host, "-P", &port]);
    command.env("LOOKUP_API_URL", mysfits_api_url);
    (Emulator::start(command, address), address)
}

fn invoke(address: SocketAddr, arguments: [&str; 2]) -> std::process::Command {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    cargo_lambda(["invoke", "click-processor", "-A", &host, "-P", &port].into_iter().chain(arguments))
}

#[tokio::test]
async fn the_commands_of_the_readme_handle_the_fixtures() {
    let mysfits = ScriptedMysfitsService::healthy().await;
    let (mut watch, address) = watch(&mysfits.url());
    // `cargo lambda invoke` does not wait until the emulator listens.
    watch.invoke("click-processor", b"{}").await;
    for name in ["direct-put", "kinesis", "msk", "localstack", "poisoned"] {
        let reply = stdout(invoke(address, ["--data-file", &fixture(name)])).await;
        assert_eq!(serde_json::from_slice::<Value>(&reply).unwrap(), expected(name), "{name}");
    }
}

#[tokio::test]
async fn a_failed_batch_is_reported_with_its_error_type() {
    // It fails before any request to the service.
    let (mut watch, address) = watch("http://127.0.0.1:1");
    let answer = watch.invoke("click-processor", br#"{"Records": []}"#).await;
    assert_eq!((answer.status, &answer.json()["errorType"]), (500, &json!("NotAFirehoseEvent")));

    let output = output(invoke(address, ["--data-ascii", r#"{"Records": []}"#])).await;
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("NotAFirehoseEvent"), "{message}");
}
