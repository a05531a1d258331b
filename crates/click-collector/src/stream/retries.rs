//! When refused records are retried.

use std::time::Duration;

use service_kit::backoff::{Backoff, Jitter};

/// How many rounds in a row may store nothing.
///
/// Kinesis measures a shard's throughput per second. The delays between these rounds take longer in total: 1.55 to 3.1 s. So a shard that
/// is merely full has accepted a record by then.
const MAX_ROUNDS_WITHOUT_SUCCESS: u32 = 6;

/// Equal jitter: with full jitter, some delays would not exceed a second in total.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_millis(1_600), jitter: Jitter::Equal };

/// Counts rounds. Each stored record resets the count.
#[derive(Debug, Default)]
pub(super) struct Retries {
    rounds_without_success: u32,
}

impl Retries {
    /// The delay after a round, with a random number from 0 to 1; `None` to stop.
    pub(super) fn delay(&mut self, stored_some: bool, random: f64) -> Option<Duration> {
        self.rounds_without_success = if stored_some { 0 } else { self.rounds_without_success + 1 };
        (self.rounds_without_success < MAX_ROUNDS_WITHOUT_SUCCESS)
            .then(|| BACKOFF.delay_at(self.rounds_without_success, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The delays after rounds that stored something, or nothing.
    fn delays(rounds: &[bool], random: f64) -> Vec<Option<u128>> {
        let mut retries = Retries::default();
        let delay = |stored_some: &bool| retries.delay(*stored_some, random).map(|delay| delay.as_millis());
        rounds.iter().map(delay).collect()
    }

    #[test]
    fn delays_double_until_too_many_rounds_stored_nothing() {
        for (random, expected) in [
            (1.0, [Some(100), Some(200), Some(400), Some(800), Some(1_600), None]),
            (0.5, [Some(75), Some(150), Some(300), Some(600), Some(1_200), None]),
            (0.0, [Some(50), Some(100), Some(200), Some(400), Some(800), None]),
        ] {
            assert_eq!(delays(&[false; 6], random), expected, "{random}");
            assert!(expected.into_iter().flatten().sum::<u128>() > 1_000, "more than a second: {random}");
        }
    }

    #[test]
    fn a_stored_record_resets_the_delays() {
        assert_eq!(delays(&[true; 100], 1.0), [Some(100); 100]);
        let rounds = [false, false, false, false, false, true, false, false, false, false, false, false];
        let expected = [100, 200, 400, 800, 1_600, 100, 100, 200, 400, 800, 1_600].map(Some);
        assert_eq!(delays(&rounds, 1.0), [&expected[..], &[None]].concat());
    }
}
