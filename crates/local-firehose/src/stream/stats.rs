//! The events of a stream, folded into the numbers that the page, the metrics and the terminal show.

mod durations;
mod overview;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::attempt::{Attempt, InvocationSummary};
use super::event::{Kind, ObjectSummary, StreamEvent};
use super::history::{History, HistoryColumns};
use super::notices::{Notice, Notices};
use super::refusals::RefusedRecords;
use super::settings::{Source, StreamSettings};
use super::value_counts::{ValueCounts, add};
use super::value_history::{ValueHistory, ValueRanking};
use firehose_model::kinesis::shard::ShardId;

pub(super) use self::durations::Durations;
pub use self::overview::StreamOverview;

const LAST: usize = 20;

/// The state of a stream. Each accepted record is counted where it is. The other counts of records add up to `accepted`, or to more where
/// records are de-aggregated: they are those of sub-records then.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamSnapshot {
    /// The stream's name.
    pub stream: String,
    data_stream: Option<DataStreamShards>,
    pub(super) transformed: bool,
    /// Accepted records.
    pub accepted: u64,
    pub(super) buffered: BufferLevel,
    pub(super) in_function: InFunctionCounts,
    pub(super) waiting: BufferLevel,
    /// Records in objects of the destination.
    pub delivered: u64,
    /// Records that the function returned as `Dropped`.
    pub dropped: u64,
    /// Records in error objects. Each failed part of a compressed record counts.
    pub failed: u64,
    /// Refused records, which are not among the accepted. A record that is put again counts again.
    pub refused: u64,
    pub(super) refused_by_reason: RefusedRecords,
    pub(super) retries: u64,
    pub(super) failed_by_code: BTreeMap<&'static str, u64>,
    pub(super) failed_by_reason: BTreeMap<String, u64>,
    pub(super) storage_error: Option<String>,
    /// Requests that the storage has refused, each retry of an object too.
    pub(super) storage_errors: u64,
    pub(super) invocations_by_outcome: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    pub(super) durations: Durations,
    /// The oldest batches that the function has, oldest first.
    in_flight: Vec<InFlight>,
    /// The last attempts, newest first.
    pub(super) invocations: VecDeque<Invoked>,
    /// The last objects, newest first.
    pub objects: VecDeque<ObjectSummary>,
    pub(super) values: ValueCounts,
}

/// The uploads of this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploads {
    /// When that of the first object began.
    pub first: Option<Instant>,
    /// Whether the storage has ever refused an object.
    pub has_refused: bool,
    /// Whether an object is stored.
    pub has_stored: bool,
    /// Whether an object of the source backup is stored.
    pub has_backed_up: bool,
}

impl StreamSnapshot {
    /// Whether a delivered line has had a value of this counted field.
    #[must_use]
    pub fn has_values_of(&self, field: &str) -> bool {
        self.values.0.get(field).is_some_and(|values| !values.is_empty())
    }
}

#[derive(Debug, Clone, Serialize)]
struct DataStreamShards {
    shards: u32,
    on_demand: bool,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct BufferLevel {
    pub(super) records: u64,
    pub(super) bytes: usize,
    pub(super) flush_in_ms: Option<u64>,
}

impl BufferLevel {
    pub(super) fn add(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, records: usize, bytes: usize) {
        self.records -= records as u64;
        self.bytes -= bytes;
    }
}

/// A batch that the function has.
#[derive(Debug, Clone, Copy, Serialize)]
struct InFlight {
    batch: u64,
    started_ms: i64,
    records: usize,
    attempt: u32,
}

/// An attempt, with some of its log lines if it has failures.
#[derive(Debug, Clone)]
pub(super) struct Invoked(Arc<Attempt>);

impl Serialize for Invoked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(flatten)]
            summary: &'a InvocationSummary,
            log: Vec<String>,
        }
        Shown { summary: &self.0.summary, log: self.0.shown_lines() }.serialize(serializer)
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct InFunctionCounts {
    pub(super) records: u64,
    pub(super) invocations: u64,
    pub(super) functions: usize,
}

#[derive(Debug)]
pub(super) struct StreamStats {
    notices: Notices,
    folded: Mutex<StatsState>,
}

#[derive(Debug, Default)]
struct StatsState {
    snapshot: StreamSnapshot,
    buffers_due: BTreeMap<Option<ShardId>, Instant>,
    destination_due: Option<Instant>,
    unopened: usize,
    lambda_interval: Duration,
    destination_interval: Duration,
    /// Of objects that the storage has refused and not accepted since then.
    uploads_refused: usize,
    uploads: Uploads,
    history: History,
    in_flight: BTreeMap<u64, InFlight>,
    value_history: ValueHistory,
}

impl StreamStats {
    pub(super) fn new(settings: &StreamSettings, notices: Notices) -> Self {
        let data_stream = match &settings.source {
            Source::DirectPut => None,
            Source::Kinesis(settings) | Source::DataStream { settings, .. } => {
                Some(DataStreamShards { shards: settings.shards().count(), on_demand: settings.provisioned.is_none() })
            }
        };
        let stream = settings.name.clone();
        let snapshot = StreamSnapshot { stream, data_stream, ..StreamSnapshot::default() };
        let stats = Self { notices, folded: Mutex::new(StatsState { snapshot, ..StatsState::default() }) };
        stats.configure(settings);
        stats
    }

    pub(super) fn configure(&self, settings: &StreamSettings) {
        self.with(|folded| {
            folded.snapshot.transformed = settings.function.is_some() || settings.function_arn.is_some();
            folded.lambda_interval = settings.buffer.interval;
            folded.destination_interval = settings.destination_buffer.interval;
        });
    }

    pub(super) fn record(&self, event: StreamEvent) {
        let now_ms = Timestamp::now().as_millisecond();
        self.with(|folded| {
            // Within the lock, so that notices have the order of events.
            self.notify(folded, &event, now_ms);
            folded.history.record(&event, now_ms);
            folded.value_history.record(&event, now_ms);
            folded.fold(event, now_ms);
        });
    }

    fn notify(&self, folded: &StatsState, event: &StreamEvent, at_ms: i64) {
        let stream = || folded.snapshot.stream.clone();
        match event {
            StreamEvent::Invoked { attempt, .. } => {
                self.notices.send(|| Notice::Invocation { stream: stream(), invocation: attempt.summary.clone() });
            }
            StreamEvent::Stored { object, .. } => {
                self.notices.send(|| Notice::Object { stream: stream(), object: object.clone() });
            }
            StreamEvent::UploadRefused { error, is_first: true } if folded.uploads_refused == 0 => {
                self.notices.send(|| Notice::StorageError { stream: stream(), at_ms, error: error.clone() });
            }
            StreamEvent::UploadRecovered if folded.uploads_refused == 1 => {
                self.notices.send(|| Notice::StorageRecovered { stream: stream(), at_ms });
            }
            _ => {}
        }
    }

    /// The last 15 minutes.
    pub(super) fn history(&self) -> HistoryColumns {
        self.with(|folded| folded.history.columns(&folded.snapshot.stream, Timestamp::now().as_millisecond()))
    }

    pub(super) fn overview(&self) -> StreamOverview {
        let now_ms = Timestamp::now().as_millisecond();
        self.with(|folded| StreamOverview::new(&folded.snapshot, folded.history.rates(now_ms)))
    }

    /// The values of the same time.
    pub(super) fn ranking(&self) -> ValueRanking {
        self.with(|folded| folded.value_history.ranking(Timestamp::now().as_millisecond()))
    }

    /// Without a copy of the whole snapshot, as for the uploads.
    pub(super) fn is_storage_refusing(&self) -> bool {
        self.with(|folded| folded.uploads_refused > 0)
    }

    pub(super) fn uploads(&self) -> Uploads {
        self.with(|folded| folded.uploads)
    }

    /// Records, bytes and times agree: a buffer has a time of its flush exactly if records wait in it.
    pub(super) fn snapshot(&self) -> StreamSnapshot {
        self.with(|folded| folded.snapshot())
    }

    fn with<T>(&self, access: impl FnOnce(&mut StatsState) -> T) -> T {
        access(&mut self.folded.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StatsState {
    fn fold(&mut self, event: StreamEvent, now_ms: i64) {
        let snapshot = &mut self.snapshot;
        match event {
            StreamEvent::Accepted { records, bytes } => {
                snapshot.accepted += records as u64;
                snapshot.buffered.add(records, bytes);
            }
            StreamEvent::Refused { records, reason } => {
                snapshot.refused += records;
                snapshot.refused_by_reason.add(records, reason);
            }
            StreamEvent::BufferDue { shard, due: Some(due) } => drop(self.buffers_due.insert(shard, due)),
            StreamEvent::BufferDue { shard, due: None } => drop(self.buffers_due.remove(&shard)),
            StreamEvent::Prepared { bytes, parts, part_bytes } => {
                snapshot.buffered.remove(1, bytes);
                snapshot.buffered.add(parts, part_bytes);
            }
            StreamEvent::Rejected { bytes, line_bytes } => {
                snapshot.buffered.remove(1, bytes);
                snapshot.waiting.add(1, line_bytes);
                self.unopened += 1;
            }
            StreamEvent::InvocationStarted { shard, batch, records, bytes } => {
                self.in_flight.insert(batch, InFlight { batch, started_ms: now_ms, records, attempt: 1 });
                self.buffers_due.remove(&shard);
                snapshot.buffered.remove(records, bytes);
                snapshot.in_function.records += records as u64;
                snapshot.in_function.invocations += 1;
            }
            StreamEvent::FunctionProcesses(processes) => snapshot.in_function.functions = processes,
            StreamEvent::Invoked { attempt, failed_by_reason, is_retried } => {
                let invocation = &attempt.summary;
                if let Some(in_flight) = self.in_flight.get_mut(&invocation.batch).filter(|_| is_retried) {
                    in_flight.attempt = invocation.attempt + 1;
                }
                snapshot.retries += u64::from(invocation.attempt > 1);
                *snapshot.invocations_by_outcome.entry(invocation.outcome).or_default() += 1;
                if let Some(milliseconds) = invocation.duration() {
                    snapshot.durations.add(milliseconds);
                }
                for (reason, failed) in failed_by_reason {
                    add(&mut snapshot.failed_by_reason, &reason, failed);
                }
                push(&mut snapshot.invocations, Invoked(attempt));
            }
            StreamEvent::Transformed { batch, records, bytes, dropped } => {
                self.in_flight.remove(&batch);
                snapshot.in_function.records -= (records + dropped) as u64;
                snapshot.in_function.invocations -= 1;
                snapshot.waiting.add(records, bytes);
                snapshot.dropped += dropped as u64;
                self.unopened += records;
            }
            StreamEvent::BackedUp { records, bytes } => {
                snapshot.waiting.bytes += bytes;
                self.unopened += records;
            }
            StreamEvent::Replaced { before, after } => {
                snapshot.waiting.bytes = snapshot.waiting.bytes - before + after;
            }
            StreamEvent::FailedAgain { code } => {
                snapshot.waiting.remove(1, 0);
                snapshot.failed += 1;
                *snapshot.failed_by_code.entry(code).or_default() += 1;
            }
            StreamEvent::Opened { records, due } => {
                self.unopened -= records;
                self.destination_due = due;
            }
            StreamEvent::UploadStarted => _ = self.uploads.first.get_or_insert_with(Instant::now),
            StreamEvent::UploadRefused { error, is_first } => {
                snapshot.storage_errors += 1;
                if is_first {
                    self.uploads_refused += 1;
                    self.uploads.has_refused = true;
                    snapshot.storage_error = Some(error);
                }
            }
            StreamEvent::UploadRecovered => {
                self.uploads_refused -= 1;
                if self.uploads_refused == 0 {
                    snapshot.storage_error = None;
                }
            }
            StreamEvent::Stored { object, failed_by_code, values } => {
                self.uploads.has_stored = true;
                let records = object.records as u64;
                match object.kind {
                    Kind::Delivered => snapshot.delivered += records,
                    Kind::Error(_) => snapshot.failed += records,
                    Kind::Backup => self.uploads.has_backed_up = true,
                }
                snapshot.waiting.remove(if object.kind == Kind::Backup { 0 } else { object.records }, object.bytes);
                for (code, failed) in failed_by_code {
                    *snapshot.failed_by_code.entry(code).or_default() += failed;
                }
                snapshot.values.add(values);
                push(&mut snapshot.objects, object);
            }
        }
    }

    fn snapshot(&self) -> StreamSnapshot {
        let in_ms = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let left = |due: Instant| due.saturating_duration_since(Instant::now());
        let mut snapshot = self.snapshot.clone();
        snapshot.in_flight = self.in_flight.values().take(LAST).copied().collect();
        if snapshot.buffered.records > 0 {
            // Records that no buffer has taken yet have the whole interval left.
            let due = self.buffers_due.values().copied().min();
            snapshot.buffered.flush_in_ms = Some(in_ms(due.map_or(self.lambda_interval, left)));
        }
        if snapshot.waiting.records > 0 || snapshot.waiting.bytes > 0 {
            let unopened = (self.unopened > 0).then_some(self.destination_interval);
            // An object that is being stored has none.
            snapshot.waiting.flush_in_ms = self.destination_due.map(left).or(unopened).map(in_ms);
        }
        snapshot
    }
}

fn push<T>(last: &mut VecDeque<T>, newest: T) {
    last.truncate(LAST - 1);
    last.push_front(newest);
}

#[cfg(test)]
mod tests;
