//! The built `clicks up` by the wire, with a stand-in for the function where a test does not say otherwise.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod browser;
mod client;
mod collect;
mod command_line;
mod contract;
mod descriptors;
mod disk;
mod edge;
mod keys;
mod kinesis;
mod objects;
mod site;
mod stop;
mod storage;
mod streams;
mod ways;
