//! The time that a handler may take, so that the response is sent before the invocation's deadline.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest that a Lambda function may run ("Lambda quotas", AWS Lambda Developer Guide).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);
/// Assumed if the deadline is not plausible.
const ASSUMED_TIMEOUT: Duration = Duration::from_secs(30);
/// Reserved for encoding and sending the response. An event of 6 MB takes about 14 ms of a full core, or 200 ms of the 1/14 core of a 128 MB
/// function. The rest is a margin for slower machines.
const RESERVE: Duration = Duration::from_millis(250);
const RESERVE_PER_MB: Duration = Duration::from_millis(100);

/// How long a handler may wait from `now`, for an event of `event_bytes` and a deadline in Unix milliseconds.
///
/// The rest of the time, 250 ms and 100 ms for each MB, but at most half, is for the response. A deadline in the past, or beyond Lambda's
/// longest time-out of 15 minutes, is not plausible: `cargo lambda watch` sends the constant 600000. It must not fail a batch, so the
/// time-out is assumed to be 30 s.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let time = firehose_transform::handler_timeout(1_800_000_030_000, now, 6_000_000);
/// assert_eq!(time, Duration::from_millis(29_150));
/// ```
#[must_use]
pub fn handler_timeout(deadline_ms: u64, now: SystemTime, event_bytes: usize) -> Duration {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(since_1970);
    let left = if left.is_zero() || left > MAX_TIMEOUT { ASSUMED_TIMEOUT } else { left };
    let megabytes = u32::try_from(event_bytes / 1_000_000).unwrap_or(u32::MAX);
    let reserve = RESERVE.saturating_add(RESERVE_PER_MB.saturating_mul(megabytes));
    left.saturating_sub(reserve.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_reserved_for_the_response() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (deadline_ms, event_bytes, expected_ms) in [
            (1_800_000_030_000, 1_000, 29_750),
            (1_800_000_030_000, 6_000_000, 29_150),
            (1_800_000_000_400, 1_000, 200),
            (1_800_000_000_001, 6_000_000, 0),
            (1_800_000_900_000, 1_000, 899_750),
            (1_800_000_900_001, 1_000, 29_750),
            (600_000, 1_000, 29_750),
            (1_799_999_999_999, 1_000, 29_750),
            (0, 1_000, 29_750),
            (u64::MAX, usize::MAX, 15_000),
        ] {
            let time = handler_timeout(deadline_ms, now, event_bytes);
            assert_eq!(time.as_millis(), expected_ms, "{deadline_ms} with {event_bytes} bytes");
        }
    }
}
