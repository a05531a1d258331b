//! The reports of an invocation: one JSON line, and one for each of the first rejected bodies; and metrics in CloudWatch's embedded metric
//! format (EMF).

use std::io;
use std::time::{Duration, SystemTime};

use click_collector::Report;
use metrique::emf::Emf;
use metrique::writer::format::Format as _;
use metrique::writer::unit::{AsBytes, AsCount};
use metrique::writer::{Entry, IoStreamError};
use service_kit::logs::{LevelFilter, Output, Targets, millis};
use tracing::{info, warn};

pub(crate) fn init() {
    service_kit::logs::init(LevelFilter::INFO, Output::Stdout, targets);
}

/// Libraries log only warnings and errors, and the runtime's span with the request id. At lower levels the runtime logs events, and the AWS
/// SDK the responses of Kinesis, which can contain partition keys.
fn targets(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("click_collector", level)
        .with_target("lambda_runtime", level.min(LevelFilter::INFO))
}

pub(crate) fn invocation(report: &Report, duration: Duration) {
    for (message_id, error) in &report.body_errors {
        warn!(message_id, reason = error.reason, "body refused");
    }
    info!(
        status = report.status,
        messages = report.messages,
        messages_failed = report.messages.map(|_| report.messages_failed),
        refused = report.refused,
        records = report.records,
        put = report.records - report.failed,
        failed = report.failed,
        attempts = report.calls,
        kinesis_error = report.kinesis_error,
        put_bytes = report.put_bytes,
        took_ms = millis(duration),
        "invocation"
    );
}

pub(crate) struct Metrics {
    function_name: String,
    emf: Emf,
}

#[derive(Entry)]
#[entry(rename_all = "PascalCase")]
struct InvocationEntry<'r> {
    #[entry(timestamp)]
    at: SystemTime,
    function_name: &'r str,
    records: AsCount<usize>,
    put: AsCount<usize>,
    failed: AsCount<usize>,
    refused: AsCount<usize>,
    attempts: AsCount<usize>,
    put_bytes: AsBytes<usize>,
}

impl Metrics {
    pub(crate) fn new(function_name: String) -> Self {
        let dimensions = vec!["FunctionName".to_owned()];
        Self { function_name, emf: Emf::builder("ClickCollector".to_owned(), vec![dimensions]).build() }
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
            records: report.records.into(),
            put: (report.records - report.failed).into(),
            failed: report.failed.into(),
            refused: report.refused.into(),
            attempts: report.calls.into(),
            put_bytes: report.put_bytes.into(),
        };
        self.emf.format(&entry, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn libraries_log_warnings_only() {
        for (level, expected) in [
            (LevelFilter::DEBUG, "click_collector=debug,lambda_runtime=info,warn"),
            (LevelFilter::WARN, "click_collector=warn,lambda_runtime=warn,warn"),
            (LevelFilter::ERROR, "click_collector=error,error,lambda_runtime=error"),
            (LevelFilter::OFF, "click_collector=off,lambda_runtime=off,off"),
        ] {
            let targets = targets(level).to_string();
            let mut targets: Vec<&str> = targets.split(',').collect();
            targets.sort_unstable();
            assert_eq!(targets.join(","), expected);
        }
    }

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
