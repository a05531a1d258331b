//! The built executable as a black box: over the Lambda Runtime API, with a Kinesis of its own on loopback.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod answers;
mod configuration;
mod harness;
mod kinesis;
mod outages;
mod privacy;
mod queue;
mod waiting;
