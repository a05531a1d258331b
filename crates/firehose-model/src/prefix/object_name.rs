//! The names of objects, after their prefixes.

use jiff::Timestamp;
use uuid::Uuid;

/// The most bytes after a prefix: a stream's name of 64 bytes, `-1-2026-11-20-08-22-01-`, a UUID and `.gz`.
pub(super) const MAX_SUFFIX_BYTES: usize = 64 + 23 + 36 + 3;

/// The most bytes of an object's name in S3 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// How delivered objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `UNCOMPRESSED` in Firehose's API.
    None,
    /// `GZIP` in Firehose's API.
    Gzip,
}

impl Compression {
    /// The end of an object's name (the guide's "Configure Amazon S3 object name format").
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }
}

/// The name that Firehose gives an object (the guide's "Configure Amazon S3 object name format"). The time is that of the
/// oldest record's arrival, in UTC; the stream's version is always 1 here.
#[must_use]
pub fn object_name(
    prefix: &str,
    stream: &str,
    oldest_arrival: Timestamp,
    id: Uuid,
    compression: Compression,
) -> String {
    let time = oldest_arrival.strftime("%Y-%m-%d-%H-%M-%S");
    format!("{prefix}{stream}-1-{time}-{id}{}", compression.extension())
}
