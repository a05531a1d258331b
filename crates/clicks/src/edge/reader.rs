//! Reads requests within a rate, a size and a number of bodies in memory.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, request};
use axum::response::IntoResponse;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use tokio::sync::Semaphore;

use super::error::EdgeError;
use super::{Rate, body};

/// Bodies that are read at once; others wait.
const READ_AT_ONCE: usize = 32;

/// The limits of one route.
pub(super) struct RequestReader {
    rate: DefaultDirectRateLimiter,
    slots: Semaphore,
    /// The longest body.
    longest: usize,
}

impl RequestReader {
    pub(super) fn new(rate: Rate, longest: usize) -> Self {
        let rate = RateLimiter::direct(rate.quota());
        Self { rate, slots: Semaphore::new(READ_AT_ONCE), longest }
    }

    /// The head and body of a request within the rate.
    pub(super) async fn read(&self, request: Request) -> Result<(request::Parts, Vec<u8>), EdgeError> {
        let in_rate = self.in_rate();
        let (head, body) = request.into_parts();
        let body = self.read_body(body).await;
        in_rate?;
        Ok((head, body?))
    }

    /// The body, which is also read of a throttled request: a client that is still sending when the connection is closed does not
    /// see the response.
    pub(super) async fn read_body(&self, body: Body) -> Result<Vec<u8>, EdgeError> {
        // Never closed.
        let _slot = self.slots.acquire().await;
        body::read(body, self.longest, body::TIMEOUT).await
    }

    /// The response to a CORS preflight. API Gateway's is a mock integration, which is within the rate as well: JSON without
    /// content.
    pub(super) fn preflight(&self) -> Result<impl IntoResponse + use<>, EdgeError> {
        self.in_rate()?;
        Ok([(header::CONTENT_TYPE, "application/json")])
    }

    fn in_rate(&self) -> Result<(), EdgeError> {
        self.rate.check().map_err(|_| EdgeError::TooManyRequests)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::body::Bytes;
    use futures_util::future::join_all;
    use futures_util::stream;
    use tokio::time::{sleep, timeout};

    use super::*;

    fn reader(burst: u32) -> RequestReader {
        let number = |number| NonZeroU32::new(number).unwrap();
        RequestReader::new(Rate { per_second: number(1), burst: number(burst) }, 8)
    }

    fn request(body: &'static str) -> Request {
        Request::new(Body::from(body))
    }

    #[tokio::test]
    async fn over_the_rate_every_request_is_throttled() {
        let reader = reader(2);
        assert_eq!(reader.read(request("12345678")).await.unwrap().1, b"12345678");
        assert_eq!(reader.read(request("123456789")).await.err(), Some(EdgeError::TooLong));
        for body in ["12345678", "123456789"] {
            assert_eq!(reader.read(request(body)).await.err(), Some(EdgeError::TooManyRequests));
        }
        assert_eq!(reader.preflight().err(), Some(EdgeError::TooManyRequests));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_bodies_read_at_once_is_limited() {
        let reader = reader(100);
        let started = Arc::new(AtomicUsize::new(0));
        let silent = || {
            let started = Arc::clone(&started);
            let body = stream::once(async move {
                started.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(5)).await;
                Ok::<_, io::Error>(Bytes::from_static(b"{}"))
            });
            Request::new(Body::from_stream(body))
        };
        let all = join_all((0..READ_AT_ONCE + 8).map(|_| reader.read(silent())));
        tokio::pin!(all);
        assert!(timeout(Duration::from_secs(4), &mut all).await.is_err());
        assert_eq!(started.load(Ordering::Relaxed), READ_AT_ONCE);
        // The time-out of the others begins with their slot.
        for read in all.await {
            assert_eq!(read.unwrap().1, b"{}");
        }
        assert_eq!(started.load(Ordering::Relaxed), READ_AT_ONCE + 8);
    }
}
