//! The durations of invocations since the start, as a histogram of Prometheus.

/// The upper bounds of the buckets, in seconds. Lambda allows 900, but Firehose waits for 300 at most.
const BOUNDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Durations {
    /// The last one has no bound.
    counts: [u64; BOUNDS.len() + 1],
    pub(crate) sum_seconds: f64,
}

impl Durations {
    pub(super) fn add(&mut self, milliseconds: f64) {
        let seconds = milliseconds / 1e3;
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum_seconds += seconds;
    }

    /// Each bound, the last one infinite, with the number of invocations that took so long at most.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.counts).scan(0, |count, (bound, more)| {
            *count += more;
            Some((bound, *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_up_to_its_bound() {
        let mut durations = Durations::default();
        for milliseconds in [0.5, 1.0, 1.5, 299_000.0, 900_000.0] {
            durations.add(milliseconds);
        }
        let cumulative: Vec<_> = durations.cumulative().collect();
        assert_eq!(cumulative[..3], [(0.001, 2), (0.0025, 3), (0.005, 3)]);
        assert_eq!(cumulative[15..], [(300.0, 4), (f64::INFINITY, 5)]);
        assert!((durations.sum_seconds - 1199.003).abs() < 1e-6);
    }
}
