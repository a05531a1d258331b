//! Limits of streams that several crates check.

/// The most characters of a delivery stream's name (Firehose API reference, "CreateDeliveryStream").
pub const MAX_STREAM_NAME: usize = 64;
/// The smallest `SizeInMBs` with dynamic partitioning (Firehose developer guide, "Enable dynamic partitioning"), and its default here.
pub const MIN_PARTITIONED_MB: u32 = 64;

/// Whether the name of a delivery stream or of a data stream may have this character: `[a-zA-Z0-9_.-]`.
#[must_use]
pub fn is_stream_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-')
}
