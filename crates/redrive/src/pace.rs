//! When the next call may be made: not faster than asked, and later after each that stored nothing.

use std::time::Duration;

use tokio::time::Instant;

/// How many calls on end may store nothing. The pauses between them take 16 s at the least.
const MAX_FRUITLESS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So much of a record counts as one.
const BYTES_OF_ONE: usize = 512;

/// As how many a record counts: a large one takes its stream's bytes, of which there are fewer than records.
pub(super) fn count(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_OF_ONE)).unwrap_or(u32::MAX).max(1)
}

/// The pace of the calls.
#[derive(Debug)]
pub(super) struct Pace {
    per_record: Duration,
    /// From when on the rate allows more.
    next: Instant,
    fruitless: u32,
}

impl Pace {
    /// At most so many records a second, which is at least one.
    pub(super) fn new(records_per_second: u32) -> Self {
        Self { per_record: Duration::from_secs(1) / records_per_second.max(1), next: Instant::now(), fruitless: 0 }
    }

    /// When records may be sent that count as so many. What was not sent in time is not made up for.
    pub(super) fn book(&mut self, count: u32) -> Instant {
        let start = self.next.max(Instant::now());
        self.next = start + self.per_record * count;
        start
    }

    /// How long to wait after a call that was refused, wholly or in part; none to give up. By `random` from 0 to 1 it is between
    /// half of a bound and all of it; the bound doubles with each call that stored nothing ("Exponential Backoff And Jitter",
    /// AWS Architecture Blog, calls this equal jitter).
    pub(super) fn pause(&mut self, stored_some: bool, random: f64) -> Option<Duration> {
        self.fruitless = if stored_some { 0 } else { self.fruitless + 1 };
        if self.fruitless >= MAX_FRUITLESS {
            return None;
        }
        let bound = (FIRST_PAUSE * 2_u32.pow(self.fruitless.saturating_sub(1))).min(LONGEST_PAUSE);
        Some(bound.mul_f64(f64::midpoint(1.0, random)))
    }

    /// A call was not refused.
    pub(super) fn went_well(&mut self) {
        self.fruitless = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_records_a_second_than_asked() {
        let mut pace = Pace::new(100);
        let begin = Instant::now();
        let starts: Vec<u128> = (0..3).map(|_| (pace.book(50) - begin).as_millis()).collect();
        assert_eq!(starts, [0, 500, 1000]);
        tokio::time::advance(Duration::from_secs(10)).await;
        // Ten seconds without a call are no credit.
        assert_eq!([(); 2].map(|()| (pace.book(50) - begin).as_millis()), [10_000, 10_500]);
    }

    #[test]
    fn a_large_record_counts_as_several() {
        for (bytes, expected) in [(0, 1), (1, 1), (512, 1), (513, 2), (1_024_000, 2_000)] {
            assert_eq!(count(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn pauses_double_until_nothing_was_stored_too_often() {
        let pauses = |random: f64, stored: &[bool]| {
            let mut pace = Pace::new(1);
            stored.iter().map(|stored| pace.pause(*stored, random).map(|pause| pause.as_millis())).collect::<Vec<_>>()
        };
        let bounds = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].map(Some);
        assert_eq!(pauses(1.0, &[false; 10]), [&bounds[..], &[None]].concat());
        assert_eq!(pauses(0.0, &[false; 9]), bounds.map(|bound| bound.map(|ms: u128| ms / 2)));
        // What stores something is no reason to give up.
        assert_eq!(pauses(1.0, &[true; 50]), [Some(100); 50]);
        assert_eq!(pauses(1.0, &[false, false, true, false]), [100, 200, 100, 100].map(Some));
    }
}
