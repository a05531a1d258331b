//! A request's body, read within limits of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::error::EdgeError;

/// The part of a too long body that is read and discarded, so that its client sees the response. It is more than the 64 KiB of a
/// request that outlives its page (Fetch standard, `keepalive`).
const DISCARDED: usize = 1024 * 1024;

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body, with or without a `Content-Length`.
pub(super) async fn read(body: Body, longest: usize, time: Duration) -> Result<Vec<u8>, EdgeError> {
    timeout(time, read_all(body, longest)).await.unwrap_or(Err(EdgeError::BodyTimeout))
}

async fn read_all(body: Body, longest: usize) -> Result<Vec<u8>, EdgeError> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut read) = (Vec::new(), 0);
    while read <= longest + DISCARDED
        && let Some(chunk) = chunks.next().await
    {
        let chunk = chunk.map_err(|_| EdgeError::Body("it is incomplete".to_owned()))?;
        read += chunk.len();
        if read <= longest {
            kept.extend_from_slice(&chunk);
        }
    }
    if read <= longest { Ok(kept) } else { Err(EdgeError::TooLong) }
}

/// Whether the content type is JSON's. API Gateway assumes JSON without one (API Gateway developer guide, "Integration passthrough
/// behaviors").
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().all(|value| {
        let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::edge::LONGEST_CLICK;

    /// A body without a `Content-Length`.
    fn chunks(count: usize, bytes: usize) -> Body {
        Body::from_stream(stream::iter(vec![Bytes::from(vec![b' '; bytes]); count]).map(Ok::<_, io::Error>))
    }

    #[tokio::test]
    async fn a_body_is_limited_with_and_without_a_content_length() {
        for (body, expected) in [
            (Body::empty(), Ok(0)),
            (Body::from(vec![b' '; 8192]), Ok(8192)),
            (Body::from(vec![b' '; 8193]), Err(EdgeError::TooLong)),
            (chunks(8, 1024), Ok(8192)),
            (chunks(8193, 1), Err(EdgeError::TooLong)),
            (chunks(2, 8192), Err(EdgeError::TooLong)),
        ] {
            assert_eq!(read(body, LONGEST_CLICK, TIMEOUT).await.map(|kept| kept.len()), expected);
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_to_its_end() {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let endless = stream::repeat_with(move || {
            counted.fetch_add(1024, Ordering::Relaxed);
            Ok::<_, io::Error>(Bytes::from_static(&[b' '; 1024]))
        });
        assert_eq!(read(Body::from_stream(endless), LONGEST_CLICK, TIMEOUT).await, Err(EdgeError::TooLong));
        assert_eq!(sent.load(Ordering::Relaxed), LONGEST_CLICK + DISCARDED + 1024);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_a_timeout() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        assert_eq!(read(silent, LONGEST_CLICK, Duration::from_millis(1)).await, Err(EdgeError::BodyTimeout));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("reset"))]));
        assert_eq!(read(broken, LONGEST_CLICK, TIMEOUT).await, Err(EdgeError::Body("it is incomplete".to_owned())));
    }
}
