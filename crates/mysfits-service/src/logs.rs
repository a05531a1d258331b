//! Logs: one JSON line for each failure, on standard error, and nothing for a request that went well.

use std::{env, io};

use lambda_http::tracing::subscriber;
use lambda_http::tracing::subscriber::filter::LevelFilter;

/// Writes logs from now on.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL`, which Lambda's logging configuration sets, or else `RUST_LOG`. `TRACE` counts
/// as `DEBUG`: at `TRACE` the Lambda runtime logs whole requests, and with them who sent them.
pub fn init() {
    // An empty variable counts as not set; tracing would take it for ERROR.
    let set = |name| env::var(name).ok().filter(|level| !level.is_empty());
    let level = set("AWS_LAMBDA_LOG_LEVEL").or_else(|| set("RUST_LOG"));
    subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level.map_or(LevelFilter::WARN, |level| parse_level(&level)))
        .with_writer(io::stderr)
        .init();
}

/// Lambda's `FATAL`, which Rust does not know, leaves nothing to log.
fn parse_level(level: &str) -> LevelFilter {
    if level.eq_ignore_ascii_case("fatal") {
        return LevelFilter::OFF;
    }
    level.parse().unwrap_or(LevelFilter::WARN).min(LevelFilter::DEBUG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_levels_and_rusts() {
        for (text, level) in [
            ("TRACE", LevelFilter::DEBUG),
            ("DEBUG", LevelFilter::DEBUG),
            ("INFO", LevelFilter::INFO),
            ("info", LevelFilter::INFO),
            ("WARN", LevelFilter::WARN),
            ("ERROR", LevelFilter::ERROR),
            ("FATAL", LevelFilter::OFF),
            ("fatal", LevelFilter::OFF),
            ("off", LevelFilter::OFF),
            ("loud", LevelFilter::WARN),
        ] {
            assert_eq!(parse_level(text), level, "{text}");
        }
    }
}
