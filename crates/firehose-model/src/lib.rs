#![doc = include_str!("../README.md")]

pub mod batch;
pub mod delivery;
pub mod error_object;
pub mod event;
pub mod excerpt;
pub mod fields;
pub mod kinesis;
pub mod limits;
pub mod prefix;
pub mod processors;
pub mod query;
pub mod scope;
pub mod source;
pub mod values;

/// The region of a local ARN, unless a caller has another one.
pub const REGION: &str = "us-east-1";
/// The account of a local ARN, unless a caller has another one.
pub const ACCOUNT: &str = "000000000000";
/// The largest event and the largest response of a synchronous invocation (Lambda developer guide, "Lambda quotas": 6 MB).
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
