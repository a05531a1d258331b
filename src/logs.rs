//! Logs: JSON, one line an invocation, and a line for each of the first records that failed.

use std::time::Duration;

use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::{self, info, warn};

use crate::reason::Reason;
use crate::report::Report;

/// Writes logs to standard output as JSON from now on.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL`, which Lambda's logging configuration sets; `RUST_LOG` serves outside Lambda.
/// Lambda's `FATAL`, which Rust does not know, leaves nothing to log. `TRACE` counts as `DEBUG`, because at `TRACE` the Lambda
/// runtime logs whole events, and with them who clicked.
pub fn init() {
    // An empty variable counts as not set, as everywhere; tracing would take it for ERROR.
    let set = |name| std::env::var(name).ok().filter(|level| !level.is_empty());
    let level = set("AWS_LAMBDA_LOG_LEVEL").or_else(|| set("RUST_LOG"));
    tracing::subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level.map_or(LevelFilter::INFO, |level| parse_level(&level)))
        .init();
}

fn parse_level(level: &str) -> LevelFilter {
    if level.eq_ignore_ascii_case("fatal") {
        return LevelFilter::OFF;
    }
    level.parse().unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG)
}

/// Logs what an invocation did in `duration`; `answered` is false where the batch as a whole failed.
pub fn invocation(report: &Report, duration: Duration, answered: bool) {
    for (record_id, reason) in report.failures() {
        warn!(record_id, reason = reason.as_str(), "record failed");
    }
    // Only the reasons that occurred appear on the line: tracing leaves out a field that is None.
    let failed = |reason| Some(report.failed_for(reason)).filter(|count| *count > 0);
    info!(
        invocation_id = report.invocation_id,
        answered,
        records = report.records,
        ok = report.ok,
        dropped = report.dropped,
        failed = report.failed(),
        failed.missing_data = failed(Reason::MissingData),
        failed.invalid_base64 = failed(Reason::InvalidBase64),
        failed.invalid_utf8 = failed(Reason::InvalidUtf8),
        failed.empty = failed(Reason::Empty),
        failed.invalid_json = failed(Reason::InvalidJson),
        failed.not_an_object = failed(Reason::NotAnObject),
        failed.too_deep = failed(Reason::TooDeep),
        failed.number_too_large = failed(Reason::NumberTooLarge),
        failed.missing_field = failed(Reason::MissingField),
        failed.wrong_type = failed(Reason::WrongType),
        failed.too_long = failed(Reason::TooLong),
        failed.invalid_mysfit_id = failed(Reason::InvalidMysfitId),
        failed.unknown_mysfit = failed(Reason::UnknownMysfit),
        failed.service_error = failed(Reason::ServiceError),
        failed.service_unavailable = failed(Reason::ServiceUnavailable),
        failed.partition_key = failed(Reason::PartitionKey),
        failed.response_budget = failed(Reason::ResponseBudget),
        lines = report.lines,
        service_requests = report.requests.sent,
        service_errors = report.requests.failed,
        service_first_error = report.requests.first_failure,
        stale_served = report.stale_served,
        cache_age_ms = report.catalogue_age.map(millis),
        event_bytes = report.event_bytes,
        response_bytes = report.response_bytes,
        look_up_ms = millis(report.look_up),
        duration_ms = millis(duration),
        "invocation"
    );
}

/// Milliseconds with three decimals: a warm invocation takes less than one.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_lambda() {
        for (level, expected) in [
            ("TRACE", LevelFilter::DEBUG),
            ("debug", LevelFilter::DEBUG),
            ("INFO", LevelFilter::INFO),
            ("WARN", LevelFilter::WARN),
            ("ERROR", LevelFilter::ERROR),
            ("FATAL", LevelFilter::OFF),
            ("fatal", LevelFilter::OFF),
            ("loud", LevelFilter::INFO),
        ] {
            assert_eq!(parse_level(level), expected, "{level}");
        }
    }
}
