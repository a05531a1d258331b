//! The state of each record, on disk: no record is put twice, and none is forgotten.
//!
//! A line of an error object has these states. Each transition is on disk before the next step:
//!
//! ```text
//! (unknown) ─▶ sending ─▶ put               the service has stored the record
//!     │           ├─────▶ (previous state)  the service has refused it
//!     │           └─────▶ sending           the response was lost, or the process was killed: it may be stored
//!     ├─▶ failed again                      an earlier run put it, and it failed once more
//!     └─▶ quarantined                       it holds no record
//! ```
//!
//! A line's key is a hash of its content and of its object's name, not of its place: see [`Identity`].

mod keys;
mod tables;

use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};
use state_file::{Commits, Condition, Durable, How, OpenError};

pub(crate) use self::keys::content_key;
pub(super) use self::keys::{Identity, firehose_name};
use self::tables::Tables;
use crate::error::RedriveError;
use crate::record::FailedRecord;

/// An object's name, if Firehose gave it, otherwise its place: its version, the first run that saw it, and whether it is done.
const OBJECTS: TableDefinition<&str, (&str, u64, bool)> = TableDefinition::new("objects");

/// The number of runs. It orders them without a clock.
const RUNS: TableDefinition<(), u64> = TableDefinition::new("runs");

const ABOUT: TableDefinition<&str, &str> = TableDefinition::new("about");

const TARGET: &str = "target";

/// The format's key in [`ABOUT`], and its number, which changes with the tables.
const FORMAT: (&str, &str) = ("form", "1");

/// Longer than a call takes: the assumed end of a call without a response.
const MAX_CALL_MS: u64 = 2 * 60 * 1000;

const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What is done with a journal that is damaged or missing. Each may put records twice, so the operator has to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// Continue from the last readable commit: records that were put after it may be put twice.
    Older,
    /// Start a new journal: all records may be put twice.
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Unknown = 0,
    /// It may be in the stream.
    Sending = 1,
    Put = 2,
    FailedAgain = 3,
    Quarantined = 4,
}

impl State {
    /// An unknown state is uncertain, as `Sending` is.
    fn read(byte: u8) -> Self {
        let stored = [Self::Put, Self::FailedAgain, Self::Quarantined];
        stored.into_iter().find(|state| *state as u8 == byte).unwrap_or(Self::Sending)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: u128,
    pub(super) content: u128,
    pub(super) arrival_ms: Option<i64>,
    /// Restored when the service refuses the record.
    pub(super) state: State,
}

impl Entry {
    pub(super) fn of(line: u128, record: &FailedRecord) -> Self {
        Self { line, content: content_key(&record.data), arrival_ms: record.arrival_ms, state: State::Unknown }
    }
}

/// No other process can open its file meanwhile.
pub(super) struct Journal {
    pub(super) path: PathBuf,
    database: Database,
    commits: Option<Commits>,
    run: u64,
    pub(super) is_new: bool,
}

impl Journal {
    /// A dry run works on a copy.
    pub(super) fn open(path: &Path, dry_run: bool, on_damage: Option<OnDamage>) -> Result<Self, RedriveError> {
        let opened = if dry_run { open_copy(path, on_damage) } else { open_file(path, on_damage) };
        let (database, commits, is_new) = opened?;
        let mut journal = Self { path: path.to_owned(), database, commits, run: 0, is_new };
        let (found, run) = journal.write(begin_run)?;
        if found != FORMAT.1 {
            return Err(RedriveError::Usage(format!(
                "{}: unknown format of a journal: {found}; accepted is {}",
                path.display(),
                FORMAT.1
            )));
        }
        journal.run = run;
        Ok(journal)
    }

    /// A new journal is assigned to the stream.
    pub(super) fn check_stream(&self, target: &str) -> Result<(), RedriveError> {
        let found = self.write(|begun| {
            let mut table = begun.open_table(ABOUT)?;
            let found = get_or_insert(&mut table, TARGET, target)?;
            Ok((found, true))
        })?;
        if found == target {
            return Ok(());
        }
        Err(RedriveError::Usage(format!(
            "{}: the journal of another stream: {found}; accepted is that of {target} (`--journal FILE`)",
            self.path.display()
        )))
    }

    /// Registers objects by place and version. Returns for each the first run that saw it in this version, and whether it is done.
    pub(super) fn register<'a>(
        &self,
        objects: impl Iterator<Item = (&'a str, String)>,
    ) -> Result<Vec<ObjectState>, RedriveError> {
        let run = self.run;
        self.write(|begun| {
            let mut table = begun.open_table(OBJECTS)?;
            let mut all = Vec::new();
            for (place, version) in objects {
                let name = firehose_name(place);
                let known = table.get(name.unwrap_or(place))?.map(|object| {
                    let (seen, first_run, is_done) = object.value();
                    (seen == version, ObjectState { first_run, is_done, is_new: false })
                });
                let state = match known {
                    Some((true, state)) => state,
                    // Firehose writes each object once, so this is a copy of it.
                    Some((false, state)) if name.is_some() => ObjectState { is_done: false, ..state },
                    known => ObjectState { first_run: run, is_done: false, is_new: known.is_none() },
                };
                table.insert(name.unwrap_or(place), (&*version, state.first_run, state.is_done))?;
                all.push(state);
            }
            Ok((all, true))
        })
    }

    /// All its lines are put or quarantined.
    pub(super) fn done(&self, place: &str, version: &str, state: ObjectState) -> Result<(), RedriveError> {
        self.write(|begun| {
            let name = firehose_name(place).unwrap_or(place);
            begun.open_table(OBJECTS)?.insert(name, (version, state.first_run, true))?;
            Ok(((), true))
        })
    }

    /// An unknown, selected line has failed again if an earlier run put the same bytes before it arrived: as many lines as were put, and no
    /// more. `first_run` is the first run that saw the object.
    pub(super) fn classify(
        &self,
        entries: &[Entry],
        selected: &[bool],
        first_run: u64,
        now_ms: u64,
    ) -> Result<Vec<State>, RedriveError> {
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            let (mut states, mut changed) = (Vec::new(), false);
            for (entry, selected) in entries.iter().zip(selected) {
                let known = tables.lines.get(entry.line)?.map(|line| State::read(line.value().0));
                let state = match known {
                    Some(state) => state,
                    None if *selected && tables.take_matching_put(entry, first_run)? => {
                        changed = true;
                        tables.set(entry.line, State::FailedAgain, now_ms)?;
                        State::FailedAgain
                    }
                    None => State::Unknown,
                };
                states.push(state);
            }
            Ok((states, changed))
        })
    }

    pub(super) fn contains(&self, lines: &[u128]) -> Result<Vec<bool>, RedriveError> {
        self.write(|begun| {
            let table = Tables::open(begun)?.lines;
            let known = lines.iter().map(|line| Ok(table.get(line)?.is_some())).collect::<Result<_, redb::Error>>()?;
            Ok((known, false))
        })
    }

    pub(super) fn quarantined(&self, lines: &[u128], now_ms: u64) -> Result<(), RedriveError> {
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            for line in lines {
                tables.set(*line, State::Quarantined, now_ms)?;
            }
            Ok(((), true))
        })
    }

    /// From now on the records may be in the stream.
    pub(super) fn sending(&self, entries: &[Entry], start_ms: u64) -> Result<(), RedriveError> {
        let run = self.run;
        self.write(|begun| {
            let mut tables = Tables::open(begun)?;
            for entry in entries {
                let key = (entry.content, start_ms);
                let count = tables.puts.get(key)?.map_or(0, |put| put.value().2);
                tables.puts.insert(key, (start_ms + MAX_CALL_MS, run, count + 1))?;
                tables.set(entry.line, State::Sending, start_ms)?;
            }
            Ok(((), true))
        })
    }

    pub(super) fn record_response(
        &self,
        put: &[Entry],
        refused: &[Entry],
        start_ms: u64,
        end_ms: u64,
    ) -> Result<(), RedriveError> {
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
                tables.take(key)?;
            }
            Ok(((), true))
        })
    }

    /// It is committed if `work` returns true with its value.
    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, RedriveError> {
        let run = || -> Result<T, redb::Error> {
            let begun = self.database.begin_write()?;
            let (value, changed) = work(&begun)?;
            // A commit waits for the disk.
            if changed {
                state_file::commit(begun, self.commits.as_ref())?;
            } else {
                begun.abort()?;
            }
            Ok(value)
        };
        run().map_err(|error| failed(&self.path, error))
    }
}

fn open_file(path: &Path, on_damage: Option<OnDamage>) -> Result<(Database, Option<Commits>, bool), RedriveError> {
    let not_opened = |error| not_opened(path, error);
    state_file::make_folder(state_file::folder_of(path)).map_err(|error| not_opened(error.into()))?;
    let (commits, count) = Commits::open(path, Durable::AtOnce).map_err(not_opened)?;
    let how = match how(path, &state_file::check(path, count).map_err(not_opened)?, on_damage) {
        Ok(how) => how,
        Err(error) => {
            commits.forget(path);
            return Err(error);
        }
    };
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    let database = state_file::open(path, how, &commits, count, &builder).map_err(not_opened)?;
    Ok((database, Some(commits), how == How::New))
}

fn open_copy(path: &Path, on_damage: Option<OnDamage>) -> Result<(Database, Option<Commits>, bool), RedriveError> {
    let (condition, copy) = state_file::open_copy(path).map_err(|error| not_opened(path, error))?;
    let is_new = how(path, &condition, on_damage)? == How::New;
    let database = match copy.filter(|_| !is_new) {
        Some(copy) => Ok(copy),
        None => Database::builder().create_with_backend(InMemoryBackend::new()),
    };
    Ok((database.map_err(|error| failed(path, error))?, None, is_new))
}

fn not_opened(path: &Path, error: OpenError) -> RedriveError {
    let shown = path.display();
    match error {
        OpenError::InUse => RedriveError::Failed(format!("the journal {shown} is in use by another `clicks redrive`")),
        OpenError::File(source) => {
            RedriveError::File(format!("could not open the journal {shown} (`--journal`)"), source.into())
        }
        OpenError::Database(source) => failed(path, source),
    }
}

fn failed(path: &Path, source: impl Into<redb::Error>) -> RedriveError {
    let source: redb::Error = source.into();
    RedriveError::File(format!("could not read or write the journal {} (`--journal`)", path.display()), source.into())
}

fn how(path: &Path, found: &Condition, on_damage: Option<OnDamage>) -> Result<How, RedriveError> {
    let (how, what) = match (found, on_damage) {
        (Condition::Sound, _) => return Ok(How::Open),
        (Condition::New, _) => return Ok(How::New),
        (Condition::Repairable, _) => (How::Repair, "it is repaired"),
        (Condition::Behind(_), Some(OnDamage::Older)) => {
            (How::Repair, "continues from the last readable commit; records that were put after it may be put twice")
        }
        (_, Some(OnDamage::New)) => (How::New, "starts a new one; records that were put before may be put twice"),
        // Only the operator can choose.
        (_, None | Some(OnDamage::Older)) => {
            let older = match found {
                Condition::Behind(_) => {
                    "`--damaged-journal older` continues from what can be read, and records that were put after it may be put \
                     twice; "
                }
                _ => "",
            };
            return Err(RedriveError::Failed(format!(
                "the journal {} (`--journal`) cannot be used: {found}; accepted is the file that the last run wrote, because \
                 without it records are put twice. If you cannot restore it, choose: {older}`--damaged-journal new` starts a new one, \
                 and all records may be put twice",
                path.display()
            )));
        }
    };
    tracing::warn!("{} (`--journal`): {found}: {what}", path.display());
    Ok(how)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectState {
    /// The first run that saw it. Records that this run or a later one put can't be in it because they failed again.
    pub(super) first_run: u64,
    pub(super) is_done: bool,
    pub(super) is_new: bool,
}

/// Returns the format and the run's number.
fn begin_run(begun: &WriteTransaction) -> Result<((String, u64), bool), redb::Error> {
    Tables::open(begun)?;
    begun.open_table(OBJECTS)?;
    let format = get_or_insert(&mut begun.open_table(ABOUT)?, FORMAT.0, FORMAT.1)?;
    let mut runs = begun.open_table(RUNS)?;
    let run = runs.get(())?.map_or(0, |run| run.value()) + 1;
    runs.insert((), run)?;
    let is_known = format == FORMAT.1;
    Ok(((format, run), is_known))
}

fn get_or_insert(table: &mut Table<'_, &str, &str>, name: &str, new: &str) -> Result<String, redb::Error> {
    let found = table.get(name)?.map(|text| text.value().to_owned());
    if found.is_none() {
        table.insert(name, new)?;
    }
    Ok(found.unwrap_or_else(|| new.to_owned()))
}

#[cfg(test)]
mod tests;
