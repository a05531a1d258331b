//! What a replay came to: a table for people, the same as JSON for machines.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use firehose_model::delivery::{RecordOutcome, ErrorCode};
use local_firehose::metrics::Metrics;

use crate::table::table;

/// Records by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Records {
    /// All that were put through.
    pub(crate) total: u64,
    /// Delivered.
    pub(crate) ok: u64,
    /// Not wanted by the function.
    pub(crate) dropped: u64,
    /// In the error output.
    pub(crate) failed: u64,
}

/// Milliseconds of the function's time for one batch, its repeated attempts included and the process's start excluded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BatchMs {
    /// Of the first batch, which pays for connections and caches.
    pub(crate) first: f64,
    /// Of the batch in the middle.
    pub(crate) median: f64,
    /// Of the last batch.
    pub(crate) last: f64,
}

/// The numbers of a replay. The names of the JSON are the names here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// By outcome.
    pub(crate) records: Records,
    /// Parts of the input that were not put through: what is not JSON, or too large.
    pub(crate) skipped: u64,
    /// The file with copies of them.
    pub(crate) skipped_copies: Option<PathBuf>,
    /// Failed records by Firehose's error code.
    pub(crate) failed_by_code: BTreeMap<&'static str, u64>,
    /// Failed records by the function's own reason; none where it reports nothing.
    pub(crate) failed_by_reason: Option<BTreeMap<String, u64>>,
    /// Lines of delivered data.
    pub(crate) clicks_delivered: u64,
    /// From the start of the function to the end of the last batch, with the reading and the writing.
    pub(crate) seconds: f64,
    /// Delivered lines for each second of the function's own time; none where nothing was put through.
    pub(crate) clicks_per_second: Option<f64>,
    /// As the function reports them, those of failed attempts included; where it reports nothing, what the local service has
    /// answered; none where nobody knows.
    pub(crate) service_requests: Option<u64>,
    /// Events that ended.
    pub(crate) batches: u64,
    /// Invocations that they took.
    pub(crate) attempts: u64,
    /// None where nothing was put through.
    pub(crate) batch_ms: Option<BatchMs>,
    /// Whether it was stopped before the end of the input.
    pub(crate) interrupted: bool,
    /// The folder of the delivered and the error objects.
    pub(crate) out: PathBuf,
}

/// What only the end of a replay tells.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// What the local service has answered, where there is one.
    pub(crate) answered: Option<u64>,
    /// Whether it was stopped before the end of the input.
    pub(crate) interrupted: bool,
    /// The folder of the delivered and the error objects.
    pub(crate) out: PathBuf,
    /// The file with copies of what was skipped.
    pub(crate) skipped_copies: Option<PathBuf>,
}

/// The numbers while they grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    records: Records,
    skipped: u64,
    failed_by_code: BTreeMap<&'static str, u64>,
    failed_by_reason: Option<BTreeMap<String, u64>>,
    clicks_delivered: u64,
    service_requests: Option<u64>,
    attempts: u64,
    /// One number a batch: the median needs them all, and a million batches are 16 MB.
    durations: Vec<Duration>,
}

impl Tally {
    /// The records so far.
    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Adds a part of the input that is not put through.
    pub(crate) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// The skipped parts so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Adds one attempt. Its service requests were made whatever came of it; the reasons count only where Firehose took the
    /// function's word for its records.
    pub(crate) fn attempt(&mut self, metrics: Metrics, taken: bool) {
        self.attempts += 1;
        if let Some(requests) = metrics.service_requests {
            *self.service_requests.get_or_insert_default() += requests;
        }
        if let Some(reasons) = metrics.failed_by_reason {
            let total = self.failed_by_reason.get_or_insert_default();
            for (reason, failed) in reasons.into_iter().filter(|_| taken) {
                *total.entry(reason).or_default() += failed;
            }
        }
    }

    /// Adds one batch that ended.
    pub(crate) fn batch(&mut self, outcomes: &[RecordOutcome], duration: Duration) {
        self.durations.push(duration);
        for outcome in outcomes {
            self.records.total += 1;
            match outcome {
                RecordOutcome::Delivered { data, .. } => {
                    self.records.ok += 1;
                    self.clicks_delivered += lines(data);
                }
                RecordOutcome::Dropped => self.records.dropped += 1,
                RecordOutcome::Failed(fault) => {
                    self.records.failed += 1;
                    *self.failed_by_code.entry(fault.code()).or_default() += 1;
                }
            }
        }
    }

    /// The numbers in the end.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts clicks to the 53rd bit")]
    pub(crate) fn report(self, end: End) -> Report {
        let busy = self.durations.iter().sum::<Duration>().as_secs_f64();
        Report {
            seconds: end.elapsed.as_secs_f64(),
            clicks_per_second: (busy > 0.0).then(|| rounded(self.clicks_delivered as f64 / busy)),
            batch_ms: batch_ms(&self.durations),
            records: self.records,
            skipped: self.skipped,
            skipped_copies: end.skipped_copies,
            failed_by_code: self.failed_by_code,
            failed_by_reason: self.failed_by_reason,
            clicks_delivered: self.clicks_delivered,
            service_requests: self.service_requests.or(end.answered),
            batches: self.durations.len() as u64,
            attempts: self.attempts,
            interrupted: end.interrupted,
            out: end.out,
        }
    }
}

fn batch_ms(durations: &[Duration]) -> Option<BatchMs> {
    let ms = |duration: &Duration| rounded(duration.as_secs_f64() * 1000.0);
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    Some(BatchMs {
        first: ms(durations.first()?),
        // The lower one of an even number, so that it is a batch that there was.
        median: ms(sorted.get((sorted.len() - 1) / 2)?),
        last: ms(durations.last()?),
    })
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Lines, the last one with or without its newline.
fn lines(data: &[u8]) -> u64 {
    data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        let Records { total, ok, dropped, failed } = &self.records;
        row("records", total.to_string());
        row("  ok", ok.to_string());
        row("  dropped", dropped.to_string());
        row("  failed", failed.to_string());
        for (code, failed) in &self.failed_by_code {
            row(&format!("    {code}"), failed.to_string());
            if *code != ErrorCode::ProcessingFailed.code() {
                continue;
            }
            // Firehose never learns why the function failed a record; the function may tell.
            for (reason, failed) in self.failed_by_reason.iter().flatten() {
                row(&format!("      {reason}"), failed.to_string());
            }
            if self.failed_by_reason.is_none() {
                row("      reasons", NOT_REPORTED.to_owned());
            }
        }
        if self.skipped > 0 {
            row("skipped", self.skipped.to_string());
        }
        row("clicks delivered", self.clicks_delivered.to_string());
        row("seconds", format!("{:.3}", self.seconds));
        row("clicks per second (function)", self.clicks_per_second.map_or("-".to_owned(), |rate| format!("{rate:.1}")));
        row("service requests", self.service_requests.map_or(NOT_REPORTED.to_owned(), |count| count.to_string()));
        row("batches", self.batches.to_string());
        row("attempts", self.attempts.to_string());
        if let Some(BatchMs { first, median, last }) = &self.batch_ms {
            row("milliseconds per batch", format!("first {first:.1}, median {median:.1}, last {last:.1}"));
        }
        if self.interrupted {
            row("interrupted", "yes, before the end of the input".to_owned());
        }
        row("out", self.out.display().to_string());
        if let Some(copies) = &self.skipped_copies {
            row("skipped parts", copies.display().to_string());
        }

        table(f, &rows)
    }
}

const NOT_REPORTED: &str = "not reported by the function";

#[cfg(test)]
mod tests;
