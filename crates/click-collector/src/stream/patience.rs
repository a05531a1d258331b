//! How long what Kinesis refuses is tried again.

use std::time::Duration;

/// How many rounds on end may store nothing.
///
/// Kinesis counts a shard's throughput by the second, and the pauses between these rounds take more than that: 1.55 s at the
/// least, 3.1 s at the most. So a shard that is full and nothing worse has taken something by then.
const MAX_FRUITLESS_ROUNDS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What is left of it: all of it again after each round that stored something.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The rounds since then.
    fruitless: u32,
}

impl Patience {
    /// How long to wait after a round that stored something, or nothing; `None` to give up.
    ///
    /// By `random` from 0 to 1, it is between half of a bound and all of it. The bound doubles with each round that stored
    /// nothing. Random, because functions that were refused together would else come again together; but not down to nothing,
    /// or the pauses of some would not reach beyond the second ("Exponential Backoff And Jitter", AWS Architecture Blog, calls
    /// this equal jitter).
    pub(super) fn pause(&mut self, stored_some: bool, random: f64) -> Option<Duration> {
        self.fruitless = if stored_some { 0 } else { self.fruitless + 1 };
        if self.fruitless >= MAX_FRUITLESS_ROUNDS {
            return None;
        }
        let bound = FIRST_PAUSE * 2_u32.pow(self.fruitless.saturating_sub(1));
        Some(bound.mul_f64(f64::midpoint(1.0, random)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses after rounds that each stored something, or nothing.
    fn pauses(rounds: &[bool], random: f64) -> Vec<Option<u128>> {
        let mut patience = Patience::default();
        let pause = |stored_some: &bool| patience.pause(*stored_some, random).map(|pause| pause.as_millis());
        rounds.iter().map(pause).collect()
    }

    #[test]
    fn delays_double_until_too_many_rounds_stored_nothing() {
        for (random, expected) in [
            (1.0, [Some(100), Some(200), Some(400), Some(800), Some(1_600), None]),
            (0.5, [Some(75), Some(150), Some(300), Some(600), Some(1_200), None]),
            (0.0, [Some(50), Some(100), Some(200), Some(400), Some(800), None]),
        ] {
            assert_eq!(pauses(&[false; 6], random), expected, "{random}");
            assert!(expected.into_iter().flatten().sum::<u128>() > 1_000, "beyond a second: {random}");
        }
    }

    #[test]
    fn a_stored_record_resets_the_delays() {
        assert_eq!(pauses(&[true; 100], 1.0), [Some(100); 100]);
        let rounds = [false, false, false, false, false, true, false, false, false, false, false, false];
        let expected = [100, 200, 400, 800, 1_600, 100, 100, 200, 400, 800, 1_600].map(Some);
        assert_eq!(pauses(&rounds, 1.0), [&expected[..], &[None]].concat());
    }
}
