//! Amazon Data Firehose and Kinesis Data Streams on one machine: delivery streams that invoke a function and write objects, the
//! data streams that they read, and the AWS JSON APIs of both services.

pub mod api;
pub mod attempts;
pub mod functions;
pub mod http;
pub mod metrics;
pub mod stream;
