#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod budget;
mod deadline;
mod event;
// Public for the processor of this repository only: other releases may change it.
#[doc(hidden)]
pub mod json;
mod response;
#[cfg(feature = "runtime")]
mod runtime;
mod transform;
#[cfg(feature = "aws_lambda_events")]
mod types;

pub use budget::RESPONSE_BUDGET_BYTES;
pub use deadline::handler_timeout;
pub use event::{DataError, Event, EventError, KinesisMetadata, MskMetadata, Record};
#[cfg(feature = "runtime")]
pub use lambda_runtime::{Diagnostic, Error as RuntimeError};
pub use response::{BudgetExceeded, Response};
#[cfg(feature = "runtime")]
pub use runtime::{Invocation, run, run_batch, run_bytes};
pub use transform::{Failure, Outcome, RecordError, Summary, Transformed};
#[cfg(feature = "aws_lambda_events")]
pub use types::ConversionError;
