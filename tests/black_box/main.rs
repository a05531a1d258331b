//! Tests the executable as a black box: it gets events over the Lambda Runtime API, and sends requests to a local HTTP service
//! that can respond wrongly, late or never.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod any_service;
mod authentication;
mod cache;
mod configuration;
mod contract;
mod deadline;
mod dialects;
mod faults;
mod faulty_items;
mod harness;
mod items;
mod logs;
mod memory;
mod policies;
mod sigv4;
mod tls;
