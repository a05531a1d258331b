//! One run: objects one after the other, and their records in calls.

mod calls;
mod objects;
mod rate;

use std::collections::HashSet;
use std::mem;
use std::time::Instant;

use jiff::Timestamp;
use object_storage::{Bucket, StoredObject};
use state_file::Quarantine;
use tokio::sync::watch;

use self::rate::RateLimiter;
use crate::journal::{Entry, Journal, JournalError, ObjectState, State};
use crate::record::FailedRecord;
use crate::report::{RecordCounts, Report};
use crate::target::{Outgoing, Target};
use crate::{Options, RedriveError, Redriven, now_ms};

#[derive(Debug)]
pub(super) struct Candidate {
    object: StoredObject,
    state: ObjectState,
    /// The number of its selected records that are not put yet.
    open: u64,
    /// Whether it can't be done in this run: a record is not selected, held back, uncertain, or larger than the stream accepts now.
    stays: bool,
    read: bool,
}

impl Candidate {
    pub(super) fn all(
        bucket: &Bucket,
        objects: Vec<StoredObject>,
        journal: &Journal,
    ) -> Result<Vec<Self>, JournalError> {
        let places: Vec<String> = objects.iter().map(|object| bucket.place_of_object(object)).collect();
        let states =
            journal.register(places.iter().map(String::as_str).zip(objects.iter().map(StoredObject::version)))?;
        let candidate = |(object, state)| Self { object, state, open: 0, stays: false, read: false };
        Ok(objects.into_iter().zip(states).map(candidate).collect())
    }
}

#[derive(Debug)]
struct Selected {
    /// The index of its object.
    object: usize,
    entry: Entry,
    record: Outgoing,
}

/// Why a run stops before the last object.
enum Halt {
    Interrupted,
    Limit,
    Error(RedriveError),
}

impl<E: Into<RedriveError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Interrupts: the first finishes the current call, the second aborts it.
#[derive(Debug, Clone)]
pub(super) struct Stop(pub(super) watch::Receiver<u32>);

impl Stop {
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits for the interrupt of this number, counted from one; for ever once there can be no more.
    pub(super) async fn requested(&mut self, number: u32) {
        if self.0.wait_for(|count| *count >= number).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The stored size of all objects.
    pub bytes_total: u64,
    /// The size of what was read, and of objects that were done before.
    pub bytes: u64,
    /// Records that were found.
    pub found: u64,
    /// Records that were put.
    pub put: u64,
}

/// Is called whenever the progress changes.
pub type OnProgress = Box<dyn Fn(Progress) + Send>;

pub(super) struct RedriveContext {
    pub(super) options: Options,
    pub(super) target: Target,
    /// The largest record that the stream accepts.
    pub(super) max_record_bytes: usize,
    pub(super) bucket: Bucket,
    pub(super) journal: Journal,
    pub(super) quarantine: Quarantine,
    pub(super) stop: Stop,
    pub(super) on_progress: OnProgress,
}

pub(super) struct Session {
    context: RedriveContext,
    objects: Vec<Candidate>,
    limiter: RateLimiter,
    batch: Vec<Selected>,
    /// The number of consecutive calls that stored nothing.
    fruitless: u32,
    /// The number of consecutive calls without a response.
    unanswered: u32,
    /// The keys of the lines that this run sent without a response.
    uncertain_lines: HashSet<u128>,
    reported: usize,
    report: Report,
    progress: Progress,
}

impl Session {
    /// A run over these objects; so many folders and files were unreadable.
    pub(super) fn new(context: RedriveContext, objects: Vec<Candidate>, unreadable: u64) -> Self {
        let mut report = Report {
            target: context.target.name(),
            dry_run: context.options.dry_run,
            journal: context.journal.path.clone(),
            ..Report::default()
        };
        report.objects.found = objects.len() as u64;
        report.objects.unreadable = unreadable;
        let bytes_total = objects.iter().map(|candidate| candidate.object.bytes).sum();
        Self {
            limiter: RateLimiter::new(context.options.rate),
            progress: Progress { bytes_total, ..Progress::default() },
            batch: Vec::new(),
            fruitless: 0,
            unanswered: 0,
            uncertain_lines: HashSet::new(),
            reported: 0,
            context,
            objects,
            report,
        }
    }

    pub(super) async fn run(mut self) -> Redriven {
        let begin = Instant::now();
        let mut halt = self.objects().await.err();
        if matches!(halt, None | Some(Halt::Limit)) {
            halt = self.flush().await.err().or(halt);
        }
        let mut error = None;
        match halt {
            None => {}
            Some(Halt::Interrupted) => self.report.interrupted = true,
            Some(Halt::Limit) => self.report.limit_reached = true,
            Some(Halt::Error(why)) => error = Some(why),
        }
        let records = &mut self.report.records;
        if !self.report.dry_run {
            records.left = records.selected - records.put - records.uncertain_now;
        }
        self.report.seconds = begin.elapsed().as_secs_f64();
        self.report.quarantine = self.context.quarantine.written().map(ToOwned::to_owned);
        Redriven { report: self.report, error }
    }

    async fn objects(&mut self) -> Result<(), Halt> {
        for index in 0..self.objects.len() {
            if self.context.stop.is_requested() {
                return Err(Halt::Interrupted);
            }
            self.object(index).await?;
        }
        Ok(())
    }

    /// Selects, counts or holds back records of an object, each with the key of its line.
    async fn records(&mut self, object: usize, lines: Vec<(u128, FailedRecord)>) -> Result<(), Halt> {
        // The journal does not know yet what is in the batch, which a copy of an object may have, too.
        if lines.iter().any(|(line, _)| self.batch.iter().any(|waiting| waiting.entry.line == *line)) {
            self.flush().await?;
        }
        let entries: Vec<Entry> = lines.iter().map(|(line, record)| Entry::of(*line, record)).collect();
        let selection = &self.context.options.selection;
        let selected: Vec<bool> = lines.iter().map(|(_, record)| selection.includes(record)).collect();
        let first_run = self.objects[object].state.first_run;
        let states = self.context.journal.states(&entries, &selected, first_run, now_ms())?;
        for ((((_, record), entry), selected), state) in lines.into_iter().zip(entries).zip(selected).zip(states) {
            let again = self.context.options.again;
            let is_uncertain_now = self.uncertain_lines.contains(&entry.line);
            let counts = &mut self.report.records;
            let held_back = match state {
                State::Put => {
                    counts.found += 1;
                    counts.put_before += 1;
                    continue;
                }
                _ if !selected => &mut counts.not_selected,
                State::FailedAgain if !again.failed => &mut counts.failed_again,
                State::Sending if !again.uncertain || is_uncertain_now => &mut counts.uncertain,
                State::Open | State::FailedAgain | State::Sending | State::Quarantined => {
                    self.select(object, Entry { state, ..entry }, record).await?;
                    continue;
                }
            };
            *held_back += 1;
            counts.found += 1;
            self.objects[object].stays = true;
        }
        Ok(())
    }

    /// Adds a record to the batch, which is sent first if it is full.
    async fn select(&mut self, object: usize, entry: Entry, mut record: FailedRecord) -> Result<(), Halt> {
        let options = &self.context.options;
        if options.limit.is_some_and(|limit| self.report.records.selected >= limit) {
            return Err(Halt::Limit);
        }
        if self.context.stop.is_requested() {
            return Err(Halt::Interrupted);
        }
        let target = &self.context.target;
        let outgoing = target.outgoing(mem::take(&mut record.data));
        if !calls::fits(&self.batch, &outgoing, options.rate, target.max_call_bytes()) {
            self.flush().await?;
        }
        self.report.records.found += 1;
        self.report.select(&record, Timestamp::now().as_millisecond());
        self.objects[object].open += 1;
        self.batch.push(Selected { object, entry, record: outgoing });
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        let RecordCounts { found, put, .. } = self.report.records;
        self.progress = Progress { bytes: self.progress.bytes + bytes, found, put, ..self.progress };
        (self.context.on_progress)(self.progress);
    }
}
