//! One object: its lines, and what is to be done with it when none is left.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::io::SyncIoBridge;

use super::{Halt, Session};
use crate::redrive::aside::Copy;
use crate::redrive::failed::{Corrupt, Failed};
use crate::redrive::ledger::Identity;
use crate::redrive::lines::{self, Chunk, Fault, Line, MAX_LINE_BYTES};
use crate::redrive::{RedriveError, now_ms};

/// How many lines may hold no record, one after the other, before an object is taken for something else.
const MOST_FOREIGN_LINES: usize = 100;

/// How many corrupt lines are told one by one; the copies have them all.
const MOST_TOLD: usize = 20;

/// A line without a record.
struct Bad {
    key: u128,
    number: u64,
    bytes: Vec<u8>,
    problem: Corrupt,
}

impl Session {
    /// Puts the records of an object back, as far as they are to be.
    pub(super) async fn object(&mut self, index: usize) -> Result<(), Halt> {
        let known = &mut self.objects[index];
        if known.seen.done.as_ref() == Some(&known.object.version()) {
            self.report.objects.done += 1;
            self.progress.advance(known.object.bytes(), so_far(&self.report));
            return self.archive(index).await;
        }
        let place = self.bucket.place_of_object(&known.object);
        let mut identity = Identity::of(&place);
        let count = Arc::new(AtomicU64::new(0));
        let bytes = SyncIoBridge::new(self.bucket.read(&known.object));
        let mut chunks = lines::read(Counted { bytes, count: Arc::clone(&count) });

        // Until the first line with a record: it may be no error object.
        let mut doubtful = Some(Vec::new());
        while let Some(chunk) = chunks.recv().await {
            if self.stop.is_asked() {
                return Err(Halt::Interrupted);
            }
            let lines = match chunk {
                Chunk::Lines(lines) => lines,
                Chunk::Unreadable(cause) => {
                    self.report.objects.unreadable += 1;
                    self.objects[index].stays = true;
                    self.tell(&format!("{place}: could not read it to its end: {cause}"));
                    return Ok(());
                }
            };
            let (good, mut bad) = judged(lines, &mut identity);
            if let Some(mut before) = doubtful.take() {
                before.append(&mut bad);
                bad = before;
                if good.is_empty() && bad.len() <= MOST_FOREIGN_LINES {
                    doubtful = Some(bad);
                    continue;
                }
                if good.is_empty() {
                    self.foreign(index, &place);
                    return Ok(());
                }
            }
            self.set_aside(&place, bad)?;
            self.records(index, good).await?;
            self.progress.advance(count.swap(0, Ordering::Relaxed), so_far(&self.report));
        }
        if doubtful.is_some_and(|lines| !lines.is_empty()) {
            self.foreign(index, &place);
            return Ok(());
        }
        self.objects[index].read = true;
        self.done(index).await
    }

    /// Marks an object as done and archives it, if nothing of it is left.
    pub(super) async fn done(&mut self, index: usize) -> Result<(), Halt> {
        let known = &self.objects[index];
        if !known.read || known.open > 0 || known.stays || self.options.dry_run {
            return Ok(());
        }
        self.ledger.done(&known.name, known.seen.first_ms, &known.object.version())?;
        self.report.objects.done += 1;
        self.archive(index).await
    }

    async fn archive(&mut self, index: usize) -> Result<(), Halt> {
        let Some(archive) = self.options.archive.as_ref().filter(|_| !self.options.dry_run) else { return Ok(()) };
        let object = &self.objects[index].object;
        let to = self.options.source.archived(archive, object.path());
        let moved = match self.bucket.is_unchanged(object).await {
            Ok(true) => self.bucket.rename(object, &to).await.map_err(|error| error.to_string()),
            Ok(false) => {
                Err(format!("{} was changed meanwhile, and so is not moved", self.bucket.place_of_object(object)))
            }
            Err(error) => Err(error.to_string()),
        };
        match moved {
            Ok(()) => self.report.objects.archived += 1,
            Err(why) => {
                self.report.objects.not_archived += 1;
                self.tell(&why);
            }
        }
        Ok(())
    }

    fn foreign(&mut self, index: usize, place: &str) {
        self.report.objects.foreign += 1;
        self.objects[index].stays = true;
        self.tell(&format!("{place}: found no line with a failed record; it is left as it is"));
    }

    /// Copies what holds no record, counts and tells it. What was copied before is not copied again.
    fn set_aside(&mut self, place: &str, bad: Vec<Bad>) -> Result<(), Halt> {
        if bad.is_empty() {
            return Ok(());
        }
        let keys: Vec<u128> = bad.iter().map(|line| line.key).collect();
        let known = self.ledger.known(&keys)?;
        self.report.records.found += bad.len() as u64;
        let new: Vec<Bad> = bad.into_iter().zip(&known).filter(|(_, known)| !**known).map(|(line, _)| line).collect();
        self.report.records.corrupt += new.len() as u64;
        self.report.records.corrupt_before += (known.len() - new.len()) as u64;
        for line in &new {
            self.told += 1;
            if self.told <= MOST_TOLD {
                self.tell(&format!("{place}, line {}: {}", line.number, line.problem));
            }
        }
        if new.is_empty() || self.options.dry_run {
            return Ok(());
        }
        let copies: Vec<Copy<'_>> = new.iter().map(|line| line.copy(place)).collect();
        self.aside
            .keep(&copies)
            .map_err(|source| RedriveError::Aside { path: self.aside.place().to_owned(), source })?;
        let keys: Vec<u128> = new.iter().map(|line| line.key).collect();
        Ok(self.ledger.set_aside(&keys, now_ms())?)
    }
}

impl Bad {
    fn copy<'a>(&'a self, object: &'a str) -> Copy<'a> {
        Copy { object, line: self.number, problem: self.problem.to_string(), content: &self.bytes }
    }
}

/// The lines with a record, each with its key, and those without.
fn judged(lines: Vec<Line>, identity: &mut Identity) -> (Vec<(u128, Failed)>, Vec<Bad>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for Line { number, bytes, fault } in lines {
        let key = identity.line_key(&bytes);
        let failed = match fault {
            Some(Fault::TooLong) => Err(Corrupt::TooLong(MAX_LINE_BYTES)),
            Some(Fault::Compression(cause)) => Err(Corrupt::Compression(cause)),
            None => Failed::parse(&bytes),
        };
        match failed {
            Ok(failed) => good.push((key, failed)),
            Err(problem) => bad.push(Bad { key, number, bytes, problem }),
        }
    }
    (good, bad)
}

fn so_far(report: &super::Report) -> String {
    format!("{} records, {} put", report.records.found, report.records.put)
}

/// A reader that tells what it read.
struct Counted<R> {
    bytes: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
