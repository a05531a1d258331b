//! One run: objects one after the other, and their records in calls.

mod calls;
mod objects;

use std::collections::HashSet;
use std::mem;
use std::time::Instant;

use jiff::Timestamp;
use object_storage::{Bucket, StoredObject};
use state_file::Quarantine;
use tokio::sync::watch;

use self::calls::RateLimiter;
use crate::error::RedriveError;
use crate::journal::{Entry, Journal, ObjectState, State};
use crate::record::FailedRecord;
use crate::report::{RecordCounts, Report};
use crate::source::ObjectSource;
use crate::target::{Outgoing, Target};
use crate::{Options, Redriven, default_journal, now_ms, warn};

#[derive(Debug)]
pub(super) struct Candidate {
    object: StoredObject,
    state: ObjectState,
    pending: u64,
    /// In this run: a record is not selected, held back, uncertain, or larger than the stream accepts now.
    is_incomplete: bool,
    read: bool,
}

#[derive(Debug)]
struct Selected {
    object: usize,
    entry: Entry,
    record: Outgoing,
}

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

/// The first interrupt finishes the current call, the second aborts it.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(pub(super) watch::Receiver<u32>);

impl Interrupts {
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Counted from one. Waits for ever once there can be no more.
    pub(super) async fn requested(&mut self, number: u32) {
        if self.0.wait_for(|count| *count >= number).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// None after an interrupt.
    pub(super) async fn unless_requested<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested(1) => None,
            done = work => Some(done),
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

pub(super) struct Session {
    options: Options,
    target: Target,
    bucket: Bucket,
    journal: Journal,
    quarantine: Quarantine,
    interrupts: Interrupts,
    on_progress: OnProgress,
    objects: Vec<Candidate>,
    limiter: RateLimiter,
    batch: Vec<Selected>,
    calls_without_progress: u32,
    unanswered: u32,
    uncertain_lines: HashSet<u128>,
    reported: usize,
    report: Report,
    progress: Progress,
}

impl Session {
    pub(super) async fn prepare(
        options: Options,
        mut target: Target,
        interrupts: Interrupts,
        on_progress: OnProgress,
    ) -> Result<Self, RedriveError> {
        let identity = if options.dry_run { None } else { Some(target.check().await?) };
        let bucket = Bucket::open_existing(&options.source.store)?;
        let path = match &options.journal {
            Some(path) => path.clone(),
            None => default_journal(&target)?,
        };
        let (mut found, unreadable) = find(&bucket, &options.source).await?;
        if let Some(archive) = &options.archive {
            found.retain(|object| !object.key.starts_with(archive));
        }
        if found.is_empty() && options.source.is_file() {
            tracing::warn!("{} is empty, or hidden: it has no record", options.source);
        } else if found.is_empty() {
            tracing::warn!("no object in {}: a prefix consists of whole parts between slashes", options.source);
        }
        let journal = Journal::open(&path, options.dry_run, options.on_damage)?;
        if let Some(identity) = identity {
            journal.check_stream(&identity)?;
            if journal.is_new {
                tracing::info!("starting a new journal, in which no record is put yet: {}", path.display());
            }
        }
        let bytes_total = found.iter().map(|object| object.bytes).sum();
        let objects = register(&bucket, found, &journal)?;
        let mut report = Report { target: target.name(), dry_run: options.dry_run, ..Report::default() };
        report.objects.found = objects.len() as u64;
        report.objects.unreadable = unreadable;
        report.journal.clone_from(&path);
        Ok(Self {
            limiter: RateLimiter::new(options.rate),
            quarantine: Quarantine::new(path.with_extension("corrupt.jsonl")),
            options,
            target,
            bucket,
            journal,
            interrupts,
            on_progress,
            objects,
            batch: Vec::new(),
            calls_without_progress: 0,
            unanswered: 0,
            uncertain_lines: HashSet::new(),
            reported: 0,
            report,
            progress: Progress { bytes_total, ..Progress::default() },
        })
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
        self.report.quarantine = self.quarantine.written().map(ToOwned::to_owned);
        Redriven { report: self.report, error }
    }

    async fn objects(&mut self) -> Result<(), Halt> {
        for index in 0..self.objects.len() {
            if self.interrupts.is_requested() {
                return Err(Halt::Interrupted);
            }
            self.object(index).await?;
        }
        Ok(())
    }

    async fn records(&mut self, object: usize, lines: Vec<(u128, FailedRecord)>) -> Result<(), Halt> {
        // The journal does not know yet what is in the batch, which a copy of an object may have, too.
        if lines.iter().any(|(line, _)| self.batch.iter().any(|waiting| waiting.entry.line == *line)) {
            self.flush().await?;
        }
        let entries: Vec<Entry> = lines.iter().map(|(line, record)| Entry::of(*line, record)).collect();
        let selection = &self.options.selection;
        let selected: Vec<bool> = lines.iter().map(|(_, record)| selection.includes(record)).collect();
        let first_run = self.objects[object].state.first_run;
        let states = self.journal.classify(&entries, &selected, first_run, now_ms())?;
        for ((((_, record), entry), selected), state) in lines.into_iter().zip(entries).zip(selected).zip(states) {
            let is_uncertain_now = self.uncertain_lines.contains(&entry.line);
            let counts = &mut self.report.records;
            let held_back = match state {
                State::Put => {
                    counts.found += 1;
                    counts.put_before += 1;
                    continue;
                }
                _ if !selected => &mut counts.not_selected,
                State::FailedAgain if !self.options.failed_again => &mut counts.failed_again,
                State::Sending if !self.options.uncertain || is_uncertain_now => &mut counts.uncertain,
                State::Unknown | State::FailedAgain | State::Sending | State::Quarantined => {
                    self.select(object, Entry { state, ..entry }, record).await?;
                    continue;
                }
            };
            *held_back += 1;
            counts.found += 1;
            self.objects[object].is_incomplete = true;
        }
        Ok(())
    }

    async fn select(&mut self, object: usize, entry: Entry, mut record: FailedRecord) -> Result<(), Halt> {
        let options = &self.options;
        if options.limit.is_some_and(|limit| self.report.records.selected >= limit) {
            return Err(Halt::Limit);
        }
        if self.interrupts.is_requested() {
            return Err(Halt::Interrupted);
        }
        let target = &self.target;
        let outgoing = target.outgoing(mem::take(&mut record.data));
        if !calls::fits(&self.batch, &outgoing, options.rate, target.service.max_call_bytes) {
            self.flush().await?;
        }
        self.report.records.found += 1;
        self.report.select(&record, Timestamp::now().as_millisecond());
        self.objects[object].pending += 1;
        self.batch.push(Selected { object, entry, record: outgoing });
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        let RecordCounts { found, put, .. } = self.report.records;
        self.progress = Progress { bytes: self.progress.bytes + bytes, found, put, ..self.progress };
        (self.on_progress)(self.progress);
    }
}

async fn find(bucket: &Bucket, source: &ObjectSource) -> Result<(Vec<StoredObject>, u64), RedriveError> {
    let found = bucket.find(&source.prefix, source.object.as_deref()).await?;
    for (path, why) in found.skipped {
        warn(&format!("{}: skipped: {why}", path.display()));
    }
    for (path, why) in &found.unreadable {
        warn(&format!("{}: could not read it: {why}", path.display()));
    }
    Ok((found.objects, found.unreadable.len() as u64))
}

fn register(bucket: &Bucket, objects: Vec<StoredObject>, journal: &Journal) -> Result<Vec<Candidate>, RedriveError> {
    let places: Vec<String> = objects.iter().map(|object| bucket.place_of_object(object)).collect();
    let states = journal.register(places.iter().map(String::as_str).zip(objects.iter().map(StoredObject::version)))?;
    let candidate = |(object, state)| Candidate { object, state, pending: 0, is_incomplete: false, read: false };
    Ok(objects.into_iter().zip(states).map(candidate).collect())
}
