#![doc = include_str!("../README.md")]

pub mod api;
pub mod control;
pub mod functions;
pub mod http;
pub mod invocation;
pub mod metrics;
pub mod outage;
pub mod registry;
mod server;
pub mod stream;

pub use self::server::{Server, ServerError, ServerOptions};
