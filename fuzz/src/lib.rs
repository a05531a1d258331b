//! Properties of the parsers of events, records, service responses, error objects and prefixes, for any input: one module per target, with a `check` that panics if a property is violated.
//!
//! [libFuzzer](../fuzz_targets) runs them for hours. The [tests](../tests/short) run them with the corpus and thousands of its mutations.
//! CONTRIBUTING.md documents how, and what to do with a find.
//!
//! An oracle is as simple as possible, and shares no code with what it checks.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a panic reports a violated property"
)]

pub mod corpus;
pub mod error_object;
pub mod event;
mod json;
mod line;
pub mod prefix;
pub mod record;
pub mod service_response;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name in `cargo fuzz`.
    pub name: &'static str,
    /// Panics if a property is violated.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target { name: "service_response", check: service_response::check },
    Target { name: "error_object", check: error_object::check },
    Target { name: "event", check: event::check },
    Target { name: "prefix", check: prefix::check },
    Target { name: "record", check: record::check },
];
