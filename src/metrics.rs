//! Metrics of an invocation in CloudWatch's embedded metric format (EMF): a line on standard output becomes metrics without a call to
//! CloudWatch ("Embedding metrics within logs", Amazon CloudWatch User Guide).
//!
//! Firehose itself publishes no count of failed records, so alarms use these. An alarm or the dashboard uses each: CloudWatch bills every
//! metric.

use std::io;
use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::writer::format::Format as _;
use metrique::writer::unit::AsCount;
use metrique::writer::{Entry, IoStreamError};

use crate::reason::Reason;
use crate::report::Report;

/// Writes a line of metrics for an invocation, and one for each reason why records failed.
pub struct Metrics {
    function_name: String,
    by_function: Emf,
    by_reason: Emf,
}

#[derive(Entry)]
#[entry(rename_all = "PascalCase")]
struct InvocationEntry<'r> {
    #[entry(timestamp)]
    at: SystemTime,
    function_name: &'r str,
    ok: AsCount<usize>,
    dropped: AsCount<usize>,
    failed: AsCount<usize>,
    service_requests: AsCount<u64>,
    service_errors: AsCount<u64>,
    stale_served: AsCount<usize>,
}

#[derive(Entry)]
#[entry(rename_all = "PascalCase")]
struct ReasonEntry<'r> {
    #[entry(timestamp)]
    at: SystemTime,
    function_name: &'r str,
    reason: &'static str,
    failed: AsCount<usize>,
}

impl Metrics {
    /// Metrics of the function `function_name`.
    #[must_use]
    pub fn new(function_name: String) -> Self {
        let by = |dimensions: &[&str]| {
            let dimensions = dimensions.iter().map(ToString::to_string).collect();
            Emf::builder("ClickProcessor".to_owned(), vec![dimensions]).build()
        };
        Self { function_name, by_function: by(&["FunctionName"]), by_reason: by(&["FunctionName", "Reason"]) }
    }

    /// Writes the lines of an invocation that finished at `at`.
    pub fn write(&mut self, report: &Report, at: SystemTime, out: &mut impl io::Write) -> Result<(), IoStreamError> {
        let entry = InvocationEntry {
            at,
            function_name: &self.function_name,
            ok: report.ok.into(),
            dropped: report.dropped.into(),
            failed: report.failed().into(),
            service_requests: report.requests.sent.into(),
            service_errors: report.requests.failed.into(),
            stale_served: report.stale_served.into(),
        };
        self.by_function.format(&entry, out)?;
        for reason in Reason::ALL {
            let failed = report.failed_for(reason);
            if failed > 0 {
                let function_name = &self.function_name;
                let entry = ReasonEntry { at, function_name, reason: reason.as_str(), failed: failed.into() };
                self.by_reason.format(&entry, out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lines(report: &Report) -> Vec<Value> {
        let mut out = Vec::new();
        Metrics::new("clicks".to_owned()).write(report, SystemTime::UNIX_EPOCH, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_invocation_is_one_line_and_each_reason_one_more() {
        let mut report = Report::default();
        (report.ok, report.dropped) = (2, 1);
        report.requests.sent = 3;
        report.requests.failed = 2;
        report.stale_served = 4;
        report.fail(None, Reason::InvalidJson);
        report.fail(None, Reason::InvalidJson);
        let lines = lines(&report);
        assert_eq!(lines.len(), 2);
        let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
        assert_eq!(
            lines[0],
            json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                    "Namespace": "ClickProcessor",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        metric("Ok", "Count"), metric("Dropped", "Count"), metric("Failed", "Count"),
                        metric("ServiceRequests", "Count"), metric("ServiceErrors", "Count"),
                        metric("StaleServed", "Count"),
                    ],
                }]},
                "FunctionName": "clicks",
                "Ok": 2, "Dropped": 1, "Failed": 2,
                "ServiceRequests": 3, "ServiceErrors": 2, "StaleServed": 4,
            })
        );
        assert_eq!(
            lines[1],
            json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                    "Namespace": "ClickProcessor",
                    "Dimensions": [["FunctionName", "Reason"]],
                    "Metrics": [metric("Failed", "Count")],
                }]},
                "FunctionName": "clicks", "Reason": "invalid_json", "Failed": 2,
            })
        );
    }

    #[test]
    fn zero_counts_are_written() {
        let lines = lines(&Report::default());
        assert_eq!((lines.len(), &lines[0]["Failed"], &lines[0]["StaleServed"]), (1, &json!(0), &json!(0)));
    }
}
