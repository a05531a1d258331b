//! Runs the click processor on this machine as Amazon Data Firehose would.
//!
//! ```text
//! files ─▶ input ─▶ batch ─▶ event ─▶ the function's process ─▶ delivery ─▶ output: delivered lines, error objects
//!          (told apart     (Firehose's      (runtime-api)        (what Firehose  ─▶ report: the table
//!           by content)     buffer)                               does of a reply)
//! ```
//!
//! [`replay`] is the command that goes this way; every other module is a plain function or value of it.

pub mod batch;
pub mod delivery;
pub mod error_object;
pub mod event;
pub mod function;
pub mod input;
pub mod metrics;
pub mod output;
pub mod progress;
pub mod replay;
pub mod report;
