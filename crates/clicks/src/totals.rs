//! The numbers of all streams, for the terminal.

use std::fmt::{self, Display, Formatter};
use std::iter::Sum;

use local_firehose::registry::Registry;
use local_firehose::stream::{DataStream, DeliveryStream, StreamSnapshot};
use service_kit::count::records;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    accepted: u64,
    delivered: u64,
    dropped: u64,
    failed: u64,
    refused: u64,
}

impl From<&StreamSnapshot> for Totals {
    fn from(snapshot: &StreamSnapshot) -> Self {
        let StreamSnapshot { accepted, delivered, dropped, failed, refused, .. } = *snapshot;
        Self { accepted, delivered, dropped, failed, refused }
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            accepted: sum.accepted + next.accepted,
            delivered: sum.delivered + next.delivered,
            dropped: sum.dropped + next.dropped,
            failed: sum.failed + next.failed,
            refused: sum.refused + next.refused,
        })
    }
}

impl Display for Totals {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, dropped, failed, refused } = self;
        write!(formatter, "{accepted} accepted, {delivered} delivered, {dropped} dropped, {failed} failed")?;
        if *refused > 0 {
            write!(formatter, ", {refused} refused")?;
        }
        Ok(())
    }
}

impl Totals {
    /// `left` records are accepted, and not flushed.
    fn summary(&self, left: u64) -> String {
        let Self { accepted, delivered, dropped, failed, refused } = *self;
        let mut parts = vec![match accepted {
            0 => "no record accepted".to_owned(),
            // Records that are de-aggregated count as more after it.
            _ if delivered + dropped + failed > accepted => format!("{} delivered", records(delivered)),
            _ => format!("{delivered} of {} delivered", records(accepted)),
        }];
        for (number, what) in [(dropped, "dropped"), (failed, "failed")] {
            parts.extend((number > 0).then(|| format!("{number} {what}")));
        }
        let left = if left == 0 { "none left".to_owned() } else { format!("{left} left") };
        parts.extend((accepted > 0).then_some(left));
        parts.extend((refused > 0).then(|| format!("{refused} refused")));
        parts.join(", ")
    }
}

/// At the end: a sentence about all streams, and the totals of each. Nothing without streams.
pub(crate) fn report(streams: &Registry) -> String {
    let streams = streams.by_age();
    let left = streams.iter().map(DeliveryStream::unsettled).sum();
    let snapshots: Vec<StreamSnapshot> = streams.iter().map(DeliveryStream::snapshot).collect();
    let sum: Totals = snapshots.iter().map(Totals::from).sum();
    let lines = snapshots.iter().map(|snapshot| format!("{}: {}\n", snapshot.stream, Totals::from(snapshot)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("{}\n{lines}", sum.summary(left)) }
}

/// Of all streams now. `refused` are records and requests that were refused elsewhere.
pub(crate) fn status(streams: &Registry, refused: u64) -> String {
    let delivery: Totals = streams.list().iter().map(|stream| Totals::from(&stream.snapshot())).sum();
    let data_streams = streams.data_streams();
    let by_data_streams = data_streams.iter().filter_map(DataStream::snapshot);
    let refused = refused + by_data_streams.map(|snapshot| snapshot.refused_by_reason.total()).sum::<u64>();
    Totals { refused: delivery.refused + refused, ..delivery }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Totals = Totals { accepted: 9, delivered: 9, dropped: 0, failed: 0, refused: 0 };

    #[test]
    fn a_summary_says_what_is_left() {
        for (totals, left, expected) in [
            (Totals::default(), 0, "no record accepted"),
            (Totals { refused: 2, ..Totals::default() }, 0, "no record accepted, 2 refused"),
            (Totals { accepted: 1, delivered: 1, ..SOME }, 0, "1 of 1 record delivered, none left"),
            (SOME, 0, "9 of 9 records delivered, none left"),
            (
                Totals { delivered: 4, dropped: 1, failed: 2, ..SOME },
                2,
                "4 of 9 records delivered, 1 dropped, 2 failed, 2 left",
            ),
            (Totals { refused: 91_623, ..SOME }, 0, "9 of 9 records delivered, none left, 91623 refused"),
            // De-aggregated.
            (Totals { accepted: 1, delivered: 500, ..SOME }, 0, "500 records delivered, none left"),
        ] {
            assert_eq!(totals.summary(left), expected, "{totals:?}");
        }
    }

    #[test]
    fn totals_are_a_line() {
        assert_eq!(SOME.to_string(), "9 accepted, 9 delivered, 0 dropped, 0 failed");
        let refused = Totals { refused: 3, failed: 1, ..SOME };
        assert_eq!(refused.to_string(), "9 accepted, 9 delivered, 0 dropped, 1 failed, 3 refused");
        assert_eq!(
            [SOME, refused].into_iter().sum::<Totals>().to_string(),
            "18 accepted, 18 delivered, 0 dropped, 1 failed, 3 refused"
        );
    }
}
