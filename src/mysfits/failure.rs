//! Why a request failed, and when to try again.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::answer::BadAnswer;

pub(super) const MAX_ATTEMPTS: u32 = 4;
/// The waits between attempts are drawn from 0 to this, doubled each time, up to the most: full jitter keeps many
/// functions from coming back in step ("Exponential Backoff And Jitter", AWS Architecture Blog).
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// So many different requests that fail for good one after the other say that it is not about one mysfit.
pub(super) const MAX_FAILED_IN_A_ROW: u32 = 3;

/// So many bodies are read at once that are long, or whose length is not known.
pub(super) const LONG_BODIES: usize = 8;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("answered {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("answered with more than {limit} bytes")]
    TooLong { limit: usize },
    #[error("answered with {0}")]
    Answer(#[from] BadAnswer),
    #[error("did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error(
        "answered, and no time was left in this invocation to read it: {LONG_BODIES} long answers are read at once"
    )]
    Unread,
    #[error("broke: {0}")]
    Connection(String),
    #[error("was not sent: {MAX_FAILED_IN_A_ROW} requests in a row have failed")]
    GaveUp,
    #[error("was not sent: no time left in this invocation")]
    Deadline,
}

impl Failure {
    /// Whether a request was sent at all.
    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::GaveUp | Self::Deadline)
    }

    /// How long to wait before the next attempt; `None` where there is none.
    pub(super) fn wait_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= MAX_ATTEMPTS || !self.may_pass() {
            return None;
        }
        let most = MAX_BACKOFF.min(FIRST_BACKOFF * 2_u32.pow(attempt - 1));
        let backoff = most.mul_f64(fastrand::f64());
        match self {
            Self::Status { retry_after: Some(asked), .. } => Some(backoff.max(*asked)),
            _ => Some(backoff),
        }
    }

    /// Whether another attempt may bring an answer.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            // A list that was read to its end would be the same again.
            Self::Answer(BadAnswer::TooLarge) | Self::Unread | Self::GaveUp | Self::Deadline => false,
            Self::TooLong { .. } | Self::Answer(_) | Self::Timeout(_) | Self::Connection(_) => true,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL holds an id, which is a visitor's input; the causes are what tells one fault from another.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Connection(text)
    }
}

/// How long the service asks to be left alone: a number of seconds, or a date (RFC 9110, section 10.2.3).
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

    fn status(status: StatusCode, retry_after: Option<Duration>) -> Failure {
        Failure::Status { status, retry_after }
    }

    #[test]
    fn what_may_pass_is_tried_again_four_times_at_most() {
        for (failure, tried_again) in [
            (status(StatusCode::INTERNAL_SERVER_ERROR, None), true),
            (status(StatusCode::TOO_MANY_REQUESTS, None), true),
            (status(StatusCode::REQUEST_TIMEOUT, None), true),
            (status(StatusCode::FORBIDDEN, None), false),
            (status(StatusCode::FOUND, None), false),
            (Failure::Timeout(Duration::ZERO), true),
            (Failure::Connection(String::new()), true),
            (Failure::TooLong { limit: 1 }, true),
            (Failure::Answer(BadAnswer::Shape), true),
            (Failure::Answer(BadAnswer::TooLarge), false),
        ] {
            assert_eq!(failure.wait_after(1).is_some(), tried_again, "{failure}");
            assert_eq!(failure.wait_after(3).is_some(), tried_again, "{failure}");
            assert_eq!(failure.wait_after(4), None, "{failure}");
        }
    }

    #[test]
    fn waits_grow_with_full_jitter() {
        for (attempt, most_ms) in [(1, 100.0), (2, 200.0), (3, 400.0)] {
            let draw = |_| Failure::Timeout(Duration::ZERO).wait_after(attempt).unwrap().as_secs_f64() * 1000.0;
            let waits: Vec<f64> = (0..200).map(draw).collect();
            let (least, longest) = waits.iter().fold((f64::MAX, 0.0_f64), |(a, b), wait| (a.min(*wait), b.max(*wait)));
            assert!(longest <= most_ms, "{longest} ms after attempt {attempt}");
            // 200 draws that all miss a quarter of the range have odds of 1 in 10 to the 24th.
            assert!(
                least < most_ms / 4.0 && longest > most_ms * 0.75,
                "{least} to {longest} ms after attempt {attempt}"
            );
        }
    }

    #[test]
    fn the_service_is_left_alone_as_long_as_it_asks() {
        for code in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR]
        {
            let asked = Duration::from_secs(7);
            assert_eq!(status(code, Some(asked)).wait_after(1), Some(asked));
        }
        // One that asks for no time is backed off from all the same.
        let at_once = status(StatusCode::SERVICE_UNAVAILABLE, Some(Duration::ZERO));
        assert!((0..200).any(|_| at_once.wait_after(3) > Some(Duration::from_millis(100))));
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
