//! The time that Kinesis may take, so that the answer is out before Lambda, or API Gateway, stops waiting for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long whoever waits at an API Gateway is kept waiting: it gives up after 29 s ("Quotas for REST APIs", Amazon API Gateway
/// Developer Guide), of which a cold start may have taken some.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// The longest that a Lambda function may run ("Lambda quotas", AWS Lambda Developer Guide).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);
/// What is assumed where the deadline is no plausible time.
const ASSUMED_TIMEOUT: Duration = Duration::from_secs(30);
/// What writing and sending the answer takes, with much room for a slow machine.
const RESERVE: Duration = Duration::from_millis(250);

/// How long Kinesis may take from `now`, in an invocation that ends `deadline_ms` milliseconds after 1970.
///
/// A deadline in the past, or further away than any Lambda function may run, is no plausible time: `cargo lambda watch` sends
/// the constant 600000. It must not refuse a body, so the timeout is assumed to be 30 s.
#[must_use]
pub fn time_to_put(deadline_ms: u64, now: SystemTime) -> Duration {
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
            assert_eq!(time_to_put(deadline_ms, now).as_millis(), expected_ms, "{deadline_ms}");
        }
    }
}
