//! A click: parsing and validation, and the enriched line that is made of it.
//!
//! This module knows the fields of a click and of a line. It does not know base64, HTTP or Firehose's results.

mod batch;
mod line;
mod parse;

pub use batch::Clicks;
pub use line::{Line, Origin};
pub use parse::Click;
