//! What has been put back already, on disk, so that nothing is put twice and nothing is forgotten.
//!
//! A line of an error object goes through these states; each step is on disk before the next one is taken:
//!
//! ```text
//! (unknown) ─▶ sending ─▶ put               Firehose has the record
//!     │           ├─────▶ what it was       Firehose has refused it: unknown, failed again or sending, as before
//!     │           └─────▶ sending           the answer was lost, or the process was killed: nobody knows
//!     ├─▶ failed again                      it has been put before, and failed once more
//!     └─▶ set aside                         it holds no record
//! ```
//!
//! Lines are known by what they hold and by the name of their object, not by their place: see [`Identity`].

mod file;
mod keys;
mod tables;

use std::io;
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};

use self::file::Copy;
pub(crate) use self::keys::content_key;
pub(super) use self::keys::{Identity, ObjectName};
use self::tables::Tables;
use super::failed::Failed;
use state_file::{self, Checked, Commits, Condition, Durable, How, OpenError};

/// An object's name: its version, the run that saw it first, and whether all its lines are put or set aside.
const OBJECTS: TableDefinition<&str, (&str, u64, bool)> = TableDefinition::new("objects");

/// How many runs there were. Their order does not depend on a clock.
const RUNS: TableDefinition<(), u64> = TableDefinition::new("runs");

/// What the ledger is of.
const ABOUT: TableDefinition<&str, &str> = TableDefinition::new("about");

/// Which stream.
const TARGET: &str = "target";

/// The form of the tables, which goes up with each change of them.
const FORM: (&str, &str) = ("form", "1");

/// Longer than a call takes; by this the end of one is guessed that was never answered.
const LONGEST_CALL_MS: u64 = 2 * 60 * 1000;

/// The most of the file that is in memory at once.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Its file, or the folder of it, can't be made or opened.
    #[error("could not open {} (`--ledger`)", path.display())]
    File {
        /// Of the ledger.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Two processes would put the same records.
    #[error("{} is in use by another `clicks redrive`", .0.display())]
    InUse(PathBuf),
    /// A later version has written it.
    #[error("{}: found a ledger of the form {found}; accepted is the form {form}", path.display(), form = FORM.1)]
    Form {
        /// Where.
        path: PathBuf,
        /// Of what form it is.
        found: String,
    },
    /// What is put into one stream is not put into another.
    #[error("{}: found the ledger of {found}; accepted is that of {expected}: name it with `--ledger FILE`", path.display())]
    Other {
        /// Where.
        path: PathBuf,
        /// What it is of.
        found: String,
        /// What it should be of.
        expected: String,
    },
    /// What was put cannot be known, and would be put again.
    #[error(
        "the ledger {} (`--ledger`) cannot be used: {found}; accepted is the file that an earlier run has left, as without it \
         records are put twice. If it cannot be restored, choose: {}", path.display(), choices(found)
    )]
    Unusable {
        /// Where.
        path: PathBuf,
        /// What is there.
        found: Condition,
    },
    /// The disk fails.
    #[error("could not read or write the ledger {} (`--ledger`)", path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<redb::Error>,
    },
}

/// What is done with a ledger that is damaged or gone: either may put records twice, so it is done only when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// Goes on with the last commit that can be read: what was put after it may be put twice.
    Older,
    /// Begins a new ledger: all that was put before may be put twice.
    New,
}

fn choices(found: &Condition) -> &'static str {
    match found {
        Condition::Behind(_) => {
            "`--damaged-ledger older` goes on with what can be read, and what was put after it may be put twice; \
             `--damaged-ledger new` begins a new one, and all may be put twice"
        }
        _ => "`--damaged-ledger new` begins a new one, and all that was put may be put twice",
    }
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
    /// What is known of it, which holds again once Firehose has refused it.
    pub(super) state: State,
}

impl Entry {
    /// A record with the key of its line.
    pub(super) fn of(line: u128, failed: &Failed) -> Self {
        Self { line, content: content_key(&failed.data), arrival_ms: failed.arrival_ms, state: State::Open }
    }
}

/// The file, which no other process may open meanwhile.
pub(super) struct Ledger {
    path: PathBuf,
    database: Database,
    /// None in a dry run.
    commits: Option<Commits>,
    run: u64,
    is_new: bool,
}

impl Ledger {
    /// Opens a ledger, or begins it. A dry run has a copy of it in memory, at some 500 bytes a record, so that the file stays as
    /// it is.
    pub(super) fn open(path: &Path, dry_run: bool, on_damage: Option<OnDamage>) -> Result<Self, LedgerError> {
        let failed = |source: redb::Error| LedgerError::Database { path: path.to_owned(), source: Box::new(source) };
        let opened = if dry_run { open_copy(path, on_damage) } else { open_file(path, on_damage) };
        let (database, commits, is_new) = opened?;
        let begun = database.begin_write().map_err(|error| failed(error.into()))?;
        let (form, run) = begin_run(&begun).map_err(failed)?;
        if form != FORM.1 {
            return Err(LedgerError::Form { path: path.to_owned(), found: form });
        }
        state_file::commit(begun, commits.as_ref()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), database, commits, run, is_new })
    }

    /// Whether there was none before.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Makes sure that the ledger is that of a stream, by all that tells it from any other; a new one becomes it.
    pub(super) fn is_of(&self, target: &str) -> Result<(), LedgerError> {
        let found = self.write(|begun| {
            let mut table = begun.open_table(ABOUT)?;
            let found = told_or_new(&mut table, TARGET, target)?;
            Ok((found, true))
        })?;
        if found == target {
            return Ok(());
        }
        Err(LedgerError::Other { path: self.path.clone(), found, expected: target.to_owned() })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers which run saw these objects first, in these versions, by name and version; tells that of each, and whether it
    /// is done.
    pub(super) fn see<'a>(
        &self,
        objects: impl Iterator<Item = (ObjectName<'a>, &'a str)>,
    ) -> Result<Vec<Seen>, LedgerError> {
        let run = self.run;
        self.write(|begun| {
            let mut table = begun.open_table(OBJECTS)?;
            let mut all = Vec::new();
            for (name, version) in objects {
                let known = table.get(name.text())?.map(|object| {
                    let (seen, first_run, is_done) = object.value();
                    (seen == version, Seen { first_run, is_done, is_new: false })
                });
                let seen = match known {
                    Some((true, seen)) => seen,
                    // Firehose does not write an object twice: this is a copy of the same.
                    Some((false, seen)) if name.is_of_firehose() => Seen { is_done: false, ..seen },
                    known => Seen { first_run: run, is_done: false, is_new: known.is_none() },
                };
                table.insert(name.text(), (version, seen.first_run, seen.is_done))?;
                all.push(seen);
            }
            Ok((all, true))
        })
    }

    /// All lines of an object of this version are put or set aside.
    pub(super) fn done(&self, object: ObjectName<'_>, version: &str, seen: Seen) -> Result<(), LedgerError> {
        self.write(|begun| {
            Ok((drop(begun.open_table(OBJECTS)?.insert(object.text(), (version, seen.first_run, true))?), true))
        })
    }

    /// What is known of lines, of an object that was seen first by a run. One that is not known, and comes from Firehose after
    /// the same bytes were put into it by an earlier run, has failed again: as many as were put, and no more. Lines that are
    /// not `chosen` stay unknown, though they have.
    pub(super) fn look(
        &self,
        entries: &[Entry],
        chosen: &[bool],
        first_run: u64,
        now_ms: u64,
    ) -> Result<Vec<State>, LedgerError> {
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            let (mut states, mut changed) = (Vec::new(), false);
            for (entry, chosen) in entries.iter().zip(chosen) {
                let known = tables.lines.get(entry.line)?.map(|line| State::read(line.value().0));
                let state = match known {
                    Some(state) => state,
                    None if *chosen && tables.take_put(entry, first_run)? => {
                        changed = true;
                        tables.set(entry.line, State::FailedAgain, now_ms)?;
                        State::FailedAgain
                    }
                    None => State::Open,
                };
                states.push(state);
            }
            Ok((states, changed))
        })
    }

    /// Which of these lines without a record are kept elsewhere already.
    pub(super) fn known(&self, lines: &[u128]) -> Result<Vec<bool>, LedgerError> {
        self.write(|begun| {
            let table = Tables::open(begun)?.lines;
            let known = lines.iter().map(|line| Ok(table.get(line)?.is_some())).collect::<Result<_, redb::Error>>()?;
            Ok((known, false))
        })
    }

    /// Lines without a record are kept elsewhere.
    pub(super) fn set_aside(&self, lines: &[u128], now_ms: u64) -> Result<(), LedgerError> {
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            for line in lines {
                tables.set(*line, State::SetAside, now_ms)?;
            }
            Ok(((), true))
        })
    }

    /// Records are about to be sent. From now on they may be in the stream.
    pub(super) fn sending(&self, entries: &[Entry], start_ms: u64) -> Result<(), LedgerError> {
        let run = self.run;
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            for entry in entries {
                let key = (entry.content, start_ms);
                let count = tables.puts.get(key)?.map_or(0, |put| put.value().2);
                tables.puts.insert(key, (start_ms + LONGEST_CALL_MS, run, count + 1))?;
                tables.set(entry.line, State::Sending, start_ms)?;
            }
            Ok(((), true))
        })
    }

    /// A call was answered: these are in the stream, and those are not.
    pub(super) fn answered(
        &self,
        put: &[Entry],
        refused: &[Entry],
        start_ms: u64,
        end_ms: u64,
    ) -> Result<(), LedgerError> {
        let run = self.run;
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            for entry in put {
                let key = (entry.content, start_ms);
                tables.set(entry.line, State::Put, end_ms)?;
                let count = tables.puts.get(key)?.map(|put| put.value().2);
                if let Some(count) = count {
                    tables.puts.insert(key, (end_ms, run, count))?;
                }
            }
            for entry in refused {
                let key = (entry.content, start_ms);
                tables.set(entry.line, entry.state, end_ms)?;
                tables.take_from(key)?;
            }
            Ok(((), true))
        })
    }

    /// Does something in one transaction, which is kept where `work` says that it changed something.
    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, LedgerError> {
        let run = || {
            let begun = self.database.begin_write()?;
            let (value, changed) = work(&begun)?;
            // Waits for the disk.
            if changed {
                state_file::commit(begun, self.commits.as_ref())?;
            } else {
                begun.abort()?;
            }
            Ok(value)
        };
        run().map_err(|source: redb::Error| LedgerError::Database { path: self.path.clone(), source: Box::new(source) })
    }
}

/// The file, as far as its condition and the choice allow, and whether it is a new one.
fn open_file(path: &Path, on_damage: Option<OnDamage>) -> Result<(Database, Option<Commits>, bool), LedgerError> {
    let failed = |error| match error {
        OpenError::InUse => LedgerError::InUse(path.to_owned()),
        OpenError::File(source) => LedgerError::File { path: path.to_owned(), source },
        OpenError::Database(source) => LedgerError::Database { path: path.to_owned(), source: Box::new(source) },
    };
    state_file::make_folder(state_file::folder_of(path)).map_err(|error| failed(error.into()))?;
    let opened = Commits::open(path, Durable::AtOnce).map_err(|error| failed(error.into()))?;
    let (commits, count) = opened.ok_or_else(|| failed(OpenError::InUse))?;
    let condition = state_file::check(path, count).map_err(failed)?;
    let Some(how) = how(&condition, on_damage) else {
        commits.forget(path, count);
        return Err(LedgerError::Unusable { path: path.to_owned(), found: condition });
    };
    report(path, &condition, how);
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    let database = state_file::open(path, how, &commits, count, &builder).map_err(failed)?;
    Ok((database, Some(commits), how == How::New))
}

/// The same of a copy, and without a trace.
fn open_copy(path: &Path, on_damage: Option<OnDamage>) -> Result<(Database, Option<Commits>, bool), LedgerError> {
    let unusable = |source| LedgerError::File { path: path.to_owned(), source };
    let count = state_file::count_of(path).map_err(unusable)?;
    let (checked, condition) = match file::copy_of(path).map_err(unusable)? {
        Copy::None => (None, state_file::missing(count)),
        Copy::InUse => return Err(LedgerError::InUse(path.to_owned())),
        Copy::Empty => (None, state_file::empty(count)),
        Copy::Whole(copy) => {
            let checked = state_file::checked(copy);
            let condition = state_file::condition(&checked, count);
            (checked.ok(), condition)
        }
    };
    let how = how(&condition, on_damage);
    let how = how.ok_or_else(|| LedgerError::Unusable { path: path.to_owned(), found: condition.clone() })?;
    report(path, &condition, how);
    if let (Some(Checked { database, .. }), How::Open | How::Repair) = (checked, how) {
        return Ok((database, None, false));
    }
    let database = Database::builder().create_with_backend(InMemoryBackend::new());
    let failed = |source| LedgerError::Database { path: path.to_owned(), source: Box::new(source) };
    Ok((database.map_err(|error| failed(error.into()))?, None, true))
}

/// What is done with a ledger; none where only the user can say.
fn how(condition: &Condition, on_damage: Option<OnDamage>) -> Option<How> {
    match (condition, on_damage) {
        (Condition::Sound, _) => Some(How::Open),
        (Condition::Repairable, _) | (Condition::Behind(_), Some(OnDamage::Older)) => Some(How::Repair),
        (Condition::New, _) | (_, Some(OnDamage::New)) => Some(How::New),
        (_, None | Some(OnDamage::Older)) => None,
    }
}

/// Says what was found, where it is not as usual.
fn report(path: &Path, condition: &Condition, how: How) {
    let what = match (condition, how) {
        (Condition::New | Condition::Sound, _) => return,
        (Condition::Behind(_), How::Repair) => {
            "goes on with the last commit that can be read; what was put after it may be put twice"
        }
        (_, How::New) => "begins a new one; what was put before may be put twice",
        (_, How::Open | How::Repair) => "it is repaired",
    };
    tracing::warn!("{} (`--ledger`): {condition}: {what}", path.display());
}

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The run that saw it first. What that run put, or a later one, can't have come back in it.
    pub(super) first_run: u64,
    /// Whether all its lines are put or set aside.
    pub(super) is_done: bool,
    /// Whether nothing was known of it, in any version.
    pub(super) is_new: bool,
}

/// The form of the ledger, and the number of the run that begins. Makes the tables of a new one.
fn begin_run(begun: &WriteTransaction) -> Result<(String, u64), redb::Error> {
    Tables::open(begun)?;
    begun.open_table(OBJECTS)?;
    let form = told_or_new(&mut begun.open_table(ABOUT)?, FORM.0, FORM.1)?;
    let mut runs = begun.open_table(RUNS)?;
    let run = runs.get(())?.map_or(0, |run| run.value()) + 1;
    runs.insert((), run)?;
    Ok((form, run))
}

fn told_or_new(table: &mut Table<'_, &str, &str>, name: &str, new: &str) -> Result<String, redb::Error> {
    let told = table.get(name)?.map(|text| text.value().to_owned());
    if told.is_none() {
        table.insert(name, new)?;
    }
    Ok(told.unwrap_or_else(|| new.to_owned()))
}

#[cfg(test)]
mod tests;
