//! The metrics that a function writes to its log in CloudWatch's embedded metric format (EMF).
//!
//! A function may report `ServiceRequests`, and the number of `Failed` records for each `Reason`. A response has no field for
//! reasons, so they are only here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The metrics of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Requests to a service. `None`: not reported.
    pub service_requests: Option<u64>,
    /// Failed records by reason. `None`: the function reports no metrics.
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
    /// Sums the metrics among an invocation's log lines.
    #[must_use]
    pub fn of(lines: &[String]) -> Self {
        let mut metrics = Self::default();
        lines.iter().filter_map(|line| read(line)).for_each(|line| metrics.add(line));
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
    // Most lines are no metrics. This check avoids parsing them.
    if !line.contains("\"_aws\"") {
        return None;
    }
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(lines: &[&str]) -> Metrics {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Metrics::of(&lines)
    }

    #[test]
    fn metrics_are_found_among_logs_and_summed() {
        let metrics = metrics(&[
            "starting",
            r#"{"_aws":{"Timestamp":1},"Records":9,"Failed":3,"ServiceRequests":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"invalid_json","Failed":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"unknown_key","Failed":1}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"invalid_json","Failed":3}"#,
            r#"{"_aws":{"Timestamp":1},"ServiceRequests":3}"#,
            r#"{"message":"\"_aws\" in a message","ServiceRequests":5}"#,
            r#"not JSON, but "_aws""#,
        ]);
        assert_eq!(metrics.service_requests, Some(5));
        let reasons = BTreeMap::from([("invalid_json".to_owned(), 5), ("unknown_key".to_owned(), 1)]);
        assert_eq!(metrics.failed_by_reason, Some(reasons));
    }

    #[test]
    fn no_metrics_are_not_zero() {
        assert_eq!(metrics(&["starting"]), Metrics { service_requests: None, failed_by_reason: None });
        let none = Metrics { service_requests: Some(0), failed_by_reason: Some(BTreeMap::new()) };
        assert_eq!(metrics(&[r#"{"_aws":{},"ServiceRequests":0}"#]), none);
    }
}
