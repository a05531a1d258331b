//! The built executable as a black box: events go in over the Lambda Runtime API, requests come out to a local HTTP service
//! that can answer wrong, late or not at all.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod authority;
mod configuration;
mod contract;
mod deadline;
mod dialects;
mod faults;
mod harness;
mod items;
mod logs;
mod memory;
mod peaks;
mod policies;
mod service;
mod tls;
