//! Accepted records on disk, until they are settled: what a killed process leaves behind for the next one.
//!
//! One thread writes. It takes all that waits into one transaction, so that many callers share one wait for the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use super::ledger::Accepted;
use crate::firehose::event::Record;
use crate::progress;

/// A record's number, its arrival in milliseconds since 1970, and its data as base64.
const RECORDS: TableDefinition<u64, (i64, &str)> = TableDefinition::new("records");

/// The most commands of one transaction, so that its first caller does not wait for ever.
const AT_ONCE: usize = 256;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Two processes would deliver the same records.
    #[error("{} is in use by another `clicks up`: name another folder with `--state DIR`", .0.display())]
    InUse(PathBuf),
    /// The file is damaged, or is none of ours, or the disk fails.
    #[error("could not read the records in {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<redb::Error>,
    },
    /// The operating system has no thread left.
    #[error("could not start the thread that writes {}", path.display())]
    Thread {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Records that are on disk, or, where they could not be written, the same records.
type Kept = Result<Vec<Accepted>, Vec<Accepted>>;

enum Command {
    Keep(Vec<Accepted>, oneshot::Sender<Kept>),
    Settle(Vec<u64>),
}

/// The file of one stream, which no other process may open meanwhile.
#[derive(Debug)]
pub(super) struct State {
    writer: Mutex<Option<(mpsc::Sender<Command>, JoinHandle<()>)>>,
}

impl State {
    /// Opens the file, or makes it, and reads what is in it, oldest first.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<(u64, Record)>), StateError> {
        let database = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StateError::InUse(path.to_owned()),
            error => StateError::Read { path: path.to_owned(), source: Box::new(error.into()) },
        })?;
        let records =
            read(&database).map_err(|source| StateError::Read { path: path.to_owned(), source: Box::new(source) })?;
        let (sender, commands) = mpsc::channel();
        let named = path.display().to_string();
        let thread = thread::Builder::new().name("state".to_owned());
        let thread = thread.spawn(move || write_all(&database, &named, &commands));
        let thread = thread.map_err(|source| StateError::Thread { path: path.to_owned(), source })?;
        Ok((Self { writer: Mutex::new(Some((sender, thread))) }, records))
    }

    /// Writes records, and waits for the disk.
    pub(super) async fn keep(&self, accepted: Vec<Accepted>) -> Kept {
        let (kept, answer) = oneshot::channel();
        if let Err(Command::Keep(accepted, _)) = self.send(Command::Keep(accepted, kept)) {
            return Err(accepted);
        }
        // The thread answers each command, unless it panicked; then nobody knows what is on disk.
        answer.await.unwrap_or_else(|_panicked| Err(Vec::new()))
    }

    /// Takes records off the disk, some time soon: should the process be killed before, they are delivered again.
    pub(super) fn settle(&self, sequences: Vec<u64>) {
        if !sequences.is_empty() {
            let _closed = self.send(Command::Settle(sequences));
        }
    }

    /// Writes what waits, and closes the file.
    pub(super) async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((commands, thread)) = writer {
            drop(commands);
            // A panic has been told by the thread.
            let _panicked = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }

    fn send(&self, command: Command) -> Result<(), Command> {
        match &*self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((commands, _)) => commands.send(command).map_err(|mpsc::SendError(command)| command),
            None => Err(command),
        }
    }
}

fn read(database: &Database) -> Result<Vec<(u64, Record)>, redb::Error> {
    // Makes the table of a new file.
    let begun = database.begin_write()?;
    begun.open_table(RECORDS)?;
    begun.commit()?;
    let mut records = Vec::new();
    for entry in database.begin_read()?.open_table(RECORDS)?.iter()? {
        let (sequence, record) = entry?;
        let (arrival_ms, data) = record.value();
        records.push((sequence.value(), Record::direct_put(sequence.value(), arrival_ms, data.to_owned())));
    }
    Ok(records)
}

/// Until nobody can send any more, and all that was sent is written.
fn write_all(database: &Database, path: &str, commands: &mpsc::Receiver<Command>) {
    // What could not be taken off the disk: tried again with the next transaction.
    let mut settled = Vec::new();
    let mut failing = false;
    while let Ok(first) = commands.recv() {
        let mut keeps = Vec::new();
        for command in std::iter::once(first).chain(commands.try_iter().take(AT_ONCE)) {
            match command {
                Command::Keep(accepted, kept) => keeps.push((accepted, kept)),
                Command::Settle(sequences) => settled.extend(sequences),
            }
        }
        let written = write(database, keeps.iter().flat_map(|(accepted, _)| accepted), &settled);
        match &written {
            Ok(()) => settled.clear(),
            Err(error) if !failing => {
                progress::print(&format!("{path} can't be written: {error}; records are refused"));
            }
            Err(_) => {}
        }
        failing = written.is_err();
        for (accepted, kept) in keeps {
            // Somebody waits: see `Ledger::keep`.
            let _gone = kept.send(if failing { Err(accepted) } else { Ok(accepted) });
        }
    }
}

fn write<'a>(
    database: &Database,
    accepted: impl Iterator<Item = &'a Accepted>,
    settled: &[u64],
) -> Result<(), redb::Error> {
    let begun = database.begin_write()?;
    {
        let mut table = begun.open_table(RECORDS)?;
        for Accepted { record, receipt } in accepted {
            table.insert(receipt.sequence(), (record.arrival_ms, record.data.as_str()))?;
        }
        for sequence in settled {
            table.remove(sequence)?;
        }
    }
    // Waits for the disk, which is what redb does of itself.
    begun.commit()?;
    Ok(())
}
