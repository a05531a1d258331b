//! Creates, updates and deletes delivery streams and data streams at run time.

mod buckets;
mod changes;
mod data_streams;
mod definition;
mod deletion;
mod functions;
mod processing;
mod refusal;
mod store;
mod tags;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::task::{JoinSet, spawn_blocking};

use self::buckets::OpenBuckets;
use self::data_streams::DataStreamEntry;
use self::definition::Plan;
use self::store::Store;
use crate::functions::FunctionLog;
use crate::http::BodyMemory;
use crate::registry::Registry;
use crate::stream::{DeliveryStream, RetentionMemory};

pub(crate) use self::data_streams::{MAX_HOURS, MIN_HOURS, RetentionChange};
pub(crate) use self::refusal::Refusal;
pub(crate) use self::tags::{StreamKind, Tags};

pub use self::data_streams::KinesisSource;
pub use self::definition::{Definition, Root};
pub use self::functions::{FunctionMap, InvalidFunctionName};
pub use self::processing::FieldError;
pub use self::refusal::{ControlError, StartError};
pub use self::store::StoreError;

/// The only destination of a stream.
pub(crate) const DESTINATION_ID: &str = "destinationId-000000000001";

/// The status of a stream, with the names of Firehose and Kinesis (their API references, "DeliveryStreamDescription" and
/// "StreamDescription").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Its state and its buckets are being opened.
    Creating,
    /// It accepts records.
    Active,
    /// It accepts nothing more, and flushes its records.
    Deleting,
    /// Its records could not be flushed so far. The deletion goes on when its storage accepts them, or with the next start.
    DeletingFailed,
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::DeletingFailed => "DELETING_FAILED",
        })
    }
}

/// The usual memory for the records of data streams, in bytes.
pub const RETENTION_BYTES: usize = 256 * 1024 * 1024;

/// Where the streams of a [`Control`] write, and what they run.
#[derive(Debug, Clone)]
pub struct ControlOptions {
    /// Where buckets are.
    pub root: Root,
    /// The functions of Lambda processors.
    pub functions: FunctionMap,
    /// The folder of definitions, tags, and accepted records of delivery streams. Without one, they end with the process.
    pub state: Option<PathBuf>,
    /// The most memory for the records of data streams, in bytes.
    pub retention_bytes: usize,
}

/// A change of a stream's destination.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) version: String,
    pub(crate) destination_id: String,
    /// The member of the request with the change.
    pub(crate) at: &'static str,
    pub(crate) change: Map<String, Value>,
}

/// The streams of a process: those that are configured at its start, and those that callers create. Clones share them.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    streams: Registry,
    options: ControlOptions,
    function_log: Arc<FunctionLog>,
    store: Option<Store>,
    retention: RetentionMemory,
    created: Mutex<Created>,
    /// Held during a change of a stream or of its tags, from what it reads until it is on disk.
    changing: tokio::sync::Mutex<()>,
    buckets: OpenBuckets,
    deletions: Mutex<JoinSet<()>>,
    body_memory: BodyMemory,
    response_memory: BodyMemory,
}

/// What the file in the state's folder has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Created {
    streams: BTreeMap<String, DeliveryStreamEntry>,
    /// Also of configured streams.
    tags: BTreeMap<String, Tags>,
    #[serde(default)]
    data_streams: BTreeMap<String, DataStreamEntry>,
    #[serde(default)]
    data_stream_tags: BTreeMap<String, Tags>,
}

/// A delivery stream that a caller has created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeliveryStreamEntry {
    pub(crate) definition: Definition,
    pub(crate) status: Status,
}

impl Control {
    /// `streams` has the streams that are configured at the start. Those that an earlier run with the same state has created are
    /// added.
    pub async fn open(
        streams: Registry,
        options: ControlOptions,
        function_log: Arc<FunctionLog>,
    ) -> Result<Self, ControlError> {
        let store = options.state.as_deref().map(Store::open).transpose()?;
        let created: Created = options.state.as_deref().map(store::read).transpose()?.unwrap_or_default();
        let entries = created.streams.clone();
        let retention = RetentionMemory::new(options.retention_bytes);
        let control = Self(Arc::new(Inner {
            streams,
            options,
            retention,
            function_log,
            store,
            created: Mutex::new(created),
            changing: tokio::sync::Mutex::default(),
            buckets: OpenBuckets::default(),
            deletions: Mutex::default(),
            body_memory: BodyMemory::default(),
            response_memory: BodyMemory::default(),
        }));
        // Delivery streams read them.
        control.restart_data_streams()?;
        for (name, entry) in entries {
            control.restart(name, entry).await?;
        }
        Ok(control)
    }

    /// Whether a stream of `names`, which are to be configured, has the name of one that a caller has created in an earlier run with the
    /// folder `state`. To be called before they start: they would deliver the other's records.
    pub fn check_names<'a>(state: &Path, names: impl IntoIterator<Item = &'a str>) -> Result<(), ControlError> {
        let Created { streams, .. } = store::read::<Created>(state)?;
        match names.into_iter().find(|name| streams.contains_key(*name)) {
            Some(name) => Err(ControlError::Configured(name.to_owned())),
            None => Ok(()),
        }
    }

    /// All streams that run.
    #[must_use]
    pub fn streams(&self) -> &Registry {
        &self.0.streams
    }

    /// The memory of request bodies, which all servers of these streams share.
    #[must_use]
    pub fn body_memory(&self) -> &BodyMemory {
        &self.0.body_memory
    }

    /// The memory of responses of the APIs, which all servers of these streams share.
    pub(crate) fn response_memory(&self) -> &BodyMemory {
        &self.0.response_memory
    }

    async fn restart(
        &self,
        name: String,
        DeliveryStreamEntry { definition, status }: DeliveryStreamEntry,
    ) -> Result<(), ControlError> {
        if self.0.streams.get(&name).is_some() {
            return Err(ControlError::Configured(name));
        }
        let ControlOptions { root, functions, .. } = &self.0.options;
        let plan = definition.plan("ExtendedS3DestinationConfiguration", root, functions);
        let plan = plan.map_err(|error| ControlError::Definition(name.clone(), error))?;
        let started = self.start(plan, definition.source).await;
        started.map_err(|error| ControlError::Start(name.clone(), error))?;
        match status {
            Status::Creating | Status::Active => self.set_status(&name, Status::Active),
            Status::Deleting | Status::DeletingFailed => {
                self.set_status(&name, Status::Deleting);
                self.finish_deletion(name);
            }
        }
        Ok(())
    }

    async fn start(&self, mut plan: Plan, source: Option<KinesisSource>) -> Result<(), StartError> {
        let (control, data_stream) = (self.clone(), self.connect(&mut plan.settings, source));
        let started = spawn_blocking(move || -> Result<(), StartError> {
            let Inner { streams, function_log, options, buckets, .. } = &*control.0;
            let buckets = buckets.of(&plan, options.state.is_some())?;
            let deps = streams.deps(Arc::clone(function_log));
            let stream = DeliveryStream::start(plan.settings, buckets, deps, options.state.as_deref())?;
            if let Some(data_stream) = data_stream {
                data_stream.attach(&stream);
            }
            Ok(streams.add(stream)?)
        });
        started.await.unwrap_or(Err(StartError::Panicked))
    }

    /// A stream that a caller has created, also one that is created or deleted at the moment.
    pub(crate) fn describe(&self, name: &str) -> Option<DeliveryStreamEntry> {
        self.created().streams.get(name).cloned()
    }

    /// The stream, if it accepts records.
    pub(crate) fn accepting(&self, name: &str) -> Option<DeliveryStream> {
        // Without a copy of the definition: each put calls this.
        let is_busy = self.created().streams.get(name).is_some_and(|entry| entry.status != Status::Active);
        self.0.streams.get(name).filter(|_| !is_busy)
    }

    /// All names in alphabetical order, each with its stream, if it runs.
    pub(crate) fn list(&self) -> BTreeMap<String, Option<DeliveryStream>> {
        let names: Vec<String> = self.created().streams.keys().cloned().collect();
        let mut all: BTreeMap<_, _> = names.into_iter().map(|name| (name, None)).collect();
        all.extend(self.0.streams.list().into_iter().map(|stream| (stream.name().to_owned(), Some(stream))));
        all
    }

    fn exists(&self, created: &Created, name: &str) -> bool {
        created.streams.contains_key(name) || self.0.streams.get(name).is_some()
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.created().streams.get(name).map(|entry| entry.status)
    }

    fn created(&self) -> MutexGuard<'_, Created> {
        self.0.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_status(&self, name: &str, status: Status) {
        if let Some(entry) = self.created().streams.get_mut(name) {
            entry.status = status;
        }
    }

    fn set_definition(&self, name: &str, definition: Definition) {
        if let Some(entry) = self.created().streams.get_mut(name) {
            entry.definition = definition;
        }
    }

    fn forget(&self, name: &str) {
        let mut created = self.created();
        created.streams.remove(name);
        created.tags.remove(name);
    }

    async fn save(&self) -> Result<(), StartError> {
        let control = self.clone();
        let saved = spawn_blocking(move || -> Result<(), StartError> {
            let Some(store) = &control.0.store else { return Ok(()) };
            Ok(store.write(|| serde_json::to_vec_pretty(&*control.created()))?)
        });
        saved.await.unwrap_or(Err(StartError::Panicked))
    }

    /// Saves a change, or undoes it. `what` is what could not be done with the stream then.
    async fn save_or_undo(&self, what: &str, name: &str, undo: impl FnOnce() + Send) -> Result<(), Refusal> {
        let Err(error) = self.save().await else { return Ok(()) };
        tracing::error!("could not {what} {name}: {error}");
        undo();
        Err(Refusal::Failed)
    }

    async fn save_or_log(&self) {
        if let Err(error) = self.save().await {
            tracing::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
