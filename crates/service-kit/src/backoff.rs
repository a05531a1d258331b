//! Exponential back-off with jitter.

use std::time::Duration;

/// Delays between attempts. They double from `first` up to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first attempt, before jitter.
    pub first: Duration,
    /// The longest delay.
    pub most: Duration,
    /// The random part of a delay.
    pub jitter: Jitter,
}

/// The random part of a delay, so that clients that fail together do not retry together ("Exponential Backoff And Jitter", AWS
/// Architecture Blog).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// The whole delay.
    None,
    /// Half to all of the delay.
    Equal,
    /// Zero to all of the delay.
    Full,
}

impl Backoff {
    /// The delay after an attempt, counted from 1.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        self.delay_at(attempt, fastrand::f64())
    }

    /// As [`Backoff::delay`], with a given random number from 0 to 1.
    #[must_use]
    pub fn delay_at(&self, attempt: u32, random: f64) -> Duration {
        let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| self.first.checked_mul(factor));
        let longest = doubled.map_or(self.most, |delay| delay.min(self.most));
        match self.jitter {
            Jitter::None => longest,
            Jitter::Equal => longest.mul_f64(f64::midpoint(1.0, random)),
            Jitter::Full => longest.mul_f64(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        for (jitter, random, expected) in [
            (Jitter::None, 0.0, [100, 200, 400, 500, 500]),
            (Jitter::Equal, 0.0, [50, 100, 200, 250, 250]),
            (Jitter::Equal, 0.5, [75, 150, 300, 375, 375]),
            (Jitter::Equal, 1.0, [100, 200, 400, 500, 500]),
            (Jitter::Full, 0.0, [0, 0, 0, 0, 0]),
            (Jitter::Full, 0.5, [50, 100, 200, 250, 250]),
        ] {
            let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(500), jitter };
            let delays = [1, 2, 3, 4, u32::MAX].map(|attempt| backoff.delay_at(attempt, random).as_millis());
            assert_eq!(delays, expected, "{jitter:?} {random}");
        }
    }

    #[test]
    fn delays_are_spread() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(1), jitter: Jitter::Full };
        let delays: Vec<f64> = (0..200).map(|_| backoff.delay(1).as_secs_f64()).collect();
        // 200 draws that all miss a quarter of the range have odds of 1 in 10 to the 24th.
        assert!(delays.iter().any(|delay| *delay < 0.25) && delays.iter().any(|delay| *delay > 0.75), "{delays:?}");
    }
}
