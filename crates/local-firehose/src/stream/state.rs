//! Accepted records on disk until they are settled: the records that a killed process leaves for the next one.
//!
//! One thread writes. A transaction has all commands that wait, so that many callers share one wait for the disk. The thread
//! finishes commands in the order in which they were sent.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use state_file::{Commits, Condition, Durable, How, OpenError};

use super::receipt::Accepted;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::ShardId;

/// A record's number, its arrival in milliseconds since 1970, and its data as base64.
const RECORDS: TableDefinition<u64, (i64, &str)> = TableDefinition::new("records");
/// The same for a record of a data stream: its number, its arrival, its shard, its partition key, and its data.
const FROM_SHARDS: TableDefinition<u64, (i64, u32, &str, &str)> = TableDefinition::new("records from shards");
/// The greatest number of all records, also of settled ones: the next run continues after it.
const LAST: TableDefinition<(), u64> = TableDefinition::new("last");
/// The most commands of one transaction, to bound the wait of its first caller.
const AT_ONCE: usize = 256;
const LAST_ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Why a state cannot be opened: another process uses it, it is damaged, or the operating system reports an error. Each message has
/// the path of its file or folder.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StateError(pub(super) String, #[source] pub(super) Option<Box<dyn Error + Send + Sync>>);

type OnWritten = Box<dyn FnOnce(Vec<Accepted>, bool) + Send>;

enum Command {
    Keep(Vec<Accepted>, OnWritten),
    Settle(Vec<u64>),
}

#[derive(Debug)]
pub(super) struct State {
    writer: Mutex<Option<(mpsc::Sender<Command>, JoinHandle<bool>)>>,
}

impl State {
    pub(super) fn open(path: &Path) -> Result<(Self, Recovered), StateError> {
        let (database, commits) = open(path)?;
        let left = read(&database, &commits).map_err(|error| unreadable(path, error))?;
        let (sender, received) = mpsc::channel();
        let writer = Writer { path: path.to_owned(), database: Some(database), commits, settled: Vec::new() };
        let thread = thread::Builder::new().name("state".to_owned()).spawn(move || writer.run(&received));
        let thread = thread.map_err(|source| {
            let problem = format!("could not start the thread that writes {} (`--state`)", path.display());
            StateError(problem, Some(source.into()))
        })?;
        Ok((Self { writer: Mutex::new(Some((sender, thread))) }, left))
    }

    /// Calls `written` on the writer's thread; with `false` at once, if the state is closed.
    pub(super) fn keep(&self, accepted: Vec<Accepted>, written: impl FnOnce(Vec<Accepted>, bool) + Send + 'static) {
        if let Some(Command::Keep(accepted, written)) = self.send(Command::Keep(accepted, Box::new(written))) {
            written(accepted, false);
        }
    }

    /// Not at once: if the process is killed before, the records are delivered again.
    pub(super) fn settle(&self, sequences: Vec<u64>) {
        if !sequences.is_empty() {
            let _closed = self.send(Command::Settle(sequences));
        }
    }

    pub(super) async fn close(&self) -> bool {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((commands, thread)) = writer else { return true };
        drop(commands);
        let ended = tokio::task::spawn_blocking(|| thread.join()).await;
        matches!(ended, Ok(Ok(true)))
    }

    fn send(&self, command: Command) -> Option<Command> {
        match &*self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            // Fails if the thread has panicked.
            Some((commands, _)) => commands.send(command).err().map(|error| error.0),
            None => Some(command),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    pub(super) records: Vec<(u64, Record)>,
    pub(super) last: Option<u64>,
}

/// Delivering a record twice is allowed, so redb may continue with an older commit.
fn open(path: &Path) -> Result<(Database, Commits), StateError> {
    let failed = |error| match error {
        OpenError::InUse => {
            let path = path.display();
            let problem = format!("{path} is in use by another process: name another folder with `--state DIR`");
            StateError(problem, None)
        }
        OpenError::File(error) => unreadable(path, error.into()),
        OpenError::Database(error) => unreadable(path, error),
    };
    let (commits, count) = Commits::open(path, Durable::Soon).map_err(failed)?;
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
            commits.forget(path);
            let path = path.display();
            let problem = format!(
                "the state {path} (`--state`) cannot be used: {found}; accepted is the file that an earlier run has left, or \
                 none. Without it the records that were accepted and not delivered are lost: if it cannot be restored, begin a \
                 new one by `mv {path} {path}.damaged`"
            );
            return Err(StateError(problem, None));
        }
    };
    let database = state_file::open(path, how, &commits, count, &Database::builder()).map_err(failed)?;
    Ok((database, commits))
}

fn unreadable(path: &Path, source: redb::Error) -> StateError {
    StateError(format!("could not read the records in {} (`--state`)", path.display()), Some(source.into()))
}

fn read(database: &Database, commits: &Commits) -> Result<Recovered, redb::Error> {
    // Creates the tables of a new file.
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
        records.push((sequence, Record::from_shard(ShardId(shard), sequence, partition_key, arrival_ms, data)));
    }
    records.sort_unstable_by_key(|(sequence, _)| *sequence);
    let last = begun.open_table(LAST)?.get(())?.map(|last| last.value());
    Ok(Recovered { records, last })
}

struct Writer {
    path: PathBuf,
    /// `None` after an error: redb has to open the file again.
    database: Option<Database>,
    commits: Commits,
    settled: Vec<u64>,
}

impl Writer {
    /// Returns whether all settled records are removed, once the channel is closed.
    fn run(mut self, commands: &mpsc::Receiver<Command>) -> bool {
        let mut failing = false;
        while let Ok(first) = commands.recv() {
            let mut keeps = Vec::new();
            for command in std::iter::once(first).chain(commands.try_iter().take(AT_ONCE)) {
                match command {
                    Command::Keep(accepted, on_written) => keeps.push((accepted, on_written)),
                    Command::Settle(sequences) => self.settled.extend(sequences),
                }
            }
            let written = self.write(keeps.iter().flat_map(|(accepted, _)| accepted));
            match &written {
                Err(error) if !failing => {
                    let path = self.path.display();
                    tracing::error!("{path} (`--state`) cannot be written: {error}; records are refused");
                }
                Ok(()) if failing => tracing::info!("{} can be written again", self.path.display()),
                _ => {}
            }
            failing = written.is_err();
            for (accepted, on_written) in keeps {
                if failing {
                    // After a failed commit the records may be on disk all the same.
                    self.settled.extend(accepted.iter().map(|accepted| accepted.receipt.sequence()));
                }
                on_written(accepted, !failing);
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
        tracing::error!("{path} still has delivered records ({settled}): the next start delivers them again");
        false
    }

    fn write<'a>(&mut self, accepted: impl Iterator<Item = &'a Accepted>) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::builder().create_file(state_file::open_file(&self.path)?)?,
        };
        let begun = database.begin_write()?;
        {
            let mut records = begun.open_table(RECORDS)?;
            let mut from_shards = begun.open_table(FROM_SHARDS)?;
            let mut last = None;
            // Before the inserts: a reader keeps a record again, under its number, whose first write failed.
            for sequence in &self.settled {
                if records.remove(sequence)?.is_none() {
                    from_shards.remove(sequence)?;
                }
            }
            for Accepted { record, receipt } in accepted {
                let (sequence, arrival_ms, data) = (receipt.sequence(), record.arrival_ms, record.data.as_str());
                match record.shard() {
                    None => drop(records.insert(sequence, (arrival_ms, data))?),
                    Some(ShardId(shard)) => {
                        from_shards.insert(sequence, (arrival_ms, shard, record.partition_key(), data))?;
                    }
                }
                last = last.max(Some(sequence));
            }
            if let Some(last) = last {
                let mut table = begun.open_table(LAST)?;
                let before = table.get(())?.map_or(0, |before| before.value());
                table.insert((), last.max(before))?;
            }
        }
        state_file::commit(begun, Some(&self.commits))?;
        self.database = Some(database);
        self.settled.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
