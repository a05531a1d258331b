//! Statistics of one invocation.

use std::time::Duration;

use crate::lookup::Requests;
use crate::reason::Reason;

/// How many failed records are logged individually; the counts include all.
const MAX_FAILURES: usize = 20;
/// The longest id in a log. The longest observed has 160 characters.
const MAX_ID_CHARS: usize = 256;

/// Statistics of one invocation, for its log line and metrics. They include no payload and no visitor's id.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The id of this attempt, truncated like record ids.
    pub invocation_id: Option<String>,
    /// Size of the event.
    pub event_bytes: usize,
    /// Size of the response; 0 if there is none.
    pub response_bytes: usize,
    /// The records of the event.
    pub records: usize,
    /// Records with result `Ok`.
    pub ok: usize,
    /// Records with result `Dropped`.
    pub dropped: usize,
    /// Lines in the records with result `Ok`.
    pub lines: usize,
    /// The requests to the service.
    pub requests: Requests,
    /// Keys served from a stale value.
    pub stale_served: usize,
    /// The age of the list that served keys.
    pub list_age: Option<Duration>,
    /// The time spent on look-ups.
    pub look_up_time: Duration,
    /// The ids and reasons of the first failed records, at most 20.
    pub failures: Vec<(Option<String>, Reason)>,
    failed: [usize; Reason::ALL.len()],
}

impl Report {
    /// Counts a record with result `ProcessingFailed`, and keeps its id if it is one of the first.
    pub fn fail(&mut self, id: Option<&str>, reason: Reason) {
        self.failed[reason as usize] += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push((id.map(truncate), reason));
        }
    }

    /// Records with result `ProcessingFailed`.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed.iter().sum()
    }

    /// Records that failed for `reason`.
    #[must_use]
    pub fn failed_for(&self, reason: Reason) -> usize {
        self.failed[reason as usize]
    }
}

pub(crate) fn truncate(id: &str) -> String {
    id.chars().take(MAX_ID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_counted_and_the_first_are_kept() {
        let mut report = Report::default();
        for (index, reason) in Reason::ALL.into_iter().cycle().take(34).enumerate() {
            report.fail(Some(&index.to_string()), reason);
        }
        report.fail(None, Reason::Empty);
        assert_eq!((report.failed(), report.failed_for(Reason::Empty), report.failures.len()), (35, 3, 20));
        assert!(Reason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert_eq!(report.failures[17], (Some("17".to_owned()), Reason::MissingData));
    }

    #[test]
    fn a_long_id_is_truncated() {
        let mut report = Report::default();
        report.fail(Some(&"é".repeat(300)), Reason::Empty);
        assert_eq!(report.failures[0].0.as_deref(), Some("é".repeat(256).as_str()));
    }
}
