//! A batch that the function gets: its attempts, and what the function logged of its records.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::attempt::{Attempt, LINE_CHARS, bytes_of};
use crate::invocation::is_metrics_line;
use firehose_model::excerpt::excerpt;

const REASON_CHARS: usize = 200;
/// The longest line that is searched for a reason: a function that prints its event has lines of 6 MB.
const REASON_LINE_BYTES: usize = 64 * 1024;
/// The lines that name one record, and their bytes in all of an attempt.
const LINES_OF_RECORD: usize = 5;
const RECORD_LINES_BYTES: usize = 64 * 1024;
/// The attempts of a batch that are kept: the first ones.
const MAX_ATTEMPTS: usize = 20;

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) started_ms: i64,
    pub(super) records: usize,
    /// The function's name, if there is a function.
    pub(super) function: Option<String>,
    log: Mutex<BatchLog>,
}

#[derive(Debug, Default)]
struct BatchLog {
    attempts: Vec<Arc<Attempt>>,
    lines: RecordLines,
    /// Why the last attempt failed.
    error: Option<Arc<str>>,
    is_forgotten: bool,
}

/// The log lines that name a record, by its id.
pub(super) type RecordLines = HashMap<String, RecordLog>;

#[derive(Debug, Default)]
pub(super) struct RecordLog {
    lines: Vec<String>,
    reason: Option<(Member, String)>,
}

/// The member of a log line that has the reason: the first of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Reason,
    Error,
    ErrorMessage,
    Message,
}

impl Batch {
    pub(super) fn new(number: u64, started_ms: i64, records: usize, function: Option<String>) -> Self {
        Self { number, started_ms, records, function, log: Mutex::default() }
    }

    pub(super) fn add(&self, attempt: Arc<Attempt>, lines: RecordLines) {
        let mut log = self.log();
        let error = attempt.summary.error.as_ref();
        log.error = error.map(|error| excerpt(&error.to_string(), REASON_CHARS).into());
        if log.attempts.len() < MAX_ATTEMPTS {
            log.attempts.push(attempt);
        }
        log.lines = lines;
    }

    pub(super) fn attempts(&self) -> Vec<Arc<Attempt>> {
        self.log().attempts.clone()
    }

    /// The lines of the last attempt that name a record.
    pub(super) fn lines_about(&self, record_id: &str) -> Vec<String> {
        self.log().lines.get(record_id).map(|log| log.lines.clone()).unwrap_or_default()
    }

    /// What the function has logged of a record.
    pub(super) fn reason_of(&self, record_id: &str) -> Option<Arc<str>> {
        self.log().lines.get(record_id)?.reason.as_ref().map(|(_, reason)| Arc::from(reason.as_str()))
    }

    /// Why the last attempt failed.
    pub(super) fn error(&self) -> Option<Arc<str>> {
        self.log().error.clone()
    }

    pub(super) fn bytes(&self) -> usize {
        let log = self.log();
        let attempts: usize = log.attempts.iter().map(|attempt| attempt.bytes()).sum();
        let lines = log.lines.iter().map(|(id, log)| {
            let reason = log.reason.as_ref().map_or(0, |(_, reason)| reason.len());
            size_of::<(String, RecordLog)>() + id.len() + bytes_of(&log.lines) + reason
        });
        size_of::<Self>() + attempts + lines.sum::<usize>()
    }

    /// Forgets the attempts and their log lines.
    pub(super) fn forget(&self) {
        *self.log() = BatchLog { is_forgotten: true, ..BatchLog::default() };
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.log().is_forgotten
    }

    fn log(&self) -> MutexGuard<'_, BatchLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines that have one of these ids as a word.
pub(super) fn lines_about(lines: &[String], record_ids: &HashSet<&str>) -> RecordLines {
    let mut found = RecordLines::new();
    let mut bytes = 0;
    for line in lines.iter().filter(|line| !is_metrics_line(line)) {
        let words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        // A line with a stack trace is long: the excerpt of it is no JSON any more.
        let mut reason = None;
        for id in words.filter(|word| record_ids.contains(word)) {
            let log = found.entry(id.to_owned()).or_default();
            if log.lines.len() < LINES_OF_RECORD && bytes < RECORD_LINES_BYTES {
                let reason = reason.get_or_insert_with(|| reason_in(line)).as_ref();
                if let Some((member, reason)) = reason
                    && log.reason.as_ref().is_none_or(|(earlier, _)| member < earlier)
                {
                    log.reason = Some((*member, reason.clone()));
                }
                let line = excerpt(line, LINE_CHARS);
                bytes += id.len() + line.len();
                log.lines.push(line);
            }
        }
    }
    found.retain(|_, log| !log.lines.is_empty());
    found
}

/// In the log lines of Powertools and of Lambda's JSON logs.
const FAILURE_LEVELS: [&str; 5] = ["warn", "warning", "error", "critical", "fatal"];
/// In those of pino and bunyan, 40 is a warning (getpino.io, "API", "logger.levels").
const FAILURE_LEVEL: f64 = 40.0;

/// A log line in JSON has a reason, as those of the click processor and of `firehose_transform`; an error; an exception, as those of AWS's
/// runtimes for Python and Node.js (`errorType`, `errorMessage`); or a message with a level. Text that is no JSON may say anything of a
/// record.
fn reason_in(line: &str) -> Option<(Member, String)> {
    let line: Value = serde_json::from_str(Some(line).filter(|line| line.len() <= REASON_LINE_BYTES)?).ok()?;
    let text = |member: &str| line.get(member)?.as_str();
    let (member, reason) = if let Some(reason) = text("reason") {
        (Member::Reason, reason.to_owned())
    } else if let Some(error) = text("error") {
        (Member::Error, error.to_owned())
    } else if let Some(message) = text("errorMessage") {
        let kind = text("errorType").map(|kind| format!("{kind}: ")).unwrap_or_default();
        (Member::ErrorMessage, format!("{kind}{message}"))
    } else {
        (Member::Message, text("message").filter(|_| is_failure(&line))?.to_owned())
    };
    Some((member, excerpt(&reason, REASON_CHARS)))
}

fn is_failure(line: &Value) -> bool {
    match line.get("level") {
        Some(Value::String(level)) => FAILURE_LEVELS.iter().any(|failure| level.eq_ignore_ascii_case(failure)),
        Some(level) => level.as_f64().is_some_and(|level| level >= FAILURE_LEVEL),
        None => false,
    }
}

#[cfg(test)]
mod tests;
