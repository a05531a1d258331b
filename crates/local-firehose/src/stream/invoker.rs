//! Invokes the function with one event (`crate::invocation` retries), and sends each record on to the destination.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use runtime_api::Outcome;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::attempt::{Attempt, InvocationError, InvocationSummary, NOT_STARTED, RecordResults};
use super::backlog::Context;
use super::batch::Batch;
use super::destination::Item;
use super::event::StreamEvent;
use super::notices::most_frequent;
use super::receipt::{Accepted, Receipt};
use super::settings::StreamSettings;
use crate::functions::FunctionPool;
use crate::invocation::{AttemptReport, BatchResult, FailedAttempts, Metrics, invoke_with_retries, with_cause};
use firehose_model::delivery::{ErrorCode, Evaluation, PartitionKeys, RecordOutcome};
use firehose_model::event::{Event, Record};
use firehose_model::excerpt::excerpt;
use firehose_model::kinesis::aggregated::NotAggregated;
use firehose_model::prefix::Partition;
use firehose_model::source::decoded_bytes;
use service_kit::count::counted;

/// The most characters of an error's type and of its message.
const ERROR_CHARS: usize = 500;

pub(super) struct Invoker {
    pub(super) context: Arc<Context>,
    pub(super) pool: Option<Arc<FunctionPool>>,
    pub(super) destination: mpsc::UnboundedSender<Vec<Item>>,
}

impl Invoker {
    /// The user records of a record if a producer has aggregated it. Otherwise the record as it is.
    pub(super) async fn deaggregate(&self, accepted: Accepted) -> Vec<Accepted> {
        let context = Arc::clone(&self.context);
        let user_records = move |record: &Record| {
            let records = record.user_records();
            if let Err(error @ NotAggregated::TooMany) = records {
                let (name, reported) = (&context.settings.name, &context.backlog.reported_too_many);
                reported
                    .call_once(|| tracing::warn!("{name}: {error}, and is processed as it is. No other is reported"));
            }
            Ok(records.ok())
        };
        self.split(accepted, user_records).await
    }

    /// The records for the function that a record is decompressed and de-aggregated to. None if it fails.
    pub(super) async fn prepare(&self, accepted: Accepted) -> Vec<Accepted> {
        let settings = Arc::clone(&self.context.settings);
        self.split(accepted, move |record| settings.processors.prepare(record).map(Some)).await
    }

    /// The parts of a record, at least one, share its receipt. Without parts it stays as it is.
    async fn split(
        &self,
        Accepted { record, receipt }: Accepted,
        parts_of: impl FnOnce(&Record) -> Result<Option<Vec<Record>>, ErrorCode> + Send + 'static,
    ) -> Vec<Accepted> {
        // On a thread where it delays no request.
        let split = spawn_blocking(move || (parts_of(&record), record)).await;
        // A task that panicked has logged it. The record is not settled.
        let Ok((parts, record)) = split else { return Vec::new() };
        let (stats, bytes) = (&self.context.stats, decoded_bytes(&record.data));
        let parts = match parts {
            Ok(Some(parts)) => parts,
            Ok(None) => return vec![Accepted { record, receipt }],
            Err(code) => {
                self.context.records.fail(&receipt, &record, code);
                // That it counts as one attempt is an assumption.
                let items = vec![Item::failed(&record, code, 1, Timestamp::now().as_millisecond(), "", receipt)];
                stats.record(StreamEvent::Rejected { bytes, line_bytes: Item::bytes_of(&items) });
                // The destination stops last.
                let _stopped = self.destination.send(items);
                return Vec::new();
            }
        };
        let part_bytes = parts.iter().map(|part| decoded_bytes(&part.data)).sum();
        stats.record(StreamEvent::Prepared { bytes, parts: parts.len(), part_bytes });
        let mut receipts: Vec<Receipt> = (1..parts.len()).map(|_| receipt.duplicate()).collect();
        receipts.push(receipt);
        let number = receipts[receipts.len() - 1].number;
        let parts = parts.into_iter().zip(receipts).map(|(record, receipt)| Accepted { record, receipt });
        let mut parts: Vec<Accepted> = parts.collect();
        self.context.records.split(number, &record.record_id, &mut parts);
        parts
    }

    pub(super) fn start_batch(&self, receipts: &[Receipt]) -> Arc<Batch> {
        let function = self.pool.as_ref().map(|pool| pool.name());
        self.context.records.start_batch(receipts, function)
    }

    /// The receipts are those of the event's records, in their order.
    pub(super) async fn run(&self, event: Event, receipts: Vec<Receipt>, batch: Arc<Batch>) {
        let Context { settings, backlog, stats, .. } = &*self.context;
        let BatchResult { outcomes, attempts } = match (&self.pool, &settings.function_arn) {
            (None, None) => untransformed(&event),
            (None, Some(arn)) => self.not_found(arn, &event),
            (Some(pool), _) => self.invoke(pool, &event, &batch).await.unwrap_or_else(|error| {
                tracing::error!("{}: an event was not processed: {error}", settings.name);
                let outcomes = vec![RecordOutcome::Failed(ErrorCode::FunctionError); event.records.len()];
                BatchResult { outcomes, attempts: 1 }
            }),
        };
        let end_ms = Timestamp::now().as_millisecond();
        let Some(outputs) = self.output_records(outcomes).await else { return };
        let arn = settings.arn_of_function().unwrap_or_default();
        let failed = |record: &Record, code, receipt| Item::failed(record, code, attempts, end_ms, &arn, receipt);
        let (mut items, mut dropped) = (Vec::with_capacity(receipts.len()), Vec::new());
        let mut outcomes = self.context.records.outcomes(Some(&batch));
        // A record without a function is its own output.
        let has_output = self.pool.is_some() || !settings.processors.delimiter.is_empty();
        for (position, ((record, output), receipt)) in event.records.into_iter().zip(outputs).zip(receipts).enumerate()
        {
            match output {
                Ok((data, partition)) => {
                    outcomes.delivered(&receipt, has_output.then_some(&data));
                    items.push(Item::delivered(record, data, partition, receipt));
                }
                Err(Some(code)) => {
                    outcomes.failed(&receipt, &record, code, position);
                    items.push(failed(&record, code, receipt));
                }
                Err(None) => {
                    outcomes.dropped(&receipt);
                    dropped.push(receipt);
                }
            }
        }
        self.context.records.end(outcomes);
        let (records, bytes) = (items.len(), Item::bytes_of(&items));
        stats.record(StreamEvent::Transformed { batch: batch.number, records, bytes, dropped: dropped.len() });
        backlog.settle(dropped);
        if !items.is_empty() {
            // The destination stops last.
            let _stopped = self.destination.send(items);
        }
    }

    /// None if a query panicked, which the task has logged. The records are not settled.
    async fn output_records(&self, outcomes: Vec<RecordOutcome>) -> Option<Vec<OutputRecord>> {
        let settings = Arc::clone(&self.context.settings);
        let has_query = settings.processors.query.is_some();
        let outputs = move || outcomes.into_iter().map(|outcome| output_record(outcome, &settings)).collect();
        // On a thread where it delays no request.
        if has_query { spawn_blocking(outputs).await.ok() } else { Some(outputs()) }
    }

    async fn invoke(
        &self,
        pool: &FunctionPool,
        event: &Event,
        batch: &Arc<Batch>,
    ) -> Result<BatchResult, Box<dyn Error + Send + Sync>> {
        let mut function = pool.take()?;
        self.context.stats.record(StreamEvent::FunctionProcesses(pool.processes()));
        let retries = self.context.settings.retries;
        let mut failed = FailedAttempts::new(format!("the function {}", pool.name()), retries);
        let on_attempt = |report: AttemptReport<'_>| {
            self.record(pool, event, batch, &report);
            self.report(pool, &report, &mut failed);
            Ok(())
        };
        let result = invoke_with_retries(&mut function, event, retries, on_attempt, &pool.outage).await;
        pool.put_back(function);
        result
    }

    /// That Firehose retries a function that does not exist is an assumption: it retries every failed invocation.
    fn not_found(&self, arn: &str, event: &Event) -> BatchResult {
        let StreamSettings { name, retries, .. } = &*self.context.settings;
        let attempts = retries + 1;
        let mapping = "`[functions]` of `--config`; for `clicks serve` also `--function-map`";
        let failed = counted(attempts.into(), "attempt", "attempts");
        tracing::warn!("{name}: {failed} failed: no function is mapped to {arn} ({mapping})");
        BatchResult {
            outcomes: vec![RecordOutcome::Failed(ErrorCode::FunctionNotFound); event.records.len()],
            attempts,
        }
    }

    fn record(&self, pool: &FunctionPool, event: &Event, batch: &Arc<Batch>, report: &AttemptReport<'_>) {
        let logs = report.invocation.as_ref().map(|invocation| invocation.logs.as_slice()).unwrap_or_default();
        pool.log.write(logs);
        let (summary, failed_by_reason) = summary(batch.number, event.records.len(), report, &Metrics::of(logs));
        let attempt = Arc::new(Attempt::new(summary, logs));
        let records = &self.context.records;
        records.add_attempt(batch, Arc::clone(&attempt), records.lines_of_failed(event, report.evaluation, logs));
        let is_retried = matches!(report.evaluation, Evaluation::InvocationFailed(_))
            && report.attempt <= self.context.settings.retries;
        self.context.stats.record(StreamEvent::Invoked { attempt, failed_by_reason, is_retried });
    }

    fn report(&self, pool: &FunctionPool, report: &AttemptReport<'_>, failed: &mut FailedAttempts) {
        let (name, function) = (&self.context.settings.name, pool.name());
        let lines = match report.evaluation {
            Evaluation::InvocationFailed(_) => failed.add(report.attempt, &report.invocation),
            Evaluation::Outcomes(_) | Evaluation::InvalidResponse(..) => Vec::from_iter(failed.end()),
        };
        for line in &lines {
            tracing::warn!("{name}: {line}");
        }
        if let Evaluation::InvalidResponse(_, why) = report.evaluation {
            tracing::warn!("{name}: invalid response of the function {function}: {why}");
        }
        // After the line about the attempt.
        if !lines.is_empty()
            && has_not_polled(report)
            && let Some(hint) = pool.hint()
        {
            tracing::warn!("{name}: the function {function}: {hint}");
        }
    }
}

/// Whether a new process made no call of the Runtime API, and did not fail either. One that reports an error of its start made one.
fn has_not_polled(report: &AttemptReport<'_>) -> bool {
    report.invocation.as_ref().is_ok_and(|invocation| {
        let is_silent = match invocation.outcome {
            Outcome::Exited(status) => status.success(),
            Outcome::TimedOut => true,
            _ => false,
        };
        is_silent && invocation.cold && !invocation.received
    })
}

/// The data and the partition of a delivered record, the code of a failed one, and nothing of a dropped one.
type OutputRecord = Result<(Vec<u8>, Partition), Option<ErrorCode>>;

fn output_record(outcome: RecordOutcome, StreamSettings { prefix, processors, .. }: &StreamSettings) -> OutputRecord {
    let (mut data, keys) = match outcome {
        RecordOutcome::Delivered { data, keys } => (data, keys),
        RecordOutcome::Failed(code) => return Err(Some(code)),
        RecordOutcome::Dropped => return Err(None),
    };
    let from_query = processors.query.as_ref().map_or(Ok(PartitionKeys::new()), |query| query.keys_of(&data))?;
    let partition = prefix.partition(&keys, &from_query).ok_or(ErrorCode::NoPartition)?;
    // Also behind a record that ends with it, which is an assumption.
    data.extend_from_slice(&processors.delimiter);
    Ok((data, partition))
}

fn untransformed(event: &Event) -> BatchResult {
    let outcomes = event.records.iter().map(|record| match STANDARD.decode(&record.data) {
        Ok(data) => RecordOutcome::delivered(data),
        // It was validated when the record was accepted, so the state on disk is damaged.
        Err(_) => RecordOutcome::Failed(ErrorCode::FunctionError),
    });
    BatchResult { outcomes: outcomes.collect(), attempts: 1 }
}

/// With the failed records by reason.
fn summary(
    batch: u64,
    records: usize,
    report: &AttemptReport<'_>,
    metrics: &Metrics,
) -> (InvocationSummary, BTreeMap<String, u64>) {
    let invocation = report.invocation.as_ref();
    let failed_by_reason = metrics.failed_by_reason.clone().filter(|_| report.evaluation.has_processing_failed());
    let failed_by_reason = failed_by_reason.unwrap_or_default();
    let summary = InvocationSummary {
        batch,
        at_ms: Timestamp::now().as_millisecond(),
        records,
        milliseconds: invocation.map_or(0.0, |invocation| invocation.duration.as_secs_f64() * 1e3),
        cold: invocation.is_ok_and(|invocation| invocation.cold),
        attempt: report.attempt,
        outcome: outcome(report),
        results: match report.evaluation {
            Evaluation::Outcomes(outcomes) => Some(RecordResults::of(outcomes)),
            _ => None,
        },
        service_requests: metrics.service_requests,
        failed_by_reason: most_frequent(&failed_by_reason),
        error: error(report),
    };
    (summary, failed_by_reason)
}

fn error(report: &AttemptReport<'_>) -> Option<InvocationError> {
    let error = |kind: &str, message: String| {
        Some(InvocationError { kind: excerpt(kind, ERROR_CHARS), message: excerpt(&message, ERROR_CHARS) })
    };
    match (&report.invocation, report.evaluation) {
        (_, Evaluation::InvalidResponse(code, why)) => error(code.code(), why.clone()),
        (Err(cause), _) => error("not started", with_cause(cause)),
        (Ok(invocation), _) => match &invocation.outcome {
            Outcome::Reply(_) => None,
            Outcome::Error { error_type, message } => error(error_type, message.clone()),
            Outcome::TimedOut => error("timed out", format!("after {:.1} s", invocation.duration.as_secs_f64())),
            Outcome::Exited(status) => error("exited", status.to_string()),
        },
    }
}

fn outcome(report: &AttemptReport<'_>) -> &'static str {
    match (&report.invocation, report.evaluation) {
        (_, Evaluation::InvalidResponse(..)) => "invalid_response",
        (Err(_), _) => NOT_STARTED,
        (Ok(invocation), _) if !invocation.received => NOT_STARTED,
        (Ok(invocation), _) => match invocation.outcome {
            Outcome::Reply(_) => "response",
            Outcome::Error { .. } => "error",
            Outcome::TimedOut => "timed_out",
            Outcome::Exited(_) => "exited",
        },
    }
}

#[cfg(test)]
mod tests;
