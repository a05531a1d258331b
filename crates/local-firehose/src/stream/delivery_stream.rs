//! One delivery stream: starts its parts, connects them, and stops them in their order.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::{fs, io};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::backlog::Context;
use super::buffer::ShardBuffers;
use super::destination::Destination;
use super::event::ObjectSummary;
use super::history::HistoryColumns;
use super::intake::{Buffers, IncomingRecord, Intake, PutError};
use super::invoker::Invoker;
use super::notices::Notices;
use super::reader::Reader;
use super::receipt::Accepted;
use super::recent_records::{RecentRecords, RecordMemory};
use super::refusals::{RefusalReason, RefusedRecords};
use super::settings::StreamSettings;
use super::state::{Recovered, State, StateError};
use super::stats::{StreamOverview, StreamSnapshot, Uploads};
use super::uploader::{Buckets, Uploader};
use super::value_history::ValueRanking;
use crate::functions::{FunctionLog, FunctionPool};
use object_storage::Bucket;

const STATE_EXTENSION: &str = "redb";

/// A running delivery stream. Clones share it.
#[derive(Debug, Clone)]
pub struct DeliveryStream {
    /// When it started.
    pub started: Timestamp,
    function_log: Arc<FunctionLog>,
    pub(super) intake: Arc<Intake>,
    current: Arc<RwLock<Generation>>,
    /// Those of this generation, and of earlier ones that still process records.
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Of the data stream that it reads, if a caller has created that.
    pub(super) reader: Arc<OnceLock<Reader>>,
    /// Held while the stream stops, so that a second stop waits for the first.
    stopping: Arc<tokio::sync::Mutex<()>>,
}

/// What the streams of a process share.
#[derive(Debug, Clone)]
pub struct StreamDeps {
    /// The log of their functions.
    pub function_log: Arc<FunctionLog>,
    /// Gets what happens in them.
    pub notices: Notices,
    /// The memory of their recent records.
    pub record_memory: RecordMemory,
}

/// Without subscribers, and without recent records.
impl From<Arc<FunctionLog>> for StreamDeps {
    fn from(function_log: Arc<FunctionLog>) -> Self {
        Self { function_log, notices: Notices::default(), record_memory: RecordMemory::default() }
    }
}

/// What processes records from one update to the next.
#[derive(Debug, Clone)]
struct Generation {
    context: Arc<Context>,
    buckets: Buckets,
    pool: Option<Arc<FunctionPool>>,
}

impl Generation {
    fn new(context: Arc<Context>, buckets: Buckets, function_log: &Arc<FunctionLog>) -> Self {
        let function = context.settings.function.clone();
        let pool = function.map(|function| Arc::new(FunctionPool::new(function, Arc::clone(function_log))));
        Self { context, buckets, pool }
    }

    /// Ends when the sender is dropped and all records are processed.
    fn start(&self) -> (Buffers, JoinHandle<()>) {
        let Self { context, buckets, pool } = self.clone();
        let (to_destination, items) = mpsc::unbounded_channel();
        let (to_buffers, accepted) = mpsc::unbounded_channel();
        let invoker = Invoker { context: Arc::clone(&context), pool: pool.clone(), destination: to_destination };
        let destination = Destination::new(Uploader::new(context, buckets));
        let parts = [tokio::spawn(ShardBuffers::new(invoker).run(accepted)), tokio::spawn(destination.run(items))];
        let task = tokio::spawn(async move {
            for part in parts {
                // A task that panicked has logged it. Its records are not settled.
                let _panicked = part.await;
            }
            if let Some(pool) = pool {
                pool.stop().await;
            }
        });
        (to_buffers, task)
    }
}

impl DeliveryStream {
    /// Starts the stream with the records that an earlier run has left in the folder `state`: accepted records are there until they
    /// are settled. Without the folder, a killed process loses them.
    pub fn start(
        settings: StreamSettings,
        buckets: impl Into<Buckets>,
        deps: impl Into<StreamDeps>,
        state: Option<&Path>,
    ) -> Result<Self, StateError> {
        let StreamDeps { function_log, notices, record_memory } = deps.into();
        let (file, recovered) = state.map(|folder| open_state(folder, &settings.name)).transpose()?.unzip();
        let Recovered { records, last } = recovered.unwrap_or_default();
        let left: Vec<Accepted> =
            records.into_iter().map(|(sequence, record)| Accepted::new(sequence, record)).collect();
        let context = Arc::new(Context::new(settings, file, &left, notices, record_memory.share()));
        let generation = Generation::new(Arc::clone(&context), buckets.into(), &function_log);
        let (to_buffers, task) = generation.start();
        let intake = Arc::new(Intake::new(context, left, last, to_buffers));
        let (current, tasks) = (Arc::new(RwLock::new(generation)), Arc::new(Mutex::new(vec![task])));
        let (reader, stopping) = (Arc::default(), Arc::default());
        Ok(Self { started: Timestamp::now(), function_log, intake, current, tasks, reader, stopping })
    }

    /// Continues with other settings, of the same name, source and backlog. Records that are already accepted are processed with the
    /// settings of before.
    pub fn update(&self, settings: StreamSettings, buckets: impl Into<Buckets>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let context = Arc::new(current.context.updated(settings));
        let generation = Generation::new(context, buckets.into(), &self.function_log);
        let (to_buffers, task) = generation.start();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
        self.intake.forward_to(to_buffers);
        *current = generation;
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.intake.context.settings.name
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> Arc<StreamSettings> {
        self.with_current(|current| Arc::clone(&current.context.settings))
    }

    /// The bucket of an object. After an update of the destination it may be another one than that of older objects.
    #[must_use]
    pub fn bucket_of(&self, object: &ObjectSummary) -> Arc<Bucket> {
        self.with_current(|current| Arc::clone(current.buckets.of(object.kind)))
    }

    /// The stream at this moment.
    #[must_use]
    pub fn snapshot(&self) -> StreamSnapshot {
        self.with_current(|current| current.context.stats.snapshot())
    }

    /// The stream's numbers in a list of streams.
    #[must_use]
    pub fn overview(&self) -> StreamOverview {
        self.with_current(|current| current.context.stats.overview())
    }

    /// The last 15 minutes.
    #[must_use]
    pub fn history(&self) -> HistoryColumns {
        self.with_current(|current| current.context.stats.history())
    }

    /// Its latest records.
    #[must_use]
    pub fn recent_records(&self) -> &RecentRecords {
        &self.intake.context.records
    }

    /// The most frequent values of the counted fields in the last 15 minutes.
    #[must_use]
    pub fn ranking(&self) -> ValueRanking {
        self.with_current(|current| current.context.stats.ranking())
    }

    /// How many accepted records are not settled: neither stored nor dropped, or not in the source backup yet.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.with_current(|current| current.context.backlog.unsettled())
    }

    /// How many records of its data stream it has not read yet, once it stops of those that were put until then. Without a later read they
    /// are lost: a data stream that a caller has created keeps its records in memory.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.reader.get().map_or(0, Reader::lag)
    }

    /// Accepts records, each valid base64, and returns the id of each. With a state, they are on disk then.
    pub async fn put(&self, data: Vec<String>) -> Vec<Result<String, PutError>> {
        let entries = data.into_iter().map(|data| Ok(IncomingRecord { data, shard: None }));
        self.intake.put(entries, |record| record.record_id.clone()).await
    }

    /// Counts records for this stream that were refused before they were put.
    pub fn refuse(&self, records: u64, reason: RefusalReason) {
        self.intake.context.refuse(&RefusedRecords::new(records, reason));
    }

    /// Whether invocations wait because this machine cannot start or reach the function.
    #[must_use]
    pub fn is_function_unavailable(&self) -> bool {
        self.with_current(|current| current.pool.as_ref().is_some_and(|pool| pool.outage.is_ongoing()))
    }

    /// Whether objects wait because the storage refuses them.
    #[must_use]
    pub fn is_storage_refusing(&self) -> bool {
        self.with_current(|current| current.context.stats.is_storage_refusing())
    }

    /// Its uploads so far.
    #[must_use]
    pub fn uploads(&self) -> Uploads {
        self.with_current(|current| current.context.stats.uploads())
    }

    /// Whether the source backup goes into another bucket than the other objects.
    #[must_use]
    pub fn has_backup_bucket(&self) -> bool {
        self.with_current(|Generation { context, buckets, .. }| {
            context.settings.backup_prefix.is_some() && !Arc::ptr_eq(&buckets.objects, &buckets.backup)
        })
    }

    /// The process exits without waiting for the records that are not flushed.
    pub fn abandon(&self) {
        self.with_current(|current| current.context.backlog.abandoned.store(true, Ordering::Relaxed));
    }

    /// Accepts nothing more, reads what its data stream has until now, and flushes all records, however long that takes. Returns whether
    /// all are read and settled, on disk as well.
    pub async fn stop(&self) -> bool {
        let _stopping = self.stopping.lock().await;
        if let Some(reader) = self.reader.get() {
            reader.stop().await;
        }
        self.intake.close();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _panicked = task.await;
        }
        let context = self.with_current(|current| Arc::clone(&current.context));
        context.refusals.report();
        context.backlog.close().await && context.backlog.unsettled() + self.unread() == 0
    }

    fn with_current<T>(&self, access: impl FnOnce(&Generation) -> T) -> T {
        access(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The file in a folder that has records of a stream, if there is one.
#[must_use]
pub fn state_of(folder: &Path, stream: &str) -> Option<PathBuf> {
    Some(state_path(folder, stream)).filter(|path| path.exists())
}

/// Removes the records of a stream that has stopped from a folder.
pub fn remove_state(folder: &Path, stream: &str) -> io::Result<()> {
    let path = state_path(folder, stream);
    for path in [state_file::commits_path(&path), path] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The state files in a folder that none of these streams uses. Their records stay there.
pub fn unused_state_files(folder: &Path, streams: &[DeliveryStream]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_used = |path: &PathBuf| streams.iter().any(|stream| *path == state_path(folder, stream.name()));
    entries.filter(|path| path.extension() == Some(OsStr::new(STATE_EXTENSION)) && !is_used(path)).collect()
}

fn state_path(folder: &Path, stream: &str) -> PathBuf {
    folder.join(format!("{stream}.{STATE_EXTENSION}"))
}

fn open_state(folder: &Path, stream: &str) -> Result<(State, Recovered), StateError> {
    let made = state_file::make_folder(folder);
    made.map_err(|source| {
        StateError(format!("could not make the folder {} (`--state`)", folder.display()), Some(source.into()))
    })?;
    State::open(&state_path(folder, stream))
}

#[cfg(test)]
mod tests;
