//! Parses and validates events, and writes enriched lines.
//!
//! This module handles the fields of an event and of a line. It does not handle base64, HTTP or Firehose's results.

mod batch;
mod format;
mod line;
mod parse;
mod rest;

pub use batch::{InputEvent, InputEvents};
pub use format::EventFormat;
pub use line::{LineFormat, RecordMetadata};
