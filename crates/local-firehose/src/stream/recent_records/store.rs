//! The records that are kept of each stream, and what happens to them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;

use super::buffer::RecordBuffer;
use super::entry::{Entry, Failure, Payload, RecordState, StoredPart};
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
        let (kept, batches) = (Mutex::default(), AtomicU64::new(0));
        let records = Arc::new(RecentRecords { memory: self.clone(), kept, batches });
        if self.bytes > 0 {
            self.streams().push(Arc::downgrade(&records));
            self.divide();
        }
        records
    }

    fn divide(&self) {
        let streams: Vec<Arc<RecentRecords>> = {
            let mut streams = self.streams();
            streams.retain(|stream| stream.strong_count() > 0);
            streams.iter().filter_map(Weak::upgrade).collect()
        };
        // Without the lock above: the last stream of a name may be dropped here.
        for stream in &streams {
            stream.kept().set_limit(self.bytes / streams.len());
        }
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Weak<RecentRecords>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The recent records of a stream.
#[derive(Debug)]
pub struct RecentRecords {
    memory: RecordMemory,
    kept: Mutex<RecordBuffer>,
    batches: AtomicU64,
}

/// The others share what it had.
impl Drop for RecentRecords {
    fn drop(&mut self) {
        if self.memory.bytes > 0 {
            self.memory.divide();
        }
    }
}

impl RecentRecords {
    /// Whether no records are kept.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.kept().is_off()
    }

    pub(in crate::stream) fn accept(&self, records: &mut [Accepted]) {
        self.add(records, None);
    }

    fn add(&self, records: &mut [Accepted], part_of: Option<&str>) {
        if self.is_off() {
            return;
        }
        let part_of: Option<Arc<str>> = part_of.map(Arc::from);
        // Decoded before the lock.
        let entries: Vec<Entry> =
            records.iter().map(|accepted| Entry::new(&accepted.record, part_of.clone())).collect();
        let mut kept = self.kept();
        for (accepted, entry) in records.iter_mut().zip(entries) {
            accepted.receipt.number = kept.push(entry);
        }
        kept.trim();
    }

    /// Replaces a record by its parts.
    pub(in crate::stream) fn split(&self, number: u64, record_id: &str, parts: &mut [Accepted]) {
        // A record that is neither aggregated nor compressed is its only part.
        if let [part] = parts
            && part.record.record_id == record_id
            && part.record.original.is_none()
        {
            part.receipt.number = number;
            return;
        }
        self.kept().change(number, |entry| entry.end(RecordState::Split));
        self.add(parts, Some(record_id));
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

    /// The outcomes of a batch's records, or of single ones.
    pub(in crate::stream) fn outcomes<'a>(&self, batch: Option<&'a Arc<Batch>>) -> Outcomes<'a> {
        let (is_off, now_ms) = (self.is_off(), Timestamp::now().as_millisecond());
        Outcomes { batch, is_off, now_ms, outcomes: Vec::new() }
    }

    /// With these outcomes, their batch is complete.
    pub(in crate::stream) fn end(&self, outcomes: Outcomes<'_>) {
        if outcomes.is_off {
            return;
        }
        let mut kept = self.kept();
        for (number, outcome) in outcomes.outcomes {
            match outcome {
                FinalOutcome::Delivered(output) => kept.change(number, |entry| {
                    entry.output = output;
                    entry.state = RecordState::Waiting;
                }),
                FinalOutcome::Dropped => kept.change(number, |entry| entry.end(RecordState::Dropped)),
                FinalOutcome::Failed(again, failure) => kept.fail(number, *again, |entry| {
                    entry.state = RecordState::Failed(failure);
                    entry.changed_ms = Some(outcomes.now_ms);
                }),
            }
            kept.end(number);
        }
        if let Some(batch) = outcomes.batch {
            kept.add_batch(batch);
        }
        kept.trim();
    }

    pub(in crate::stream) fn fail(&self, receipt: &Receipt, record: &Record, code: ErrorCode) {
        let mut outcomes = self.outcomes(None);
        outcomes.failed(receipt, record, code, 0);
        self.end(outcomes);
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
        kept.trim();
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, RecordBuffer> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What records became. It is collected without a lock: copies of payloads take time.
#[derive(Debug)]
pub(in crate::stream) struct Outcomes<'a> {
    batch: Option<&'a Arc<Batch>>,
    is_off: bool,
    now_ms: i64,
    outcomes: Vec<(u64, FinalOutcome)>,
}

#[derive(Debug)]
enum FinalOutcome {
    /// Without an output if it is the original.
    Delivered(Option<Payload>),
    Dropped,
    /// As it is kept again if it no longer is.
    Failed(Box<Entry>, Failure),
}

impl Outcomes<'_> {
    pub(in crate::stream) fn delivered(&mut self, receipt: &Receipt, output: Option<&[u8]>) {
        if !self.is_off {
            self.outcomes.push((receipt.number, FinalOutcome::Delivered(output.map(Payload::of))));
        }
    }

    pub(in crate::stream) fn dropped(&mut self, receipt: &Receipt) {
        if !self.is_off {
            self.outcomes.push((receipt.number, FinalOutcome::Dropped));
        }
    }

    /// `position` is that in the batch.
    pub(in crate::stream) fn failed(&mut self, receipt: &Receipt, record: &Record, code: ErrorCode, position: usize) {
        if self.is_off {
            return;
        }
        let batch = self.batch.map(|batch| (Arc::clone(batch), position));
        let failure = Failure {
            code,
            reason: self.batch.and_then(|batch| batch.reason_of(&record.record_id)),
            error: self.batch.and_then(|batch| batch.error()),
        };
        let again = Entry { batch, ..Entry::new(record, None) };
        self.outcomes.push((receipt.number, FinalOutcome::Failed(Box::new(again), failure)));
    }
}
