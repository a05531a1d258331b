//! Shards, hash keys, sequence numbers and aggregated records of Kinesis Data Streams.

pub mod aggregated;
pub mod shard;

/// The default largest record, data and partition key together (Kinesis API reference, "StreamDescriptionSummary").
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The most characters of a partition key (Kinesis API reference, "PutRecord").
pub const MAX_PARTITION_KEY_CHARACTERS: usize = 256;
