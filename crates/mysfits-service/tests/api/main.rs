//! Tests the service as a black box: real HTTP, the real SDK, and a DynamoDB engine on a loopback port.
#![cfg(feature = "local")]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod dynamodb;
mod http;
mod lambda;
mod local_command;
mod local_service;
mod outages;
mod responses;
mod tables;
