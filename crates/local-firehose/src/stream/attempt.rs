//! An attempt to invoke the function.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::invocation::is_metrics_line;
use firehose_model::delivery::RecordOutcome;
use firehose_model::excerpt::excerpt;

/// The log lines of an attempt that are kept.
const LOG_LINES: usize = 40;
/// Of those, the ones that the list of invocations has.
const SHOWN_LINES: usize = 10;
pub(super) const LINE_CHARS: usize = 500;

/// An attempt to invoke the function.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InvocationSummary {
    /// The number of its batch in this run of the stream.
    pub(crate) batch: u64,
    /// Its end.
    pub(crate) at_ms: i64,
    pub(crate) records: usize,
    pub(crate) milliseconds: f64,
    pub(crate) cold: bool,
    pub(crate) attempt: u32,
    pub(crate) outcome: &'static str,
    /// `None` without a valid response.
    #[serde(flatten)]
    pub(crate) results: Option<RecordResults>,
    pub(crate) service_requests: Option<u64>,
    /// Failed records by the reasons that the function has logged, at most 20; those of others are `other`.
    pub(crate) failed_by_reason: BTreeMap<String, u64>,
    /// `None` with a valid response.
    pub(crate) error: Option<InvocationError>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub(crate) struct InvocationError {
    /// The type of the function's error, such as `KeyError`; Firehose's error code of an invalid response; or the outcome.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// How many records of a response have each result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RecordResults {
    pub(crate) ok: usize,
    pub(crate) dropped: usize,
    pub(crate) failed: usize,
}

impl InvocationSummary {
    /// In milliseconds, if the function got the event.
    pub(crate) fn duration(&self) -> Option<f64> {
        (self.outcome != NOT_STARTED).then_some(self.milliseconds)
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.results.is_none_or(|results| results.failed > 0)
    }
}

/// All outcomes.
pub(crate) const OUTCOMES: [&str; 6] = ["response", "invalid_response", "error", "timed_out", "exited", NOT_STARTED];

/// The outcome of an event that did not reach the function.
pub(crate) const NOT_STARTED: &str = "not_started";

impl RecordResults {
    pub(crate) fn of(outcomes: &[RecordOutcome]) -> Self {
        let count = |is: fn(&RecordOutcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let failed = count(|outcome| matches!(outcome, RecordOutcome::Failed(_)));
        let dropped = count(|outcome| *outcome == RecordOutcome::Dropped);
        Self { ok: outcomes.len() - failed - dropped, dropped, failed }
    }
}

/// An attempt, with the log lines of one that failed or that has failed records.
#[derive(Debug, Default, Serialize)]
pub(super) struct Attempt {
    #[serde(flatten)]
    pub(super) summary: InvocationSummary,
    pub(super) log: Vec<String>,
    /// Whether lines in the middle are left out.
    pub(super) log_truncated: bool,
}

impl Attempt {
    pub(super) fn bytes(&self) -> usize {
        let InvocationSummary { failed_by_reason, error, .. } = &self.summary;
        let reasons: usize = failed_by_reason.keys().map(|reason| reason.len() + size_of::<(String, u64)>()).sum();
        let error = error.as_ref().map_or(0, |error| error.kind.len() + error.message.len());
        size_of::<Self>() + reasons + error + bytes_of(&self.log)
    }

    pub(super) fn new(summary: InvocationSummary, lines: &[String]) -> Self {
        let (log, log_truncated) =
            if summary.has_failures() { log_excerpt(lines, LOG_LINES) } else { (Vec::new(), false) };
        Self { summary, log, log_truncated }
    }

    /// The lines that the list of invocations has.
    pub(super) fn shown_lines(&self) -> Vec<String> {
        log_excerpt(&self.log, SHOWN_LINES).0
    }
}

/// The first and the last lines, because an exception is often the last thing that a function writes. Without metrics, which are read on
/// their own. The second value is whether lines are left out.
fn log_excerpt(lines: &[String], most: usize) -> (Vec<String>, bool) {
    let text: Vec<&String> = lines.iter().filter(|line| !is_metrics_line(line)).collect();
    let shortened = |lines: &[&String]| lines.iter().map(|line| excerpt(line, LINE_CHARS)).collect::<Vec<_>>();
    if text.len() <= most {
        return (shortened(&text), false);
    }
    let (first, last) = (&text[..most / 2], &text[text.len() - most / 2..]);
    ([shortened(first), shortened(last)].concat(), true)
}

pub(super) fn bytes_of(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + size_of::<String>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_lines_are_kept() {
        let line = |number: usize| format!("line {number}");
        let lines = |from: usize, to: usize| (from..to).map(line).collect::<Vec<_>>();
        for (log, expected, truncated) in [
            (lines(0, 0), lines(0, 0), false),
            (lines(0, 40), lines(0, 40), false),
            (lines(0, 41), [lines(0, 20), lines(21, 41)].concat(), true),
            // Without metrics.
            ([lines(0, 1), vec![r#"{"_aws":{}}"#.to_owned()]].concat(), lines(0, 1), false),
            (vec!["x".repeat(LINE_CHARS + 1)], vec!["x".repeat(LINE_CHARS) + "…"], false),
        ] {
            let attempt = Attempt::new(InvocationSummary::default(), &log);
            assert_eq!((attempt.log, attempt.log_truncated), (expected, truncated));
        }
    }

    #[test]
    fn an_attempt_without_failures_has_no_log() {
        let results = |failed| Some(RecordResults { ok: 3, dropped: 2, failed });
        for (results, has_log) in [(None, true), (results(0), false), (results(1), true)] {
            let attempt =
                Attempt::new(InvocationSummary { results, ..InvocationSummary::default() }, &["a".to_owned()]);
            assert_eq!(!attempt.log.is_empty(), has_log, "{results:?}");
        }
    }
}
