//! Parses and validates clicks, and writes enriched lines.
//!
//! This module handles the fields of a click and of a line. It does not handle base64, HTTP or Firehose's results.

mod batch;
mod line;
mod parse;

pub use batch::Clicks;
pub use line::{LineFormat, RecordMetadata};
pub use parse::Click;
