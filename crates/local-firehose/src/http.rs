//! Reads HTTP request bodies within limits of memory, size and time.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The most bodies that are read at once. Others wait.
pub const CONCURRENCY: usize = 32;

/// The limits of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The longest body.
    pub max_bytes: usize,
    /// How much of a longer body is discarded: a client that still sends when the connection closes sees no response.
    pub max_discarded: usize,
    /// The time that a body may take.
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
    /// The connection broke.
    #[error("the body is incomplete")]
    Incomplete,
}

/// Reads bodies, not more than [`CONCURRENCY`] at once.
#[derive(Debug)]
pub struct BodyReader {
    limits: BodyLimits,
    concurrency: Semaphore,
}

impl BodyReader {
    /// A reader with these limits.
    #[must_use]
    pub fn new(limits: BodyLimits) -> Self {
        Self { limits, concurrency: Semaphore::new(CONCURRENCY) }
    }

    /// Reads a body, whether or not its length was announced.
    pub async fn read(&self, body: Body) -> Result<Vec<u8>, BodyError> {
        // Never closed. The time-out begins when it is the body's turn.
        let _permit = self.concurrency.acquire().await;
        let BodyLimits { max_bytes, max_discarded, timeout: time } = self.limits;
        let read = async {
            let mut chunks = body.into_data_stream();
            let (mut bytes, mut size) = (Vec::new(), 0);
            while size <= max_bytes + max_discarded
                && let Some(chunk) = chunks.next().await
            {
                let chunk = chunk.map_err(|_broken| BodyError::Incomplete)?;
                size += chunk.len();
                if size <= max_bytes {
                    bytes.extend_from_slice(&chunk);
                } else {
                    bytes = Vec::new();
                }
            }
            if size <= max_bytes { Ok(bytes) } else { Err(BodyError::TooLarge) }
        };
        timeout(time, read).await.unwrap_or(Err(BodyError::Timeout(time)))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Bytes;
    use futures_util::future::join_all;
    use futures_util::stream;
    use tokio::time::sleep;

    use super::*;

    const LIMITS: BodyLimits =
        BodyLimits { max_bytes: 8192, max_discarded: 64 * 1024, timeout: Duration::from_secs(10) };

    /// A body that announces no length.
    fn chunks(count: usize, bytes: usize) -> Body {
        Body::from_stream(stream::iter(vec![Bytes::from(vec![b' '; bytes]); count]).map(Ok::<_, io::Error>))
    }

    #[tokio::test]
    async fn a_body_is_bounded_with_and_without_an_announced_length() {
        let reader = BodyReader::new(LIMITS);
        for (body, expected) in [
            (Body::empty(), Ok(0)),
            (Body::from(vec![b' '; 8192]), Ok(8192)),
            (Body::from(vec![b' '; 8193]), Err(BodyError::TooLarge)),
            (chunks(8, 1024), Ok(8192)),
            (chunks(8193, 1), Err(BodyError::TooLarge)),
            (chunks(2, 8192), Err(BodyError::TooLarge)),
            (Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("reset"))])), Err(BodyError::Incomplete)),
        ] {
            assert_eq!(reader.read(body).await.map(|bytes| bytes.len()), expected);
        }
    }

    #[tokio::test]
    async fn an_endless_body_ends() {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let endless = stream::repeat_with(move || {
            counted.fetch_add(1024, Ordering::Relaxed);
            Ok::<_, io::Error>(Bytes::from_static(&[b' '; 1024]))
        });
        assert_eq!(BodyReader::new(LIMITS).read(Body::from_stream(endless)).await, Err(BodyError::TooLarge));
        assert_eq!(sent.load(Ordering::Relaxed), LIMITS.max_bytes + LIMITS.max_discarded + 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_times_out() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let error = BodyReader::new(LIMITS).read(silent).await.unwrap_err();
        assert_eq!(error, BodyError::Timeout(LIMITS.timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn not_all_bodies_are_read_at_once() {
        let reader = BodyReader::new(LIMITS);
        let begun = Arc::new(AtomicUsize::new(0));
        let silent = || {
            let begun = Arc::clone(&begun);
            Body::from_stream(stream::once(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(6)).await;
                Ok::<_, io::Error>(Bytes::from_static(b"{}"))
            }))
        };
        let all = join_all((0..CONCURRENCY + 8).map(|_| reader.read(silent())));
        tokio::pin!(all);
        assert!(timeout(Duration::from_secs(5), &mut all).await.is_err());
        assert_eq!(begun.load(Ordering::Relaxed), CONCURRENCY);
        // The others have all of their time from their turn on.
        for body in all.await {
            assert_eq!(body.unwrap(), b"{}");
        }
        assert_eq!(begun.load(Ordering::Relaxed), CONCURRENCY + 8);
    }
}
