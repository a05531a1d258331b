//! One run: objects one after the other, and their records in calls.

mod calls;
mod objects;

use std::collections::HashSet;
use std::mem;
use std::time::Instant;

use jiff::Timestamp;

use super::aside::Aside;
use super::failed::Failed;
use super::ledger::{Entry, Ledger, LedgerError, ObjectName, Seen, State};
use super::pace::Pace;
use super::stop::Stop;
use super::target::{Outgoing, Target};
use super::{Options, Records, RedriveError, Redriven, Report};
use object_storage::{Bucket, Object};

/// An object, and how far it has come.
#[derive(Debug)]
pub(super) struct Candidate {
    object: Object,
    /// Where it is.
    place: String,
    version: String,
    /// What the ledger knows of it.
    seen: Seen,
    /// Records that are selected, and not put yet.
    open: u64,
    /// Whether something of it stays where it is: not selected, held back, sent without an answer, or larger than the stream
    /// accepts now.
    stays: bool,
    /// Whether all its lines were looked at.
    read: bool,
}

impl Candidate {
    /// The objects of a run, from now on known to the ledger.
    pub(super) fn all(bucket: &Bucket, objects: Vec<Object>, ledger: &Ledger) -> Result<Vec<Self>, LedgerError> {
        let places: Vec<String> = objects.iter().map(|object| bucket.place_of_object(object)).collect();
        let versions: Vec<String> = objects.iter().map(Object::version).collect();
        let names = places.iter().map(|place| ObjectName::of(place));
        let seen = ledger.see(names.zip(versions.iter().map(String::as_str)))?;
        let candidates = objects.into_iter().zip(places).zip(versions).zip(seen);
        let candidate = |(((object, place), version), seen)| Self {
            object,
            place,
            version,
            seen,
            open: 0,
            stays: false,
            read: false,
        };
        Ok(candidates.map(candidate).collect())
    }
}

/// A record on its way.
#[derive(Debug)]
struct Taken {
    /// Its object, by its place among them.
    object: usize,
    entry: Entry,
    record: Outgoing,
}

/// Why a run ends before the end of the objects.
enum Halt {
    /// Somebody asked for it.
    Interrupted,
    /// As many records as were asked for.
    Limit,
    /// It can't go on.
    Error(RedriveError),
}

impl<E: Into<RedriveError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stored bytes of all objects.
    pub bytes_total: u64,
    /// Those of them that were read, or need not be.
    pub bytes: u64,
    /// Records that were found.
    pub found: u64,
    /// Records that were put.
    pub put: u64,
}

/// Gets the progress of a run whenever it changes.
pub type OnProgress = Box<dyn Fn(Progress) + Send>;

/// The caller's side of a run.
pub(super) struct Caller {
    pub(super) stop: Stop,
    pub(super) on_progress: OnProgress,
}

/// A run.
pub(super) struct Session {
    options: Options,
    target: Target,
    /// What the stream takes of one record.
    max_record_bytes: usize,
    bucket: Bucket,
    ledger: Ledger,
    aside: Aside,
    stop: Stop,
    objects: Vec<Candidate>,
    pace: Pace,
    /// What the next call sends.
    batch: Vec<Taken>,
    /// Calls on end that got no answer.
    lost: u32,
    /// The keys of all lines that this run has sent without an answer.
    lost_lines: HashSet<u128>,
    /// Messages about single lines so far.
    told: usize,
    report: Report,
    progress: Progress,
    on_progress: OnProgress,
}

impl Session {
    pub(super) fn new(
        options: Options,
        (target, max_record_bytes): (Target, usize),
        bucket: Bucket,
        ledger: Ledger,
        aside: Aside,
        (objects, unreadable): (Vec<Candidate>, u64),
        caller: Caller,
    ) -> Self {
        let Caller { stop, on_progress } = caller;
        let mut report = Report {
            target: target.name(),
            dry_run: options.dry_run,
            ledger: ledger.path().to_owned(),
            ..Report::default()
        };
        report.objects.found = objects.len() as u64;
        report.objects.unreadable = unreadable;
        let bytes_total = objects.iter().map(|candidate| candidate.object.bytes()).sum();
        Self {
            pace: Pace::new(options.rate),
            progress: Progress { bytes_total, ..Progress::default() },
            on_progress,
            batch: Vec::new(),
            lost: 0,
            lost_lines: HashSet::new(),
            told: 0,
            options,
            target,
            max_record_bytes,
            bucket,
            ledger,
            aside,
            stop,
            objects,
            report,
        }
    }

    /// All objects, and what is left in the end.
    pub(super) async fn run(mut self) -> Redriven {
        let begun = Instant::now();
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
        self.report.seconds = begun.elapsed().as_secs_f64();
        self.report.copied_aside = self.aside.path().map(ToOwned::to_owned);
        Redriven { report: self.report, error }
    }

    async fn objects(&mut self) -> Result<(), Halt> {
        for index in 0..self.objects.len() {
            if self.stop.is_asked() {
                return Err(Halt::Interrupted);
            }
            self.object(index).await?;
        }
        Ok(())
    }

    /// What is to be done with good lines of an object.
    async fn records(&mut self, object: usize, lines: Vec<(u128, Failed)>) -> Result<(), Halt> {
        // Of a copy of an object, what waits is not known yet.
        if lines.iter().any(|(line, _)| self.batch.iter().any(|taken| taken.entry.line == *line)) {
            self.flush().await?;
        }
        let entries: Vec<Entry> = lines.iter().map(|(line, failed)| Entry::of(*line, failed)).collect();
        let chosen: Vec<bool> = lines.iter().map(|(_, failed)| self.options.selection.has(failed)).collect();
        let first_run = self.objects[object].seen.first_run;
        let states = self.ledger.look(&entries, &chosen, first_run, super::now_ms())?;
        for ((((_, failed), entry), chosen), state) in lines.into_iter().zip(entries).zip(chosen).zip(states) {
            let again = self.options.again;
            let is_lost = self.lost_lines.contains(&entry.line);
            let records = &mut self.report.records;
            let held = match state {
                State::Put => {
                    records.found += 1;
                    records.put_before += 1;
                    continue;
                }
                _ if !chosen => &mut records.not_selected,
                State::FailedAgain if !again.failed => &mut records.failed_again,
                State::Sending if !again.uncertain || is_lost => &mut records.uncertain,
                State::Open | State::FailedAgain | State::Sending | State::SetAside => {
                    self.take(object, Entry { state, ..entry }, failed).await?;
                    continue;
                }
            };
            *held += 1;
            records.found += 1;
            self.objects[object].stays = true;
        }
        Ok(())
    }

    /// Takes a record along with the next call, which is made when there is no room for more.
    async fn take(&mut self, object: usize, entry: Entry, mut failed: Failed) -> Result<(), Halt> {
        if self.options.limit.is_some_and(|limit| self.report.records.selected >= limit) {
            return Err(Halt::Limit);
        }
        if self.stop.is_asked() {
            return Err(Halt::Interrupted);
        }
        let record = self.target.outgoing(mem::take(&mut failed.data));
        if !calls::fits(&self.batch, &record, self.options.rate, self.target.max_call_bytes()) {
            self.flush().await?;
        }
        self.report.records.found += 1;
        self.report.select(&failed, Timestamp::now().as_millisecond());
        self.objects[object].open += 1;
        self.batch.push(Taken { object, entry, record });
        Ok(())
    }

    /// Counts bytes that are read, or need not be.
    fn advance(&mut self, bytes: u64) {
        let Records { found, put, .. } = self.report.records;
        self.progress = Progress { bytes: self.progress.bytes + bytes, found, put, ..self.progress };
        (self.on_progress)(self.progress);
    }
}
