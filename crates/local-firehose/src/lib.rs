#![doc = include_str!("../README.md")]

pub mod api;
pub mod functions;
pub mod http;
pub mod invocation;
pub mod outage;
pub mod stream;
