//! The data transformation contract of Firehose: events and responses.
//!
//! This module handles ids, base64, results, sizes and partition keys. It does not parse the records' data.
//! The format is that of "Transform source data in Amazon Data Firehose", Amazon Data Firehose Developer Guide.

mod deserialize;
mod event;
mod response;

pub use event::{DecodedRecords, Event, EventError, Record};
pub use response::{BudgetExceeded, RESPONSE_BUDGET_BYTES, Response, TooManyRecords};
