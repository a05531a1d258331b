//! A request's body, read within bounds: of memory, of bytes, of time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::refusal::Refusal;

/// How much of a body that is too long is read, and thrown away, for its sender to see the answer: more than the 64 KiB that
/// browsers allow a request that outlives its page (Fetch standard, `keepalive`).
const MOST_MORE: usize = 1024 * 1024;

/// How long a body may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body of so many bytes at most, whether or not its length was announced.
pub(super) async fn read(body: Body, longest: usize, time: Duration) -> Result<Vec<u8>, Refusal> {
    timeout(time, read_all(body, longest)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn read_all(body: Body, longest: usize) -> Result<Vec<u8>, Refusal> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut read) = (Vec::new(), 0);
    while read <= longest + MOST_MORE
        && let Some(chunk) = chunks.next().await
    {
        let chunk = chunk.map_err(|_| Refusal::Body("it did not come whole".to_owned()))?;
        read += chunk.len();
        if read <= longest {
            kept.extend_from_slice(&chunk);
        }
    }
    if read <= longest { Ok(kept) } else { Err(Refusal::TooLong) }
}

/// Whether a body is JSON by its content type. None at all counts as JSON to API Gateway (API Gateway developer guide,
/// "Integration passthrough behaviors").
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

    /// A body of so many chunks that announces no length.
    fn chunks(count: usize, bytes: usize) -> Body {
        Body::from_stream(stream::iter(vec![Bytes::from(vec![b' '; bytes]); count]).map(Ok::<_, io::Error>))
    }

    #[tokio::test]
    async fn a_body_is_bounded_with_and_without_an_announced_length() {
        for (body, expected) in [
            (Body::empty(), Ok(0)),
            (Body::from(vec![b' '; 8192]), Ok(8192)),
            (Body::from(vec![b' '; 8193]), Err(Refusal::TooLong)),
            (chunks(8, 1024), Ok(8192)),
            (chunks(8193, 1), Err(Refusal::TooLong)),
            (chunks(2, 8192), Err(Refusal::TooLong)),
        ] {
            assert_eq!(read(body, LONGEST_CLICK, TIMEOUT).await.map(|kept| kept.len()), expected);
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
        assert_eq!(read(Body::from_stream(endless), LONGEST_CLICK, TIMEOUT).await, Err(Refusal::TooLong));
        assert_eq!(sent.load(Ordering::Relaxed), LONGEST_CLICK + MOST_MORE + 1024);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        assert_eq!(read(silent, LONGEST_CLICK, Duration::from_millis(1)).await, Err(Refusal::TooSlow));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("reset"))]));
        assert_eq!(read(broken, LONGEST_CLICK, TIMEOUT).await, Err(Refusal::Body("it did not come whole".to_owned())));
    }
}
