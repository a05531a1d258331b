//! The AWS Lambda Runtime API on loopback, with a function process attached.
//!
//! A [`Function`] is one execution environment. It starts the executable as Lambda does, sends it one event at a time, and returns the outcome.
//! A process that crashed or timed out is replaced on the next event, as in AWS.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use runtime_api::{Function, Outcome, Settings};
//!
//! let mut function = Function::start(Settings::new("target/release/bootstrap")).await?;
//! let invocation = function.invoke(r#"{"records":[]}"#).await?;
//! assert!(matches!(invocation.outcome, Outcome::Reply(_)));
//! # Ok(())
//! # }
//! ```

pub mod client;
mod environment;
mod function;
mod invocation;
mod listener;
mod logs;
mod process;
mod server;
mod settings;

pub use function::{Exit, Function};
pub use invocation::{Invocation, InvokeError, MAX_EVENT_BYTES, Outcome, Request};
pub use process::StartError;
pub use server::MAX_REPLY_BYTES;
pub use settings::{ACCOUNT, REGION, Settings};
