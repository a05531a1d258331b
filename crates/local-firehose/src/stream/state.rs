//! Accepted records on disk, until they are settled: what a killed process leaves behind for the next one.
//!
//! One thread writes. It takes all that waits into one transaction, so that many callers share one wait for the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use super::receipt::Accepted;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::Shard;
use state_file::{Commits, Condition, Durable, How, OpenError};

/// A record's number, its arrival in milliseconds since 1970, and its data as base64.
const RECORDS: TableDefinition<u64, (i64, &str)> = TableDefinition::new("records");

/// The same of a record that came by a shard: its number, its arrival, its shard, its partition key, and its data.
const FROM_SHARDS: TableDefinition<u64, (i64, u32, &str, &str)> = TableDefinition::new("records from shards");

/// The greatest number that was ever given, whatever has become of its record: numbers go on after it.
const LAST: TableDefinition<(), u64> = TableDefinition::new("last");

/// The most commands of one transaction, so that its first caller does not wait for ever.
const AT_ONCE: usize = 256;

/// How often it is tried, in the end, to take off the disk what is settled.
const LAST_ATTEMPTS: usize = 10;

/// Between these.
const PAUSE: Duration = Duration::from_millis(200);

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Two processes would deliver the same records.
    #[error("{} is in use by another `clicks up`: name another folder with `--state DIR`", .0.display())]
    InUse(PathBuf),
    /// What is accepted and not delivered cannot be read.
    #[error(
        "the state {path} (`--state`) cannot be used: {found}; accepted is the file that an earlier run has left, or none. \
         Without it the records that were accepted and not delivered are lost: if it cannot be restored, begin a new one by \
         `mv {path} {path}.damaged`",
        path = path.display()
    )]
    Unusable {
        /// Where.
        path: PathBuf,
        /// What is there.
        found: Condition,
    },
    /// The file cannot be opened, or the disk fails.
    #[error("could not read the records in {} (`--state`)", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<redb::Error>,
    },
    /// The operating system has no thread left.
    #[error("could not start the thread that writes {} (`--state`)", path.display())]
    Thread {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

enum Command {
    Keep(Vec<Accepted>, oneshot::Sender<Option<Vec<Accepted>>>),
    Settle(Vec<u64>),
}

/// The file of one stream, which no other process may open meanwhile.
#[derive(Debug)]
pub(super) struct State {
    writer: Mutex<Option<(mpsc::Sender<Command>, JoinHandle<bool>)>>,
    last: Option<u64>,
}

impl State {
    /// Opens the file, or makes it, and reads what is in it, oldest first.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<(u64, Record)>), StateError> {
        let (database, commits) = open(path)?;
        let Left { records, last } = read(&database, &commits).map_err(|error| unreadable(path, error))?;
        let (sender, received) = mpsc::channel();
        let writer = Writer { path: path.to_owned(), database: Some(database), commits, settled: Vec::new() };
        let thread = thread::Builder::new().name("state".to_owned()).spawn(move || writer.run(&received));
        let thread = thread.map_err(|source| StateError::Thread { path: path.to_owned(), source })?;
        Ok((Self { writer: Mutex::new(Some((sender, thread))), last }, records))
    }

    /// The greatest number of an earlier run.
    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Writes records and gives them back when they are on disk; none where they can't be written.
    pub(super) async fn keep(&self, accepted: Vec<Accepted>) -> Option<Vec<Accepted>> {
        let (kept, answer) = oneshot::channel();
        self.send(Command::Keep(accepted, kept));
        // None, too, where the thread is closed or has panicked.
        answer.await.ok()?
    }

    /// Takes records off the disk, some time soon: should the process be killed before, they are delivered again.
    pub(super) fn settle(&self, sequences: Vec<u64>) {
        if !sequences.is_empty() {
            self.send(Command::Settle(sequences));
        }
    }

    /// Writes what waits, and closes the file. Tells whether it could; else settled records are still in it.
    pub(super) async fn close(&self) -> bool {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((commands, thread)) = writer else { return true };
        drop(commands);
        let ended = tokio::task::spawn_blocking(|| thread.join()).await;
        matches!(ended, Ok(Ok(true)))
    }

    /// Drops what comes after the end: whoever sent it gets no answer.
    fn send(&self, command: Command) {
        if let Some((commands, _)) = &*self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            let _panicked = commands.send(command);
        }
    }
}

/// What an earlier run has left.
struct Left {
    records: Vec<(u64, Record)>,
    last: Option<u64>,
}

/// Opens the file as far as its condition allows. Records may come twice, so that redb may go on with an older commit.
fn open(path: &Path) -> Result<(Database, Commits), StateError> {
    let failed = |error| match error {
        OpenError::InUse => StateError::InUse(path.to_owned()),
        OpenError::File(error) => unreadable(path, error.into()),
        OpenError::Database(error) => unreadable(path, error),
    };
    let opened = Commits::open(path, Durable::Soon).map_err(|error| failed(error.into()))?;
    let (commits, count) = opened.ok_or_else(|| failed(OpenError::InUse))?;
    let condition = state_file::check(path, count).map_err(failed)?;
    let report = |what: &str| tracing::warn!("{} (`--state`): {condition}: {what}", path.display());
    let how = match condition {
        Condition::New => How::New,
        Condition::Sound => How::Open,
        Condition::Repairable => {
            report("it is repaired");
            How::Repair
        }
        Condition::Behind(_) => {
            report("it is repaired: records accepted last are lost, and records delivered last are delivered again");
            How::Repair
        }
        Condition::Missing(_) => {
            report("begins a new one: records that were accepted and not delivered are lost");
            How::New
        }
        found @ (Condition::Empty | Condition::Damaged(_)) => {
            commits.forget(path, count);
            return Err(StateError::Unusable { path: path.to_owned(), found });
        }
    };
    let database = state_file::open(path, how, &commits, count, &Database::builder()).map_err(failed)?;
    Ok((database, commits))
}

fn unreadable(path: &Path, source: redb::Error) -> StateError {
    StateError::Read { path: path.to_owned(), source: Box::new(source) }
}

fn read(database: &Database, commits: &Commits) -> Result<Left, redb::Error> {
    // Makes the tables of a new file.
    let begun = database.begin_write()?;
    begun.open_table(RECORDS)?;
    begun.open_table(FROM_SHARDS)?;
    begun.open_table(LAST)?;
    state_file::commit(begun, Some(commits))?;
    let mut records = Vec::new();
    let begun = database.begin_read()?;
    for entry in begun.open_table(RECORDS)?.iter()? {
        let (sequence, record) = entry?;
        let (sequence, (arrival_ms, data)) = (sequence.value(), record.value());
        records.push((sequence, Record::direct_put(sequence, arrival_ms, data.to_owned())));
    }
    for entry in begun.open_table(FROM_SHARDS)?.iter()? {
        let (sequence, record) = entry?;
        let (sequence, (arrival_ms, shard, partition_key, data)) = (sequence.value(), record.value());
        let (partition_key, data) = (partition_key.to_owned(), data.to_owned());
        records.push((sequence, Record::from_shard(Shard(shard), sequence, partition_key, arrival_ms, data)));
    }
    records.sort_unstable_by_key(|(sequence, _)| *sequence);
    let last = begun.open_table(LAST)?.get(())?.map(|last| last.value());
    Ok(Left { records, last })
}

/// The file, and what is known to be off it one day.
struct Writer {
    path: PathBuf,
    /// None after an error, which a database does not get over: it is opened again.
    database: Option<Database>,
    commits: Commits,
    /// What is to be taken off the disk: with the next transaction, if the last one failed.
    settled: Vec<u64>,
}

impl Writer {
    /// Until nobody can send any more. Tells whether all that was settled is off the disk.
    fn run(mut self, commands: &mpsc::Receiver<Command>) -> bool {
        let mut failing = false;
        while let Ok(first) = commands.recv() {
            let mut keeps = Vec::new();
            for command in std::iter::once(first).chain(commands.try_iter().take(AT_ONCE)) {
                match command {
                    Command::Keep(accepted, kept) => keeps.push((accepted, kept)),
                    Command::Settle(sequences) => self.settled.extend(sequences),
                }
            }
            let written = self.write(keeps.iter().flat_map(|(accepted, _)| accepted));
            self.tell(&written, failing);
            failing = written.is_err();
            for (accepted, kept) in keeps {
                if failing {
                    // An error at the end of a transaction does not tell whether it is on disk.
                    self.settled.extend(accepted.iter().map(|accepted| accepted.receipt.sequence()));
                }
                // Somebody waits: see `Ledger::keep`.
                let _gone = kept.send((!failing).then_some(accepted));
            }
        }
        for _ in 0..LAST_ATTEMPTS {
            if self.settled.is_empty() || self.write(std::iter::empty()).is_ok() {
                let _less_is_known_after_a_power_cut = self.commits.sync();
                return true;
            }
            thread::sleep(PAUSE);
        }
        let (settled, path) = (self.settled.len(), self.path.display());
        tracing::error!("{path} still has {settled} records that are through: the next start puts them through again");
        false
    }

    fn write<'a>(&mut self, accepted: impl Iterator<Item = &'a Accepted>) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::builder().create_file(state_file::open_file(&self.path)?)?,
        };
        write(&database, &self.commits, accepted, &self.settled)?;
        self.database = Some(database);
        self.settled.clear();
        Ok(())
    }

    fn tell(&self, written: &Result<(), redb::Error>, failing: bool) {
        let path = self.path.display();
        match written {
            Err(error) if !failing => {
                tracing::error!("{path} (`--state`) can't be written: {error}; records are refused");
            }
            Ok(()) if failing => tracing::info!("{path} can be written again"),
            _ => {}
        }
    }
}

fn write<'a>(
    database: &Database,
    commits: &Commits,
    accepted: impl Iterator<Item = &'a Accepted>,
    settled: &[u64],
) -> Result<(), redb::Error> {
    let begun = database.begin_write()?;
    {
        let mut records = begun.open_table(RECORDS)?;
        let mut from_shards = begun.open_table(FROM_SHARDS)?;
        let mut last = None;
        for Accepted { record, receipt } in accepted {
            let (sequence, arrival_ms, data) = (receipt.sequence(), record.arrival_ms, record.data.as_str());
            match record.shard() {
                None => drop(records.insert(sequence, (arrival_ms, data))?),
                Some(Shard(shard)) => {
                    from_shards.insert(sequence, (arrival_ms, shard, record.partition_key(), data))?;
                }
            }
            last = last.max(Some(sequence));
        }
        for sequence in settled {
            if records.remove(sequence)?.is_none() {
                from_shards.remove(sequence)?;
            }
        }
        if let Some(last) = last {
            let mut table = begun.open_table(LAST)?;
            let before = table.get(())?.map_or(0, |before| before.value());
            table.insert((), last.max(before))?;
        }
    }
    state_file::commit(begun, Some(commits))
}

#[cfg(test)]
mod tests;
