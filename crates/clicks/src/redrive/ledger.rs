//! What has been put back already, on disk, so that nothing is put twice and nothing is forgotten.
//!
//! A line of an error object goes through these states; each step is on disk before the next one is taken:
//!
//! ```text
//! (unknown) ─▶ sending ─▶ put               Firehose has the record
//!     │           ├─────▶ (unknown)         Firehose has refused it: it may be tried again
//!     │           └─────▶ sending           the answer was lost, or the process was killed: nobody knows
//!     ├─▶ failed again                      it has been put before, and failed once more
//!     └─▶ set aside                         it holds no record
//! ```
//!
//! Lines are known by what they hold and by the name of their object, not by their place: [`line_key`].

mod keys;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, ReadableTable, TableDefinition, WriteTransaction};

pub(super) use self::keys::Identity;
use self::keys::content_key;
use super::failed::Failed;

/// A line's key: its state, and when that came about, in milliseconds since 1970.
const LINES: TableDefinition<u128, (u8, u64)> = TableDefinition::new("lines");

/// What was put: the key of a record's bytes and the start of the call; the call's end, and how many such records it put that
/// have not failed again.
const PUTS: TableDefinition<(u128, u64), (u64, u32)> = TableDefinition::new("puts");

/// An object's name: when it was seen first, and its version once all its lines are put or set aside.
const OBJECTS: TableDefinition<&str, (u64, Option<&str>)> = TableDefinition::new("objects");

/// What the ledger is of.
const ABOUT: TableDefinition<&str, &str> = TableDefinition::new("about");

/// The stream, and where it is.
const TARGET: &str = "target";

/// The form of the tables, which goes up with each change of them.
const FORM: (&str, &str) = ("form", "1");

/// How far the clocks of this machine and of Firehose may be apart: a request that is signed with another time is refused (AWS
/// Identity and Access Management user guide, "AWS Signature Version 4": within five minutes).
const MOST_SKEW_MS: u64 = 5 * 60 * 1000;

/// Longer than any call takes.
pub(super) const LONGEST_CALL_MS: u64 = 2 * 60 * 1000;

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// Its folder can't be made.
    #[error("could not make the folder of {} (`--ledger`)", path.display())]
    Folder {
        /// Of the ledger.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Two processes would put the same records.
    #[error("{} is in use by another `clicks redrive`", .0.display())]
    InUse(PathBuf),
    /// What is put into one stream is not put into another.
    #[error("{}: found the ledger of {found}; accepted is that of {expected}, or a new one (`--ledger FILE`)", path.display())]
    Other {
        /// Where.
        path: PathBuf,
        /// What it is of.
        found: String,
        /// What it should be of.
        expected: String,
    },
    /// The file is damaged, or is none of ours, or the disk fails.
    #[error("could not read or write the ledger {} (`--ledger`)", path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<redb::Error>,
    },
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing yet.
    Open,
    /// It may be in the stream, or not.
    Sending,
    /// It is in the stream.
    Put,
    /// It was in the stream, and failed again.
    FailedAgain,
    /// It holds no record, and is kept elsewhere.
    SetAside,
}

impl State {
    const STORED: [(u8, Self); 4] = [(1, Self::Sending), (2, Self::Put), (3, Self::FailedAgain), (4, Self::SetAside)];

    fn stored(self) -> Option<u8> {
        Self::STORED.iter().find(|(_, state)| *state == self).map(|(byte, _)| *byte)
    }

    /// What this version does not know is what nobody knows.
    fn read(byte: u8) -> Self {
        Self::STORED.iter().find(|(stored, _)| *stored == byte).map_or(Self::Sending, |(_, state)| *state)
    }
}

/// A record with all that the ledger knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Of its line.
    pub(super) line: u128,
    /// Of its bytes.
    pub(super) content: u128,
    /// When Firehose got it, where the line tells.
    pub(super) arrival_ms: Option<i64>,
}

impl Entry {
    /// A record with the key of its line.
    pub(super) fn of(line: u128, failed: &Failed) -> Self {
        Self { line, content: content_key(&failed.data), arrival_ms: failed.arrival_ms }
    }
}

/// The file, which no other process may open meanwhile.
pub(super) struct Ledger {
    path: PathBuf,
    database: Database,
    /// Of a dry run, which is never committed.
    dry: Option<WriteTransaction>,
}

impl Ledger {
    /// Opens the ledger of a target, or begins it. That of a dry run is read, and never written or made.
    pub(super) fn open(path: &Path, target: &str, dry_run: bool) -> Result<Self, LedgerError> {
        let failed = |source: redb::Error| LedgerError::Database { path: path.to_owned(), source: Box::new(source) };
        let opened = if dry_run && !path.exists() {
            Database::builder().create_with_backend(InMemoryBackend::new())
        } else {
            make_folder(path)?;
            Database::create(path)
        };
        let database = opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => LedgerError::InUse(path.to_owned()),
            error => failed(error.into()),
        })?;
        let ledger = Self { path: path.to_owned(), database, dry: None };
        let begun = ledger.database.begin_write().map_err(|error| failed(error.into()))?;
        let found = about(&begun, target).map_err(failed)?;
        let expected = [FORM.1.to_owned(), target.to_owned()];
        if found != expected {
            let describe = |[form, target]: [String; 2]| format!("{target} in form {form}");
            return Err(LedgerError::Other {
                path: path.to_owned(),
                found: describe(found),
                expected: describe(expected),
            });
        }
        if dry_run {
            return Ok(Self { dry: Some(begun), ..ledger });
        }
        begun.commit().map_err(|error| failed(error.into()))?;
        Ok(ledger)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers when objects were seen first; tells for each that, and the version with which it was done.
    pub(super) fn see<'a>(
        &mut self,
        objects: impl Iterator<Item = &'a str>,
        now_ms: u64,
    ) -> Result<Vec<Seen>, LedgerError> {
        self.write(|begun| {
            let mut table = begun.open_table(OBJECTS)?;
            let mut seen = Vec::new();
            for name in objects {
                let known = table.get(name)?.map(|object| {
                    let (first_ms, done) = object.value();
                    Seen { first_ms, done: done.map(str::to_owned) }
                });
                if known.is_none() {
                    table.insert(name, (now_ms, None))?;
                }
                seen.push(known.unwrap_or(Seen { first_ms: now_ms, done: None }));
            }
            Ok((seen, true))
        })
    }

    /// All lines of an object of this version are put or set aside.
    pub(super) fn done(&mut self, object: &str, first_ms: u64, version: &str) -> Result<(), LedgerError> {
        self.write(|begun| Ok((drop(begun.open_table(OBJECTS)?.insert(object, (first_ms, Some(version)))?), true)))
    }

    /// What is known of lines, of an object that was seen first at a time. One that is not known, and comes from Firehose after
    /// the same bytes were put into it, has failed again: as many as were put, and no more.
    pub(super) fn look(&mut self, entries: &[Entry], first_ms: u64, now_ms: u64) -> Result<Vec<State>, LedgerError> {
        self.write(|begun| {
            let (mut lines, mut puts) = (begun.open_table(LINES)?, begun.open_table(PUTS)?);
            let (mut states, mut changed) = (Vec::new(), false);
            for entry in entries {
                let known = lines.get(entry.line)?.map(|line| State::read(line.value().0));
                let state = match known {
                    Some(state) => state,
                    None if take_put(&mut puts, entry, first_ms)? => {
                        changed = true;
                        set(&mut lines, entry.line, State::FailedAgain, now_ms)?;
                        State::FailedAgain
                    }
                    None => State::Open,
                };
                states.push(state);
            }
            Ok((states, changed))
        })
    }

    /// Lines without a record, which are kept elsewhere by now. Tells which of them were not known.
    pub(super) fn known(&mut self, lines: &[u128]) -> Result<Vec<bool>, LedgerError> {
        self.write(|begun| {
            let table = begun.open_table(LINES)?;
            let known = lines.iter().map(|line| Ok(table.get(line)?.is_some())).collect::<Result<_, redb::Error>>()?;
            Ok((known, false))
        })
    }

    /// Lines without a record are kept elsewhere.
    pub(super) fn set_aside(&mut self, lines: &[u128], now_ms: u64) -> Result<(), LedgerError> {
        self.write(|begun| {
            let mut table = begun.open_table(LINES)?;
            for line in lines {
                set(&mut table, *line, State::SetAside, now_ms)?;
            }
            Ok(((), true))
        })
    }

    /// Records are about to be sent. From now on they may be in the stream.
    pub(super) fn sending(&mut self, entries: &[Entry], start_ms: u64) -> Result<(), LedgerError> {
        self.write(|begun| {
            let (mut lines, mut puts) = (begun.open_table(LINES)?, begun.open_table(PUTS)?);
            for entry in entries {
                set(&mut lines, entry.line, State::Sending, start_ms)?;
                let key = (entry.content, start_ms);
                let count = puts.get(key)?.map_or(0, |put| put.value().1);
                puts.insert(key, (start_ms + LONGEST_CALL_MS, count + 1))?;
            }
            Ok(((), true))
        })
    }

    /// A call was answered: these are in the stream, and those are not.
    pub(super) fn answered(
        &mut self,
        put: &[Entry],
        refused: &[Entry],
        start_ms: u64,
        end_ms: u64,
    ) -> Result<(), LedgerError> {
        self.write(|begun| {
            let (mut lines, mut puts) = (begun.open_table(LINES)?, begun.open_table(PUTS)?);
            for entry in put {
                set(&mut lines, entry.line, State::Put, end_ms)?;
                let key = (entry.content, start_ms);
                let count = puts.get(key)?.map(|put| put.value().1);
                if let Some(count) = count {
                    puts.insert(key, (end_ms, count))?;
                }
            }
            for entry in refused {
                lines.remove(entry.line)?;
                take_from(&mut puts, (entry.content, start_ms))?;
            }
            Ok(((), true))
        })
    }

    /// Does something in one transaction, which is kept where `work` says that it changed something.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, LedgerError> {
        let run = || {
            if let Some(dry) = &self.dry {
                return Ok(work(dry)?.0);
            }
            let begun = self.database.begin_write()?;
            let (value, changed) = work(&begun)?;
            // Waits for the disk.
            if changed {
                begun.commit()?;
            } else {
                begun.abort()?;
            }
            Ok(value)
        };
        run().map_err(|source: redb::Error| LedgerError::Database { path: self.path.clone(), source: Box::new(source) })
    }
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it was seen first. What was put later can't have come back in it.
    pub(super) first_ms: u64,
    /// Its version when all its lines were put or set aside.
    pub(super) done: Option<String>,
}

type Puts<'a> = redb::Table<'a, (u128, u64), (u64, u32)>;
type Lines<'a> = redb::Table<'a, u128, (u8, u64)>;

fn set(lines: &mut Lines<'_>, line: u128, state: State, at_ms: u64) -> Result<(), redb::Error> {
    if let Some(stored) = state.stored() {
        lines.insert(line, (stored, at_ms))?;
    }
    Ok(())
}

/// Finds what was put and may have come back as this record, and takes one of it.
fn take_put(puts: &mut Puts<'_>, entry: &Entry, first_ms: u64) -> Result<bool, redb::Error> {
    let arrival = entry.arrival_ms.and_then(|arrival| u64::try_from(arrival).ok());
    // A call that began before has ended before the record arrived, even by another clock.
    let earliest = arrival.map_or(0, |arrival| arrival.saturating_sub(LONGEST_CALL_MS + MOST_SKEW_MS));
    let latest = arrival.map_or(first_ms, |arrival| arrival.saturating_add(MOST_SKEW_MS).min(first_ms));
    if earliest > latest {
        return Ok(false);
    }
    let mut found = None;
    for put in puts.range((entry.content, earliest)..=(entry.content, latest))? {
        let (key, put) = put?;
        let ((_, start_ms), (end_ms, count)) = (key.value(), put.value());
        if count > 0 && start_ms < first_ms && arrival.is_none_or(|arrival| arrival <= end_ms + MOST_SKEW_MS) {
            found = Some((entry.content, start_ms));
            break;
        }
    }
    match found {
        Some(key) => take_from(puts, key).map(|()| true),
        None => Ok(false),
    }
}

fn take_from(puts: &mut Puts<'_>, key: (u128, u64)) -> Result<(), redb::Error> {
    let Some((end_ms, count)) = puts.get(key)?.map(|put| put.value()) else { return Ok(()) };
    if count > 1 {
        puts.insert(key, (end_ms, count - 1))?;
    } else {
        puts.remove(key)?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), LedgerError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|source| LedgerError::Folder { path: path.to_owned(), source })
}

/// The form and the target of the ledger, which are written into a new one.
fn about(begun: &WriteTransaction, target: &str) -> Result<[String; 2], redb::Error> {
    begun.open_table(LINES)?;
    begun.open_table(PUTS)?;
    begun.open_table(OBJECTS)?;
    let mut table = begun.open_table(ABOUT)?;
    let mut known = |name: &str, new: &str| -> Result<String, redb::Error> {
        let known = table.get(name)?.map(|text| text.value().to_owned());
        if known.is_none() {
            table.insert(name, new)?;
        }
        Ok(known.unwrap_or_else(|| new.to_owned()))
    };
    Ok([known(FORM.0, FORM.1)?, known(TARGET, target)?])
}

#[cfg(test)]
mod tests;
