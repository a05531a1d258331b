//! What a function says about its own work: the CloudWatch EMF lines among its logs.
//!
//! The click processor writes one line for each invocation (`Records`, …, `ServiceRequests`) and one for each reason why
//! records failed (`Reason`, `Failed`). Firehose never learns the reasons: they are only here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The numbers of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Requests to the mysfits service; none where the function reports none.
    pub service_requests: Option<u64>,
    /// Failed records by reason; none where the function reports nothing at all.
    pub failed_by_reason: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    #[serde(rename = "_aws")]
    _aws: serde::de::IgnoredAny,
    reason: Option<String>,
    failed: Option<u64>,
    service_requests: Option<u64>,
}

impl Metrics {
    /// Takes the metrics out of an invocation's lines, and leaves the logs.
    pub fn take(lines: &mut Vec<String>) -> Self {
        let mut metrics = Self::default();
        lines.retain(|line| match read(line) {
            Some(line) => {
                metrics.add(line);
                false
            }
            None => true,
        });
        metrics
    }

    fn add(&mut self, line: Line) {
        let by_reason = self.failed_by_reason.get_or_insert_default();
        if let (Some(reason), Some(failed)) = (line.reason, line.failed) {
            *by_reason.entry(reason).or_default() += failed;
        }
        if let Some(requests) = line.service_requests {
            *self.service_requests.get_or_insert_default() += requests;
        }
    }
}

fn read(line: &str) -> Option<Line> {
    // Most lines of a noisy function are logs, which need no parsing.
    if !line.contains("\"_aws\"") {
        return None;
    }
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &[&str]) -> (Metrics, Vec<String>) {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        (Metrics::take(&mut lines), lines)
    }

    #[test]
    fn metrics_are_taken_and_logs_are_left() {
        let (metrics, logs) = taken(&[
            "starting",
            r#"{"_aws":{"Timestamp":1},"Records":9,"Failed":3,"ServiceRequests":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"invalid_json","Failed":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"unknown_mysfit","Failed":1}"#,
            r#"{"message":"\"_aws\" in a message"}"#,
            r#"not JSON, but "_aws""#,
        ]);
        assert_eq!(metrics.service_requests, Some(2));
        let reasons = BTreeMap::from([("invalid_json".to_owned(), 2), ("unknown_mysfit".to_owned(), 1)]);
        assert_eq!(metrics.failed_by_reason, Some(reasons));
        assert_eq!(logs, ["starting", r#"{"message":"\"_aws\" in a message"}"#, r#"not JSON, but "_aws""#]);
    }

    #[test]
    fn no_metrics_are_not_zero() {
        assert_eq!(taken(&["starting"]).0, Metrics { service_requests: None, failed_by_reason: None });
        let (metrics, _) = taken(&[r#"{"_aws":{},"ServiceRequests":0}"#]);
        assert_eq!(metrics, Metrics { service_requests: Some(0), failed_by_reason: Some(BTreeMap::new()) });
    }
}
