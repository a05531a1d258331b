//! The APIs of Firehose and Kinesis for local streams: JSON 1.1 over HTTP.
//!
//! ```text
//! request ─▶ Api::read ─▶ parse ─▶ Constraints ─▶ operation ─▶ response or ApiError
//! ```
//!
//! Signatures are neither required nor verified.

mod constraints;
pub mod firehose;
pub mod kinesis;
mod request;
