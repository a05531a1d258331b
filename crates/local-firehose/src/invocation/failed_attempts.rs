//! Failed attempts with one error, reported in one line.

use std::time::Duration;

use runtime_api::{Invocation, InvokeError};

use super::{error_and_log, with_cause};

/// Attempts that take longer together are reported although others follow: the operator should not wait for all of them.
const LONGEST: Duration = Duration::from_secs(5);

/// As libc, Go and Node.js report it.
const REFUSED: [&str; 3] = ["Connection refused", "connection refused", "ECONNREFUSED"];

/// The failed attempts of one event. Each method returns the lines that are due.
#[derive(Debug)]
pub struct FailedAttempts {
    function: String,
    most: u32,
    held: Option<SimilarAttempts>,
}

#[derive(Debug)]
struct SimilarAttempts {
    first: u32,
    last: u32,
    took: Duration,
    error: String,
    /// Its lines may have times, so they do not distinguish an error from the one before.
    log: String,
}

impl FailedAttempts {
    /// Of `1 + retries` attempts. `function` is the subject of a line.
    pub fn new(function: impl Into<String>, retries: u32) -> Self {
        Self { function: function.into(), most: retries + 1, held: None }
    }

    /// An attempt has failed: its invocation, or why the event did not reach the function.
    pub fn add(&mut self, attempt: u32, invocation: &Result<Invocation, InvokeError>) -> Vec<String> {
        let (error, log) = match invocation {
            Ok(invocation) => error_and_log(invocation),
            Err(error) => (format!("was not reached: {}", with_cause(error)), String::new()),
        };
        let same = self.held.take_if(|held| held.error == error);
        let mut lines = Vec::from_iter(self.end());
        let (first, before) = same.map_or((attempt, Duration::ZERO), |held| (held.first, held.took));
        let took = before + invocation.as_ref().map_or(Duration::ZERO, |invocation| invocation.duration);
        self.held = Some(SimilarAttempts { first, last: attempt, took, error, log });
        if attempt == self.most || took >= LONGEST {
            lines.extend(self.end());
        }
        lines
    }

    /// No other attempt of the event fails.
    pub fn end(&mut self) -> Option<String> {
        let SimilarAttempts { first, last, error, log, .. } = self.held.take()?;
        let attempts = if first == last { format!("attempt {last}") } else { format!("attempts {first} to {last}") };
        let hint = if REFUSED.iter().any(|text| error.contains(text)) { "; is the service running?" } else { "" };
        Some(format!("{attempts} of {} failed: {} {error}{hint}{log}", self.most, self.function))
    }
}

#[cfg(test)]
mod tests;
