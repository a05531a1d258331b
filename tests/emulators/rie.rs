//! The executable for Lambda, under AWS's Runtime Interface Emulator.

use serde_json::json;
use test_support::mysfits_service::ScriptedMysfitsService;

use crate::emulator::{Emulator, free_addresses};
use crate::tools::rie;
use crate::{expected, read};

/// The function name that the emulator uses.
const FUNCTION: &str = "function";

fn emulator(mysfits_api_url: &str) -> Emulator {
    let [address, runtime_api] = free_addresses();
    let mut command = rie();
    command.args(["--runtime-interface-emulator-address", &address.to_string()]);
    command.args(["--runtime-api-address", &runtime_api.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_click-processor")).env("LOOKUP_API_URL", mysfits_api_url);
    Emulator::start(command, address)
}

#[tokio::test]
async fn fixtures_get_the_expected_responses() {
    let mysfits = ScriptedMysfitsService::healthy().await;
    let mut emulator = emulator(&mysfits.url());
    for name in ["direct-put", "kinesis", "msk", "localstack", "poisoned"] {
        let answer = emulator.invoke(FUNCTION, &read(name)).await;
        assert_eq!((answer.status, answer.json()), (200, expected(name)), "{name}");
    }
}

#[tokio::test]
async fn a_failed_batch_is_reported_with_its_error_type() {
    // It fails before any request to the service.
    let mut emulator = emulator("http://127.0.0.1:1");
    let answer = emulator.invoke(FUNCTION, br#"{"Records": []}"#).await;
    assert_eq!(answer.json()["errorType"], json!("NotAFirehoseEvent"));
}

#[tokio::test]
async fn an_unavailable_service_fails_the_batch() {
    let mut emulator = emulator("http://127.0.0.1:1");
    let answer = emulator.invoke(FUNCTION, &read("direct-put")).await;
    assert_eq!(answer.json()["errorType"], json!("ServiceUnavailable"));
}

#[tokio::test]
async fn an_invalid_configuration_is_logged_and_fails_every_batch() {
    let mut emulator = emulator("mysfits");
    for _ in 0..2 {
        assert_eq!(emulator.invoke(FUNCTION, &read("direct-put")).await.status, 502);
    }
    let output = emulator.process.output();
    assert!(output.contains(r#"LOOKUP_API_URL: found \"mysfits\""#), "{output}");
}
