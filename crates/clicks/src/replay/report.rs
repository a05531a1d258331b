//! The result of a replay, as a table or as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use firehose_model::delivery::{ErrorCode, RecordOutcome};
use local_firehose::invocation::Metrics;
use serde::Serialize;
use service_kit::count::{counted, records};

use crate::progress::Table;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Records {
    pub(crate) total: u64,
    pub(crate) ok: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
}

/// Milliseconds of the function's time for one batch, with retries and without the start of its process.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct BatchMs {
    /// Of the first batch, which pays for connections and caches.
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) last: f64,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) records: Records,
    pub(crate) skipped: u64,
    pub(crate) skipped_copies: Option<PathBuf>,
    pub(crate) failed_by_code: BTreeMap<&'static str, u64>,
    /// Failed records by the function's own reason; none if it reports nothing.
    pub(crate) failed_by_reason: Option<BTreeMap<String, u64>>,
    pub(crate) clicks_delivered: u64,
    /// From the start of the function to the end of the last batch, with reading and writing.
    pub(crate) seconds: f64,
    /// Delivered lines per second of the function's own time; none if nothing was processed.
    pub(crate) clicks_per_second: Option<f64>,
    /// As the function reports, with failed attempts; otherwise the responses of the local service, if there is one.
    pub(crate) service_requests: Option<u64>,
    pub(crate) batches: u64,
    pub(crate) attempts: u64,
    pub(crate) batch_ms: Option<BatchMs>,
    pub(crate) interrupted: bool,
    pub(crate) out: PathBuf,
    /// One per batch, for the median. A million batches take 16 MB.
    #[serde(skip)]
    pub(crate) durations: Vec<Duration>,
}

impl Report {
    /// Service requests count in any case; reasons count only if the response was valid (`accepted`).
    pub(crate) fn attempt(&mut self, metrics: Metrics, accepted: bool) {
        self.attempts += 1;
        if let Some(requests) = metrics.service_requests {
            *self.service_requests.get_or_insert_default() += requests;
        }
        if let Some(reasons) = metrics.failed_by_reason {
            let total = self.failed_by_reason.get_or_insert_default();
            for (reason, failed) in reasons.into_iter().filter(|_| accepted) {
                *total.entry(reason).or_default() += failed;
            }
        }
    }

    pub(crate) fn batch(&mut self, outcomes: &[RecordOutcome], duration: Duration) {
        self.batches += 1;
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

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(crate) fn finished(mut self, elapsed: Duration, served: Option<u64>) -> Self {
        let busy = self.durations.iter().sum::<Duration>().as_secs_f64();
        self.seconds = elapsed.as_secs_f64();
        self.clicks_per_second = (busy > 0.0).then(|| rounded(self.clicks_delivered as f64 / busy));
        self.batch_ms = batch_ms(&self.durations);
        self.service_requests = self.service_requests.or(served);
        self
    }

    fn summary(&self) -> String {
        let Records { total, ok, dropped, failed } = self.records;
        let mut parts = vec![match total {
            0 => "no record processed".to_owned(),
            _ => format!("{ok} of {} delivered", records(total)),
        }];
        parts.extend((dropped > 0).then(|| format!("{dropped} dropped")));
        parts.extend((failed > 0).then(|| format!("{failed} failed")));
        parts.extend((total > 0 && failed == 0).then(|| "none failed".to_owned()));
        parts.extend((self.skipped > 0).then(|| counted(self.skipped, "part skipped", "parts skipped")));
        parts.extend(self.interrupted.then(|| "interrupted".to_owned()));
        parts.join(", ")
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(self.summary());
        table.row("records", self.records.total);
        table.row("  ok", self.records.ok);
        table.row("  dropped", self.records.dropped);
        table.row("  failed", self.records.failed);
        for (code, failed) in &self.failed_by_code {
            table.row(&format!("    {code}"), failed);
            if *code != ErrorCode::ProcessingFailed.code() {
                continue;
            }
            // A response has no reason for a failed record, but the function may report it.
            for (reason, failed) in self.failed_by_reason.iter().flatten() {
                table.row(&format!("      {reason}"), failed);
            }
            if self.failed_by_reason.is_none() {
                table.row("      reasons", NOT_REPORTED);
            }
        }
        table.non_zero(&[("skipped", self.skipped)]);
        table.row("clicks delivered", self.clicks_delivered);
        table.row("seconds", format_args!("{:.3}", self.seconds));
        let rate = self.clicks_per_second.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
        table.row("clicks per second (function)", rate);
        let requests = self.service_requests.map_or(NOT_REPORTED.to_owned(), |count| count.to_string());
        table.row("service requests", requests);
        table.row("batches", self.batches);
        table.row("attempts", self.attempts);
        if let Some(BatchMs { first, median, last }) = &self.batch_ms {
            let ms = format_args!("first {first:.1}, median {median:.1}, last {last:.1}");
            table.row("milliseconds per batch", ms);
        }
        if self.interrupted {
            table.row("interrupted", "yes, before the end of the input");
        }
        table.row("out", self.out.display());
        if let Some(copies) = &self.skipped_copies {
            table.row("skipped parts", copies.display());
        }
        table
    }
}

fn batch_ms(durations: &[Duration]) -> Option<BatchMs> {
    let ms = |duration: &Duration| rounded(duration.as_secs_f64() * 1000.0);
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    Some(BatchMs {
        first: ms(durations.first()?),
        // The lower one of an even number, so that it is a real batch.
        median: ms(sorted.get((sorted.len() - 1) / 2)?),
        last: ms(durations.last()?),
    })
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn lines(data: &[u8]) -> u64 {
    data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}

const NOT_REPORTED: &str = "not reported by the function";

#[cfg(test)]
mod tests;
