//! Logs as JSON lines, with the log level of Lambda's logging configuration.

use std::env;
use std::io::{stderr, stdout};
use std::time::Duration;

pub use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The stream that logs are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Installs a subscriber that writes logs as JSON lines. `filter` maps the level to the levels of targets.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL`, which Lambda's logging configuration sets, or else `RUST_LOG`. An empty variable counts as not set.
/// `TRACE` counts as `DEBUG`, because at `TRACE` the Lambda runtime logs whole events with personal data. Lambda's `FATAL` turns logs off.
pub fn init(default: LevelFilter, output: Output, filter: impl FnOnce(LevelFilter) -> Targets) {
    let set = |name| env::var(name).ok().filter(|level| !level.is_empty());
    let level = set("AWS_LAMBDA_LOG_LEVEL").or_else(|| set("RUST_LOG"));
    let level = level.map_or(default, |level| parse_level(&level, default));
    let writer = match output {
        Output::Stdout => BoxMakeWriter::new(stdout),
        Output::Stderr => BoxMakeWriter::new(stderr),
    };
    let lines = layer()
        .json()
        .flatten_event(true)
        .with_current_span(output == Output::Stdout)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    registry().with(lines.with_filter(filter(level))).init();
}

fn parse_level(level: &str, default: LevelFilter) -> LevelFilter {
    if level.eq_ignore_ascii_case("fatal") {
        return LevelFilter::OFF;
    }
    level.parse().unwrap_or(default).min(LevelFilter::DEBUG)
}

/// Milliseconds with three decimals: a warm invocation takes less than 1 ms.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_of_lambda() {
        for (text, level) in [
            ("TRACE", LevelFilter::DEBUG),
            ("debug", LevelFilter::DEBUG),
            ("INFO", LevelFilter::INFO),
            ("info", LevelFilter::INFO),
            ("WARN", LevelFilter::WARN),
            ("ERROR", LevelFilter::ERROR),
            ("FATAL", LevelFilter::OFF),
            ("fatal", LevelFilter::OFF),
            ("off", LevelFilter::OFF),
            ("loud", LevelFilter::WARN),
        ] {
            assert_eq!(parse_level(text, LevelFilter::WARN), level, "{text}");
        }
    }
}
