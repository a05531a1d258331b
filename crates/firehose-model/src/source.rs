//! The sources of a delivery stream, and the sizes of their records.

use std::fmt::{self, Display, Formatter};

use crate::MAX_PAYLOAD_BYTES;

/// The largest data of one record (Amazon Data Firehose quotas: 1,000 KiB before base64).
pub const MAX_RECORD_BYTES: usize = 1000 * 1024;
/// The largest data of a record that comes from a data stream which opts in to it (Kinesis developer guide, "Handle large records":
/// 10 MiB; 1 MiB unless the stream sets another maximum, which an event does not contain).
pub const MAX_KINESIS_RECORD_BYTES: usize = 10 * 1024 * 1024;

/// The source of a delivery stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceType {
    /// Firehose's own API.
    DirectPut,
    /// A data stream.
    Kinesis,
    /// Amazon MSK.
    Msk,
}

impl SourceType {
    /// The largest data of one record. For MSK it is Lambda's limit (Amazon Data Firehose quotas).
    #[must_use]
    pub fn max_record_bytes(self) -> usize {
        match self {
            Self::DirectPut => MAX_RECORD_BYTES,
            Self::Kinesis => MAX_KINESIS_RECORD_BYTES,
            Self::Msk => MAX_PAYLOAD_BYTES,
        }
    }
}

impl Display for SourceType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirectPut => "Direct PUT",
            Self::Kinesis => "Kinesis Data Streams",
            Self::Msk => "Amazon MSK",
        })
    }
}

/// The size of data before base64.
#[must_use]
pub fn decoded_bytes(data: &str) -> usize {
    let padding = data.bytes().rev().take_while(|byte| *byte == b'=').count();
    (data.len() * 3 / 4).saturating_sub(padding)
}
