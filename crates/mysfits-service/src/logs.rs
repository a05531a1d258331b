//! Logs: one JSON line for each failure, on standard error, and nothing for a request that succeeded.

use lambda_http::tracing::subscriber::filter::{LevelFilter, Targets};
use service_kit::logs::Output;

/// Writes logs from now on: see [`service_kit::logs::init`].
pub fn init() {
    service_kit::logs::init(LevelFilter::WARN, Output::Stderr, |level| Targets::new().with_default(level));
}
