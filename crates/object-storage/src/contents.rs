//! Compression of objects.

use std::io::{self, Read, Write};

use bytes::Bytes;
use firehose_model::values::GZIP_MAGIC;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// The start of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectStart {
    /// Its first bytes, decompressed.
    pub bytes: Vec<u8>,
    /// Whether the object has more.
    pub truncated: bool,
}

/// Compresses bytes. The result is deterministic, so that an attempt can be repeated.
pub fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

/// The number of stored bytes that `at_most` decompressed bytes need: gzip adds far less than an eighth to incompressible data.
pub(super) fn stored_bytes_for(at_most: usize) -> usize {
    at_most.saturating_add(at_most / 8).saturating_add(4096)
}

/// The start of an object whose stored start, or all of it, is `stored`.
pub(super) fn start(mut stored: Vec<u8>, whole: bool, at_most: usize) -> ObjectStart {
    if stored.starts_with(&GZIP_MAGIC)
        && let Some(contents) = decompressed(&stored, whole, at_most)
    {
        return contents;
    }
    let truncated = !whole || stored.len() > at_most;
    stored.truncate(at_most);
    ObjectStart { bytes: stored, truncated }
}

/// Decompresses at most `at_most` bytes. None if nothing can be decompressed.
fn decompressed(stored: &[u8], whole: bool, at_most: usize) -> Option<ObjectStart> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(at_most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(stored).take(one_more).read_to_end(&mut bytes);
    if read.is_err() && bytes.is_empty() {
        return None;
    }
    let truncated = !whole || read.is_err() || bytes.len() > at_most;
    bytes.truncate(at_most);
    Some(ObjectStart { bytes, truncated })
}
