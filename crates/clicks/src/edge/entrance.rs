//! How a request comes in, whatever it is for: the rate, and then the body, of which not too many are in memory.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, request};
use axum::response::IntoResponse;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use tokio::sync::Semaphore;

use super::refusal::Refusal;
use super::{Rate, body};

/// How many bodies are read at once; others wait for their turn.
const READ_AT_ONCE: usize = 32;

/// Where requests come in. Each way has its own, so that one that is flooded does not keep the others.
pub(super) struct Entrance {
    rate: DefaultDirectRateLimiter,
    places: Semaphore,
    /// The longest body.
    longest: usize,
}

impl Entrance {
    pub(super) fn new(rate: Rate, longest: usize) -> Self {
        let rate = RateLimiter::direct(rate.quota());
        Self { rate, places: Semaphore::new(READ_AT_ONCE), longest }
    }

    /// A request's head and body, if it is within the rate.
    pub(super) async fn take(&self, request: Request) -> Result<(request::Parts, Vec<u8>), Refusal> {
        let in_rate = self.in_rate();
        let (head, body) = request.into_parts();
        let body = self.read(body).await;
        in_rate?;
        Ok((head, body?))
    }

    /// The body, which is read of a request that is refused in any case, too: who is still sending when the connection is closed
    /// sees that instead of the answer.
    pub(super) async fn read(&self, body: Body) -> Result<Vec<u8>, Refusal> {
        // Never closed.
        let _place = self.places.acquire().await;
        body::read(body, self.longest, body::TIMEOUT).await
    }

    /// The answer to a browser that asks whether it may ask. It is a mock integration in API Gateway, which is under the rate as
    /// well: JSON of no content.
    pub(super) fn preflight(&self) -> Result<impl IntoResponse + use<>, Refusal> {
        self.in_rate()?;
        Ok([(header::CONTENT_TYPE, "application/json")])
    }

    fn in_rate(&self) -> Result<(), Refusal> {
        self.rate.check().map_err(|_| Refusal::TooManyRequests)
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

    fn entrance(burst: u32) -> Entrance {
        let number = |number| NonZeroU32::new(number).unwrap();
        Entrance::new(Rate { per_second: number(1), burst: number(burst) }, 8)
    }

    fn request(body: &'static str) -> Request {
        Request::new(Body::from(body))
    }

    #[tokio::test]
    async fn past_the_rate_a_request_is_refused_whatever_it_is() {
        let entrance = entrance(2);
        assert_eq!(entrance.take(request("12345678")).await.unwrap().1, b"12345678");
        assert_eq!(entrance.take(request("123456789")).await.err(), Some(Refusal::TooLong));
        for body in ["12345678", "123456789"] {
            assert_eq!(entrance.take(request(body)).await.err(), Some(Refusal::TooManyRequests));
        }
        assert_eq!(entrance.preflight().err(), Some(Refusal::TooManyRequests));
    }

    #[tokio::test(start_paused = true)]
    async fn not_all_bodies_are_read_at_once() {
        let entrance = entrance(100);
        let begun = Arc::new(AtomicUsize::new(0));
        let silent = || {
            let begun = Arc::clone(&begun);
            let body = stream::once(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(5)).await;
                Ok::<_, io::Error>(Bytes::from_static(b"{}"))
            });
            Request::new(Body::from_stream(body))
        };
        let all = join_all((0..READ_AT_ONCE + 8).map(|_| entrance.take(silent())));
        tokio::pin!(all);
        assert!(timeout(Duration::from_secs(4), &mut all).await.is_err());
        assert_eq!(begun.load(Ordering::Relaxed), READ_AT_ONCE);
        // The others have all of their time from their turn on.
        for taken in all.await {
            assert_eq!(taken.unwrap().1, b"{}");
        }
        assert_eq!(begun.load(Ordering::Relaxed), READ_AT_ONCE + 8);
    }
}
