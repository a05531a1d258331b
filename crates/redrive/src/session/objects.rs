//! One object: its lines, and its move to the archive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use state_file::QuarantinedLine;

use super::{Halt, Session};
use crate::error::RedriveError;
use crate::journal::{Identity, firehose_name};
use crate::lines::{self, Chunk, CorruptPiece, End, classify};
use crate::record::Corrupt;
use crate::{now_ms, warn};

/// How many corrupt lines are reported one by one. The quarantine has all of them.
const MAX_REPORTED: usize = 20;

impl Session {
    pub(super) async fn object(&mut self, index: usize) -> Result<(), Halt> {
        let candidate = &self.objects[index];
        if candidate.state.is_done {
            self.report.objects.done += 1;
            let bytes = candidate.object.bytes;
            self.advance(bytes);
            return self.archive(index).await;
        }
        let place = self.bucket.place_of_object(&candidate.object);
        let is_new = candidate.state.is_new && firehose_name(&place).is_none();
        let before = self.report.records.put_before;
        let end = self.read(index, &place).await?;
        let known = self.report.records.put_before - before;
        if is_new && known > 0 {
            warn(&format!(
                "{place}: {known} of its lines are those of an object of the same name, and are not put again"
            ));
        }
        match end {
            End::Complete => {
                self.objects[index].read = true;
                return self.finish(index).await;
            }
            End::Foreign => {
                self.report.objects.foreign += 1;
                warn(&format!("{place}: not an error object; it is left as it is"));
            }
            End::Unreadable(cause) => {
                self.report.objects.unreadable += 1;
                warn(&format!("{place}: could not read it to its end: {cause}"));
            }
        }
        self.objects[index].is_incomplete = true;
        Ok(())
    }

    async fn read(&mut self, index: usize, place: &str) -> Result<End, Halt> {
        let mut identity = Identity::of(place);
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let add = move |bytes| _ = counted.fetch_add(bytes, Ordering::Relaxed);
        let mut chunks = lines::read(self.bucket.read(&self.objects[index].object, add));
        loop {
            let chunk = self.interrupts.unless_requested(chunks.recv()).await.ok_or(Halt::Interrupted)?;
            let pieces = match chunk {
                Some(Chunk::Pieces(pieces)) => pieces,
                Some(Chunk::End(end)) => return Ok(end),
                None => return Ok(End::Unreadable("its reader has failed".to_owned())),
            };
            let (records, corrupt) = classify(pieces, &mut identity, |data| self.target.check_size(data));
            // The stream accepts such a record once its limit is raised, and then the object has to be read again.
            let most = self.target.service.max_record_bytes;
            self.objects[index].is_incomplete |=
                corrupt.iter().any(|piece| matches!(piece.problem, Corrupt::TooLarge { bytes, .. } if bytes <= most));
            self.quarantine(place, corrupt)?;
            self.records(index, records).await?;
            self.advance(count.swap(0, Ordering::Relaxed));
        }
    }

    pub(super) async fn finish(&mut self, index: usize) -> Result<(), Halt> {
        let candidate = &self.objects[index];
        if !candidate.read || candidate.pending > 0 || candidate.is_incomplete || self.options.dry_run {
            return Ok(());
        }
        let place = self.bucket.place_of_object(&candidate.object);
        self.journal.done(&place, &candidate.object.version(), candidate.state)?;
        self.report.objects.done += 1;
        self.archive(index).await
    }

    async fn archive(&mut self, index: usize) -> Result<(), Halt> {
        let options = &self.options;
        let Some(archive) = options.archive.as_ref().filter(|_| !options.dry_run) else { return Ok(()) };
        let (bucket, object) = (&self.bucket, &self.objects[index].object);
        let to = options.source.archived(archive, &object.key);
        let moved = match bucket.is_unchanged(object).await {
            Ok(true) => bucket.rename(object, &to).await.map_err(|error| error.to_string()),
            Ok(false) => {
                let place = bucket.place_of_object(object);
                Err(format!("{place}: not moved to the archive, because it changed during the run"))
            }
            Err(error) => Err(error.to_string()),
        };
        match moved {
            Ok(()) => self.report.objects.archived += 1,
            Err(why) => {
                self.report.objects.not_archived += 1;
                warn(&why);
            }
        }
        Ok(())
    }

    fn quarantine(&mut self, place: &str, corrupt: Vec<CorruptPiece>) -> Result<(), Halt> {
        if corrupt.is_empty() {
            return Ok(());
        }
        let keys = |pieces: &[CorruptPiece]| pieces.iter().map(|piece| piece.key).collect::<Vec<u128>>();
        let known = self.journal.contains(&keys(&corrupt))?;
        self.report.records.found += corrupt.len() as u64;
        let new = corrupt.into_iter().zip(&known).filter(|(_, is_known)| !**is_known);
        let new: Vec<CorruptPiece> = new.map(|(piece, _)| piece).collect();
        self.report.records.corrupt += new.len() as u64;
        self.report.records.corrupt_before += (known.len() - new.len()) as u64;
        let quarantine = &mut self.quarantine;
        for piece in &new {
            self.reported += 1;
            if self.reported <= MAX_REPORTED {
                warn(&format!("{place}, line {}, byte {}: {}", piece.line, piece.offset, piece.problem));
            } else if self.reported == MAX_REPORTED + 1 && !self.options.dry_run {
                warn(&format!("more corrupt lines: see {}", quarantine.path().display()));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if !self.options.dry_run {
            let lines: Vec<QuarantinedLine<'_>> = new.iter().map(|piece| quarantined(place, piece)).collect();
            quarantine.append(&lines).map_err(|error| {
                let problem = format!("could not write corrupt lines to {}", quarantine.path().display());
                RedriveError::File(problem, error.into())
            })?;
        }
        Ok(self.journal.quarantined(&keys(&new), now_ms())?)
    }
}

fn quarantined<'a>(object: &'a str, piece: &'a CorruptPiece) -> QuarantinedLine<'a> {
    let CorruptPiece { line, offset, problem, bytes, .. } = piece;
    QuarantinedLine { object, line: *line, offset: *offset, problem: problem.to_string(), content: bytes }
}
