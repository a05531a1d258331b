//! Reads request bodies within limits of memory, size, rate and time.
//!
//! A body that arrives slowly holds nothing that another request waits for: only bytes that have arrived take memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use futures_util::TryStreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// In bytes. 32 of the largest batches of Firehose at once, 4 MiB in base64 each, take 180 MiB.
const MEMORY: usize = 256 * 1024 * 1024;

/// The part of each body that takes none of the memory, in bytes, so that large bodies do not cause the refusal of small ones.
/// Connections limit it: those of one server have 16 MiB.
const UNCOUNTED: usize = 64 * 1024;

/// The part of each response that takes none: only responses of GetRecords are larger. Those of the connections of one server have 64 MiB.
const UNCOUNTED_OF_RESPONSE: usize = 256 * 1024;

/// The time that the minimum rate applies to, so that bytes which arrive fast do not pay for a stall. The grace period of Kestrel, the
/// server of ASP.NET Core, is as long.
const GRACE: Duration = Duration::from_secs(5);

/// The minimum rate. Servers have 240 (Kestrel) to 500 (Apache's `mod_reqtimeout`) by default, for the links of the internet.
const MIN_BYTES_PER_SECOND: u64 = 1024;

/// The limits of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The longest body, in bytes.
    pub max_bytes: usize,
    /// How many bytes of a longer body are discarded: a client that still sends when the connection closes sees no response.
    pub max_discarded: usize,
    /// The time that a body may take, at any rate.
    pub timeout: Duration,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// Its rate was below the minimum.
    #[error("the body arrived at less than {} bytes per second", MIN_BYTES_PER_SECOND)]
    TooSlow,
    /// The bodies of other requests take all of the memory.
    #[error("the bodies of other requests take all of the memory")]
    NoMemory,
    /// The connection broke.
    #[error("the body is incomplete")]
    Incomplete,
}

/// The memory of the bodies of several readers, or of responses: 256 MiB. Small ones, up to 64 and 256 KiB, take none of it.
#[derive(Debug, Clone)]
pub struct BodyMemory(Arc<Semaphore>);

impl Default for BodyMemory {
    fn default() -> Self {
        Self::of(MEMORY)
    }
}

impl BodyMemory {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// The bytes of a response, whose memory is free for others when they are sent.
    pub(crate) fn hold_response(&self, bytes: Vec<u8>) -> Result<Bytes, BodyError> {
        let memory = self.take(bytes.len().saturating_sub(UNCOUNTED_OF_RESPONSE))?;
        Ok(Bytes::from_owner(ReservedBytes { bytes, memory }))
    }

    fn take(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, BodyError> {
        if bytes == 0 {
            return Ok(None);
        }
        let permits = u32::try_from(bytes).map_err(|_| BodyError::TooLarge)?;
        let memory = Arc::clone(&self.0).try_acquire_many_owned(permits);
        memory.map(Some).map_err(|_| BodyError::NoMemory)
    }
}

/// Bytes whose memory is free for others when they are dropped.
#[derive(Debug, Default)]
struct ReservedBytes {
    bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads bodies.
#[derive(Debug)]
pub struct BodyReader {
    limits: BodyLimits,
    memory: BodyMemory,
}

impl BodyReader {
    /// A reader with these limits, and with a memory that other readers may share.
    #[must_use]
    pub fn new(limits: BodyLimits, memory: BodyMemory) -> Self {
        Self { limits, memory }
    }

    /// Reads a body, whether or not its length was announced. Dropped, its memory is free for others. If the memory is full, it is
    /// refused instead of waiting: bodies that are partly read would wait for each other.
    pub async fn read(&self, body: Body) -> Result<Bytes, BodyError> {
        let mut arrival = Arrival::new(body, self.limits);
        let mut read = Ok(ReservedBytes::default());
        // The rest of a refused body is discarded.
        while let Some(chunk) = arrival.next().await? {
            read = read.and_then(|mut body| {
                self.reserve(&mut body, chunk.len())?;
                body.bytes.extend_from_slice(&chunk);
                Ok(body)
            });
        }
        read.map(Bytes::from_owner)
    }

    /// Discards the body of a refused request while its client gets the response, within the same limits.
    pub fn discard(&self, headers: &HeaderMap, body: Body) {
        // A client that waits for `100 Continue` sends no body after another response.
        if body.is_end_stream() || headers.contains_key(EXPECT) {
            return;
        }
        let mut arrival = Arrival::new(body, self.limits);
        tokio::spawn(async move { while let Ok(Some(_discarded)) = arrival.next().await {} });
    }

    /// A body that is made of another one, within the same limits of memory and size.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, BodyError> {
        let mut body = ReservedBytes::default();
        self.reserve(&mut body, bytes.len())?;
        body.bytes = bytes;
        Ok(Bytes::from_owner(body))
    }

    fn reserve(&self, body: &mut ReservedBytes, more: usize) -> Result<(), BodyError> {
        let before = body.bytes.len();
        let after = before + more;
        if after > self.limits.max_bytes {
            return Err(BodyError::TooLarge);
        }
        let counted = after.saturating_sub(UNCOUNTED) - before.saturating_sub(UNCOUNTED);
        if let Some(memory) = self.memory.take(counted)? {
            match &mut body.memory {
                Some(held) => held.merge(memory),
                None => body.memory = Some(memory),
            }
        }
        Ok(())
    }
}

struct Arrival {
    chunks: BodyDataStream,
    limits: BodyLimits,
    end: Instant,
    /// When the rate is below the minimum, unless more arrives.
    too_slow: Instant,
    bytes: usize,
}

impl Arrival {
    fn new(body: Body, limits: BodyLimits) -> Self {
        let now = Instant::now();
        let chunks = body.into_data_stream();
        Self { chunks, limits, end: now + limits.timeout, too_slow: now + GRACE, bytes: 0 }
    }

    /// None at the end, and when enough of a body that is too large was discarded.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.bytes > self.limits.max_bytes + self.limits.max_discarded {
            return Ok(None);
        }
        let late = if self.too_slow < self.end { BodyError::TooSlow } else { BodyError::Timeout(self.limits.timeout) };
        let chunk = timeout_at(self.too_slow.min(self.end), self.chunks.try_next()).await;
        let chunk = chunk.map_err(|_elapsed| late)?.map_err(|_broken| BodyError::Incomplete)?;
        let bytes = chunk.as_ref().map_or(0, Bytes::len);
        self.bytes += bytes;
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / MIN_BYTES_PER_SECOND);
        self.too_slow = (self.too_slow + earned).min(Instant::now() + GRACE);
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests;
