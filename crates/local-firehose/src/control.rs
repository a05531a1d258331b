//! Creates, updates and deletes delivery streams at run time.

mod definition;
mod functions;
mod processing;
mod refusal;
mod store;
mod tags;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use self::definition::Plan;
use self::refusal::MAX_STREAMS;
use self::store::Store;
use crate::functions::FunctionLog;
use crate::registry::Registry;
use crate::stream::{Buckets, DeliveryStream, remove_state};
use object_storage::{Bucket, BucketError};

pub(crate) use self::refusal::Refusal;
pub(crate) use self::tags::Tags;

pub use self::definition::{Definition, Root};
pub use self::functions::FunctionMap;
pub use self::processing::FieldError;
pub use self::refusal::{ControlError, StartError};
pub use self::store::StoreError;

/// The only destination of a stream.
pub(crate) const DESTINATION_ID: &str = "destinationId-000000000001";

/// The status of a delivery stream, with the names of Firehose (API reference, "DeliveryStreamDescription").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Its state and its buckets are being opened.
    Creating,
    /// It accepts records.
    Active,
    /// It accepts nothing more, and flushes its records.
    Deleting,
}

/// Where the streams of a [`Control`] write, and what they run.
#[derive(Debug, Clone)]
pub struct ControlOptions {
    /// Where buckets are.
    pub root: Root,
    /// The functions of Lambda processors.
    pub functions: FunctionMap,
    /// The folder of definitions, tags and accepted records. Without one, they end with the process.
    pub state: Option<PathBuf>,
}

/// A stream as it is described.
#[derive(Debug)]
pub(crate) struct Described {
    /// `None` if the stream is configured at the start of this process.
    pub(crate) definition: Option<Definition>,
    pub(crate) status: Status,
    /// `None` while it is created.
    pub(crate) stream: Option<DeliveryStream>,
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

/// The delivery streams of a process: those that are configured at its start, and those that callers create. Clones share them.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    streams: Registry,
    options: ControlOptions,
    function_log: Arc<FunctionLog>,
    store: Option<Store>,
    created: Mutex<Created>,
    /// Held during an update, which reads a version and writes the next.
    updating: tokio::sync::Mutex<()>,
}

/// What the file in the state's folder has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Created {
    streams: BTreeMap<String, Entry>,
    /// Also of configured streams.
    tags: BTreeMap<String, Tags>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    definition: Definition,
    status: Status,
}

impl Control {
    /// `streams` has the streams that are configured at the start. Those that an earlier run with the same state has created are
    /// added.
    pub async fn open(
        streams: Registry,
        options: ControlOptions,
        function_log: Arc<FunctionLog>,
    ) -> Result<Self, ControlError> {
        let opened = options.state.as_deref().map(Store::open).transpose()?;
        let (store, created) = match opened {
            None | Some((_, None)) => (opened.map(|(store, _)| store), Created::default()),
            Some((store, Some(text))) => {
                let created = serde_json::from_slice(&text).map_err(|error| store.damaged(error))?;
                (Some(store), created)
            }
        };
        let entries = created.streams.clone();
        let updating = tokio::sync::Mutex::default();
        let created = Mutex::new(created);
        let control = Self(Arc::new(Inner { streams, options, function_log, store, created, updating }));
        for (name, entry) in entries {
            control.restart(name, entry).await?;
        }
        Ok(control)
    }

    /// All streams that run.
    #[must_use]
    pub fn streams(&self) -> &Registry {
        &self.0.streams
    }

    async fn restart(&self, name: String, Entry { definition, status }: Entry) -> Result<(), ControlError> {
        if self.0.streams.get(&name).is_some() {
            tracing::warn!(
                "the stream {name} is configured; the stream of this name that a caller created is forgotten"
            );
            self.forget(&name);
            return Ok(());
        }
        let ControlOptions { root, functions, .. } = &self.0.options;
        let plan = definition.plan("ExtendedS3DestinationConfiguration", root, functions);
        let plan = plan.map_err(|error| ControlError::Definition(name.clone(), error))?;
        let started = self.start(plan).await;
        started.map_err(|error| ControlError::Start(name.clone(), error))?;
        match status {
            Status::Creating | Status::Active => self.set_status(&name, Status::Active),
            Status::Deleting => self.finish_deletion(name),
        }
        Ok(())
    }

    /// Starts the stream of a plan, and adds it to the others.
    async fn start(&self, plan: Plan) -> Result<(), StartError> {
        let control = self.clone();
        let started = spawn_blocking(move || -> Result<(), StartError> {
            let Inner { streams, function_log, options, .. } = &*control.0;
            let buckets = open(&plan, options.state.is_some())?;
            let log = Arc::clone(function_log);
            let stream = DeliveryStream::start(plan.settings, buckets, log, options.state.as_deref())?;
            Ok(streams.add(stream)?)
        });
        started.await.unwrap_or(Err(StartError::Panicked))
    }

    /// Creates a stream, which accepts records when this returns. `at` is the member of the request with the destination.
    pub(crate) async fn create(&self, definition: Definition, at: &'static str, tags: Tags) -> Result<(), Refusal> {
        let control = self.clone();
        // A client that disconnects cancels nothing.
        let created = tokio::spawn(async move { control.create_whole(definition, at, tags).await });
        created.await.unwrap_or(Err(Refusal::Failed))
    }

    async fn create_whole(&self, definition: Definition, at: &'static str, tags: Tags) -> Result<(), Refusal> {
        let ControlOptions { root, functions, .. } = &self.0.options;
        let name = definition.name.clone();
        let plan = definition.plan(at, root, functions)?;
        {
            let mut created = self.created();
            if created.streams.contains_key(&name) || self.0.streams.get(&name).is_some() {
                return Err(Refusal::Exists);
            }
            if created.streams.len() >= MAX_STREAMS {
                return Err(Refusal::TooManyStreams);
            }
            log_options(&definition);
            created.streams.insert(name.clone(), Entry { definition, status: Status::Creating });
            if !tags.is_empty() {
                created.tags.insert(name.clone(), tags);
            }
        }
        let started = match self.save().await {
            Ok(()) => self.start(plan).await,
            unsaved => unsaved,
        };
        if let Err(error) = started {
            tracing::error!("could not create the stream {name}: {error}");
            self.forget(&name);
            self.save_or_log().await;
            return Err(Refusal::Failed);
        }
        self.set_status(&name, Status::Active);
        Ok(())
    }

    /// Returns at once. The stream flushes its records, and then it is removed.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Refusal> {
        {
            let mut created = self.created();
            let entry = created.streams.get_mut(name).ok_or_else(|| self.not_created(name))?;
            match entry.status {
                Status::Creating => return Err(Refusal::Busy(Status::Creating)),
                Status::Deleting => return Ok(()),
                Status::Active => entry.status = Status::Deleting,
            }
        }
        self.save_or_log().await;
        self.finish_deletion(name.to_owned());
        Ok(())
    }

    fn finish_deletion(&self, name: String) {
        let control = self.clone();
        tokio::spawn(async move {
            let Some(stream) = control.0.streams.get(&name) else { return };
            if !stream.stop().await {
                tracing::error!("{} records of the deleted stream {name} are lost", stream.unsettled());
            }
            if let Some(folder) = &control.0.options.state
                && let Err(error) = remove_state(folder, &name)
            {
                tracing::error!("could not remove the state of the deleted stream {name}: {error}");
            }
            control.0.streams.remove(&name);
            control.forget(&name);
            control.save_or_log().await;
        });
    }

    /// Replaces members of a stream's destination.
    pub(crate) async fn update(&self, name: &str, update: Update) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        let updated = tokio::spawn(async move { control.update_whole(&name, update).await });
        updated.await.unwrap_or(Err(Refusal::Failed))
    }

    async fn update_whole(&self, name: &str, update: Update) -> Result<(), Refusal> {
        let Update { version, destination_id, at, change } = update;
        let _updating = self.0.updating.lock().await;
        let Some(Entry { definition, status }) = self.created().streams.get(name).cloned() else {
            return Err(self.not_created(name));
        };
        let Some(stream) = self.0.streams.get(name).filter(|_| status == Status::Active) else {
            return Err(Refusal::Busy(status));
        };
        if version != definition.version.to_string() {
            return Err(Refusal::Version { current: definition.version, given: version });
        }
        if destination_id != DESTINATION_ID {
            let problem = format!("the stream has no destination {destination_id}; accepted is {DESTINATION_ID}");
            return Err(FieldError::new("DestinationId", problem).into());
        }
        let updated = definition.merged(at, change, Timestamp::now().as_millisecond())?;
        let plan = updated.plan(at, &self.0.options.root, &self.0.options.functions)?;
        let durable = self.0.options.state.is_some();
        let opened = spawn_blocking(move || open(&plan, durable).map(|buckets| (plan.settings, buckets))).await;
        let opened = opened.map_err(|_panicked| StartError::Panicked).and_then(|opened| Ok(opened?));
        let (settings, buckets) = opened.map_err(|error| {
            tracing::error!("could not update the stream {name}: {error}");
            Refusal::Failed
        })?;
        log_options(&updated);
        self.set_definition(name, updated);
        if let Err(error) = self.save().await {
            tracing::error!("could not update the stream {name}: {error}");
            self.set_definition(name, definition);
            return Err(Refusal::Failed);
        }
        stream.update(settings, buckets);
        Ok(())
    }

    /// A stream, also one that is created or deleted at the moment.
    pub(crate) fn describe(&self, name: &str) -> Option<Described> {
        let entry = self.created().streams.get(name).cloned();
        let stream = self.0.streams.get(name);
        match entry {
            Some(Entry { definition, status }) => Some(Described { definition: Some(definition), status, stream }),
            None => stream.map(|stream| Described { definition: None, status: Status::Active, stream: Some(stream) }),
        }
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

    fn not_created(&self, name: &str) -> Refusal {
        if self.0.streams.get(name).is_some() { Refusal::Configured } else { Refusal::NotFound }
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

    /// Writes all definitions and tags.
    async fn save(&self) -> Result<(), StartError> {
        let control = self.clone();
        let saved = spawn_blocking(move || -> Result<(), StartError> {
            let Some(store) = &control.0.store else { return Ok(()) };
            let _writing = store.lock();
            let text = serde_json::to_vec_pretty(&*control.created()).map_err(|error| store.damaged(error))?;
            Ok(store.write(&text)?)
        });
        saved.await.unwrap_or(Err(StartError::Panicked))
    }

    async fn save_or_log(&self) {
        if let Err(error) = self.save().await {
            tracing::error!("{error}");
        }
    }
}

/// A folder is created here; a missing bucket is detected when the first object is put.
fn open(plan: &Plan, durable: bool) -> Result<Buckets, BucketError> {
    let open = |destination| Bucket::open(destination, durable).map(Arc::new);
    let objects = open(&plan.settings.destination)?;
    let backup = if plan.backup == plan.settings.destination { Arc::clone(&objects) } else { open(&plan.backup)? };
    Ok(Buckets { objects, backup })
}

/// There is no CloudWatch here: what Firehose would write to a log group is among the lines of this process.
fn log_options(definition: &Definition) {
    let options = definition.destination.get("CloudWatchLoggingOptions");
    let text = |member: &str| options.and_then(|options| options.get(member)).and_then(Value::as_str).unwrap_or("none");
    if options.and_then(|options| options.get("Enabled")).is_some_and(|enabled| *enabled == true) {
        let (name, group, stream) = (&definition.name, text("LogGroupName"), text("LogStreamName"));
        tracing::info!("{name}: errors are reported here instead of in the log group {group}, log stream {stream}");
    }
}

#[cfg(test)]
mod tests;
