//! The reports of an invocation: one JSON line, and one for each of the first rejected bodies. There are no metrics of its own: the alarms use
//! those of API Gateway, Lambda, Kinesis and SQS.

use std::time::Duration;

use click_collector::Report;
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
        warn!(message_id, reason = error.reason, "body rejected");
    }
    info!(
        status = report.status,
        messages = report.messages,
        messages_failed = report.messages.map(|_| report.messages_failed),
        rejected = report.rejected,
        records = report.records,
        stored = report.records - report.failed,
        failed = report.failed,
        kinesis_requests = report.kinesis_requests,
        kinesis_error = report.kinesis_error,
        stored_bytes = report.stored_bytes,
        duration_ms = millis(duration),
        "invocation"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
