//! The wire between Firehose and a transformation Lambda: events in, replies out.
//!
//! This module knows ids, base64, results, sizes and partition keys. It does not know what a record says.
//! The shapes are those of "Transform source data in Amazon Data Firehose", Amazon Data Firehose Developer Guide.

mod event;
mod read;
mod reply;

pub use event::{DecodedRecords, Event, EventError, Record};
pub use reply::{BudgetExceeded, RESPONSE_BUDGET_BYTES, Reply, TooManyRecords};
