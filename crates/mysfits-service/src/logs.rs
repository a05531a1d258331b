//! Logs: one JSON line for each failure, on standard error.

use service_kit::logs::{LevelFilter, Output, Targets};

/// Sets up logs: see [`service_kit::logs::init`].
pub fn init() {
    service_kit::logs::init(LevelFilter::WARN, Output::Stderr, |level| Targets::new().with_default(level));
}
