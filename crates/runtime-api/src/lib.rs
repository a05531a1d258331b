#![doc = include_str!("../README.md")]

pub mod client;
mod environment;
mod function;
mod invocation;
mod listener;
mod logs;
mod process;
mod server;
mod settings;

pub use environment::StartError;
pub use function::{Exit, Function, InvokeError};
pub use invocation::{Invocation, MAX_EVENT_BYTES, Outcome, Request};
pub use server::MAX_REPLY_BYTES;
pub use settings::{ACCOUNT, REGION, Settings};
