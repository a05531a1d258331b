//! Metrics of an invocation in CloudWatch's embedded metric format (EMF).

use std::io;
use std::time::SystemTime;

use click_collector::Report;
use metrique::emf::Emf;
use metrique::writer::format::Format as _;
use metrique::writer::unit::{AsBytes, AsCount};
use metrique::writer::{Entry, IoStreamError};
use service_kit::emf::{self, count};

const NAMESPACE: &str = "ClickCollector";

pub(crate) struct Metrics {
    function_name: String,
    emf: Emf,
}

/// Dimension `FunctionName`.
#[derive(Entry)]
#[entry(rename_all = "PascalCase")]
struct InvocationEntry<'r> {
    #[entry(timestamp)]
    at: SystemTime,
    function_name: &'r str,
    records: AsCount<u64>,
    put: AsCount<u64>,
    failed: AsCount<u64>,
    refused: AsCount<u64>,
    attempts: AsCount<u64>,
    put_bytes: AsBytes<u64>,
}

impl Metrics {
    pub(crate) fn new(function_name: String) -> Self {
        Self { function_name, emf: emf::format(NAMESPACE, &["FunctionName"]) }
    }

    pub(crate) fn write(
        &mut self,
        report: &Report,
        at: SystemTime,
        out: &mut impl io::Write,
    ) -> Result<(), IoStreamError> {
        let entry = InvocationEntry {
            at,
            function_name: &self.function_name,
            records: count(report.records).into(),
            put: count(report.records - report.failed).into(),
            failed: count(report.failed).into(),
            refused: count(report.refused).into(),
            attempts: count(report.calls).into(),
            put_bytes: count(report.put_bytes).into(),
        };
        self.emf.format(&entry, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_invocation_is_one_line() {
        let report = Report { records: 5, failed: 2, refused: 1, calls: 4, put_bytes: 700, ..Report::default() };
        let mut out = Vec::new();
        Metrics::new("collector".to_owned()).write(&report, SystemTime::UNIX_EPOCH, &mut out).unwrap();
        let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                    "Namespace": "ClickCollector",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        metric("Records", "Count"), metric("Put", "Count"), metric("Failed", "Count"),
                        metric("Refused", "Count"), metric("Attempts", "Count"), metric("PutBytes", "Bytes"),
                    ],
                }]},
                "FunctionName": "collector",
                "Records": 5, "Put": 3, "Failed": 2, "Refused": 1, "Attempts": 4, "PutBytes": 700,
            })
        );
    }
}
