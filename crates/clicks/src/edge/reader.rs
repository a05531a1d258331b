//! Reads requests within a rate, and within limits of their bodies.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header, request};
use axum::response::{IntoResponse, Response};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::json;

use local_firehose::http::{BodyError, BodyLimits, BodyMemory, BodyReader};
use local_firehose::stream::{PutError, RefusalReason};

/// More than the 64 KiB of a request that outlives its page (Fetch standard, `keepalive`).
const MAX_DISCARDED: usize = 1024 * 1024;

/// A day, as deployed (`infra/lib/edge/preflight.ts`).
const MAX_AGE_SECONDS: &str = "86400";

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct RequestReader {
    rate: DefaultDirectRateLimiter,
    bodies: BodyReader,
}

impl RequestReader {
    pub(super) fn new(rate: Quota, max_bytes: usize, memory: &BodyMemory) -> Self {
        let limits = BodyLimits { max_bytes, max_discarded: MAX_DISCARDED, timeout: TIMEOUT };
        Self { rate: RateLimiter::direct(rate), bodies: BodyReader::new(limits, memory.clone()) }
    }

    /// A request over the rate is refused without its body.
    pub(super) async fn read(&self, request: Request) -> Result<(request::Parts, Bytes), EdgeError> {
        if let Err(throttled) = self.in_rate() {
            self.discard(request);
            return Err(throttled);
        }
        let (head, body) = request.into_parts();
        let body = self.bodies.read(body).await.map_err(|error| match error {
            BodyError::TooLarge => EdgeError::TooLong,
            BodyError::Timeout(_) | BodyError::TooSlow => EdgeError::BodyTimeout,
            BodyError::NoMemory => EdgeError::TooManyRequests(RefusalReason::Memory),
            BodyError::Incomplete => EdgeError::Incomplete,
        })?;
        Ok((head, body))
    }

    /// Discards the body of a refused request while its client gets the response.
    pub(super) fn discard(&self, request: Request) {
        let (head, body) = request.into_parts();
        self.bodies.discard(&head.headers, body);
    }

    /// API Gateway's preflight is a mock integration within the rate, of JSON without content.
    pub(super) fn preflight(&self) -> Result<impl IntoResponse + use<>, EdgeError> {
        self.in_rate()?;
        Ok([(header::CONTENT_TYPE, "application/json"), (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS)])
    }

    fn in_rate(&self) -> Result<(), EdgeError> {
        self.rate.check().map_err(|_| EdgeError::TooManyRequests(RefusalReason::Rate))
    }
}

/// API Gateway assumes JSON without a content type (API Gateway developer guide, "Integration passthrough behaviors").
pub(super) fn json_text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<&'a str, EdgeError> {
    let is_json = headers.get_all(header::CONTENT_TYPE).iter().all(|value| {
        let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(EdgeError::MediaType);
    }
    str::from_utf8(body).map_err(|_| EdgeError::Body("it is not UTF-8".to_owned()))
}

/// An error with the status and message of API Gateway's (API Gateway developer guide, "Gateway response types").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EdgeError {
    /// Over the rate, or Firehose's backlog or the memory of bodies is full. Without `Retry-After`, as API Gateway's.
    TooManyRequests(RefusalReason),
    TooLong,
    /// The message is an assumption: API Gateway closes the connection without one.
    BodyTimeout,
    Incomplete,
    MediaType,
    /// Unlike API Gateway's `$context.error.validationErrorString`, the reason has no values of the visitor.
    Body(String),
    PartitionKey(String),
    UnknownStream,
    UnknownMethod,
    Unavailable,
    FunctionFailed,
    /// Reached while the request waited, or in the function.
    FunctionTimeout,
}

impl EdgeError {
    /// Why a request is refused before its record is put.
    pub(super) fn reason(&self) -> RefusalReason {
        match self {
            Self::TooManyRequests(reason) => *reason,
            Self::BodyTimeout | Self::Incomplete => RefusalReason::Incomplete,
            Self::Unavailable | Self::FunctionFailed | Self::FunctionTimeout => RefusalReason::Unavailable,
            Self::TooLong
            | Self::MediaType
            | Self::Body(_)
            | Self::PartitionKey(_)
            | Self::UnknownStream
            | Self::UnknownMethod => RefusalReason::Invalid,
        }
    }
}

impl From<PutError> for EdgeError {
    fn from(refused: PutError) -> Self {
        match refused {
            PutError::Unavailable => Self::Unavailable,
            // The mapping template maps Firehose's "Slow down." to 429.
            full => Self::TooManyRequests(full.into()),
        }
    }
}

impl IntoResponse for EdgeError {
    fn into_response(self) -> Response {
        let (status, message): (_, Cow<'_, str>) = match &self {
            Self::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests".into()),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long".into()),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "Request Timeout".into()),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "Invalid request body: it is incomplete".into()),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type".into()),
            Self::Body(reason) => (StatusCode::BAD_REQUEST, format!("Invalid request body: {reason}").into()),
            Self::PartitionKey(reason) => (StatusCode::BAD_REQUEST, format!("Invalid partition key: {reason}").into()),
            Self::UnknownStream => (StatusCode::NOT_FOUND, "Not Found".into()),
            // API Gateway reports an unknown method as a missing signature.
            Self::UnknownMethod => (StatusCode::FORBIDDEN, "Missing Authentication Token".into()),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable".into()),
            Self::FunctionFailed => (StatusCode::BAD_GATEWAY, "Internal server error".into()),
            Self::FunctionTimeout => (StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out".into()),
        };
        let body = match self {
            // API Gateway writes a space into these two.
            Self::FunctionFailed | Self::FunctionTimeout => format!("{{\"message\": \"{message}\"}}"),
            _ => json!({ "message": message }).to_string(),
        };
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::num::NonZeroU32;

    use axum::body::Body;
    use futures_util::{FutureExt, stream};

    use super::*;

    fn reader(burst: u32) -> RequestReader {
        let number = |number| NonZeroU32::new(number).unwrap();
        RequestReader::new(Quota::per_second(number(1)).allow_burst(number(burst)), 8, &BodyMemory::default())
    }

    const THROTTLED: EdgeError = EdgeError::TooManyRequests(RefusalReason::Rate);

    fn request(body: &'static str) -> Request {
        Request::new(Body::from(body))
    }

    #[tokio::test]
    async fn over_the_rate_every_request_is_throttled() {
        let reader = reader(2);
        assert_eq!(reader.read(request("12345678")).await.unwrap().1.to_vec(), b"12345678");
        assert_eq!(reader.read(request("123456789")).await.err(), Some(EdgeError::TooLong));
        for body in ["12345678", "123456789"] {
            assert_eq!(reader.read(request(body)).await.err(), Some(THROTTLED));
        }
        assert_eq!(reader.preflight().err(), Some(THROTTLED));
    }

    #[tokio::test]
    async fn over_the_rate_no_body_is_awaited() {
        let reader = reader(1);
        reader.read(request("12345678")).await.unwrap();
        let silent = Request::new(Body::from_stream(stream::pending::<io::Result<Bytes>>()));
        assert_eq!(reader.read(silent).now_or_never().unwrap().err(), Some(THROTTLED));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_a_timeout() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        assert_eq!(reader(1).read(Request::new(silent)).await.err(), Some(EdgeError::BodyTimeout));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("reset"))]));
        assert_eq!(reader(1).read(Request::new(broken)).await.err(), Some(EdgeError::Incomplete));
    }
}
