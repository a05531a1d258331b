//! The time that look-ups may take, so that the reply is out before Lambda ends the invocation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest that a Lambda function may run ("Lambda quotas", AWS Lambda Developer Guide).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);
/// What is assumed where the deadline is no plausible time: the timeout that `infra/README.md` recommends.
const ASSUMED_TIMEOUT: Duration = Duration::from_secs(30);
/// What encoding and sending the reply takes. An event of 6 MB with 25,000 clicks takes 14 ms of a whole core, which are
/// 200 ms of the fourteenth that a 128 MB function owns; the rest is room for slower machines.
const RESERVE: Duration = Duration::from_millis(250);
const RESERVE_PER_MB: Duration = Duration::from_millis(100);

/// How long look-ups may take from `now`, for an event of `event_bytes` whose invocation ends `deadline_ms` milliseconds
/// after 1970.
///
/// A deadline in the past, or further away than any Lambda function may run, is no plausible time: `cargo lambda watch`
/// sends the constant 600000. It must not fail a batch, so the timeout is assumed to be 30 s.
#[must_use]
pub fn time_for_look_ups(deadline_ms: u64, now: SystemTime, event_bytes: usize) -> Duration {
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
    fn the_reply_keeps_its_time() {
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
            let time = time_for_look_ups(deadline_ms, now, event_bytes);
            assert_eq!(time.as_millis(), expected_ms, "{deadline_ms} with {event_bytes} bytes");
        }
    }
}
