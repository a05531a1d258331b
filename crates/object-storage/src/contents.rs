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

/// The start of an object whose stored start, or all of it, is `stored`. What can't be decompressed is returned as it is.
pub(super) fn start(stored: Vec<u8>, whole: bool, at_most: usize) -> ObjectStart {
    let (mut bytes, mut whole) = (stored, whole);
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut decompressed = Vec::new();
        let read = MultiGzDecoder::new(&*bytes).take(at_most as u64 + 1).read_to_end(&mut decompressed);
        if read.is_ok() || !decompressed.is_empty() {
            (bytes, whole) = (decompressed, whole && read.is_ok());
        }
    }
    let truncated = !whole || bytes.len() > at_most;
    bytes.truncate(at_most);
    ObjectStart { bytes, truncated }
}
