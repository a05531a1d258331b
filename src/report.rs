//! What one invocation did.

use std::time::Duration;

use crate::mysfits::Requests;
use crate::reason::Reason;

/// The most failed records that are told one by one; the counts tell of all.
const MAX_FAILURES: usize = 20;
/// The longest id that is told; the longest seen in the wild has 160 characters.
const MAX_ID_CHARS: usize = 256;

/// What one invocation did, for its log line and its metrics. Nothing here is a payload or an id of a visitor.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The id of this attempt, from the event; cut as record ids are.
    pub invocation_id: Option<String>,
    /// Size of the event.
    pub event_bytes: usize,
    /// Size of the reply; 0 where there is none.
    pub response_bytes: usize,
    /// The records of the event.
    pub records: usize,
    /// Records answered `Ok`.
    pub ok: usize,
    /// Records answered `Dropped`.
    pub dropped: usize,
    /// Lines in the records answered `Ok`.
    pub lines: usize,
    /// The requests to the service.
    pub requests: Requests,
    /// Mysfits served from an answer past its time.
    pub stale_served: usize,
    /// How old the catalogue is from which they were served; `None` where none served.
    pub catalogue_age: Option<Duration>,
    /// The time spent on look-ups.
    pub look_up: Duration,
    failed: [usize; Reason::ALL.len()],
    failures: Vec<(Option<String>, Reason)>,
}

impl Report {
    /// Counts a record answered `ProcessingFailed`, and remembers its id if it is one of the first.
    pub fn fail(&mut self, id: Option<&str>, reason: Reason) {
        self.failed[reason as usize] += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push((id.map(cut), reason));
        }
    }

    /// Records answered `ProcessingFailed`.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed.iter().sum()
    }

    /// Records answered `ProcessingFailed` for `reason`.
    #[must_use]
    pub fn failed_for(&self, reason: Reason) -> usize {
        self.failed[reason as usize]
    }

    /// The ids of the first failed records, 20 at most, and why they failed.
    #[must_use]
    pub fn failures(&self) -> &[(Option<String>, Reason)] {
        &self.failures
    }
}

/// As much of an id as is told.
pub(crate) fn cut(id: &str) -> String {
    id.chars().take(MAX_ID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_counted_and_the_first_are_remembered() {
        let mut report = Report::default();
        for (index, reason) in Reason::ALL.into_iter().cycle().take(34).enumerate() {
            report.fail(Some(&index.to_string()), reason);
        }
        report.fail(None, Reason::Empty);
        assert_eq!((report.failed(), report.failed_for(Reason::Empty), report.failures().len()), (35, 3, 20));
        assert!(Reason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert_eq!(report.failures()[17], (Some("17".to_owned()), Reason::MissingData));
    }

    #[test]
    fn a_long_id_is_cut() {
        let mut report = Report::default();
        report.fail(Some(&"é".repeat(300)), Reason::Empty);
        assert_eq!(report.failures()[0].0.as_deref(), Some("é".repeat(256).as_str()));
    }
}
