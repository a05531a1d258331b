//! The APIs of Firehose and Kinesis for local streams: JSON 1.1 over HTTP. Signatures are neither required nor verified.

mod constraints;
pub mod firehose;
pub mod kinesis;
mod request;
