//! What Firehose does with records, as plain functions and values: nothing here reads, writes or waits.

pub(crate) mod batch;
pub(crate) mod delivery;
pub(crate) mod error_object;
pub(crate) mod event;
pub(crate) mod prefix;
