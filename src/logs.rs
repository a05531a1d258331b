//! Logs: one JSON line for each invocation, and one for each of the first failed records.

use std::time::Duration;

use service_kit::logs::{LevelFilter, Output, Targets, millis};
use tracing::{info, warn};

use crate::reason::Reason;
use crate::report::Report;

/// Sets up logs on standard output: see [`service_kit::logs::init`].
pub fn init() {
    service_kit::logs::init(LevelFilter::INFO, Output::Stdout, |level| Targets::new().with_default(level));
}

/// Logs an invocation that took `duration`; `succeeded` is false if the whole batch failed.
pub fn invocation(report: &Report, duration: Duration, succeeded: bool) {
    for (record_id, reason) in &report.failures {
        warn!(record_id, reason = reason.as_str(), "record failed");
    }
    // tracing omits a field that is `None`.
    let failed = |reason| Some(report.failed_for(reason)).filter(|count| *count > 0);
    info!(
        invocation_id = report.invocation_id,
        succeeded,
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
        failed.invalid_key = failed(Reason::InvalidKey),
        failed.unknown_key = failed(Reason::UnknownKey),
        failed.service_error = failed(Reason::ServiceError),
        failed.service_unavailable = failed(Reason::ServiceUnavailable),
        failed.partition_key = failed(Reason::PartitionKey),
        failed.response_budget = failed(Reason::ResponseBudget),
        lines = report.lines,
        service_requests = report.requests.sent,
        service_errors = report.requests.failed,
        service_first_error = report.requests.first_failure,
        stale_served = report.stale_served,
        cache_age_ms = report.list_age.map(millis),
        event_bytes = report.event_bytes,
        response_bytes = report.response_bytes,
        look_up_ms = millis(report.look_up_time),
        duration_ms = millis(duration),
        "invocation"
    );
}
