//! How fast records are sent.

use std::time::Duration;

use tokio::time::Instant;

/// A larger record counts as one for each of these bytes.
const BYTES_PER_COUNT: usize = 512;

/// How many records a record counts for. The service's quota of bytes per second is lower than its quota of records allows.
pub(super) fn count(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_COUNT)).unwrap_or(u32::MAX).max(1)
}

/// A limit of records per second, without bursts.
#[derive(Debug)]
pub(super) struct RateLimiter {
    per_record: Duration,
    next: Instant,
}

impl RateLimiter {
    pub(super) fn new(records_per_second: u32) -> Self {
        Self { per_record: Duration::from_secs(1) / records_per_second.max(1), next: Instant::now() }
    }

    /// When records that count for `count` may be sent. Unused time is not saved.
    pub(super) fn reserve(&mut self, count: u32) -> Instant {
        let start = self.next.max(Instant::now());
        self.next = start + self.per_record * count;
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_records_a_second_than_the_limit() {
        let mut limiter = RateLimiter::new(100);
        let begin = Instant::now();
        let starts: Vec<u128> = (0..3).map(|_| (limiter.reserve(50) - begin).as_millis()).collect();
        assert_eq!(starts, [0, 500, 1000]);
        tokio::time::advance(Duration::from_secs(10)).await;
        // Ten seconds without a call are no credit.
        assert_eq!([(); 2].map(|()| (limiter.reserve(50) - begin).as_millis()), [10_000, 10_500]);
    }

    #[test]
    fn a_large_record_counts_as_several() {
        for (bytes, expected) in [(0, 1), (1, 1), (512, 1), (513, 2), (1_024_000, 2_000)] {
            assert_eq!(count(bytes), expected, "{bytes}");
        }
    }
}
