//! One delivery stream: starts its parts, connects them, and stops them in their order.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::backlog::Backlog;
use super::destination::Destination;
use super::intake::{Entry, Intake, PutError};
use super::invoker::Invoker;
use super::receipt::Accepted;
use super::settings::{Source, StreamSettings};
use super::shard_buffers::ShardBuffers;
use super::snapshot::{DataStreamShards, StreamSnapshot};
use super::state::{Recovered, State, StateError};
use super::stats::StreamStats;
use super::uploader::Uploader;
use crate::functions::{FunctionLog, Functions};
use firehose_model::event::{Record, stream_arn};
use object_storage::Bucket;

/// The file extension of a stream's state.
const STATE_EXTENSION: &str = "redb";

/// Why a stream does not start.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state's folder cannot be created.
    #[error("could not make the folder {} (`--state`)", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
}

/// A running delivery stream. Clones share it.
#[derive(Debug, Clone)]
pub struct DeliveryStream(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: StreamSettings,
    started: Timestamp,
    bucket: Arc<Bucket>,
    backlog: Arc<Backlog>,
    stats: Arc<StreamStats>,
    functions: Option<Arc<Functions>>,
    intake: Intake,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What a stream needs besides its settings.
#[derive(Debug, Clone)]
pub struct StreamDeps {
    /// How the function is started. Without one, records are delivered as they were put.
    pub function: Option<runtime_api::Settings>,
    /// The log of the function.
    pub function_log: Arc<FunctionLog>,
    /// The storage of the objects.
    pub bucket: Arc<Bucket>,
    /// The folder of the state: accepted records are on disk until they are settled. Without one, a killed process loses them.
    pub state: Option<PathBuf>,
}

impl DeliveryStream {
    /// Starts the stream with the records that an earlier run has left in the state.
    pub fn start(settings: StreamSettings, deps: StreamDeps) -> Result<Self, StreamError> {
        let StreamDeps { function, function_log, bucket, state: folder } = deps;
        let (file, Recovered { records, last }) = match &folder {
            None => (None, Recovered::default()),
            Some(folder) => {
                let (file, left) = open_state(folder, &settings.name)?;
                (Some(file), left)
            }
        };
        let left: Vec<Accepted> =
            records.into_iter().map(|(sequence, record)| Accepted::new(sequence, record)).collect();
        let intervals = (settings.buffer.interval, settings.destination_buffer.interval);
        let stats = Arc::new(StreamStats::new(&settings.name, intervals.0, intervals.1));
        let backlog = Arc::new(Backlog::new(settings.backlog_bytes, file, &left));

        let functions = function.map(|function| Arc::new(Functions::new(function, function_log)));
        let function_arn = functions.as_ref().map(|functions| functions.arn().to_owned()).unwrap_or_default();
        let (to_destination, items) = mpsc::unbounded_channel();
        let invoker = Invoker {
            functions: functions.clone(),
            function_arn: function_arn.clone(),
            retries: settings.retries,
            prefix: settings.prefix.clone(),
            backlog: Arc::clone(&backlog),
            stats: Arc::clone(&stats),
            destination: to_destination.clone(),
        };
        let buffers = ShardBuffers::new(&settings, invoker, to_destination, Arc::clone(&stats));
        let uploader = Uploader::new(settings.clone(), Arc::clone(&bucket), Arc::clone(&backlog), Arc::clone(&stats));
        let destination = Destination::new(settings.destination_buffer, function_arn, uploader, Arc::clone(&stats));

        let (to_buffers, accepted) = mpsc::unbounded_channel();
        let tasks = vec![tokio::spawn(buffers.run(accepted)), tokio::spawn(destination.run(items))];
        let intake = Intake::new(Arc::clone(&backlog), Arc::clone(&stats), last, to_buffers);
        intake.resume(left);
        let (started, tasks) = (Timestamp::now(), Mutex::new(tasks));
        Ok(Self(Arc::new(Parts { settings, started, bucket, backlog, stats, functions, intake, tasks })))
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// The stream's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        stream_arn(self.name())
    }

    /// The function's ARN, if there is a function.
    #[must_use]
    pub fn function_arn(&self) -> Option<&str> {
        self.0.functions.as_ref().map(|functions| functions.arn())
    }

    /// When it started.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.0.started
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &StreamSettings {
        &self.0.settings
    }

    /// Its storage.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    /// The stream at this moment.
    #[must_use]
    pub fn snapshot(&self) -> StreamSnapshot {
        let data_stream = match &self.0.settings.source {
            Source::DirectPut => None,
            Source::Kinesis(settings) => {
                let shards = settings.shards().count();
                Some(DataStreamShards { shards, on_demand: settings.provisioned.is_none() })
            }
        };
        StreamSnapshot { data_stream, transformed: self.0.functions.is_some(), ..self.0.stats.snapshot() }
    }

    /// How many accepted records are not settled: neither stored nor dropped, or not in the source backup yet.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.0.backlog.unsettled()
    }

    /// Accepts records, each valid base64, and returns the id of each. With a state, they are on disk then.
    pub async fn put(&self, data: Vec<String>) -> Vec<Result<String, PutError>> {
        let entries = data.into_iter().map(|data| Ok(Entry { data, shard: None }));
        self.0.intake.put(entries, |record| record.record_id.clone()).await
    }

    /// Accepts records of the data stream that this stream reads, in their order.
    pub(super) fn put_from_shards<A>(
        &self,
        entries: impl IntoIterator<Item = Result<Entry, PutError>>,
        result: impl Fn(&Record) -> A,
    ) -> impl Future<Output = Vec<Result<A, PutError>>> {
        self.0.intake.put(entries, result)
    }

    /// Whether an object of this run is in the storage.
    #[must_use]
    pub fn has_stored(&self) -> bool {
        self.0.stats.has_stored()
    }

    /// When the upload of the first object of this run began.
    #[must_use]
    pub fn first_upload(&self) -> Option<Instant> {
        self.0.stats.first_upload()
    }

    /// Whether the storage has refused an object of this run.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.0.stats.has_refused()
    }

    /// Whether invocations wait because this machine cannot start or reach the function.
    #[must_use]
    pub fn is_function_unavailable(&self) -> bool {
        self.0.functions.as_ref().is_some_and(|functions| functions.outage().is_ongoing())
    }

    /// The process exits without waiting for the records that are not flushed.
    pub fn abandon(&self) {
        self.0.backlog.abandon();
    }

    /// Accepts nothing more, and flushes all records to the storage, however long that takes. Returns whether all are settled,
    /// on disk as well.
    pub async fn stop(&self) -> bool {
        self.0.intake.close();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has logged it. Its records are not settled.
            let _panicked = task.await;
        }
        if let Some(functions) = &self.0.functions {
            functions.stop().await;
        }
        self.0.backlog.close().await && self.unsettled() == 0
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

fn open_state(folder: &Path, stream: &str) -> Result<(State, Recovered), StreamError> {
    let made = state_file::make_folder(folder);
    made.map_err(|source| StreamError::Folder { path: folder.to_owned(), source })?;
    Ok(State::open(&state_path(folder, stream))?)
}
