//! Logs: JSON, one line an invocation, and a line for each of the first bodies that were refused.

use std::time::Duration;

use lambda_runtime::tracing::subscriber::EnvFilter;
use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::{self, info, warn};

use crate::report::Report;

/// Writes logs to standard output as JSON from now on.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL`, which Lambda's logging configuration sets; `RUST_LOG` serves outside Lambda.
/// Lambda's `FATAL`, which Rust does not know, leaves nothing to log.
pub fn init() {
    // An empty variable counts as not set, as everywhere; tracing would take it for ERROR.
    let set = |name| std::env::var(name).ok().filter(|level| !level.is_empty());
    let level = set("AWS_LAMBDA_LOG_LEVEL").or_else(|| set("RUST_LOG"));
    let level = level.map_or(LevelFilter::INFO, |level| parse_level(&level));
    tracing::subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter(level)))
        .init();
}

/// Lets nothing of the libraries through but the runtime's span, which has the request's id, and what is a warning at least:
/// below, the runtime logs events and the AWS SDK the answers of Kinesis, which can repeat partition keys.
fn filter(level: LevelFilter) -> String {
    format!("{},click_collector={level},lambda_runtime={}", level.min(LevelFilter::WARN), level.min(LevelFilter::INFO))
}

fn parse_level(level: &str) -> LevelFilter {
    if level.eq_ignore_ascii_case("fatal") {
        return LevelFilter::OFF;
    }
    level.parse().unwrap_or(LevelFilter::INFO)
}

/// Logs what an invocation did in `duration`.
pub fn invocation(report: &Report, duration: Duration) {
    for (message_id, refusal) in &report.refusals {
        warn!(message_id, reason = refusal.as_str(), "body refused");
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

/// Milliseconds with three decimals.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_lambda_and_the_libraries_are_quiet() {
        for (level, expected) in [
            ("TRACE", "warn,click_collector=trace,lambda_runtime=info"),
            ("debug", "warn,click_collector=debug,lambda_runtime=info"),
            ("INFO", "warn,click_collector=info,lambda_runtime=info"),
            ("WARN", "warn,click_collector=warn,lambda_runtime=warn"),
            ("ERROR", "error,click_collector=error,lambda_runtime=error"),
            ("FATAL", "off,click_collector=off,lambda_runtime=off"),
            ("loud", "warn,click_collector=info,lambda_runtime=info"),
        ] {
            assert_eq!(filter(parse_level(level)), expected, "{level}");
        }
    }
}
