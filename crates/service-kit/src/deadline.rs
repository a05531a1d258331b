//! The deadline of an invocation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest that a Lambda function may run ("Lambda quotas", AWS Lambda Developer Guide).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);
const ASSUMED_TIMEOUT: Duration = Duration::from_secs(30);

/// The time from `now` to a deadline in Unix milliseconds, without `reserve` for the response, which is at most half of it.
///
/// A deadline in the past, or beyond Lambda's longest time-out, is not plausible: `cargo lambda watch` sends the constant 600000. It must
/// not fail an invocation, so a time-out is assumed then.
#[must_use]
pub fn time_left(deadline_ms: u64, now: SystemTime, reserve: Duration) -> Duration {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(since_1970);
    let left = if left.is_zero() || left > MAX_TIMEOUT { ASSUMED_TIMEOUT } else { left };
    left.saturating_sub(reserve.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_reserved_for_the_response() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (deadline_ms, reserve_ms, expected_ms) in [
            (1_800_000_030_000, 250, 29_750),
            (1_800_000_030_000, 850, 29_150),
            (1_800_000_000_400, 250, 200),
            (1_800_000_900_000, 250, 899_750),
            (1_800_000_900_001, 250, 29_750),
            (600_000, 250, 29_750),
            (1_799_999_999_999, 250, 29_750),
            (0, 250, 29_750),
            (u64::MAX, u64::MAX, 15_000),
        ] {
            let left = time_left(deadline_ms, now, Duration::from_millis(reserve_ms));
            assert_eq!(left.as_millis(), expected_ms, "{deadline_ms} {reserve_ms}");
        }
    }
}
