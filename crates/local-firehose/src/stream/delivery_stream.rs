//! One delivery stream: starts its parts, connects them, and stops them in their order.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::backlog::Context;
use super::buffer::ShardBuffers;
use super::destination::Destination;
use super::intake::{Entry, Intake, PutError};
use super::invoker::Invoker;
use super::receipt::Accepted;
use super::settings::StreamSettings;
use super::state::{Recovered, State, StateError};
use super::stats::StreamSnapshot;
use super::uploader::Uploader;
use crate::functions::{FunctionLog, Functions};
use object_storage::Bucket;

const STATE_EXTENSION: &str = "redb";

/// A running delivery stream. Clones share it.
#[derive(Debug, Clone)]
pub struct DeliveryStream {
    /// When it started.
    pub started: Timestamp,
    /// Its storage.
    pub bucket: Arc<Bucket>,
    context: Arc<Context>,
    functions: Option<Arc<Functions>>,
    pub(super) intake: Arc<Intake>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl DeliveryStream {
    /// Starts the stream with the records that an earlier run has left in the folder `state`: accepted records are there until they
    /// are settled. Without the folder, a killed process loses them.
    pub fn start(
        settings: StreamSettings,
        bucket: Arc<Bucket>,
        function_log: Arc<FunctionLog>,
        state: Option<&Path>,
    ) -> Result<Self, StateError> {
        let (file, recovered) = state.map(|folder| open_state(folder, &settings.name)).transpose()?.unzip();
        let Recovered { records, last } = recovered.unwrap_or_default();
        let left: Vec<Accepted> =
            records.into_iter().map(|(sequence, record)| Accepted::new(sequence, record)).collect();
        let functions = settings.function.clone().map(|function| Arc::new(Functions::new(function, function_log)));
        let context = Arc::new(Context::new(settings, file, &left));

        let (to_destination, items) = mpsc::unbounded_channel();
        let (to_buffers, accepted) = mpsc::unbounded_channel();
        let invoker =
            Invoker { context: Arc::clone(&context), functions: functions.clone(), destination: to_destination };
        let destination = Destination::new(Uploader::new(Arc::clone(&context), Arc::clone(&bucket)));
        let tasks = vec![tokio::spawn(ShardBuffers::new(invoker).run(accepted)), tokio::spawn(destination.run(items))];
        let intake = Arc::new(Intake::new(Arc::clone(&context), left, last, to_buffers));
        let (started, tasks) = (Timestamp::now(), Arc::new(Mutex::new(tasks)));
        Ok(Self { started, bucket, context, functions, intake, tasks })
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.context.settings.name
    }

    /// The function's ARN, if there is a function.
    #[must_use]
    pub fn function_arn(&self) -> Option<&str> {
        self.context.function_arn.as_deref()
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &StreamSettings {
        &self.context.settings
    }

    /// The stream at this moment.
    #[must_use]
    pub fn snapshot(&self) -> StreamSnapshot {
        self.context.stats.snapshot()
    }

    /// How many accepted records are not settled: neither stored nor dropped, or not in the source backup yet.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.context.backlog.unsettled()
    }

    /// Accepts records, each valid base64, and returns the id of each. With a state, they are on disk then.
    pub async fn put(&self, data: Vec<String>) -> Vec<Result<String, PutError>> {
        let entries = data.into_iter().map(|data| Ok(Entry { data, shard: None }));
        self.intake.put(entries, |record| record.record_id.clone()).await
    }

    /// Whether invocations wait because this machine cannot start or reach the function.
    #[must_use]
    pub fn is_function_unavailable(&self) -> bool {
        self.functions.as_ref().is_some_and(|functions| functions.outage.is_ongoing())
    }

    /// The process exits without waiting for the records that are not flushed.
    pub fn abandon(&self) {
        self.context.backlog.abandoned.store(true, Ordering::Relaxed);
    }

    /// Accepts nothing more, and flushes all records, however long that takes. Returns whether all are settled, on disk as well.
    pub async fn stop(&self) -> bool {
        self.intake.close();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has logged it. Its records are not settled.
            let _panicked = task.await;
        }
        if let Some(functions) = &self.functions {
            functions.stop().await;
        }
        self.context.backlog.close().await && self.unsettled() == 0
    }
}

/// The state files in a folder that none of these streams uses. Their records stay there.
pub fn unused_state_files(folder: &Path, streams: &[StreamSettings]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_used = |path: &PathBuf| streams.iter().any(|stream| *path == state_path(folder, &stream.name));
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
