//! Tests the executable as a black box: over the Lambda Runtime API, with a scripted Kinesis on loopback.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod configuration;
mod harness;
mod kinesis;
mod outages;
mod privacy;
mod queue;
mod responses;
mod time_limit;
