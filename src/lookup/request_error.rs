//! Why a request failed, and when to retry it.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use service_kit::backoff::{Backoff, Jitter};

use super::service_response::ServiceResponseError;

pub(super) const MAX_ATTEMPTS: u32 = 4;
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2), jitter: Jitter::Full };
/// After this many different requests in a row failed all attempts, the failure does not concern a single key.
pub(super) const MAX_FAILED_IN_A_ROW: u32 = 3;

/// How many bodies that are long, or of unknown length, are read at the same time.
pub(super) const LONG_BODIES: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("responded {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("responded {status}: {code}")]
    Aws { status: StatusCode, code: String },
    #[error("responded with {0}")]
    Secret(&'static str),
    #[error("responded with more than {limit} bytes")]
    TooLong { limit: usize },
    #[error("responded with {0}")]
    Response(#[from] ServiceResponseError),
    #[error("did not respond within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error(
        "responded, but no time was left in this invocation to read it: {LONG_BODIES} long responses are read at once"
    )]
    Unread,
    #[error("failed: {0}")]
    Connection(String),
    /// Or the secret was not fetched.
    #[error("was not sent: {MAX_FAILED_IN_A_ROW} requests in a row have failed")]
    CircuitOpen,
    #[error("was not sent: no time left in this invocation")]
    Deadline,
}

impl RequestError {
    /// Whether the service may want a newer secret.
    pub(super) fn is_rejection(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. })
    }

    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::CircuitOpen | Self::Deadline)
    }

    pub(super) fn retry_delay(&self, attempt: u32) -> Option<Duration> {
        if attempt >= MAX_ATTEMPTS || !self.is_retryable() {
            return None;
        }
        let delay = BACKOFF.delay(attempt);
        match self {
            Self::Status { retry_after: Some(retry_after), .. } => Some(delay.max(*retry_after)),
            _ => Some(delay),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            // https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
            Self::Aws { status, code } => status.is_server_error() || code == "ThrottlingException",
            // The next response would be too large, too.
            Self::Response(ServiceResponseError::TooLarge)
            | Self::Secret(_)
            | Self::Unread
            | Self::CircuitOpen
            | Self::Deadline => false,
            Self::TooLong { .. } | Self::Response(_) | Self::Timeout(_) | Self::Connection(_) => true,
        }
    }
}

impl From<reqwest::Error> for RequestError {
    fn from(error: reqwest::Error) -> Self {
        // The URL contains a key, which is user input. The sources of the error, which `#` adds, distinguish failures.
        Self::Connection(format!("{:#}", anyhow::Error::new(error.without_url())))
    }
}

/// Of a signature.
impl From<Box<dyn std::error::Error + Send + Sync>> for RequestError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Connection(format!("no signature: {error}"))
    }
}

/// `Retry-After`: a number of seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn status(status: StatusCode, retry_after: Option<Duration>) -> RequestError {
        RequestError::Status { status, retry_after }
    }

    #[test]
    fn transient_errors_get_four_attempts() {
        for (failure, retried) in [
            (status(StatusCode::INTERNAL_SERVER_ERROR, None), true),
            (status(StatusCode::TOO_MANY_REQUESTS, None), true),
            (status(StatusCode::REQUEST_TIMEOUT, None), true),
            (status(StatusCode::FORBIDDEN, None), false),
            (status(StatusCode::FOUND, None), false),
            (RequestError::Timeout(Duration::ZERO), true),
            (RequestError::Connection(String::new()), true),
            (RequestError::TooLong { limit: 1 }, true),
            (RequestError::Response(ServiceResponseError::Shape), true),
            (RequestError::Response(ServiceResponseError::TooLarge), false),
        ] {
            assert_eq!(failure.retry_delay(1).is_some(), retried, "{failure}");
            assert_eq!(failure.retry_delay(3).is_some(), retried, "{failure}");
            assert_eq!(failure.retry_delay(4), None, "{failure}");
        }
    }

    #[test]
    fn retry_after_is_the_least_delay() {
        for code in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR]
        {
            let retry_after = Duration::from_secs(7);
            assert_eq!(status(code, Some(retry_after)).retry_delay(1), Some(retry_after));
        }
        // `Retry-After: 0` still backs off.
        let immediate = status(StatusCode::SERVICE_UNAVAILABLE, Some(Duration::ZERO));
        assert!((0..200).any(|_| immediate.retry_delay(3) > Some(Duration::from_millis(100))));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1000));
        for (value, expected) in [
            ("7", Some(7..8)),
            (" 0 ", Some(0..1)),
            (soon.as_str(), Some(900..1001)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0..1)),
            ("soon", None),
            ("-1", None),
            ("18446744073709551615", Some(u64::MAX..u64::MAX)),
            ("99999999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            let found = retry_after(&headers).map(|wait| wait.as_secs());
            let fits = match (found, &expected) {
                (Some(found), Some(range)) => range.contains(&found) || found == range.start,
                (found, range) => found.is_none() && range.is_none(),
            };
            assert!(fits, "{value}: {found:?}, expected {expected:?}");
        }
    }
}
