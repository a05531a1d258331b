#![doc = include_str!("../README.md")]

pub mod api;
pub mod attempts;
pub mod functions;
pub mod metrics;
pub mod stream;
