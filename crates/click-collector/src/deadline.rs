//! The time limit for Kinesis, so that the response is sent before Lambda's deadline and API Gateway's time-out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time limit of a request: API Gateway's time-out is 29 s ("Quotas for REST APIs", Amazon API Gateway Developer Guide), and a cold
/// start may take a part of it.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(25);
/// The longest that a Lambda function may run ("Lambda quotas", AWS Lambda Developer Guide).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);
/// Assumed if the deadline is not plausible.
const ASSUMED_TIMEOUT: Duration = Duration::from_secs(30);
/// Reserved for sending the response, with a margin for slow machines.
const RESERVE: Duration = Duration::from_millis(250);

/// How long Kinesis may take from `now`, with a deadline in Unix milliseconds. One in the past, or beyond Lambda's longest time-out, is not
/// plausible: `cargo lambda watch` sends the constant 600000. It must not fail a request, so a time-out is assumed then.
pub(crate) fn put_timeout(deadline_ms: u64, now: SystemTime) -> Duration {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(since_1970);
    let left = if left.is_zero() || left > MAX_TIMEOUT { ASSUMED_TIMEOUT } else { left };
    left.saturating_sub(RESERVE.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_reserved_for_the_response() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (deadline_ms, expected_ms) in [
            (1_800_000_030_000, 29_750),
            (1_800_000_000_400, 200),
            (1_800_000_900_000, 899_750),
            (1_800_000_900_001, 29_750),
            (600_000, 29_750),
            (1_799_999_999_999, 29_750),
            (0, 29_750),
            (u64::MAX, 29_750),
        ] {
            assert_eq!(put_timeout(deadline_ms, now).as_millis(), expected_ms, "{deadline_ms}");
        }
    }
}
