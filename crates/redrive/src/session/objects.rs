//! One object: its lines, and what is to be done with it when none is left.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Halt, Session};
use crate::aside::SetAside;
use crate::failed::Corrupt;
use crate::judge::{Bad, Sight, is_error_object, judged};
use crate::ledger::{Identity, ObjectName};
use crate::lines::{self, Chunk};
use crate::report_line;
use crate::{RedriveError, now_ms};

/// How many corrupt lines are told one by one; the copies have them all.
const MOST_TOLD: usize = 20;

/// How a look at an object ended.
enum Looked {
    /// All of its lines were looked at.
    Whole,
    /// Its lines are not all known.
    Partly,
    /// It is no error object.
    Foreign,
    /// It is one, although it did not look like it: from the start again.
    OnceMore,
}

impl Session {
    /// Puts the records of an object back, as far as they are to be.
    pub(super) async fn object(&mut self, index: usize) -> Result<(), Halt> {
        let candidate = &self.objects[index];
        if candidate.seen.is_done {
            self.report.objects.done += 1;
            let bytes = candidate.object.bytes();
            self.advance(bytes);
            return self.archive(index).await;
        }
        let place = candidate.place.clone();
        let is_new = candidate.seen.is_new && !ObjectName::of(&place).is_of_firehose();
        let before = self.report.records.put_before;
        let mut looked = self.look_at(index, &place, Sight::Doubtful(Vec::new())).await?;
        if matches!(looked, Looked::OnceMore) {
            looked = self.look_at(index, &place, Sight::ErrorObject).await?;
        }
        let known = self.report.records.put_before - before;
        if is_new && known > 0 {
            report_line(&format!(
                "{place}: {known} of its lines are known from an object of this name, and are not put again"
            ));
        }
        match looked {
            Looked::Whole => {
                self.objects[index].read = true;
                return self.done(index).await;
            }
            Looked::Foreign => {
                self.report.objects.foreign += 1;
                report_line(&format!("{place}: found no line with a failed record; it is left as it is"));
            }
            Looked::Partly | Looked::OnceMore => self.report.objects.unreadable += 1,
        }
        self.objects[index].stays = true;
        Ok(())
    }

    async fn look_at(&mut self, index: usize, place: &str, mut sight: Sight) -> Result<Looked, Halt> {
        let mut identity = Identity::of(place);
        let count = Arc::new(AtomicU64::new(0));
        let bytes = self.bucket.read(&self.objects[index].object);
        let mut chunks = lines::read(Counted { bytes, count: Arc::clone(&count) });
        let broken_off = loop {
            let chunk = tokio::select! {
                biased;
                () = self.stop.asked(1) => return Err(Halt::Interrupted),
                chunk = chunks.recv() => chunk,
            };
            let pieces = match chunk {
                Some(Chunk::Pieces(pieces)) => pieces,
                Some(Chunk::End) => break None,
                Some(Chunk::Unreadable(cause)) => break Some(cause),
                None => break Some("its reader has failed".to_owned()),
            };
            let (good, bad) = judged(pieces, &mut identity, |data| self.target.check_size(data, self.max_record_bytes));
            // They can be put once the stream's own limit is raised: the object must be read again then.
            let most = self.target.max_record_bytes();
            let may_be_put = |bad: &Bad| matches!(bad.problem, Corrupt::TooLarge { bytes, .. } if bytes <= most);
            self.objects[index].stays |= bad.iter().any(may_be_put);
            let is_error_object = is_error_object(&good, &bad);
            let (next, bad) = sight.with(&good, bad);
            sight = next;
            match bad {
                Some(bad) => self.set_aside(place, bad)?,
                None if !is_error_object => continue,
                None => return Ok(Looked::OnceMore),
            }
            self.records(index, good).await?;
            self.advance(count.swap(0, Ordering::Relaxed));
        };
        if let Some(cause) = broken_off {
            report_line(&format!("{place}: could not read it to its end: {cause}"));
            return Ok(Looked::Partly);
        }
        Ok(match sight {
            Sight::Doubtful(lines) if lines.is_empty() => Looked::Whole,
            Sight::ErrorObject => Looked::Whole,
            Sight::Doubtful(_) | Sight::Unlikely => Looked::Foreign,
        })
    }

    /// Marks an object as done and archives it, if nothing of it is left.
    pub(super) async fn done(&mut self, index: usize) -> Result<(), Halt> {
        let candidate = &self.objects[index];
        if !candidate.read || candidate.open > 0 || candidate.stays || self.options.dry_run {
            return Ok(());
        }
        self.ledger.done(ObjectName::of(&candidate.place), &candidate.version, candidate.seen)?;
        self.report.objects.done += 1;
        self.archive(index).await
    }

    async fn archive(&mut self, index: usize) -> Result<(), Halt> {
        let Some(archive) = self.options.archive.as_ref().filter(|_| !self.options.dry_run) else { return Ok(()) };
        let object = &self.objects[index].object;
        let to = self.options.source.archived(archive, object.key());
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
                report_line(&why);
            }
        }
        Ok(())
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
                report_line(&format!("{place}, line {}, byte {}: {}", line.line, line.offset, line.problem));
            } else if self.told == MOST_TOLD + 1 && !self.options.dry_run {
                report_line(&format!("more corrupt lines are listed in {} only", self.aside.place().display()));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if !self.options.dry_run {
            let copies: Vec<SetAside<'_>> = new.iter().map(|line| copy(place, line)).collect();
            self.aside
                .keep(&copies)
                .map_err(|source| RedriveError::Aside { path: self.aside.place().to_owned(), source })?;
        }
        let keys: Vec<u128> = new.iter().map(|line| line.key).collect();
        Ok(self.ledger.set_aside(&keys, now_ms())?)
    }
}

fn copy<'a>(object: &'a str, Bad { line, offset, problem, bytes, .. }: &'a Bad) -> SetAside<'a> {
    SetAside { object, line: *line, offset: *offset, problem: problem.to_string(), content: bytes }
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
