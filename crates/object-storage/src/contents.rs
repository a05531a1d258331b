//! The bytes of an object: compressed as it is stored, and decompressed as far as someone wants to see.

use firehose_model::values::GZIP_MAGIC;
use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// The start of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// As they were delivered, before compression.
    pub bytes: Vec<u8>,
    /// Whether there is more.
    pub truncated: bool,
}

/// Compressed bytes: the same ones each time, so that an attempt can be repeated.
pub fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

/// So many stored bytes are enough for `at_most` bytes: gzip makes what it can't compress longer by far less than an eighth.
pub(super) fn stored_bytes_for(at_most: usize) -> usize {
    at_most.saturating_add(at_most / 8).saturating_add(4096)
}

/// The start of an object of which `stored` is the start, or all of it.
pub(super) fn start(mut stored: Vec<u8>, whole: bool, at_most: usize) -> Contents {
    if stored.starts_with(&GZIP_MAGIC)
        && let Some(contents) = decompressed(&stored, whole, at_most)
    {
        return contents;
    }
    let truncated = !whole || stored.len() > at_most;
    stored.truncate(at_most);
    Contents { bytes: stored, truncated }
}

/// Reads no more than what is wanted, however much it would be. None where nothing can be decompressed.
fn decompressed(stored: &[u8], whole: bool, at_most: usize) -> Option<Contents> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(at_most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(stored).take(one_more).read_to_end(&mut bytes);
    if read.is_err() && bytes.is_empty() {
        return None;
    }
    let truncated = !whole || read.is_err() || bytes.len() > at_most;
    bytes.truncate(at_most);
    Some(Contents { bytes, truncated })
}
