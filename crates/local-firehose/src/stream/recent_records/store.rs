//! The records that are kept of each stream, and what happens to them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;

use super::entry::{Entry, Payload, RecordState, StoredPart};
use super::kept::Kept;
use crate::stream::attempt::Attempt;
use crate::stream::batch::{Batch, RecordLines, lines_about};
use crate::stream::event::{Kind, ObjectSummary};
use crate::stream::receipt::{Accepted, Receipt};
use firehose_model::delivery::{ErrorCode, Evaluation, RecordOutcome};
use firehose_model::event::{Event, Record};

/// The memory of the recent records of all streams. Clones share it. By default nothing is kept.
#[derive(Debug, Clone, Default)]
pub struct RecordMemory {
    bytes: usize,
    streams: Arc<Mutex<Vec<Weak<RecentRecords>>>>,
}

impl RecordMemory {
    /// Keeps about this many bytes of records. With 0, nothing is kept.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { bytes, streams: Arc::default() }
    }

    /// Each stream gets an equal part from now on.
    pub(in crate::stream) fn share(&self) -> Arc<RecentRecords> {
        let records = Arc::new(RecentRecords::default());
        if self.bytes == 0 {
            return records;
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&records));
        let part = self.bytes / streams.len();
        for stream in streams.iter().filter_map(Weak::upgrade) {
            stream.kept().set_limit(part);
        }
        records
    }
}

/// The recent records of a stream.
#[derive(Debug, Default)]
pub struct RecentRecords {
    kept: Mutex<Kept>,
    batches: AtomicU64,
}

impl RecentRecords {
    /// Whether no records are kept.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.kept().is_off()
    }

    pub(in crate::stream) fn accept(&self, records: &mut [Accepted]) {
        let mut kept = self.kept();
        if kept.is_off() {
            return;
        }
        for Accepted { record, receipt } in records {
            receipt.number = kept.push(Entry::new(record, None));
        }
        kept.trim();
    }

    /// Replaces a record by its parts.
    pub(in crate::stream) fn split(&self, number: u64, parts: &mut [Accepted]) {
        let mut kept = self.kept();
        if kept.is_off() {
            return;
        }
        // A record that is not aggregated, and not compressed, is its only part.
        let whole = kept.get(number).map(|whole| Arc::clone(&whole.id));
        if let ([part], Some(whole)) = (&*parts, &whole)
            && *part.record.record_id == **whole
            && part.record.original.is_none()
        {
            parts[0].receipt.number = number;
            return;
        }
        kept.change(number, |entry| entry.end(RecordState::Split));
        for Accepted { record, receipt } in parts {
            receipt.number = kept.push(Entry::new(record, whole.clone()));
        }
        kept.trim();
    }

    /// A batch of these records goes to the function.
    pub(in crate::stream) fn start_batch(&self, receipts: &[Receipt], function: Option<&str>) -> Arc<Batch> {
        let number = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        let now_ms = Timestamp::now().as_millisecond();
        let batch = Arc::new(Batch::new(number, now_ms, receipts.len(), function.map(str::to_owned)));
        let mut kept = self.kept();
        if !kept.is_off() {
            for (receipt, position) in receipts.iter().zip(0..) {
                kept.change(receipt.number, |entry| {
                    entry.batch = Some((Arc::clone(&batch), position));
                    entry.state = RecordState::InFunction;
                });
            }
        }
        batch
    }

    pub(in crate::stream) fn add_attempt(&self, batch: &Arc<Batch>, attempt: Arc<Attempt>, lines: RecordLines) {
        if !self.kept().is_off() {
            batch.add(attempt, lines);
        }
    }

    /// What the function logged of the records that failed in an attempt.
    pub(in crate::stream) fn lines_of_failed(
        &self,
        event: &Event,
        evaluation: &Evaluation,
        logs: &[String],
    ) -> RecordLines {
        let Evaluation::Outcomes(outcomes) = evaluation else { return RecordLines::new() };
        if self.kept().is_off() {
            return RecordLines::new();
        }
        let outcomes = event.records.iter().zip(outcomes);
        let failed = outcomes.filter(|(_, outcome)| matches!(outcome, RecordOutcome::Failed(_)));
        let failed: HashSet<&str> = failed.map(|(record, _)| record.record_id.as_str()).collect();
        if failed.is_empty() { RecordLines::new() } else { lines_about(logs, &failed) }
    }

    /// The log of a batch is complete.
    pub(in crate::stream) fn end_batch(&self, batch: &Arc<Batch>) {
        let mut kept = self.kept();
        if !kept.is_off() {
            kept.add_log(batch);
            kept.trim();
        }
    }

    /// For the outcomes of many records.
    pub(in crate::stream) fn outcomes(&self) -> Outcomes<'_> {
        Outcomes { kept: self.kept(), now_ms: Timestamp::now().as_millisecond() }
    }

    pub(in crate::stream) fn fail(&self, receipt: &Receipt, record: &Record, code: ErrorCode) {
        self.outcomes().failed(receipt, record, code);
    }

    /// The records are in this object, each up to this end.
    pub(in crate::stream) fn stored(&self, object: &ObjectSummary, receipts: &[Receipt], ends: &[usize]) {
        let mut kept = self.kept();
        if kept.is_off() || object.kind == Kind::Backup {
            return;
        }
        let object = Arc::new(object.clone());
        let mut offset = 0;
        for (receipt, &end) in receipts.iter().zip(ends) {
            let part = StoredPart { object: Arc::clone(&object), offset, bytes: end - offset };
            kept.change(receipt.number, |entry| entry.store(part));
            offset = end;
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Access for the outcomes of many records. What it displaces is dropped with it.
pub(in crate::stream) struct Outcomes<'a> {
    kept: MutexGuard<'a, Kept>,
    now_ms: i64,
}

impl Outcomes<'_> {
    pub(in crate::stream) fn delivered(&mut self, receipt: &Receipt, output: &[u8]) {
        if self.kept.is_off() {
            return;
        }
        let output = Payload::of(output);
        self.kept.change(receipt.number, |entry| {
            entry.output = Some(output);
            entry.state = RecordState::Waiting;
        });
        self.kept.end(receipt.number);
    }

    pub(in crate::stream) fn dropped(&mut self, receipt: &Receipt) {
        if !self.kept.is_off() {
            self.kept.change(receipt.number, |entry| entry.end(RecordState::Dropped));
            self.kept.end(receipt.number);
        }
    }

    /// Also a record that is no longer kept is from now on.
    pub(in crate::stream) fn failed(&mut self, receipt: &Receipt, record: &Record, code: ErrorCode) {
        if self.kept.is_off() {
            return;
        }
        let now_ms = self.now_ms;
        self.kept.fail(receipt.number, record, |entry| {
            let reason = entry.batch.as_ref().and_then(|(batch, _)| batch.reason_of(&entry.id));
            entry.state = RecordState::Failed { code, reason };
            entry.changed_ms = Some(now_ms);
        });
        self.kept.end(receipt.number);
    }
}

impl Drop for Outcomes<'_> {
    fn drop(&mut self) {
        self.kept.trim();
    }
}
