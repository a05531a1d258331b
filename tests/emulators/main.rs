//! Runs the executable under the common Lambda emulators, cargo-lambda's and AWS's own, and with moto's Secrets Manager.
//!
//! All come from PyPI: `make tools` puts them into `.venv`.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod cargo_lambda;
mod emulator;
mod process;
mod rie;
mod secrets_manager;
mod tools;

use serde_json::Value;

/// The path of a file in `fixtures/`, from the workspace's root.
fn fixture(name: &str) -> String {
    format!("fixtures/{name}.json")
}

/// The bytes of a file in `fixtures/`.
fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), fixture(name));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The response to an event in `fixtures/`.
fn expected(name: &str) -> Value {
    serde_json::from_slice(&read(&format!("expected/{name}"))).unwrap()
}
