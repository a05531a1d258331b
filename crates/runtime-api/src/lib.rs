#![doc = include_str!("../README.md")]

pub mod client;
mod environment;
mod function;
mod invocation;
mod logs;
mod server;
mod settings;

pub use function::Function;
pub use invocation::{Invocation, InvokeError, MAX_EVENT_BYTES, Outcome, Request};
pub use server::MAX_REPLY_BYTES;
pub use settings::{ACCOUNT, FunctionSettings, REGION};
