//! The executable `clicks serve` over the network.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod clients;
mod command_line;
mod control;
mod data_streams;
mod functions;
mod harness;
mod monitoring;
#[expect(clippy::large_futures, reason = "those of the SDK")]
mod rust_sdk;
#[expect(clippy::large_futures, reason = "those of the SDK")]
mod rust_sdk_kinesis;
