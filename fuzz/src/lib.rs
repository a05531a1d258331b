//! What must hold for whatever comes in: one module a target, each with a `check` that panics where a property is broken.
//!
//! [libFuzzer](../fuzz_targets) calls them for hours, and the [tests](../tests/short) with the corpus and some thousands of its
//! mutations, on any machine. CONTRIBUTING.md tells how, and what to do with what is found.
//!
//! An oracle is as plain as it can be, and shares no code with what it judges.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a panic is how a broken property is told"
)]

pub mod corpus;
pub mod error_object;
pub mod event;
mod json;
mod line;
pub mod prefix;
pub mod record;
pub mod service_response;

/// What is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As `cargo fuzz` knows it.
    pub name: &'static str,
    /// Panics where a property is broken.
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
